package dns

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// serve starts a name server for zone and returns it with a client that asks it, and gives up soon.
func serve(t *testing.T, zone faulty.Zone) (*faulty.NameServer, *Client) {
	t.Helper()
	n, err := faulty.ServeNames(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n, &Client{Servers: []string{n.Address}, Timeout: 200 * time.Millisecond}
}

var records = []string{
	"imap.example.org. 60 IN A 192.0.2.7",
	"imap.example.org. 60 IN A 192.0.2.8",
	"imap.example.org. 60 IN AAAA 2001:db8::7",
	"alias.example.org. 60 IN CNAME imap.example.org.",
	"four.example.org. 60 IN A 192.0.2.9",
	"_imaps._tcp.example.org. 60 IN SRV 20 0 993 backup.example.org.",
	"_imaps._tcp.example.org. 60 IN SRV 10 5 993 light.example.org.",
	"_imaps._tcp.example.org. 60 IN SRV 10 50 1993 Imap.example.org.",
	"_imap._tcp.example.org. 60 IN SRV 0 0 0 .",
	"example.org. 60 IN MX 20 second.example.net.",
	"example.org. 60 IN MX 10 First.example.net.",
}

func TestOutcomes(t *testing.T) {
	zone := faulty.Zone{Records: records,
		Rcode:  map[string]int{"broken.example.org": miekg.RcodeServerFailure, "closed.example.org": miekg.RcodeRefused, "odd.example.org": miekg.RcodeNotZone},
		Bogus:  map[string]uint16{"imap.example.org/AAAA": miekg.ExtendedErrorCodeSignatureExpired, "gone.example.org": miekg.ExtendedErrorCodeOther},
		Silent: map[string]bool{"quiet.example.org": true},
	}
	tests := []struct {
		name  string
		host  string
		qtype uint16
		want  Outcome
	}{
		{"records", "imap.example.org", TypeA, Found},
		{"records by way of an alias", "alias.example.org", TypeA, Found},
		{"a name without the type", "four.example.org", TypeAAAA, NoData},
		{"a name above others, without records", "_tcp.example.org", TypeA, NoData},
		{"no such name", "missing.example.org", TypeA, NXDomain},
		{"a failure", "broken.example.org", TypeA, ServFail},
		{"a refusal", "closed.example.org", TypeA, Refused},
		{"a code that says nothing", "odd.example.org", TypeA, ServFail},
		{"records that do not validate", "imap.example.org", TypeAAAA, Bogus},
		{"the denial of a name that does not validate", "gone.example.org", TypeA, Bogus},
		{"silence", "quiet.example.org", TypeA, Silent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, c := serve(t, zone)
			a := c.Ask(t.Context(), tt.host, tt.qtype)
			if a.Outcome != tt.want {
				t.Errorf("got %s (%v), want %s; asked %q", a.Outcome, a.Err, tt.want, n.Questions())
			}
			if (a.Err != nil) != (tt.want == Silent) {
				t.Errorf("error %v with %s", a.Err, a.Outcome)
			}
			if a.Server != n.Address {
				t.Errorf("got server %q, want %q", a.Server, n.Address)
			}
		})
	}
}

func TestExtendedErrorsAreKept(t *testing.T) {
	_, c := serve(t, faulty.Zone{Records: records, Bogus: map[string]uint16{"imap.example.org": miekg.ExtendedErrorCodeSignatureExpired}})
	if a := c.Ask(t.Context(), "imap.example.org", TypeA); a.Extended != "Signature Expired: test" || !a.DNSSEC {
		t.Errorf("got %q, %v", a.Extended, a.DNSSEC)
	}
	_, c = serve(t, faulty.Zone{Bogus: map[string]uint16{"imap.example.org": 4711}})
	if a := c.Ask(t.Context(), "imap.example.org", TypeA); a.Extended != "code 4711: test" || a.DNSSEC {
		t.Errorf("got %q, %v", a.Extended, a.DNSSEC)
	}
}

func TestTruncatedAnswerIsAskedOverTCP(t *testing.T) {
	n, c := serve(t, faulty.Zone{Records: records, Truncated: true})
	a := c.Ask(t.Context(), "imap.example.org", TypeA)
	if a.Outcome != Found || a.Transport != "tcp" || len(a.Addresses()) != 2 {
		t.Errorf("got %s over %s with %v", a.Outcome, a.Transport, a.Addresses())
	}
	if got, want := n.Questions(), []string{"imap.example.org A", "imap.example.org A tcp"}; !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
	_, c = serve(t, faulty.Zone{Records: records, Truncated: true, NoTCP: true})
	if a := c.Ask(t.Context(), "imap.example.org", TypeA); a.Outcome != Silent || a.Err == nil || a.Transport != "tcp" {
		t.Errorf("without TCP: got %s over %s, error %v", a.Outcome, a.Transport, a.Err)
	}
}

func TestServerWithoutEDNS(t *testing.T) {
	_, c := serve(t, faulty.Zone{Records: records, NoEDNS: true})
	if a := c.Ask(t.Context(), "imap.example.org", TypeA); a.Outcome != Found {
		t.Errorf("got %s", a.Outcome)
	}
}

func TestAnswersToOtherQuestionsArePassedOver(t *testing.T) {
	_, c := serve(t, faulty.Zone{Records: records, Stray: true})
	if a := c.Ask(t.Context(), "imap.example.org", TypeA); a.Outcome != Found {
		t.Errorf("got %s, %v", a.Outcome, a.Err)
	}
}

func TestSilenceIsBounded(t *testing.T) {
	n, c := serve(t, faulty.Zone{Silent: map[string]bool{"quiet.example.org": true}})
	begin := time.Now()
	a := c.Ask(t.Context(), "quiet.example.org", TypeA)
	if took := time.Since(begin); took > 10*c.Timeout || took < 2*c.Timeout || a.Outcome != Silent {
		t.Errorf("got %s after %s, want silence after two tries of %s", a.Outcome, took, c.Timeout)
	}
	if got := len(n.Questions()); got != 2 {
		t.Errorf("asked %d times, want 2: a datagram may be lost", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Timeout = time.Minute
	go func() {
		for len(n.Questions()) < 3 {
			if ctx.Err() != nil {
				return
			}
			runtime.Gosched()
		}
		cancel()
	}()
	begin = time.Now()
	if c.Ask(ctx, "quiet.example.org", TypeA); time.Since(begin) > 5*time.Second {
		t.Errorf("took %s after its context had ended", time.Since(begin))
	}
}

func TestNextServerIsAsked(t *testing.T) {
	good, c := serve(t, faulty.Zone{Records: records})
	failing, _ := serve(t, faulty.Zone{Rcode: map[string]int{"imap.example.org": miekg.RcodeServerFailure}})
	quiet, _ := serve(t, faulty.Zone{Silent: map[string]bool{"imap.example.org": true}})
	c.Servers = []string{quiet.Address, failing.Address, good.Address}
	if a := c.Ask(t.Context(), "imap.example.org", TypeA); a.Outcome != Found || a.Server != good.Address {
		t.Errorf("got %s from %s", a.Outcome, a.Server)
	}
	c.Servers = []string{failing.Address, quiet.Address}
	if a := c.Ask(t.Context(), "imap.example.org", TypeA); a.Outcome != ServFail || a.Server != failing.Address {
		t.Errorf("got %s from %s, want the failure: it says more than silence", a.Outcome, a.Server)
	}
	if a := new(Client).Ask(t.Context(), "imap.example.org", TypeA); a.Outcome != Silent || a.Err == nil {
		t.Errorf("without servers: got %s, %v", a.Outcome, a.Err)
	}
}

func TestRecords(t *testing.T) {
	_, c := serve(t, faulty.Zone{Records: records, Signed: true})
	ask := func(name string, qtype uint16) *Answer {
		a := c.Ask(t.Context(), name, qtype)
		return &a
	}
	a := ask("alias.example.org", TypeA)
	if got, want := a.Addresses(), []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")}; !slices.Equal(got, want) || !a.Authentic {
		t.Errorf("got %v, authentic %v; want %v, true", got, a.Authentic, want)
	}
	if got, want := ask("imap.example.org", TypeAAAA).Addresses(), []netip.Addr{netip.MustParseAddr("2001:db8::7")}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	srv := ask("_imaps._tcp.example.org", TypeSRV)
	want := []SRV{{"imap.example.org", 1993, 10, 50}, {"light.example.org", 993, 10, 5}, {"backup.example.org", 993, 20, 0}}
	if got := srv.SRV(); !slices.Equal(got, want) || srv.Declined() {
		t.Errorf("got %v, want %v", got, want)
	}
	if !ask("_imap._tcp.example.org", TypeSRV).Declined() {
		t.Error("the target . does not decline the service")
	}
	if got, want := ask("example.org", TypeMX).MX(), []string{"first.example.net", "second.example.net"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, c = serve(t, faulty.Zone{Records: records})
	if ask("imap.example.org", TypeA).Authentic {
		t.Error("an answer without the AD bit is authentic")
	}
}

func TestRecordsOfOtherNamesAreNotTaken(t *testing.T) {
	m := new(miekg.Msg).SetQuestion("imap.example.org.", TypeA)
	other, err := miekg.NewRR("other.example.org. 60 IN A 192.0.2.66")
	if err != nil {
		t.Fatal(err)
	}
	m.Answer = []miekg.RR{other}
	var a Answer
	if a.read(m); a.Outcome != NoData || len(a.Addresses()) != 0 {
		t.Errorf("got %s, %v", a.Outcome, a.Addresses())
	}
}

func TestHosts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	text := "127.0.0.1 localhost\n# 192.0.2.1 imap.example.org\n192.0.2.2\tIMAP.example.org. mail # 1\n::ffff:192.0.2.3 imap.example.org\n2001:db8::1 imap.example.org\nnonsense imap.example.org\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &Client{Hosts: path}
	var got []string
	for _, a := range c.InHosts("imap.example.org") {
		got = append(got, a.String())
	}
	if want := []string{"192.0.2.2", "192.0.2.3", "2001:db8::1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c.Hosts = filepath.Join(t.TempDir(), "none")
	if got := c.InHosts("localhost"); got != nil {
		t.Errorf("without a file: got %v", got)
	}
}

func TestSpecialUse(t *testing.T) {
	for _, name := range []string{"imap.example.test", "TEST.", "printer.local", "imap.internal", "localhost", "a.invalid", "imap.example.org", "example.com", "nas.lan", "mailserver", "r.home.arpa"} {
		if !SpecialUse(name) {
			t.Errorf("%s is taken for a public name", name)
		}
	}
	for _, name := range []string{"imap.gmail.com", "contest.de", "notexample.org", "local.example-hoster.net", "imap.test.de"} {
		if SpecialUse(name) {
			t.Errorf("%s is taken for a special-use name", name)
		}
	}
	if !Localhost("LOCALHOST.") || !Localhost("imap.localhost") || Localhost("localhost.example.org") {
		t.Error("Localhost is wrong")
	}
}

func TestNotPublic(t *testing.T) {
	for _, a := range []string{"10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "fe80::1", "169.254.1.1", "0.0.0.0", "100.64.0.1", "::ffff:10.0.0.1"} {
		if !NotPublic(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for public", a)
		}
	}
	for _, a := range []string{"8.8.8.8", "2001:4860::1", "100.128.0.1", "172.32.0.1"} {
		if NotPublic(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for private", a)
		}
	}
}

func TestParseServer(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.53": "192.0.2.53:53", "192.0.2.53:5353": "192.0.2.53:5353", "2001:db8::53": "[2001:db8::53]:53", "[2001:db8::53]": "[2001:db8::53]:53",
		"[2001:db8::53]:5353": "[2001:db8::53]:5353", "ns.example.org": "ns.example.org:53", "ns.example.org:54": "ns.example.org:54",
	} {
		if got, err := ParseServer(text); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":53", "host:", "host:0", "host:65536", "a b", "https://ns.example.org", "1:2:3", "user@host"} {
		if got, err := ParseServer(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

// FuzzAnswer looks for panics and unbounded lists in what foreign servers send.
func FuzzAnswer(f *testing.F) {
	for _, line := range records {
		rr, err := miekg.NewRR(line)
		if err != nil {
			f.Fatal(err)
		}
		m := new(miekg.Msg).SetQuestion(rr.Header().Name, rr.Header().Rrtype)
		m.Answer = []miekg.RR{rr}
		m.SetEdns0(1232, true)
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		m := new(miekg.Msg)
		if m.Unpack(packet) != nil || len(m.Question) != 1 {
			return
		}
		var a Answer
		a.read(m)
		if n := len(a.Addresses()) + len(a.SRV()) + len(a.TLSA()) + len(a.MX()); n > 4*maxRecords {
			t.Errorf("%d records", n)
		}
		if a.Declined(); a.Outcome.String() == "" {
			t.Error("an outcome without a name")
		}
	})
}
