package probe

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/netpath"
)

// unreached is an endpoint of which TCP failed with err, and of whose path a survey was made.
func unreached(role Role, mode Mode, err error, survey *netpath.Survey) *subject {
	survey.To, survey.Steady = netip.MustParseAddrPort("10.3.0.2:993"), true
	ep := imapdial.Endpoint{Host: "imap.example.org", Port: 993, Security: imapdial.TLS, Connect: survey.To.String()}
	return &subject{
		target: &Target{Role: role, Mode: mode, Host: ep.Host}, ep: ep, family: ipv4, address: survey.To,
		facts:    &imapdial.Facts{Err: &imapdial.Error{Stage: imapdial.StageConnect, Endpoint: ep, Err: err}},
		attempts: []attempt{{survey.To, time.Second, err}},
		path:     &pathSeen{survey: survey, verdict: survey.Judge(), own: true, local: netip.MustParseAddr("10.1.0.2"), when: time.Now()},
	}
}

// TestWordsOfPaths holds what is said of a path against what was seen of it; that it is seen so, the tests of the command show in namespaces.
func TestWordsOfPaths(t *testing.T) {
	router := netip.MustParseAddr("10.1.0.1")
	second := netip.MustParseAddr("10.2.0.2")
	cell := func(address string, o netpath.Outcome) netpath.Cell {
		return netpath.Cell{To: netip.MustParseAddrPort(address), Try: netpath.Try{Outcome: o}}
	}
	through := func(ttl int, from netip.Addr) netpath.Try {
		return netpath.Try{TTL: ttl, Outcome: netpath.Exceeded, From: from}
	}
	beside := &netpath.Trace{To: netip.MustParseAddrPort("10.3.0.2:143"), Tries: []netpath.Try{through(2, second)}}
	silent := &netpath.Trace{Tries: []netpath.Try{through(1, router), {TTL: 2}}}
	behind := &netpath.Trace{Tries: []netpath.Try{through(1, router), through(2, second), {TTL: 3}}}
	tests := []struct {
		name   string
		err    error
		survey netpath.Survey
		want   string // "code severity responsible certainty"
		says   []string
	}{
		{"the first router drops", context.DeadlineExceeded,
			netpath.Survey{Trace: silent, Compare: beside, Cells: []netpath.Cell{cell("10.3.0.2:993", netpath.Silent), cell("10.3.0.2:143", netpath.Connected)}},
			"net.dropped block local-network likely", []string{"10.1.0.1 drops", "go on to 10.2.0.2", "send this to the administrator of this network (10.1.0.1)", "from 10.1.0.2",
				"traceroute -n -T -p 993 10.3.0.2", "use port 143 with STARTTLS"}},
		{"it cannot be told who drops", context.DeadlineExceeded, netpath.Survey{Trace: behind},
			"net.dropped block unknown possible", []string{"at or behind 10.2.0.2", "cannot be told from here", "tcpdump"}},
		{"nobody shows himself", context.DeadlineExceeded, netpath.Survey{Trace: &netpath.Trace{Tries: []netpath.Try{{TTL: 1}, {TTL: 2}}}},
			"net.dropped block unknown possible", []string{"no device on the way shows itself"}},
		{"hops cannot be had here", context.DeadlineExceeded, netpath.Survey{Err: netpath.ErrUnavailable, Cells: []netpath.Cell{cell("10.3.0.2:993", netpath.Silent)}},
			"net.dropped block unknown possible", []string{"not available here"}},
		{"hops cannot be had, and the port fails everywhere", context.DeadlineExceeded, netpath.Survey{Err: netpath.ErrUnavailable, Cells: []netpath.Cell{
			cell("10.3.0.2:993", netpath.Silent), cell("10.3.0.2:143", netpath.Connected), cell("10.4.0.2:993", netpath.Silent)}},
			"net.egress-blocked block local-network possible", []string{"whatever the server", "10.3.0.2:143"}},
		{"hops cannot be had, and nothing listens", syscall.ECONNREFUSED, netpath.Survey{Err: netpath.ErrUnavailable, Cells: []netpath.Cell{cell("10.3.0.2:993", netpath.Refused)}},
			"net.refused block server likely", []string{"refuses connections"}},
		{"a router refuses", syscall.ECONNREFUSED, netpath.Survey{Trace: &netpath.Trace{Tries: []netpath.Try{through(1, router), {TTL: 2, Outcome: netpath.Refused}}}, Compare: beside},
			"net.refused-by-hop block local-network likely", []string{"10.1.0.1 refuses", "within 2 hops"}},
		{"an answer of before weighs more than silence now", syscall.EHOSTUNREACH, netpath.Survey{Trace: behind},
			"net.host-unreachable block path likely", []string{"most likely 10.2.0.2", "the administrator of 10.2.0.2"}},
		{"this computer says no", syscall.EHOSTUNREACH, netpath.Survey{Own: []netip.Addr{netip.MustParseAddr("10.1.0.2")}, Trace: &netpath.Trace{Tries: []netpath.Try{
			{TTL: 1, Outcome: netpath.Unreachable, From: netip.MustParseAddr("10.1.0.2"), Type: 3, Code: 3}}}},
			"net.local-firewall block this-computer certain", []string{"10.1.0.2", "nft list ruleset"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := unreached(RoleServer, ModeTLS, tt.err, &tt.survey)
			if saidUnreachable(tt.err) && s.path.verdict.Act == netpath.Drops {
				s.path.unheard, s.path.verdict = true, unheardVerdict(s.path.verdict.Hop)
			}
			out := reach(s)
			if len(out.findings) != 1 {
				t.Fatalf("got %+v", out.findings)
			}
			f := out.findings[0]
			if got := strings.Join([]string{string(f.Code), string(f.Severity), string(f.Responsible), string(f.Certainty)}, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			all := f.Summary + "\n" + f.Cause
			for _, r := range f.Remedies {
				all += "\n" + r.Text
			}
			for _, part := range tt.says {
				if !strings.Contains(all, part) {
					t.Errorf("it does not say %q:\n%s", part, all)
				}
			}
		})
	}
}

// TestTheOtherPortIsAFlag: where the other IMAP port answers, the remedy says which flag puts that into effect.
func TestTheOtherPortIsAFlag(t *testing.T) {
	cells := []netpath.Cell{{To: netip.MustParseAddrPort("10.3.0.2:993")}, {To: netip.MustParseAddrPort("10.3.0.2:143"), Try: netpath.Try{Outcome: netpath.Connected}}}
	s := unreached(RoleDest, ModeTLS, context.DeadlineExceeded, &netpath.Survey{Trace: &netpath.Trace{}, Cells: cells})
	f := reach(s).findings[0]
	i := slices.IndexFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["dest"] == "imap+starttls://imap.example.org" })
	if i != 0 {
		t.Errorf("got %+v", f.Remedies)
	}
}
