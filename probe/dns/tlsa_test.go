package dns

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

func TestTLSAMatching(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	issued := ca.Issue(imaptest.Leaf{})
	var chain []*x509.Certificate
	for _, der := range issued.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, cert)
	}
	if len(chain) < 2 {
		t.Fatalf("the chain has %d certificates, want the issuer too", len(chain))
	}
	leaf, issuer := chain[0], chain[1]
	sha := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	long := sha512.Sum512(leaf.RawSubjectPublicKeyInfo)
	tests := []struct {
		name   string
		record TLSA
		want   bool
	}{
		{"DANE-EE, digest of the key", TLSA{3, 1, 1, sha(leaf.RawSubjectPublicKeyInfo)}, true},
		{"DANE-EE, long digest of the key", TLSA{3, 1, 2, hex.EncodeToString(long[:])}, true},
		{"DANE-EE, digest of the certificate", TLSA{3, 0, 1, sha(leaf.Raw)}, true},
		{"DANE-EE, the key as it is", TLSA{3, 1, 0, hex.EncodeToString(leaf.RawSubjectPublicKeyInfo)}, true},
		{"PKIX-EE", TLSA{1, 0, 0, hex.EncodeToString(leaf.Raw)}, true},
		{"DANE-TA, the issuer", TLSA{2, 1, 1, sha(issuer.RawSubjectPublicKeyInfo)}, true},
		{"PKIX-TA, the issuer", TLSA{0, 0, 1, sha(issuer.Raw)}, true},
		{"DANE-TA with the leaf is no authority", TLSA{2, 1, 1, sha(leaf.RawSubjectPublicKeyInfo)}, false},
		{"DANE-EE with the issuer is not the leaf", TLSA{3, 1, 1, sha(issuer.RawSubjectPublicKeyInfo)}, false},
		{"another selector", TLSA{3, 0, 1, sha(leaf.RawSubjectPublicKeyInfo)}, false},
		{"another digest", TLSA{3, 1, 2, sha(leaf.RawSubjectPublicKeyInfo)}, false},
		{"an unknown usage", TLSA{4, 1, 1, sha(leaf.RawSubjectPublicKeyInfo)}, false},
		{"an unknown digest", TLSA{3, 1, 3, sha(leaf.RawSubjectPublicKeyInfo)}, false},
		{"no data", TLSA{3, 1, 0, ""}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.record.Matches(chain); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if (TLSA{3, 1, 1, sha(leaf.RawSubjectPublicKeyInfo)}).Matches(nil) {
		t.Error("no chain meets a record")
	}

	_, c := serve(t, faulty.Zone{Signed: true, Records: []string{"_993._tcp.imap.example.org. 60 IN TLSA 3 1 1 " + sha(leaf.RawSubjectPublicKeyInfo)}})
	a := c.Ask(t.Context(), TLSAName("imap.example.org", 993), TypeTLSA)
	if got := a.TLSA(); len(got) != 1 || !got[0].Matches(chain) || got[0].String() != "3 1 1 "+sha(leaf.RawSubjectPublicKeyInfo) || !a.Authentic {
		t.Errorf("got %v, authentic %v", got, a.Authentic)
	}
}
