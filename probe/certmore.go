package probe

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// certExtras is what is known of a certificate beyond what the connection showed.
type certExtras struct {
	sameAddress []string     // names that it is for and that lead to the server's own address
	issuer      *issuerFetch // with --fetch-aia, where the chain is incomplete
	revocation  *revocationFetch
	clock       *clockEvidence // this computer's clock is wrong, and how that shows
	otherPort   *subject       // the endpoint of the same address family on the other port, or nil
}

// lookFurther finds out what explains a certificate: names that would do, and with the flags for it, what its authority has to say.
func (t *targetRun) lookFurther(ctx context.Context, s *subject) {
	if s.facts == nil || s.facts.TLS == nil || len(s.facts.TLS.Chain) == 0 {
		return
	}
	var asking sync.WaitGroup
	if s.hasFault(imapdial.FaultNameMismatch) {
		asking.Go(func() { s.extras.sameAddress = t.namesOfAddress(ctx, s) })
	}
	if t.prober.FetchAIA && (s.hasFault(imapdial.FaultIncompleteChain) || s.hasFault(imapdial.FaultUnknownCA)) {
		asking.Go(func() { s.extras.issuer = t.fetchIssuer(ctx, s) })
	}
	if t.prober.FetchRevocation {
		asking.Go(func() { s.extras.revocation = t.fetchRevocation(ctx, s) })
	}
	asking.Wait()
	if r := s.extras.revocation; r != nil && r.err == nil {
		s.facts.AddRevocation(r.said)
	}
	if s.conn != nil && !s.facts.Acceptable() {
		s.conn.Logout(ctx) // revoked: nothing will be done on it
		s.conn = nil
	}
}

func (s *subject) hasFault(kind imapdial.FaultKind) bool {
	return s.facts != nil && slices.ContainsFunc(s.facts.Faults, func(f imapdial.Fault) bool { return f.Kind == kind })
}

// maxNames bounds the names of a certificate that are looked up, nameTime how long that may take: it is for a proposal only.
const (
	maxNames = 8
	nameTime = 2 * time.Second
)

// namesOfAddress returns the names that the certificate is for and that lead to the address that was examined. For a wildcard the usual
// names of mail servers are tried, and then those that the address itself is called by.
func (t *targetRun) namesOfAddress(ctx context.Context, s *subject) []string {
	ctx, cancel := context.WithTimeout(ctx, min(nameTime, t.prober.timeout()))
	defer cancel()
	resolver, leaf := t.prober.fetchResolver(), s.leaf()
	label, _, _ := strings.Cut(s.ep.Host, ".")
	names, wildcard := slices.Clone(leaf.DNSNames), false
	for _, name := range leaf.DNSNames {
		if parent, ok := strings.CutPrefix(name, "*."); ok {
			wildcard = true
			names = append(names, label+"."+parent, "imap."+parent, "mail."+parent)
		}
	}
	same := leadingTo(ctx, resolver, s.address.Addr(), covered(leaf, names))
	if len(same) == 0 && wildcard {
		reverse, _ := resolver.LookupAddr(ctx, s.address.Addr().String()) // without an answer there is no proposal
		same = leadingTo(ctx, resolver, s.address.Addr(), covered(leaf, reverse))
	}
	return same
}

// covered returns those of names that are host names and that the certificate is for, the first few of them.
func covered(leaf *x509.Certificate, names []string) []string {
	var good []string
	for _, name := range names {
		name = strings.TrimSuffix(strings.ToLower(name), ".")
		host, err := canonicalHost(name)
		if err == nil && host == name && len(good) < maxNames && !slices.Contains(good, name) && leaf.VerifyHostname(name) == nil {
			good = append(good, name)
		}
	}
	return good
}

// leadingTo returns those of names that have the address.
func leadingTo(ctx context.Context, resolver *net.Resolver, address netip.Addr, names []string) []string {
	leads := make([]bool, len(names))
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() {
			addresses, _ := resolver.LookupNetIP(ctx, "ip", name) // a name without an address is no proposal
			leads[i] = slices.ContainsFunc(addresses, func(a netip.Addr) bool { return a.Unmap() == address })
		})
	}
	asking.Wait()
	var same []string
	for i, name := range names {
		if leads[i] {
			same = append(same, name)
		}
	}
	return same
}

// relatePorts tells each endpoint of its counterpart on the other port, for comparing certificates.
func (t *targetRun) relatePorts() {
	for _, s := range t.subjects {
		s.extras.otherPort = nil
		for _, o := range t.subjects {
			if o != s && o.family == s.family && o.address.Addr() == s.address.Addr() && o.leaf() != nil {
				s.extras.otherPort = o
			}
		}
	}
}
