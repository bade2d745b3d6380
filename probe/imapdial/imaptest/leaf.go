package imaptest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"time"
)

// A Leaf says what a server's certificate is like. The zero value is a good certificate for 127.0.0.1 and 127.0.0.2,
// valid from an hour ago for 90 days, ECDSA P-256, signed by the intermediate, which is sent along.
type Leaf struct {
	DNSNames []string
	IPs      []netip.Addr // when both this and DNSNames are empty: 127.0.0.1 and 127.0.0.2

	// CommonNameOnly puts the first name into the subject's common name and leaves the subject alternative name out.
	CommonNameOnly bool

	NotBefore time.Time // zero: an hour ago, or 90 days before NotAfter where that has passed
	NotAfter  time.Time // zero: 90 days after NotBefore

	Key   KeyType
	SHA1  bool               // signed with SHA-1
	Usage []x509.ExtKeyUsage // nil: serverAuth

	IsCA              bool // CA:TRUE
	MustStaple        bool // the TLS feature extension asks for a staple (RFC 7633)
	CriticalExtension bool // holds a critical extension that nobody knows

	SelfSigned bool // signed by its own key and sent alone; Direct, Chain and Staple must be zero
	Direct     bool // signed by the root and sent alone; Chain must be zero

	IntermediateExpired bool // its intermediate ended an hour ago
	Constrained         bool // its intermediate may only issue for names below constrained.example and addresses in 192.0.2.0/24

	SRVNames       []string // SRV-IDs such as "_imaps.example.org" (RFC 4985); with these alone the certificate has no other name
	NegativeSerial bool     // its serial number is below zero, which crypto/x509 does not parse: the certificate's Leaf is nil; Staple must be zero
	Imitated       bool     // names the intermediate as issuer, which is sent along, and is signed by someone else

	// Where the issuer's certificate, OCSP answers and the CRL can be fetched.
	IssuerURLs, OCSPURLs, CRLURLs []string

	Chain  Chain
	Staple Staple
}

// KeyType is the kind of a certificate's key.
type KeyType uint8

// The kinds of keys.
const (
	ECDSA256 KeyType = iota
	Ed25519
	RSA2048
	RSA1024
)

// Chain is what a server sends beside its certificate.
type Chain uint8

// The chains. The leaf always stands first (RFC 8446 section 4.4.2).
const (
	WithIntermediate Chain = iota // leaf, intermediate
	LeafOnly                      // the intermediate is missing
	WithRoot                      // leaf, intermediate, root
	OutOfOrder                    // leaf, root, intermediate
	WithUnrelated                 // leaf, intermediate, a certificate of someone else
)

const day = 24 * time.Hour

// Issue returns a certificate with its key and the chain that a server sends. It panics if l contradicts itself, which is
// a bug of the caller.
func (ca *CA) Issue(l Leaf) tls.Certificate {
	alone := l.SelfSigned || l.Direct
	if alone && l.Chain != 0 || alone && (l.IntermediateExpired || l.Constrained) || l.SelfSigned && (l.Direct || l.Staple != NoStaple) {
		panic(fmt.Sprintf("imaptest: contradiction in %+v", l))
	}
	key := newKey(l.Key)
	template := l.template()
	issuer := ca.issuer(l)
	if l.SelfSigned {
		issuer = authority{cert: template, key: key}
	}
	if l.SHA1 {
		template.SignatureAlgorithm = x509.ECDSAWithSHA1
		if _, ok := issuer.key.(*rsa.PrivateKey); ok {
			template.SignatureAlgorithm = x509.SHA1WithRSA
		}
	}
	signer := issuer
	if l.Imitated {
		imitation := *issuer.cert
		imitation.PublicKey = ca.stranger.key.Public()
		signer = authority{cert: &imitation, key: ca.stranger.key}
	}
	leaf := create(template, key, signer)
	cert := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	if !alone {
		cert.Certificate = append(cert.Certificate, ca.rest(l.Chain, issuer)...)
	}
	cert.OCSPStaple = ca.staple(leaf, issuer, l.Staple)
	if l.NegativeSerial {
		cert.Certificate[0], cert.Leaf = withNegativeSerial(leaf, issuer.key), nil
	}
	return cert
}

// issuer is who signs a leaf that is not self-signed.
func (ca *CA) issuer(l Leaf) authority {
	switch {
	case l.Direct:
		return ca.root
	case l.Constrained:
		return ca.constrained
	case l.IntermediateExpired:
		return ca.expired
	}
	return ca.intermediate
}

// rest is what follows the leaf in the chain.
func (ca *CA) rest(c Chain, issuer authority) [][]byte {
	intermediate, root := issuer.cert.Raw, ca.root.cert.Raw
	switch c {
	case WithIntermediate:
		return [][]byte{intermediate}
	case LeafOnly:
		return nil
	case WithRoot:
		return [][]byte{intermediate, root}
	case OutOfOrder:
		return [][]byte{root, intermediate}
	case WithUnrelated:
		return [][]byte{intermediate, ca.stranger.cert.Raw}
	}
	panic(fmt.Sprintf("imaptest: Chain(%d)", c))
}

// template turns l into what x509.CreateCertificate takes.
func (l Leaf) template() *x509.Certificate {
	t := &x509.Certificate{
		NotBefore:             l.NotBefore,
		NotAfter:              l.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  l.IsCA,
		IssuingCertificateURL: l.IssuerURLs,
		OCSPServer:            l.OCSPURLs,
		CRLDistributionPoints: l.CRLURLs,
	}
	if l.Usage != nil {
		t.ExtKeyUsage = l.Usage
	}
	if l.IsCA {
		t.KeyUsage |= x509.KeyUsageCertSign
	}
	if l.Key == RSA2048 || l.Key == RSA1024 {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	l.setDates(t)
	l.setNames(t)
	if l.MustStaple {
		// SEQUENCE { INTEGER 5 }: status_request (RFC 7633 section 6)
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}})
	}
	if l.CriticalExtension {
		// 32473 is the enterprise number for examples (RFC 5612).
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Critical: true, Value: []byte{5, 0}})
	}
	return t
}

func (l Leaf) setDates(t *x509.Certificate) {
	if t.NotBefore.IsZero() {
		t.NotBefore = time.Now().Add(-time.Hour)
		if !l.NotAfter.IsZero() && l.NotAfter.Before(t.NotBefore) {
			t.NotBefore = l.NotAfter.Add(-90 * day)
		}
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = t.NotBefore.Add(90 * day)
	}
}

func (l Leaf) setNames(t *x509.Certificate) {
	ips := l.IPs
	if len(l.SRVNames) > 0 {
		t.Subject.Organization = []string{"Test Mail"}
		t.ExtraExtensions = append(t.ExtraExtensions, subjectAltName(l.DNSNames, ips, l.SRVNames))
		return
	}
	if len(l.DNSNames) == 0 && len(ips) == 0 {
		ips = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.AddrFrom4([4]byte{127, 0, 0, 2})}
	}
	names := append([]string(nil), l.DNSNames...)
	for _, ip := range ips {
		names = append(names, ip.String())
	}
	if l.CommonNameOnly {
		t.Subject.CommonName = names[0]
		return
	}
	t.Subject.Organization = []string{"Test Mail"} // a self-signed one needs an issuer that is not empty
	t.DNSNames = l.DNSNames
	for _, ip := range ips {
		t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
	}
}

func newKey(k KeyType) crypto.Signer {
	var key crypto.Signer
	var err error
	switch k {
	case ECDSA256:
		return newECDSAKey()
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case RSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case RSA1024:
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	default:
		panic(fmt.Sprintf("imaptest: KeyType(%d)", k))
	}
	if err != nil {
		panic("imaptest: generate key: " + err.Error())
	}
	return key
}
