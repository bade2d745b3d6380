package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A family is one of the two kinds of addresses, named as in the report.
type family string

const (
	ipv4 family = "ipv4"
	ipv6 family = "ipv6"
)

// families in the order of the report.
var families = []family{ipv4, ipv6}

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// other returns the family that f is not.
func (f family) other() family {
	if f == ipv4 {
		return ipv6
	}
	return ipv4
}

// String returns the name as people write it.
func (f family) String() string {
	if f == ipv4 {
		return "IPv4"
	}
	return "IPv6"
}

// A lookup is what became of the look-up of a name, per family.
type lookup struct {
	name      string
	literal   bool // name is an address: nothing was asked
	addresses map[family][]netip.Addr
	errs      map[family]error
	took      time.Duration
}

// lookUp asks the system's resolver for both families at once. Each question ends after timeout. For a literal nothing is asked.
func lookUp(ctx context.Context, r *net.Resolver, name string, timeout time.Duration) *lookup {
	l := &lookup{name: name, addresses: map[family][]netip.Addr{}, errs: map[family]error{}}
	if a, err := netip.ParseAddr(name); err == nil {
		a = a.Unmap()
		l.literal, l.addresses[familyOf(a)] = true, []netip.Addr{a}
		return l
	}
	if r == nil {
		r = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begin := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex // guards l.addresses and l.errs
	for _, f := range families {
		wg.Go(func() {
			found, err := r.LookupNetIP(ctx, map[family]string{ipv4: "ip4", ipv6: "ip6"}[f], name)
			mu.Lock()
			defer mu.Unlock()
			l.errs[f] = err
			for _, a := range found {
				if a = a.Unmap(); familyOf(a) == f && !slices.Contains(l.addresses[f], a) {
					l.addresses[f] = append(l.addresses[f], a)
				}
			}
		})
	}
	wg.Wait()
	l.took = time.Since(begin)
	return l
}

// all returns the addresses of both families.
func (l *lookup) all() []netip.Addr { return slices.Concat(l.addresses[ipv4], l.addresses[ipv6]) }

// notFound reports whether the resolver said of every family that there is no such name or no such record.
func (l *lookup) notFound() bool {
	for _, f := range families {
		var d *net.DNSError
		if !errors.As(l.errs[f], &d) || !d.IsNotFound {
			return false
		}
	}
	return true
}

// failure returns what the resolver said of the family that failed in earnest.
func (l *lookup) failure() string {
	for _, f := range families {
		var d *net.DNSError
		if errors.As(l.errs[f], &d) && !d.IsNotFound {
			return wire.Printable(d.Err)
		}
	}
	for _, f := range families {
		if l.errs[f] != nil {
			return wire.Printable(l.errs[f].Error())
		}
	}
	return ""
}

// lookupCheck judges the look-up. connect tells that the name is that of --connect, whose look-up is no check when it succeeds.
func (t *targetRun) lookupCheck(l *lookup, connect bool) (Result, []finding.Finding) {
	r := Result{ID: "dns.lookup", Facts: map[string]any{}}
	if len(l.all()) > 0 {
		switch {
		case connect:
			r.Status, r.Summary = Skip, "not applicable: --"+t.target.Role.prefix()+"connect gives the address"
		case l.literal:
			r.Status, r.Summary = Skip, "not applicable: the host is an address"
		default:
			r.Status, r.DurationMS = Pass, milliseconds(l.took)
			r.Summary = count(len(l.addresses[ipv4]), "IPv4 address", "IPv4 addresses") + ", " +
				count(len(l.addresses[ipv6]), "IPv6 address", "IPv6 addresses")
			r.Facts = l.facts()
		}
		return r, nil
	}
	r.Status, r.DurationMS, r.Facts = Fail, milliseconds(l.took), l.facts()
	f := t.lookupFinding(l, connect)
	r.Summary = f.Summary
	return r, []finding.Finding{f}
}

// facts are the addresses and errors per family.
func (l *lookup) facts() map[string]any {
	facts := map[string]any{"name": l.name}
	for _, f := range families {
		list := []string{}
		for _, a := range l.addresses[f] {
			list = append(list, a.String())
		}
		facts[string(f)] = list
		var d *net.DNSError
		if errors.As(l.errs[f], &d) && !d.IsNotFound {
			facts[string(f)+"_error"] = wire.Printable(d.Err)
		}
	}
	return facts
}

// lookupFinding explains a look-up that gave no address. The system's resolver cannot tell a name that does not exist from one
// without address, nor why it failed; so the causes name what is possible.
func (t *targetRun) lookupFinding(l *lookup, connect bool) finding.Finding {
	var f finding.Finding
	if l.notFound() {
		f = finding.New("dns.nxdomain", "the name "+l.name+" was not found",
			"the resolver of this computer knows no address for this name: it is misspelt, does not exist, or has no address")
		f.Remedies = []finding.Remedy{
			{Text: "check the spelling of " + l.name + " in the mail provider's instructions; often it is imap. or mail. and the domain"},
			{Text: "if the name is new or was changed, ask whoever keeps the domain's DNS for its A and AAAA records"},
		}
	} else {
		f = finding.New("dns.servfail", "the name "+l.name+" could not be looked up; the resolver said: "+l.failure(),
			"the resolver of this computer did not give an answer: it cannot be reached, or it cannot get one from the servers of the domain")
		f.Certainty = finding.Likely
		f.Remedies = []finding.Remedy{
			{Text: "try another name to see whether the resolver of this computer works at all"},
			{Text: "if other names work, tell whoever keeps the domain's DNS that its servers do not answer or that its DNSSEC is broken"},
		}
	}
	if !connect {
		f.Remedies = append(f.Remedies, finding.Remedy{Text: "if the address of the server is known, give it with --" + t.target.Role.prefix() +
			"connect ADDRESS; the name stays in use for the certificate"})
	}
	f.Check, f.Target = "dns.lookup", &t.index
	f.Evidence = l.facts()
	f.Reproduce = []string{"dig " + quote(l.name) + " A", "dig " + quote(l.name) + " AAAA"}
	return f
}

// dnsChecks returns the results of what precedes an address.
func dnsChecks(first Result) []Result {
	rest := "not asked for: this version does not look for it"
	if first.Status == Skip {
		rest = first.Summary
	}
	return []Result{first,
		{ID: "dns.srv", Status: Skip, Summary: rest, Facts: map[string]any{}},
		{ID: "dns.tlsa", Status: Skip, Summary: rest, Facts: map[string]any{}}}
}

// count puts a number before the right form of a noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
