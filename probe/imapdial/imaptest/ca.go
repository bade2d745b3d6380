package imaptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A CA is a certificate authority made on the spot: a root and its intermediates, all ECDSA P-256. It is safe for concurrent use.
type CA struct {
	root         authority
	intermediate authority
	expired      authority // the intermediate's key and name, in a certificate that has ended
	constrained  authority // an intermediate that may issue for little
	stranger     authority // someone else's root, for what this CA would never do
}

// An authority is a certificate that issues others.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewCA returns a new authority whose root is called name. Two authorities of one name have different keys.
func NewCA(name string) *CA {
	now := time.Now()
	root := func(name string) authority {
		return newAuthority(&x509.Certificate{
			Subject:   pkix.Name{CommonName: name},
			NotBefore: now.AddDate(-5, 0, 0),
			NotAfter:  now.AddDate(10, 0, 0),
		}, newECDSAKey(), nil)
	}
	ca := &CA{root: root(name), stranger: root("Unrelated Root")}
	intermediate := x509.Certificate{
		Subject:    pkix.Name{CommonName: name + " Intermediate"},
		NotBefore:  now.AddDate(-2, 0, 0),
		NotAfter:   now.AddDate(5, 0, 0),
		MaxPathLen: 0, MaxPathLenZero: true,
	}
	ca.intermediate = newAuthority(&intermediate, newECDSAKey(), &ca.root)

	expired := intermediate
	expired.NotAfter = now.Add(-time.Hour)
	ca.expired = newAuthority(&expired, ca.intermediate.key, &ca.root)

	constrained := intermediate
	constrained.Subject.CommonName = name + " Constrained Intermediate"
	constrained.PermittedDNSDomainsCritical = true
	constrained.PermittedDNSDomains = []string{"constrained.example"}
	constrained.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(192, 0, 2, 0).To4(), Mask: net.CIDRMask(24, 32)}}
	ca.constrained = newAuthority(&constrained, newECDSAKey(), &ca.root)
	return ca
}

// newAuthority makes a CA certificate from template, signed by parent or, when that is nil, by itself.
func newAuthority(template *x509.Certificate, key crypto.Signer, parent *authority) authority {
	t := *template
	t.IsCA = true
	t.BasicConstraintsValid = true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	if parent == nil {
		parent = &authority{cert: &t, key: key}
	}
	return authority{cert: create(&t, key, *parent), key: key}
}

// create signs a certificate. It panics on an error, which only a template of ours can cause.
func create(template *x509.Certificate, key crypto.Signer, issuer authority) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		panic(fmt.Sprintf("imaptest: create certificate %s: %v", template.Subject, err))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(fmt.Sprintf("imaptest: parse certificate %s: %v", template.Subject, err))
	}
	return cert
}

func newECDSAKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("imaptest: generate key: " + err.Error())
	}
	return key
}

// Root returns the root's certificate.
func (ca *CA) Root() *x509.Certificate { return ca.root.cert }

// RootPEM returns the root's certificate as PEM, as TLSPolicy.CAs and --ca-file want it.
func (ca *CA) RootPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.cert.Raw}))
}

// Pool returns a new pool that holds the root.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.root.cert)
	return pool
}

// WriteFiles writes cert's chain and key as PEM into dir and returns their paths: name.pem and name.key. Only the user may
// read the key.
func WriteFiles(dir, name string, cert tls.Certificate) (certFile, keyFile string, err error) {
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return "", "", fmt.Errorf("encode the key of %s: %w", name, err)
	}
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	if err := os.WriteFile(certFile, chain, 0o644); err != nil {
		return "", "", err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600); err != nil {
		return "", "", err
	}
	return certFile, keyFile, nil
}
