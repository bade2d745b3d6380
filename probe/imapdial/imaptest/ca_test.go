package imaptest_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"golang.org/x/crypto/ocsp"
)

// verify does what a strict client does with the chain that cert's server sends.
func verify(ca *imaptest.CA, cert tls.Certificate, host string) error {
	intermediates := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		intermediates.AddCert(c)
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), Intermediates: intermediates, DNSName: host})
	return err
}

func TestIssuedCertificateIsBadInExactlyTheWayAskedFor(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	hours := func(n int) time.Time { return time.Now().Add(time.Duration(n) * time.Hour) }
	tests := []struct {
		name string
		leaf imaptest.Leaf
		host string // "" means 127.0.0.1
		want string // in the error; "" means that all is well
	}{
		{"the zero leaf is good", imaptest.Leaf{}, "", ""},
		{"the zero leaf is good for the other address", imaptest.Leaf{}, "127.0.0.2", ""},
		{"no other address", imaptest.Leaf{}, "127.0.0.3", "127.0.0.3"},
		{"a DNS name", imaptest.Leaf{DNSNames: []string{"mail.example.org"}}, "mail.example.org", ""},
		{"the wrong name", imaptest.Leaf{DNSNames: []string{"mail.example.org"}}, "", "doesn't contain any IP SANs"},
		{"expired", imaptest.Leaf{NotAfter: hours(-3)}, "", "expired"},
		{"not yet valid", imaptest.Leaf{NotBefore: hours(3)}, "", "not yet valid"},
		{"ends soon", imaptest.Leaf{NotBefore: hours(-24 * 80), NotAfter: hours(24 * 5)}, "", ""},
		{"self-signed", imaptest.Leaf{SelfSigned: true}, "", "unknown authority"},
		{"signed by the root", imaptest.Leaf{Direct: true}, "", ""},
		{"the intermediate is missing", imaptest.Leaf{Chain: imaptest.LeafOnly}, "", "unknown authority"},
		{"the root is sent", imaptest.Leaf{Chain: imaptest.WithRoot}, "", ""},
		{"out of order", imaptest.Leaf{Chain: imaptest.OutOfOrder}, "", ""},
		{"with an unrelated certificate", imaptest.Leaf{Chain: imaptest.WithUnrelated}, "", ""},
		{"the intermediate has expired", imaptest.Leaf{IntermediateExpired: true}, "", "expired"},
		{"the intermediate may not issue for the name", imaptest.Leaf{Constrained: true}, "", "not permitted"},
		{"the constrained intermediate may issue for this name", imaptest.Leaf{Constrained: true, DNSNames: []string{"mx.constrained.example"}}, "mx.constrained.example", ""},
		{"common name only", imaptest.Leaf{CommonNameOnly: true, DNSNames: []string{"mail.example.org"}}, "mail.example.org", "SANs"},
		{"for clients", imaptest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, "", "incompatible key usage"},
		{"CA:TRUE", imaptest.Leaf{IsCA: true}, "", ""},
		{"SHA-1", imaptest.Leaf{SHA1: true}, "", "insecure algorithm"},
		{"RSA 2048", imaptest.Leaf{Key: imaptest.RSA2048}, "", ""},
		{"Ed25519", imaptest.Leaf{Key: imaptest.Ed25519}, "", ""},
		{"unknown critical extension", imaptest.Leaf{CriticalExtension: true}, "", "unhandled critical extension"},
		{"must-staple", imaptest.Leaf{MustStaple: true}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := tt.host
			if host == "" {
				host = "127.0.0.1"
			}
			err := verify(ca, ca.Issue(tt.leaf), host)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestIssuedCertificateLooksAsAskedFor(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	if bits := ca.Issue(imaptest.Leaf{Key: imaptest.RSA1024}).Leaf.PublicKey.(interface{ Size() int }).Size() * 8; bits != 1024 {
		t.Errorf("RSA1024 has %d bits", bits)
	}
	if !ca.Issue(imaptest.Leaf{IsCA: true}).Leaf.IsCA {
		t.Error("IsCA is not a CA")
	}
	if names := ca.Issue(imaptest.Leaf{CommonNameOnly: true}).Leaf; names.Subject.CommonName != "127.0.0.1" || names.IPAddresses != nil {
		t.Errorf("CommonNameOnly: subject %s, addresses %v", names.Subject, names.IPAddresses)
	}
	mustStaple := ca.Issue(imaptest.Leaf{MustStaple: true}).Leaf
	if !slices.ContainsFunc(mustStaple.Extensions, func(e pkix.Extension) bool { return e.Id.String() == "1.3.6.1.5.5.7.1.24" }) {
		t.Error("MustStaple lacks the TLS feature extension")
	}
	if a, b := imaptest.NewCA("Twin"), imaptest.NewCA("Twin"); verify(a, b.Issue(imaptest.Leaf{}), "127.0.0.1") == nil {
		t.Error("a CA accepts what another of its name issued")
	}
	lengths := map[imaptest.Chain]int{imaptest.WithIntermediate: 2, imaptest.LeafOnly: 1, imaptest.WithRoot: 3, imaptest.OutOfOrder: 3, imaptest.WithUnrelated: 3}
	for chain, want := range lengths {
		if got := len(ca.Issue(imaptest.Leaf{Chain: chain}).Certificate); got != want {
			t.Errorf("Chain(%d) has %d certificates, want %d", chain, got, want)
		}
	}
}

func TestContradictionPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	imaptest.NewCA("Test CA").Issue(imaptest.Leaf{SelfSigned: true, Staple: imaptest.StapleGood})
}

func TestStapleParses(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	tests := []struct {
		name   string
		staple imaptest.Staple
		status int
		err    bool
		stale  bool
	}{
		{"good", imaptest.StapleGood, ocsp.Good, false, false},
		{"revoked", imaptest.StapleRevoked, ocsp.Revoked, false, false},
		{"unknown", imaptest.StapleUnknown, ocsp.Unknown, false, false},
		{"stale", imaptest.StapleStale, ocsp.Good, false, true},
		{"wrong signer", imaptest.StapleWrongSigner, 0, true, false},
		{"other serial", imaptest.StapleOther, 0, true, false},
		{"garbage", imaptest.StapleGarbage, 0, true, false},
	}
	for _, direct := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				cert := ca.Issue(imaptest.Leaf{Staple: tt.staple, Direct: direct})
				issuer := ca.Root()
				if !direct {
					var err error
					if issuer, err = x509.ParseCertificate(cert.Certificate[1]); err != nil {
						t.Fatal(err)
					}
				}
				answer, err := ocsp.ParseResponseForCert(cert.OCSPStaple, cert.Leaf, issuer)
				if (err != nil) != tt.err {
					t.Fatalf("got error %v, want one: %t", err, tt.err)
				}
				if err != nil {
					return
				}
				if answer.Status != tt.status || answer.NextUpdate.Before(time.Now()) != tt.stale {
					t.Errorf("got status %d until %s, want %d, stale %t", answer.Status, answer.NextUpdate, tt.status, tt.stale)
				}
			})
		}
	}
	cert := ca.Issue(imaptest.Leaf{IPs: []netip.Addr{netip.MustParseAddr("127.0.0.9")}})
	if cert.OCSPStaple != nil || ca.Staple(cert, imaptest.StapleGood) == nil {
		t.Error("a staple without being asked for, or none when asked for")
	}
}

func TestFilesAreReadByOpenSSL(t *testing.T) {
	openssl := realserver.Require(t, "openssl")
	ca, dir := imaptest.NewCA("Test CA"), t.TempDir()
	certFile, keyFile, err := imaptest.WriteFiles(dir, "server", ca.Issue(imaptest.Leaf{}))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v; want mode 600", info.Mode(), err)
	}
	rootFile := dir + "/root.pem"
	if err := os.WriteFile(rootFile, []byte(ca.RootPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), openssl, "verify", "-CAfile", rootFile, "-untrusted", certFile, "-verify_ip", "127.0.0.1", certFile).CombinedOutput()
	if err != nil {
		t.Errorf("openssl verify: %v\n%s", err, out)
	}
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Error(err)
	}
	if _, _, err := imaptest.WriteFiles(dir+"/missing", "server", ca.Issue(imaptest.Leaf{})); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v, want %v", err, os.ErrNotExist)
	}
}
