package probe

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// zone is what the test's name server knows: addresses by name. A name with the one address 0.0.0.0 gets SERVFAIL; an unknown one NXDOMAIN.
type zone map[string][]string

// resolver starts a name server for the zone on loopback and returns a resolver that asks it alone.
func (z zone) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := z.answer(buf[:n]); answer != nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (z zone) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	addresses, known := z[strings.TrimSuffix(q.Name.String(), ".")]
	switch {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case slices.Equal(addresses, []string{"0.0.0.0"}):
		m.RCode = dnsmessage.RCodeServerFailure
	}
	for _, text := range addresses {
		a := netip.MustParseAddr(text)
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA && m.RCode == dnsmessage.RCodeSuccess:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

var testZone = zone{
	"dual.test":   {"127.0.0.1", "::1"},
	"many.test":   {"127.0.0.1", "127.0.0.2", "127.0.0.3"},
	"six.test":    {"::1"},
	"broken.test": {"0.0.0.0"},
	"empty.test":  {},
}

func TestNamesWithoutAddress(t *testing.T) {
	tests := []struct{ name, host, want string }{
		{"unknown name", "missing.test", "dns.nxdomain block dns"},
		{"name without an address", "empty.test", "dns.nxdomain block dns"},
		{"servers that fail", "broken.test", "dns.servfail block dns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			p := w.prober()
			p.Resolver = testZone.resolver(t)
			o := run(t, p, withPassword(target(t, tt.host)))
			complete(t, o.Report)
			checkEnding(t, w, o.Report, ending{[]string{tt.want}, Blocked, 10, ""})
			r := o.Report.Targets[0]
			if len(r.Endpoints) != 0 || r.Endpoints == nil || r.Checks[0].Status != Fail {
				t.Errorf("got endpoints %v, checks %+v", r.Endpoints, r.Checks)
			}
			if len(w.dialed) != 0 {
				t.Errorf("dialed %v", w.dialed)
			}
		})
	}
}

func TestFamilies(t *testing.T) {
	dual := serverTLS(imaptest.Leaf{DNSNames: []string{"dual.test", "many.test", "six.test"}})
	good := map[uint16]faulty.Script{993: inTLS(dual), 143: faulty.GoodStartTLS(dual)}
	expired := map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"elsewhere.test"}}))}
	tests := []struct {
		name      string
		target    string
		ports     map[uint16]faulty.Script
		dead      map[string]error
		findings  []string
		endpoints []string // "name family address"
		verdict   Verdict
		exit      int
	}{
		{name: "both families work", target: "dual.test", ports: good, verdict: Ready,
			endpoints: []string{"dual.test:993/tls ipv4 127.0.0.1:993", "dual.test:993/tls ipv6 [::1]:993",
				"dual.test:143/starttls ipv4 127.0.0.1:143", "dual.test:143/starttls ipv6 [::1]:143"}},
		{name: "IPv6 dead", target: "imaps://dual.test", ports: good, dead: map[string]error{"[::1]:993": syscall.EHOSTUNREACH},
			findings: []string{"net.ipv6-dead warn unknown"}, verdict: Warning,
			endpoints: []string{"dual.test:993/tls ipv4 127.0.0.1:993", "dual.test:993/tls ipv6 [::1]:993"}},
		{name: "IPv4 dead", target: "imaps://dual.test", ports: good, dead: map[string]error{"127.0.0.1:993": syscall.ECONNREFUSED},
			findings: []string{"net.ipv4-dead warn server"}, verdict: Warning,
			endpoints: []string{"dual.test:993/tls ipv4 127.0.0.1:993", "dual.test:993/tls ipv6 [::1]:993"}},
		{name: "both families refused are one finding", target: "imaps://dual.test", findings: []string{"net.refused block server"}, verdict: Blocked, exit: 10,
			endpoints: []string{"dual.test:993/tls ipv4 127.0.0.1:993", "dual.test:993/tls ipv6 [::1]:993"}},
		{name: "the same certificate fault over both families is one finding", target: "imaps://dual.test", ports: expired,
			findings: []string{"cert.name-mismatch block server"}, verdict: Blocked, exit: 12,
			endpoints: []string{"dual.test:993/tls ipv4 127.0.0.1:993", "dual.test:993/tls ipv6 [::1]:993"}},
		{name: "IPv6 alone", target: "imaps://six.test", ports: good, verdict: Ready, endpoints: []string{"six.test:993/tls ipv6 [::1]:993"}},
		{name: "the first address that connects", target: "imaps://many.test", ports: good, verdict: Ready,
			dead:      map[string]error{"127.0.0.1:993": syscall.ECONNREFUSED, "127.0.0.2:993": syscall.EHOSTUNREACH},
			endpoints: []string{"many.test:993/tls ipv4 127.0.0.3:993"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.ports)
			w.dead = tt.dead
			p := w.prober()
			p.Resolver = testZone.resolver(t)
			o := run(t, p, withPassword(target(t, tt.target)))
			r := o.Report
			complete(t, r)
			if got := codes(r); !slices.Equal(got, tt.findings) {
				t.Errorf("got %v, want %v", got, tt.findings)
			}
			var endpoints []string
			for _, e := range r.Targets[0].Endpoints {
				endpoints = append(endpoints, e.name()+" "+e.Family+" "+e.Address)
			}
			if !slices.Equal(endpoints, tt.endpoints) {
				t.Errorf("got endpoints %q, want %q", endpoints, tt.endpoints)
			}
			if r.Verdict != tt.verdict || r.ExitCode != tt.exit {
				t.Errorf("got %s, %d, want %s, %d", r.Verdict, r.ExitCode, tt.verdict, tt.exit)
			}
			for _, f := range r.Findings {
				want := 1
				if len(tt.endpoints) == 2 && f.Severity == "block" {
					want = 2
				}
				if got := len(f.Evidence["addresses"].([]any)); got != want {
					t.Errorf("%s has %d addresses as evidence, want %d", f.Code, got, want)
				}
			}
			if a := o.Accounts[0]; a != nil && a.Endpoint.Connect != r.Targets[0].Recommended.Address {
				t.Errorf("the account dials %s, recommended is %s", a.Endpoint.Connect, r.Targets[0].Recommended.Address)
			}
		})
	}
}

func TestConnect(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"mail.example.org"}})), 2993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"mail.example.org"}}))})
	tests := []struct{ name, target, connect, endpoint, address string }{
		{"a host keeps the port", "imaps://mail.example.org", "127.0.0.9", "mail.example.org:993/tls", "127.0.0.9:993"},
		{"host and port", "imaps://mail.example.org", "127.0.0.9:2993", "mail.example.org:993/tls", "127.0.0.9:2993"},
		{"a port leaves one endpoint to imap+auto", "mail.example.org", "127.0.0.9:2993", "mail.example.org:2993/tls", "127.0.0.9:2993"},
		{"an IPv6 address", "imaps://mail.example.org", "[::1]:2993", "mail.example.org:993/tls", "[::1]:2993"},
		{"a name is looked up", "imaps://mail.example.org", "six.test", "mail.example.org:993/tls", "[::1]:993"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := w.prober()
			p.Resolver = testZone.resolver(t)
			to := target(t, tt.target)
			to.Connect = tt.connect
			r := run(t, p, to).Report
			complete(t, r)
			if r.Verdict != Ready || len(r.Targets[0].Endpoints) != 1 {
				t.Fatalf("got %s, %v", r.Verdict, codes(r))
			}
			if e := r.Targets[0].Endpoints[0]; e.name() != tt.endpoint || e.Address != tt.address {
				t.Errorf("got %s at %s", e.name(), e.Address)
			}
			for _, c := range r.Targets[0].Checks {
				if c.Status != Skip {
					t.Errorf("%s is %s, want skip", c.ID, c.Status)
				}
			}
			if rec := r.Targets[0].Recommended; rec.ServerName != "mail.example.org" || rec.Address != tt.address {
				t.Errorf("recommended %+v", rec)
			}
		})
	}
	t.Run("a name that is not found", func(t *testing.T) {
		p := w.prober()
		p.Resolver = testZone.resolver(t)
		to := target(t, "imaps://mail.example.org")
		to.Connect = "missing.test"
		r := run(t, p, to).Report
		if f := one(t, r, "dns.nxdomain block dns"); !strings.Contains(f.Summary, "missing.test") || r.ExitCode != 10 {
			t.Errorf("got %q, exit code %d", f.Summary, r.ExitCode)
		}
	})
}

func TestFamilyWithoutRouteIsSkipped(t *testing.T) {
	subjects := func() []*subject {
		return []*subject{
			{family: ipv4, address: netip.MustParseAddrPort("192.0.2.1:993")},
			{family: ipv6, address: netip.MustParseAddrPort("[2001:db8::1]:993")},
		}
	}
	only4 := subjects()
	skipUnrouted(only4, func(a netip.AddrPort) bool { return a.Addr().Is4() })
	if only4[0].skip != "" || only4[1].skip == "" {
		t.Errorf("with a route for IPv4: skipped %q, %q", only4[0].skip, only4[1].skip)
	}
	only4[1].target, only4[1].ep.Host = &Target{}, "h"
	results, findings := only4[1].judge()
	for _, r := range results {
		if r.Status != Skip {
			t.Errorf("%s is %s, want skip", r.ID, r.Status)
		}
	}
	if len(findings) != 0 {
		t.Errorf("got findings %v", findings)
	}
	offline := subjects()
	skipUnrouted(offline, func(netip.AddrPort) bool { return false })
	if offline[0].skip != "" || offline[1].skip != "" || !offline[0].noRoute || !offline[1].noRoute {
		t.Error("without any route nothing is skipped: the missing route is the finding")
	}
	if !routed(netip.MustParseAddrPort("127.0.0.1:9")) {
		t.Error("there is no route to loopback")
	}
}

func TestEmailAsHost(t *testing.T) {
	to := target(t, "alice@example.org")
	to.Role = RoleSource
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS())})
	other := withPassword(target(t, "imaps://127.0.0.1"))
	other.Role = RoleDest
	o := run(t, w.prober(), to, other)
	complete(t, o.Report)
	f := one(t, o.Report, "input.email-as-host block you")
	if *f.Target != 0 || f.Endpoint != nil {
		t.Errorf("got %+v", f)
	}
	checkEnding(t, w, o.Report, ending{[]string{"input.email-as-host block you"}, Blocked, 2, "127.0.0.1:993/tls"})
	if o.Accounts[0] != nil || o.Accounts[1] == nil {
		t.Errorf("got accounts %v", o.Accounts)
	}
}
