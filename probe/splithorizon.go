package probe

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// splitHorizon judges whether the name leads to another place here than elsewhere: the hosts file and the DNS differ, or a public name
// has an address that is not. It is nil when not, for names that are not public, and for those of the hosts file that the DNS does not know.
func (t *targetRun) splitHorizon(ctx context.Context, l *lookup) *finding.Finding {
	if l.literal || dns.SpecialUse(l.name) {
		return nil
	}
	if hosts := t.hostsEntries(l); len(hosts) > 0 {
		published := t.published(ctx, l)
		if len(published) == 0 {
			return nil
		}
		if other := without(l.all(), published); len(other) > 0 {
			return t.splitFinding(l, "the hosts file of this computer says "+addressList(other)+" for "+l.name+", the DNS "+addressList(published),
				"an entry of the hosts file comes before the DNS; it was made on purpose, or is left over from a test or a move", published)
		}
	}
	if inside := slices.DeleteFunc(l.all(), func(a netip.Addr) bool { return !dns.NotPublic(a) }); len(inside) > 0 {
		return t.splitFinding(l, "the public name "+l.name+" has an address that is not public: "+addressList(inside),
			"the resolver of this network answers with an inside address or filters the name, or a private address was published", inside)
	}
	return nil
}

// hostsEntries are the addresses that the hosts file has for the name; none unless the look-up's are from there.
func (t *targetRun) hostsEntries(l *lookup) []netip.Addr {
	if t.prober.NamesFromDNS || len(t.dns.Servers) == 0 {
		return nil
	}
	hosts := t.dns.InHosts(l.name)
	if len(without(l.all(), hosts)) > 0 {
		return nil
	}
	return hosts
}

// published are the addresses that the DNS has for the name, in the families that the look-up gave.
func (t *targetRun) published(ctx context.Context, l *lookup) []netip.Addr {
	var published []netip.Addr
	for f, a := range t.ask(ctx, l.name) {
		if len(l.addresses[f]) > 0 {
			published = append(published, a.Addresses()...)
		}
	}
	slices.SortFunc(published, netip.Addr.Compare)
	return published
}

func (t *targetRun) splitFinding(l *lookup, summary, cause string, addresses []netip.Addr) *finding.Finding {
	f := finding.New("dns.split-horizon", summary, cause)
	f.Remedies = advice("if that is meant so, nothing is needed",
		"if not, take "+l.name+" out of the hosts file, or ask the operator of this network's resolver",
		"compare with another resolver: --resolver HOST")
	f.Check, f.Target = "dns.lookup", &t.index
	f.Evidence = map[string]any{"name": l.name, "addresses": texts(l.all()), "compared": texts(addresses)}
	f.Reproduce = []string{"getent ahosts " + quote(l.name), t.dig(l.name, "A"), t.dig(l.name, "AAAA")}
	return &f
}

// without returns those of a that are not in b.
func without(a, b []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(a), func(x netip.Addr) bool { return slices.Contains(b, x) })
}

func texts(addresses []netip.Addr) []any {
	list := make([]any, len(addresses))
	for i, a := range addresses {
		list[i] = a.String()
	}
	return list
}

// addressList writes addresses for a person.
func addressList(addresses []netip.Addr) string {
	var all []string
	for _, a := range addresses {
		all = append(all, a.String())
	}
	return strings.Join(all, ", ")
}
