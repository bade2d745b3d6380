package probe

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// serveNames starts a name server for zone.
func serveNames(t *testing.T, zone faulty.Zone) *faulty.NameServer {
	t.Helper()
	n, err := faulty.ServeNames(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// throughSystem makes p look up names as the system would if n were its only name server.
func throughSystem(p *Prober, n *faulty.NameServer) {
	p.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, n.Address)
	}}
	p.DNS = &dns.Client{Servers: []string{n.Address}, Timeout: 200 * time.Millisecond, Hosts: os.DevNull}
}

// throughDNS makes p ask n alone, as --resolver does.
func throughDNS(p *Prober, n *faulty.NameServer) {
	p.DNS, p.NamesFromDNS = &dns.Client{Servers: []string{n.Address}, Timeout: 200 * time.Millisecond, Hosts: os.DevNull}, true
}

// nameCheck is a check of the first target itself.
func nameCheck(r *Report, id string) Result {
	checks := r.Targets[0].Checks
	return checks[slices.IndexFunc(checks, func(c Result) bool { return c.ID == id })]
}

// TestNamesThatCannotBeLookedUp constructs each failure of the DNS with a real name server, for the system's resolver and for --resolver.
func TestNamesThatCannotBeLookedUp(t *testing.T) {
	zone := faulty.Zone{
		Records: []string{"text.mail-provider.net. 60 IN TXT x", "half.mail-provider.net. 60 IN TXT x"},
		Rcode: map[string]int{"fails.mail-provider.net": miekg.RcodeServerFailure, "refused.mail-provider.net": miekg.RcodeRefused,
			"half.mail-provider.net/AAAA": miekg.RcodeNameError},
		Bogus:  map[string]uint16{"bogus.mail-provider.net": miekg.ExtendedErrorCodeSignatureExpired},
		Silent: map[string]bool{"silent.mail-provider.net": true},
	}
	tests := []struct {
		name, host string
		finding    string
		summary    string
	}{
		{"no such name", "missing.mail-provider.net", "dns.nxdomain block dns", "NXDOMAIN"},
		{"a name without an address", "text.mail-provider.net", "dns.no-address block dns", "has no address"},
		{"a name that is denied for one family alone", "half.mail-provider.net", "dns.no-address block dns", "has no address"},
		{"servers that fail", "fails.mail-provider.net", "dns.servfail block dns", "SERVFAIL"},
		{"a resolver that refuses", "refused.mail-provider.net", "dns.refused block dns", "refuses"},
		{"signatures that lapsed", "bogus.mail-provider.net", "dns.dnssec-broken block dns", "DNSSEC"},
		{"silence", "silent.mail-provider.net", "dns.timeout block dns", "no answer"},
		{"a special-use name is explained too", "missing.test", "dns.nxdomain block dns", "NXDOMAIN"},
	}
	for _, tt := range tests {
		for way, through := range map[string]func(*Prober, *faulty.NameServer){"system": throughSystem, "--resolver": throughDNS} {
			t.Run(tt.name+" by "+way, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				n := serveNames(t, zone)
				p := w.prober()
				p.Timeout = time.Second
				through(p, n)
				begin := time.Now()
				r := run(t, p, withPassword(target(t, tt.host))).Report
				complete(t, r)
				checkEnding(t, w, r, ending{[]string{tt.finding}, Blocked, 10, ""})
				f := one(t, r, tt.finding)
				if f.Endpoint != nil || f.Check != "dns.lookup" {
					t.Errorf("got %v: %+v", codes(r), f)
				}
				if !strings.Contains(f.Summary, tt.summary) || !strings.Contains(f.Summary, tt.host) {
					t.Errorf("got summary %q, want it to say %q of %s", f.Summary, tt.summary, tt.host)
				}
				if nameCheck(r, "dns.lookup").Status != Fail || len(r.Targets[0].Endpoints) != 0 {
					t.Errorf("got %+v", r.Targets[0])
				}
				if len(w.dialed) != 0 {
					t.Errorf("dialed %v", w.dialed)
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("took %s", took)
				}
			})
		}
	}
}

func TestWhyDNSSECIsBroken(t *testing.T) {
	w := newWorld(t, nil)
	n := serveNames(t, faulty.Zone{Bogus: map[string]uint16{"a.mail-provider.net": miekg.ExtendedErrorCodeSignatureExpired, "b.mail-provider.net": miekg.ExtendedErrorCodeOther}})
	for host, want := range map[string]finding.Certainty{"a.mail-provider.net": finding.Certain, "b.mail-provider.net": finding.Likely} {
		p := w.prober()
		throughDNS(p, n)
		f := one(t, run(t, p, target(t, host)).Report, "dns.dnssec-broken block dns")
		if f.Certainty != want {
			t.Errorf("%s is %s, want %s", host, f.Certainty, want)
		}
		if host == "a.mail-provider.net" && (!strings.Contains(f.Cause, "Signature Expired") || f.Evidence["extended_error"] != "Signature Expired: test") {
			t.Errorf("the server's reason is not told: %q, %v", f.Cause, f.Evidence)
		}
	}
}

func TestResolverThatCannotBeReached(t *testing.T) {
	n := serveNames(t, faulty.Zone{})
	n.Close() // nothing listens there any more
	p := newWorld(t, nil).prober()
	throughDNS(p, n)
	r := run(t, p, target(t, "imap.mail-provider.net")).Report
	complete(t, r)
	if f := one(t, r, "dns.timeout block dns"); !strings.Contains(f.Cause, "refused") || r.ExitCode != 10 {
		t.Errorf("got %q, %d", f.Cause, r.ExitCode)
	}
}

// TestSystemIsNotOverruled has a system's resolver that denies a name and a name server that knows it, or fails.
func TestSystemIsNotOverruled(t *testing.T) {
	denies := serveNames(t, faulty.Zone{})
	for name, other := range map[string]faulty.Zone{
		"the name server knows the name": {Records: []string{"imap.mail-provider.net. 60 IN A 127.0.0.1"}},
		"the name server fails":          {Rcode: map[string]int{"imap.mail-provider.net": miekg.RcodeServerFailure}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS())})
			n := serveNames(t, other)
			p := w.prober()
			throughSystem(p, denies)
			p.DNS.Servers = []string{n.Address}
			r := run(t, p, target(t, "imaps://imap.mail-provider.net")).Report
			complete(t, r)
			want := "dns.nxdomain block dns"
			if len(other.Records) > 0 {
				want = "dns.nxdomain block this-computer" // which keeps an address back
			}
			one(t, r, want)
			if len(w.dialed) != 0 || r.ExitCode != 10 {
				t.Errorf("dialed %v, exit code %d", w.dialed, r.ExitCode)
			}
		})
	}
}

func TestResolverFlagIsAskedAlone(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"imap.example.test"}}))})
	n := serveNames(t, faulty.Zone{Records: []string{"real.example.test. 60 IN A 127.0.0.1", "imap.example.test. 60 IN CNAME real.example.test."}})
	p := w.prober()
	throughDNS(p, n)
	p.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("the system's resolver was asked")
		return nil, context.Canceled
	}}
	r := run(t, p, withPassword(target(t, "imaps://imap.example.test"))).Report
	complete(t, r)
	if r.Verdict != Ready || r.Targets[0].Recommended.Address != "127.0.0.1:993" {
		t.Errorf("got %s, %v, %+v", r.Verdict, codes(r), r.Targets[0].Recommended)
	}
}

func TestNoQuestionsOfOurs(t *testing.T) {
	n := serveNames(t, faulty.Zone{Records: []string{"imap.example.test. 60 IN A 127.0.0.1", "imap.mail-provider.net. 60 IN A 127.0.0.1"}})
	tests := []struct{ name, target, connect string }{
		{"a special-use name", "imaps://imap.example.test", ""},
		{"a literal", "imaps://127.0.0.1", ""},
		{"with --connect", "imaps://imap.mail-provider.net", "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"imap.example.test", "imap.mail-provider.net"}, IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}))})
			p := w.prober()
			throughSystem(p, n)
			before := len(n.Questions())
			asked := serveNames(t, faulty.Zone{})
			p.DNS.Servers = []string{asked.Address}
			to := target(t, tt.target)
			to.Connect = tt.connect
			r := run(t, p, to).Report
			complete(t, r)
			if r.Verdict != Ready || len(r.Findings) != 0 {
				t.Errorf("got %s, %v", r.Verdict, codes(r))
			}
			if got := asked.Questions(); len(got) != 0 {
				t.Errorf("asked %q of its own", got)
			}
			if tt.name != "a special-use name" && len(n.Questions()) != before {
				t.Errorf("the system's resolver was asked: %q", n.Questions()[before:])
			}
			for _, id := range []string{"dns.srv", "dns.tlsa"} {
				if c := nameCheck(r, id); c.Status != Skip || c.Summary == "" {
					t.Errorf("%s is %+v, want skip with a reason", id, c)
				}
			}
			if want := map[bool]Status{true: Pass, false: Skip}[tt.name == "a special-use name"]; nameCheck(r, "dns.lookup").Status != want {
				t.Errorf("dns.lookup is %s, want %s", nameCheck(r, "dns.lookup").Status, want)
			}
		})
	}
}

// TestSilentNameServersHoldUpNothing has a name from the hosts file and no name server that answers.
func TestSilentNameServersHoldUpNothing(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"imap.mail-provider.net"}}))})
	knows := serveNames(t, faulty.Zone{Records: []string{"imap.mail-provider.net. 60 IN A 127.0.0.1"}})
	silent := serveNames(t, faulty.Zone{Silent: map[string]bool{"imap.mail-provider.net": true, "_imaps._tcp.imap.mail-provider.net": true, "_imap._tcp.imap.mail-provider.net": true,
		"_imaps._tcp.mail-provider.net": true, "_imap._tcp.mail-provider.net": true, "_993._tcp.imap.mail-provider.net": true}})
	p := w.prober()
	throughSystem(p, knows)
	p.DNS = &dns.Client{Servers: []string{silent.Address}, Timeout: time.Minute, Hosts: hostsFile(t, "127.0.0.1 imap.mail-provider.net")}
	begin := time.Now()
	r := run(t, p, withPassword(target(t, "imaps://imap.mail-provider.net"))).Report
	complete(t, r)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %s", took)
	}
	for _, id := range []string{"dns.srv", "dns.tlsa"} {
		if c := nameCheck(r, id); c.Status != Skip || !strings.Contains(c.Summary, "no name server answered") {
			t.Errorf("%s is %+v", id, c)
		}
	}
	if r.Targets[0].Recommended == nil {
		t.Errorf("got %s, %v", r.Verdict, codes(r))
	}
}

func hostsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSplitHorizon(t *testing.T) {
	leaf := imaptest.Leaf{DNSNames: []string{"imap.mail-provider.net", "imap.example.test"}}
	tests := []struct {
		name    string
		host    string
		system  string // what the system's resolver says
		hosts   string
		records []string // of the name server that is asked
		failing bool
		want    []string
		says    string
	}{
		{name: "the hosts file and the DNS differ", host: "imap.mail-provider.net", system: "127.0.0.1", hosts: "127.0.0.1 imap.mail-provider.net",
			records: []string{"imap.mail-provider.net. 60 IN A 192.0.2.1"}, want: []string{"dns.split-horizon warn dns"}, says: "hosts file"},
		{name: "a public name has a private address", host: "imap.mail-provider.net", system: "127.0.0.1",
			records: []string{"imap.mail-provider.net. 60 IN A 127.0.0.1"}, want: []string{"dns.split-horizon warn dns"}, says: "not public"},
		{name: "the hosts file repeats a private address of the DNS", host: "imap.mail-provider.net", system: "127.0.0.1", hosts: "127.0.0.1 imap.mail-provider.net",
			records: []string{"imap.mail-provider.net. 60 IN A 127.0.0.1"}, want: []string{"dns.split-horizon warn dns"}, says: "not public"},
		{name: "a name of the hosts file that the DNS does not know", host: "imap.mail-provider.net", system: "127.0.0.1", hosts: "127.0.0.1 imap.mail-provider.net"},
		{name: "a name of the hosts file while the DNS fails", host: "imap.mail-provider.net", system: "127.0.0.1", hosts: "127.0.0.1 imap.mail-provider.net", failing: true},
		{name: "a special-use name", host: "imap.example.test", system: "127.0.0.1", hosts: "127.0.0.1 imap.example.test",
			records: []string{"imap.example.test. 60 IN A 192.0.2.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(leaf))})
			system := serveNames(t, faulty.Zone{Records: []string{tt.host + ". 60 IN A " + tt.system}})
			zone := faulty.Zone{Records: tt.records}
			if tt.failing {
				zone.Rcode = map[string]int{tt.host: miekg.RcodeServerFailure}
			}
			p := w.prober()
			throughSystem(p, system)
			p.DNS.Servers = []string{serveNames(t, zone).Address}
			p.DNS.Hosts = hostsFile(t, tt.hosts)
			r := run(t, p, withPassword(target(t, "imaps://"+tt.host))).Report
			complete(t, r)
			if len(tt.want) == 0 {
				if nameCheck(r, "dns.lookup").Status != Pass || r.Verdict != Ready || len(r.Findings) != 0 {
					t.Errorf("got %s, %v, %+v", r.Verdict, codes(r), nameCheck(r, "dns.lookup"))
				}
				return
			}
			checkEnding(t, w, r, ending{tt.want, Warning, 0, tt.host + ":993/tls"})
			f := one(t, r, tt.want[0])
			if nameCheck(r, "dns.lookup").Status != Warned || f.Endpoint != nil {
				t.Errorf("got %+v", f)
			}
			if !strings.Contains(f.Summary, tt.says) {
				t.Errorf("got %q, want it to say %q", f.Summary, tt.says)
			}
			if r.Targets[0].Recommended == nil {
				t.Error("the target has no settings")
			}
		})
	}
}

// TestLocalhostNeedsNoResolver: a system without a hosts file does not know the name.
func TestLocalhostNeedsNoResolver(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: faulty.ImplicitTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"localhost"}}))})
	p := w.prober()
	p.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrNotExist }}
	r := run(t, p, target(t, "imaps://imap.localhost")).Report
	if got := nameCheck(r, "dns.lookup"); got.Status != Pass || len(r.Targets[0].Endpoints) != 2 || r.Targets[0].Endpoints[0].Address != "127.0.0.1:993" {
		t.Errorf("got %+v, endpoints %+v", got, r.Targets[0].Endpoints)
	}
}
