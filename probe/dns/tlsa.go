package dns

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	miekg "github.com/miekg/dns"
)

// A TLSA is a record that says what a server's certificate has to be (RFC 6698 section 2.1).
type TLSA struct {
	Usage    uint8 // 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE
	Selector uint8 // 0 the certificate, 1 its public key
	Matching uint8 // 0 as it is, 1 SHA-256, 2 SHA-512
	Data     string
}

// String is the record as in a zone file, its data shortened.
func (r TLSA) String() string {
	data := r.Data
	if len(data) > 128 {
		data = data[:128] + "…"
	}
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.Matching, data)
}

// TLSAName is the name of the records for a port of a host (RFC 6698 section 3).
func TLSAName(host string, port uint16) string { return fmt.Sprintf("_%d._tcp.%s", port, host) }

// TLSA returns the records of an answer. The data is in lower-case hex.
func (a *Answer) TLSA() []TLSA {
	var list []TLSA
	for _, rr := range a.records {
		if rr, ok := rr.(*miekg.TLSA); ok {
			list = append(list, TLSA{rr.Usage, rr.Selector, rr.MatchingType, strings.ToLower(rr.Certificate)})
		}
	}
	return list
}

// Usable reports whether the record is of a kind that is understood. Others have to be passed over (RFC 7671 section 4.1).
func (r TLSA) Usable() bool {
	return r.Usage <= 3 && r.Selector <= 1 && r.Matching <= 2 && r.Data != ""
}

// Matches reports whether a server that shows chain, leaf first, meets the record. For the usages that name an authority, chain has
// to hold what leads from the leaf to it; for the two that name the leaf, it alone counts (RFC 7671 section 5).
func (r TLSA) Matches(chain []*x509.Certificate) bool {
	if !r.Usable() || len(chain) == 0 {
		return false
	}
	leaf, candidates := chain[0], chain[1:]
	selfIssued := string(leaf.RawIssuer) == string(leaf.RawSubject)
	if r.Usage == 1 || r.Usage == 3 || len(chain) == 1 && selfIssued {
		candidates = chain[:1]
	}
	return slices.ContainsFunc(candidates, func(cert *x509.Certificate) bool {
		data, err := miekg.CertificateToDANE(r.Selector, r.Matching, cert)
		return err == nil && data == r.Data
	})
}
