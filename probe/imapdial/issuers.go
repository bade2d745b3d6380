package imapdial

import (
	"crypto/x509"
	"slices"
	"time"
)

// EndOfChain returns the last certificate of the chain as far as it was sent, fetched ones included; its issuer is missing unless it is a root. It
// is nil without a chain.
func (f *Facts) EndOfChain(fetched ...*x509.Certificate) *x509.Certificate {
	if f.TLS == nil || len(f.TLS.Chain) == 0 {
		return nil
	}
	v := verification{chain: slices.Concat(f.TLS.Chain, fetched), leaf: f.TLS.Chain[0]}
	path := v.path()
	return path[len(path)-1]
}

// Issued reports whether parent signed child and carries its issuer's name. It says nothing of what parent may sign.
func Issued(parent, child *x509.Certificate) bool { return issued(parent, child) }

// FaultsWith tells what verify would object to if the server had sent the fetched certificates too. It explains a chain that is refused and makes
// none acceptable: Dial fetches nothing.
func (f *Facts) FaultsWith(now time.Time, fetched ...*x509.Certificate) []Fault {
	if f.TLS == nil {
		return f.Faults
	}
	cs := f.TLS.State
	cs.PeerCertificates = slices.Concat(f.TLS.Chain, fetched)
	v, err := f.Endpoint.verify(cs, now)
	if err != nil {
		return f.Faults
	}
	return v.faults
}
