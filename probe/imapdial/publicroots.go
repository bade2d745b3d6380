package imapdial

import (
	"bytes"
	"crypto/x509"
	"slices"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The public roots are those of Mozilla's list, built into the program. They explain verdicts; trust comes from this machine's store alone.
type publicRoots struct {
	pool   *x509.CertPool
	byName map[string][]*x509.Certificate // by RawSubject
}

var loadPublicRoots = sync.OnceValue(func() *publicRoots {
	p := &publicRoots{pool: x509.NewCertPool(), byName: map[string][]*x509.Certificate{}}
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue
		}
		p.pool.AddCert(cert)
		p.byName[string(cert.RawSubject)] = append(p.byName[string(cert.RawSubject)], cert)
	}
	return p
})

// has reports whether cert has the name and key of a public root.
func (p *publicRoots) has(cert *x509.Certificate) bool {
	for _, c := range p.byName[string(cert.RawSubject)] {
		if string(c.RawSubjectPublicKeyInfo) == string(cert.RawSubjectPublicKeyInfo) {
			return true
		}
	}
	return false
}

// publicRoot returns the public root that the chain leads to, or nil.
func (v *verification) publicRoot() *x509.Certificate {
	chains, err := v.verifyWith(loadPublicRoots().pool, x509.ExtKeyUsageAny)
	if err != nil {
		return nil
	}
	return chains[0][len(chains[0])-1]
}

// imitates reports whether cert names an issuer that is known, and none of that name signed it. The one it takes the name of was sent along or is a
// public root; it is nil where only this machine's store has that name: a pool does not give out its certificates.
func (v *verification) imitates(cert *x509.Certificate) (known *x509.Certificate, yes bool) {
	var named []*x509.Certificate
	for _, c := range v.chain {
		if c.IsCA && !c.Equal(cert) && bytes.Equal(c.RawSubject, cert.RawIssuer) {
			named = append(named, c)
		}
	}
	named = append(named, loadPublicRoots().byName[string(cert.RawIssuer)]...)
	for _, c := range named {
		if issued(c, cert) {
			return nil, false
		}
	}
	if len(named) > 0 {
		return named[0], true
	}
	// On other systems than Linux the store's own names are missing here; that costs an explanation, no safety.
	//lint:ignore SA1019 there is no other way to see the names
	return nil, slices.ContainsFunc(v.roots.Subjects(), func(s []byte) bool { return bytes.Equal(s, cert.RawIssuer) })
}
