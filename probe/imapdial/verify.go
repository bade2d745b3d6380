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
// judged each on its own, so that all faults are known at once; crypto/x509 by itself stops at the first. The faults stand in the order in
// which to mend them. The error is for a policy that cannot be applied.
func (ep Endpoint) verify(cs tls.ConnectionState, now time.Time) (*verification, error) {
	v := &verification{policy: ep.TLS, chain: cs.PeerCertificates, now: now}
	if len(cs.PeerCertificates) == 0 {
		v.fault(FaultNoCertificate, nil, true, "the server sent no certificate")
		return v, nil
	}
	var err error
	if v.roots, err = ep.TLS.roots(); err != nil {
		return nil, err
	}
	v.leaf = cs.PeerCertificates[0]
	v.follow()
	v.dates()
	v.name(ep)
	v.trust()
	if ep.TLS.Pins != "" {
		v.pins()
	}
	v.key()
	v.staple(cs.OCSPResponse)
	v.order()
	return v, nil
}

// A verification is the work of one verify, and its result.
type verification struct {
	policy TLSPolicy
	chain  []*x509.Certificate // as sent
	leaf   *x509.Certificate
	roots  *x509.CertPool
	now    time.Time

	chains   [][]*x509.Certificate // to a root, at a moment at which the leaf is valid; empty where chainErr says why
	chainErr error
	issuer   *x509.Certificate // of the leaf, where it is known
	faults   []Fault
	pin      string // the given one that matched, or ""
}

func (v *verification) fault(kind FaultKind, cert *x509.Certificate, blocking bool, format string, args ...any) *Fault {
	v.faults = append(v.faults, Fault{
		Kind: kind, Cert: cert, Index: slices.IndexFunc(v.chain, func(c *x509.Certificate) bool { return cert != nil && c.Equal(cert) }),
		Blocking: blocking, Detail: wire.Printable(fmt.Sprintf(format, args...)),
	})
	return &v.faults[len(v.faults)-1]
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

// pins judges the leaf's key by the pins given. One that matches takes the place of chain, name and dates.
func (v *verification) pins() {
	got := Pin(v.leaf)
	if !slices.Contains(strings.Fields(v.policy.Pins), got) {
		v.fault(FaultPinMismatch, v.leaf, true, "the server's key is %s, which is not among those pinned", got)
		return
	}
	v.pin = got
	for i := range v.faults {
		v.faults[i].Blocking = false
	}
}

// key judges the strength of the keys of the leaf and of the issuers that were sent; the root is trusted as it is. At the first weak one it ends:
// one certificate issued anew mends what stands below it too.
func (v *verification) key() {
	if slices.ContainsFunc(v.faults, func(f Fault) bool { return f.Kind == FaultWeakKey }) {
		return // the chain broke at one
	}
	for _, c := range v.path() {
		if (c == v.leaf || !issued(c, c)) && v.weakKey(c) {
			return
		}
	}
}

// weakKey judges one key. RSA under 1024 bits is refused by crypto/rsa itself, in whatever role.
func (v *verification) weakKey(c *x509.Certificate) bool {
	whose := "the certificate's"
	if c != v.leaf {
		whose = "the issuer's"
	}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 {
			v.fault(FaultWeakKey, c, bits < minRSABits && c == v.leaf, "%s RSA key has %d bits; 2048 is the least that is considered safe", whose, bits)
			return true
		}
	case *ecdsa.PublicKey:
		if bits := k.Curve.Params().BitSize; bits < 256 {
			v.fault(FaultWeakKey, c, false, "%s EC key has %d bits; 256 is the least that is considered safe", whose, bits)
			return true
		}
	}
	return false
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
		explained := slices.ContainsFunc(v.faults, func(f Fault) bool { return f.Related != nil && f.Related.Equal(c) })
		if !explained && !slices.ContainsFunc(used, c.Equal) {
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
