package probe

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// report is what is known of the endpoint, in the report's terms.
func (s *subject) report() *EndpointReport {
	e := &EndpointReport{
		Host: s.ep.Host, Port: int(s.ep.EffectivePort()), Security: s.ep.Security.String(),
		Address: s.address.String(), Family: string(s.family),
		Capabilities: Capabilities{BeforeTLS: []string{}, AfterTLS: []string{}, AfterLogin: printableList(s.signIn.capabilities)},
	}
	e.Checks, _ = s.judge()
	if s.facts == nil {
		return e
	}
	e.TLS = tlsReport(s.facts.TLS)
	if e.TLS != nil && s.scan != nil {
		e.TLS.addScan(s.scan)
	}
	if s.ep.Security == imapdial.Cleartext {
		e.Capabilities.BeforeTLS = printableList(s.facts.Capabilities)
	} else {
		e.Capabilities.BeforeTLS = printableList(s.facts.BeforeTLS)
		e.Capabilities.AfterTLS = printableList(s.facts.Capabilities)
	}
	return e
}

// tlsReport describes a handshake; nil without one.
func tlsReport(t *imapdial.TLSFacts) *TLSReport {
	if t == nil {
		return nil
	}
	r := &TLSReport{
		Version: versionName(t.State.Version), CipherSuite: tls.CipherSuiteName(t.State.CipherSuite), Group: imapdial.GroupName(t.State.CurveID),
		Certificates: []CertificateReport{},
	}
	for _, cert := range t.Chain {
		r.Certificates = append(r.Certificates, certificateReport(cert))
	}
	return r
}

func certificateReport(cert *x509.Certificate) CertificateReport {
	sum, spki := sha256.Sum256(cert.Raw), sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	keyType, bits := keyOf(cert)
	r := CertificateReport{
		Subject: wire.Printable(cert.Subject.String()), Issuer: wire.Printable(cert.Issuer.String()), // RFC 2253
		DNSNames: printableList(cert.DNSNames), IPAddresses: []string{},
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(),
		Serial: cert.SerialNumber.Text(16), SHA256: hex.EncodeToString(sum[:]), SPKISHA256: hex.EncodeToString(spki[:]),
		KeyType: keyType, KeyBits: bits, SignatureAlgorithm: cert.SignatureAlgorithm.String(),
	}
	for _, ip := range cert.IPAddresses {
		r.IPAddresses = append(r.IPAddresses, ip.String())
	}
	return r
}

// keyOf returns the kind and size of a certificate's key.
func keyOf(cert *x509.Certificate) (keyType string, bits int) {
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return "rsa", k.N.BitLen()
	case *ecdsa.PublicKey:
		return "ecdsa", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "ed25519", 256
	}
	return strings.ToLower(cert.PublicKeyAlgorithm.String()), 0
}

// certNames are the names and addresses that a certificate is for.
func certNames(cert *x509.Certificate) []string {
	names := printableList(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// issuerName is a short name for who issued cert.
func issuerName(cert *x509.Certificate) string {
	name := cert.Issuer.CommonName
	if name == "" {
		name = cert.Issuer.String()
	}
	return wire.Printable(name)
}

// printableList returns a copy of list that is never nil and can go to a terminal.
func printableList(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, wire.Printable(s))
	}
	return out
}
