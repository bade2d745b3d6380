package imapdial

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// verify is the one place where it is decided whether a server's TLS is acceptable. Pins, dates, name, chain, key and staple are
// judged each on its own, so that all faults are known at once; crypto/x509 by itself stops at the first. It returns the faults, what to mend
// first foremost, and the pin that matched. The error is for a policy that cannot be applied.
func (p TLSPolicy) verify(name string, cs tls.ConnectionState, now time.Time) (faults []Fault, pin string, err error) {
	if len(cs.PeerCertificates) == 0 {
		return []Fault{{Kind: FaultNoCertificate, Index: -1, Blocking: true, Detail: "the server sent no certificate"}}, "", nil
	}
	roots, err := p.roots()
	if err != nil {
		return nil, "", err
	}
	v := &verification{chain: cs.PeerCertificates, leaf: cs.PeerCertificates[0], roots: roots, now: now}
	v.dates()
	v.name(name)
	v.trust()
	if p.Pins != "" {
		pin = v.pins(p.Pins)
	}
	v.key()
	v.staple(cs.OCSPResponse)
	v.order()
	return v.faults, pin, nil
}

// A verification is the work of one verify.
type verification struct {
	chain  []*x509.Certificate // as sent
	leaf   *x509.Certificate
	roots  *x509.CertPool
	now    time.Time
	issuer *x509.Certificate // of the leaf, where it is known
	faults []Fault
}

func (v *verification) fault(kind FaultKind, cert *x509.Certificate, blocking bool, format string, args ...any) {
	v.faults = append(v.faults, Fault{
		Kind: kind, Cert: cert, Index: slices.IndexFunc(v.chain, func(c *x509.Certificate) bool { return cert != nil && c.Equal(cert) }),
		Blocking: blocking, Detail: wire.Printable(fmt.Sprintf(format, args...)),
	})
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// dates judges the leaf's validity; that of the others counts only where the chain needs them.
func (v *verification) dates() {
	left, life := v.leaf.NotAfter.Sub(v.now), v.leaf.NotAfter.Sub(v.leaf.NotBefore)
	switch {
	case v.now.After(v.leaf.NotAfter):
		v.fault(FaultExpired, v.leaf, true, "the certificate expired on %s", day(v.leaf.NotAfter))
	case v.now.Before(v.leaf.NotBefore):
		v.fault(FaultNotYetValid, v.leaf, true, "the certificate is valid only from %s", day(v.leaf.NotBefore))
	case left < life/3 && left < 30*24*time.Hour: // lifetimes shrink to weeks: a fixed number of days alone would cry wolf
		v.fault(FaultExpiresSoon, v.leaf, false, "the certificate expires on %s", day(v.leaf.NotAfter))
	}
}

// name judges whether the leaf is for name (RFC 9525 section 6).
func (v *verification) name(name string) {
	if v.leaf.VerifyHostname(strings.TrimSuffix(name, ".")) == nil {
		return
	}
	if len(v.leaf.DNSNames)+len(v.leaf.IPAddresses) == 0 && strings.EqualFold(v.leaf.Subject.CommonName, name) {
		v.fault(FaultCommonNameOnly, v.leaf, true, "the certificate has the name %s only as common name, which no client accepts any more", name)
		return
	}
	v.fault(FaultNameMismatch, v.leaf, true, "the certificate is for %s, not for %s", nameList(v.leaf), name)
}

// nameList returns the names a certificate is for, the first few of them.
func nameList(cert *x509.Certificate) string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		if cert.Subject.CommonName == "" {
			return "no name"
		}
		return "no name but the common name " + cert.Subject.CommonName
	}
	if more := len(names) - 5; more > 0 {
		names = append(names[:5], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// pins judges the leaf's key by the pins given. One that matches takes the place of chain, name and dates.
func (v *verification) pins(pins string) string {
	if got := Pin(v.leaf); slices.Contains(strings.Fields(pins), got) {
		for i := range v.faults {
			v.faults[i].Blocking = false
		}
		return got
	}
	v.fault(FaultPinMismatch, v.leaf, true, "the server's key is %s, which is not among those pinned", Pin(v.leaf))
	return ""
}

// key judges the strength of the leaf's key. Under 1024 bits crypto/tls gives up by itself.
func (v *verification) key() {
	switch k := v.leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 {
			v.fault(FaultWeakKey, v.leaf, false, "the certificate's RSA key has %d bits; 2048 is the least that is considered safe", bits)
		}
	case *ecdsa.PublicKey:
		if bits := k.Curve.Params().BitSize; bits < 256 {
			v.fault(FaultWeakKey, v.leaf, false, "the certificate's EC key has %d bits; 256 is the least that is considered safe", bits)
		}
	}
}

// order judges what the server sent beside a chain that can be followed. It never blocks.
func (v *verification) order() {
	used := v.path()
	inOrder := true
	for i, c := range used {
		inOrder = inOrder && i < len(v.chain) && v.chain[i].Equal(c)
	}
	if !inOrder {
		v.fault(FaultChainOrder, nil, false, "the certificates are not sent in the order leaf, issuer, issuer's issuer")
	}
	for _, c := range v.chain {
		if !slices.ContainsFunc(used, c.Equal) {
			v.fault(FaultExtraCertificates, c, false, "the server sends a certificate that its chain does not need: %s", c.Subject)
		}
	}
}

// path returns the leaf and, in order, the issuers among what was sent.
func (v *verification) path() []*x509.Certificate {
	path := []*x509.Certificate{v.leaf}
	for {
		last := path[len(path)-1]
		i := slices.IndexFunc(v.chain, func(c *x509.Certificate) bool {
			return !slices.ContainsFunc(path, c.Equal) && issued(c, last)
		})
		if i < 0 {
			return path
		}
		path = append(path, v.chain[i])
	}
}

// issued reports whether parent signed child, whatever parent is allowed to do and however weak the hash: what it may sign is
// judged elsewhere.
func issued(parent, child *x509.Certificate) bool {
	if string(parent.RawSubject) != string(child.RawIssuer) {
		return false
	}
	err := parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
	_, insecure := err.(x509.InsecureAlgorithmError)
	return err == nil || insecure
}
