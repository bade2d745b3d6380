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

	"github.com/imapilot-project/imapilot/probe/dns"
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
	errs      map[family]error // of the system's resolver
	answers   map[family]dns.Answer
	took      time.Duration
}

// slowLookup is after how long a look-up that has not ended is taken for one that needs an explanation.
const slowLookup = time.Second

// lookUp finds the addresses of name. Where there is none, own questions are asked too, to find out why: they begin when the look-up
// failed, or is slow, and are given up when it succeeds after all.
func (t *targetRun) lookUp(ctx context.Context, name string) *lookup {
	if t.prober.NamesFromDNS || dns.Localhost(name) {
		return t.addressesOf(ctx, name)
	}
	asking, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var answers map[family]dns.Answer
	var running sync.WaitGroup
	ended := make(chan struct{})
	running.Go(func() {
		select {
		case <-ended:
		case <-time.After(slowLookup):
		}
		if asking.Err() == nil {
			answers = t.ask(asking, name)
		}
	})
	begin := time.Now()
	l := t.addressesOf(ctx, name)
	if len(l.all()) > 0 {
		giveUp()
	}
	close(ended)
	running.Wait()
	if len(l.all()) == 0 {
		l.answers, l.took = answers, time.Since(begin)
	}
	return l
}

// addressesOf asks the system's resolver, or, with NamesFromDNS, the name servers themselves, until the time-out of a step. For a literal
// nothing is asked.
func (t *targetRun) addressesOf(ctx context.Context, name string) *lookup {
	l := &lookup{name: name, addresses: map[family][]netip.Addr{}, errs: map[family]error{}, answers: map[family]dns.Answer{}}
	if a, err := netip.ParseAddr(name); err == nil {
		a = a.Unmap()
		l.literal, l.addresses[familyOf(a)] = true, []netip.Addr{a}
		return l
	}
	ctx, cancel := context.WithTimeout(ctx, t.prober.timeout())
	defer cancel()
	begin := time.Now()
	if t.prober.NamesFromDNS && !dns.Localhost(name) {
		l.answers = t.ask(ctx, name)
		for f, a := range l.answers {
			l.addresses[f] = a.Addresses()
		}
	} else {
		l.system(ctx, t.prober.Resolver)
	}
	if dns.Localhost(name) && len(l.all()) == 0 { // RFC 6761 section 6.3: always this computer, whatever its resolver knows
		l.addresses[ipv4], l.addresses[ipv6] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}, []netip.Addr{netip.IPv6Loopback()}
	}
	l.took = time.Since(begin)
	return l
}

// system asks the system's resolver for both families at once.
func (l *lookup) system(ctx context.Context, r *net.Resolver) {
	if r == nil {
		r = net.DefaultResolver
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards l.addresses and l.errs
	for _, f := range families {
		wg.Go(func() {
			found, err := r.LookupNetIP(ctx, map[family]string{ipv4: "ip4", ipv6: "ip6"}[f], l.name)
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
}

// ask asks the name servers for both families at once; it returns nothing where none is known.
func (t *targetRun) ask(ctx context.Context, name string) map[family]dns.Answer {
	answers := map[family]dns.Answer{}
	if len(t.dns.Servers) == 0 {
		return answers
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards answers
	for _, f := range families {
		wg.Go(func() {
			a := t.dns.Ask(ctx, name, map[family]uint16{ipv4: dns.TypeA, ipv6: dns.TypeAAAA}[f])
			mu.Lock()
			defer mu.Unlock()
			answers[f] = a
		})
	}
	wg.Wait()
	return answers
}

// all returns the addresses of both families.
func (l *lookup) all() []netip.Addr { return slices.Concat(l.addresses[ipv4], l.addresses[ipv6]) }

// facts are the addresses, and what else was said, per family.
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
		if a, asked := l.answers[f]; asked {
			facts[string(f)+"_answer"], facts["resolver"] = a.Outcome.String(), a.Server
			if a.Extended != "" {
				facts["extended_error"] = wire.Printable(a.Extended)
			}
		}
	}
	return facts
}

// count puts a number before the right form of a noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
