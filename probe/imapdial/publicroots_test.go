package imapdial

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// aPublicRoot is one that is valid now.
func aPublicRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	for _, same := range loadPublicRoots().byName {
		if c := same[0]; time.Now().Before(c.NotAfter) && !hasWeakHash(c) {
			return c
		}
	}
	t.Fatal("there is no public root")
	return nil
}

// selfSigned makes a root with the subject of like, or of its own where that is nil.
func selfSigned(t *testing.T, like *x509.Certificate) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Nobody"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if like != nil {
		template.RawSubject = like.RawSubject
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestPublicRoots(t *testing.T) {
	known := aPublicRoot(t)
	nobody, imitation := selfSigned(t, nil), selfSigned(t, known)
	tests := []struct {
		name             string
		cert             *x509.Certificate
		public, imitates bool
	}{
		{"a public root", known, true, false},
		{"a root that nobody knows", nobody, false, false},
		{"a root with the name of a public one", imitation, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &verification{leaf: tt.cert, chain: []*x509.Certificate{tt.cert}, roots: x509.NewCertPool(), now: time.Now()}
			if got := loadPublicRoots().has(tt.cert); got != tt.public {
				t.Errorf("has: got %v, want %v", got, tt.public)
			}
			if got := v.publicRoot() != nil; got != tt.public {
				t.Errorf("publicRoot: got %v, want %v", got, tt.public)
			}
			if like, got := v.imitates(tt.cert); got != tt.imitates || got != (like != nil) {
				t.Errorf("imitates: got %v, %v, want %v", like, got, tt.imitates)
			}
			v.noRoots()
			if got := v.faults[0].Related != nil; got != tt.public || !v.faults[0].Blocking {
				t.Errorf("without roots: got %+v", v.faults[0])
			}
		})
	}
}
