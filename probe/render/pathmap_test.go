package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// A pathCase is a situation between this computer and imap.example.org at 10.3.0.2 or fd03::2, behind the routers 10.1.0.1 and 10.2.0.2.
type pathCase struct {
	name      string
	hops      []probe.Hop
	actsAt    *probe.Hop
	code      finding.Code
	certainty finding.Certainty
	who       finding.Responsible
	drawn     string // on 75 columns
	ascii     string
	words     string
	distance  string
}

func hop(ttl int, address string, ms float64) probe.Hop {
	return probe.Hop{TTL: ttl, Address: address, RTTMS: ms}
}

func actsAt(ttl int, address string, ms float64, how string) *probe.Hop {
	return &probe.Hop{TTL: ttl, Address: address, RTTMS: ms, How: how}
}

var (
	twoHops  = []probe.Hop{hop(1, "10.1.0.1", 0.4), hop(2, "10.2.0.2", 1.2)}
	fourteen = func() []probe.Hop {
		hops := []probe.Hop{hop(1, "192.168.178.1", 1.1), hop(2, "100.64.0.1", 7), hop(3, "", 0)}
		for ttl := 4; ttl <= 13; ttl++ {
			hops = append(hops, hop(ttl, fmt.Sprintf("203.0.113.%d", 10*ttl), float64(4+2*ttl)))
		}
		return append(hops, hop(14, "10.3.0.2", 33))
	}()
)

var pathCases = []pathCase{
	{"dropped by the first router", twoHops[:1], actsAt(1, "10.1.0.1", 0.4, "drop"), "net.dropped", finding.Likely, finding.LocalNetwork,
		"you ─ 10.1.0.1 ╳ imap.example.org", "you - 10.1.0.1 X imap.example.org",
		"10.1.0.1 (hop 1, 0.4 ms) most likely acts: it drops the packets", "seen as far as hop 1"},
	{"dropped at or behind the last router", twoHops, actsAt(2, "10.2.0.2", 1.2, "drop"), "net.dropped", finding.Possible, finding.Unknown,
		"you ─ 10.1.0.1 ─ 10.2.0.2 ╳ imap.example.org", "you - 10.1.0.1 - 10.2.0.2 X imap.example.org",
		"10.2.0.2 (hop 2, 1 ms) is the last device that answers: it, or what comes behind it, drops the packets", "seen as far as hop 2"},
	{"dropped, and nothing answers", nil, actsAt(0, "", 0, "drop"), "net.dropped", finding.Possible, finding.Unknown,
		"you ╳ imap.example.org", "you X imap.example.org",
		"no device on the way answers: this computer, or any device behind it, drops the packets", "no device on it was seen"},
	{"reset by a router", []probe.Hop{twoHops[0], hop(2, "10.3.0.2", 0.5)}, actsAt(1, "10.1.0.1", 0.4, "reset"), "net.refused-by-hop", finding.Likely, finding.LocalNetwork,
		"you ─ 10.1.0.1 ╳ imap.example.org", "you - 10.1.0.1 X imap.example.org",
		"10.1.0.1 (hop 1, 0.4 ms) most likely acts: it refuses the connection in the server's name (RST)", "seen as far as hop 1"},
	{"reset from the server's distance", append(slices.Clone(twoHops), hop(3, "10.3.0.2", 2)), actsAt(3, "10.3.0.2", 2, "reset"), "net.refused", finding.Likely, finding.Server,
		"you ─ 10.1.0.1 ─ 10.2.0.2 ─ imap.example.org ╳", "you - 10.1.0.1 - 10.2.0.2 - imap.example.org X",
		"the refusal (RST) comes from as far away as imap.example.org (hop 3, 2 ms): from the server itself, or from the last device before it", "the server is 3 hops away"},
	{"an ICMP message of a router", twoHops, actsAt(2, "10.2.0.2", 1.2, "icmp 3/13"), "net.admin-prohibited", finding.Certain, finding.Path,
		"you ─ 10.1.0.1 ─ 10.2.0.2 ╳ imap.example.org", "you - 10.1.0.1 - 10.2.0.2 X imap.example.org",
		"10.2.0.2 (hop 2, 1 ms) acts: it answers with ICMP 3/13 (administratively prohibited)", "seen as far as hop 2"},
	{"an ICMP message of the server", twoHops, actsAt(3, "10.3.0.2", 2, "icmp 3/3"), "net.port-unreachable", finding.Certain, finding.Server,
		"you ─ 10.1.0.1 ─ 10.2.0.2 ─ imap.example.org ╳", "you - 10.1.0.1 - 10.2.0.2 - imap.example.org X",
		"imap.example.org (hop 3, 2 ms) itself acts: it answers with ICMP 3/3 (port unreachable)", "the server is 3 hops away"},
	{"an ICMP message over IPv6", []probe.Hop{hop(1, "fd01::1", 0.4), hop(2, "fd02::2", 1.2)}, actsAt(2, "fd02::2", 1.2, "icmpv6 1/1"), "net.admin-prohibited", finding.Certain, finding.Path,
		"you ─ fd01::1 ─ fd02::2 ╳ imap.example.org", "you - fd01::1 - fd02::2 X imap.example.org",
		"fd02::2 (hop 2, 1 ms) acts: it answers with ICMPv6 1/1 (administratively prohibited)", "seen as far as hop 2"},
	{"dropped by this computer", nil, actsAt(0, "", 0, "drop"), "net.local-firewall", finding.Likely, finding.ThisComputer,
		"you ╳ imap.example.org", "you X imap.example.org", "this computer most likely acts: no packet leaves it", "no device on it was seen"},
	{"rejected by this computer", nil, actsAt(0, "", 0, "icmp 3/13"), "net.local-firewall", finding.Certain, finding.ThisComputer,
		"you ╳ imap.example.org", "you X imap.example.org",
		"this computer acts: a filter of its own answers with ICMP 3/13 (administratively prohibited)", "no device on it was seen"},
	{"answered from too near", []probe.Hop{hop(1, "10.3.0.2", 0.5)}, actsAt(1, "10.1.0.1", 0.5, "answer"), "net.intercepted", finding.Likely, finding.LocalNetwork,
		"you ─ 10.1.0.1 ◄ imap.example.org", "you - 10.1.0.1 < imap.example.org",
		"10.1.0.1 (hop 1, 0.5 ms) most likely acts: it answers in the name of imap.example.org", "seen as far as hop 1"},
	{"answered by a device without a name", []probe.Hop{hop(1, "10.3.0.2", 0.5)}, actsAt(1, "10.3.0.2", 0.5, "answer"), "net.captive-portal", finding.Likely, finding.LocalNetwork,
		"you ─ hop 1 ◄ imap.example.org", "you - hop 1 < imap.example.org",
		"the device at hop 1, 0.5 ms, which does not tell its address, most likely acts: it answers in the name of imap.example.org", "seen as far as hop 1"},
	{"sent on to another server", []probe.Hop{hop(1, "10.3.0.2", 0.4), hop(2, "10.3.0.2", 1), hop(3, "10.3.0.2", 2)}, actsAt(1, "10.1.0.1", 0.4, "redirect"), "net.redirected", finding.Likely, finding.Path,
		"you ─ 10.1.0.1 ► * ─ imap.example.org", "you - 10.1.0.1 > * - imap.example.org",
		"10.1.0.1 (hop 1, 0.4 ms) most likely acts: it sends the connection on to another machine; * is a device that does not answer", "the server is 3 hops away"},
	{"only the start of TLS is reset", append(slices.Clone(twoHops), hop(3, "10.3.0.2", 2)), actsAt(1, "10.1.0.1", 0.4, "hello-reset"), "net.hello-reset", finding.Likely, finding.LocalNetwork,
		"you ─ 10.1.0.1 ╳ 10.2.0.2 ─ imap.example.org", "you - 10.1.0.1 X 10.2.0.2 - imap.example.org",
		"10.1.0.1 (hop 1, 0.4 ms) most likely acts: it lets TCP pass and resets the connection when TLS starts (ClientHello)", "the server is 3 hops away"},
	{"only the start of TLS is dropped, where cannot be told", append(slices.Clone(twoHops), hop(3, "10.3.0.2", 2)), actsAt(2, "10.2.0.2", 1.2, "hello-drop"), "net.hello-dropped", finding.Likely, finding.Unknown,
		"you ─ 10.1.0.1 ─ 10.2.0.2 ╳ imap.example.org", "you - 10.1.0.1 - 10.2.0.2 X imap.example.org",
		"the start of TLS (ClientHello) gets as far as 10.2.0.2 (hop 2, 1 ms): it, or what comes behind it, drops it; TCP passes", "the server is 3 hops away"},
	{"a silent device acts", twoHops[:1], actsAt(2, "", 0, "drop"), "net.dropped", finding.Likely, finding.Path,
		"you ─ 10.1.0.1 ─ hop 2 ╳ imap.example.org", "you - 10.1.0.1 - hop 2 X imap.example.org",
		"the device at hop 2, which does not tell its address, most likely acts: it drops the packets", "seen as far as hop 2"},
	{"reachable behind silent hops", []probe.Hop{hop(1, "", 0), hop(2, "", 0), hop(3, "10.3.0.2", 2)}, nil, "", "", "",
		"you ─ * ─ * ─ imap.example.org", "you - * - * - imap.example.org", "nothing was seen to act on the way; * is a device that does not answer", "the server is 3 hops away"},
	{"many silent hops, which the report leaves out", []probe.Hop{hop(1, "10.1.0.1", 0.4), hop(7, "10.3.0.2", 2)}, nil, "", "", "",
		"you ─ 10.1.0.1 ─ (5 silent) ─ imap.example.org", "you - 10.1.0.1 - (5 silent) - imap.example.org", "nothing was seen to act on the way", "the server is 7 hops away"},
	{"the server next door", []probe.Hop{hop(1, "10.3.0.2", 0.3)}, nil, "", "", "",
		"you ─ imap.example.org", "you - imap.example.org", "nothing was seen to act on the way", "the server is 1 hop away"},
	{"not seen to the end", []probe.Hop{twoHops[0], hop(2, "", 0)}, nil, "", "", "",
		"you ─ 10.1.0.1 ─ (silent) ─ imap.example.org", "you - 10.1.0.1 - (silent) - imap.example.org", "behind 10.1.0.1 (hop 1, 0.4 ms) no device answers", "seen as far as hop 1"},
	{"fourteen hops", fourteen, nil, "", "", "",
		"you ─ 192.168.178.1 ─ (11 hops) ─ 203.0.113.130 ─ imap.example.org", "you - 192.168.178.1 - (11 hops) - 203.0.113.130 - imap.example.org",
		"nothing was seen to act on the way", "the server is 14 hops away"},
	{"dropped in the middle of fourteen hops", fourteen[:8], actsAt(8, "203.0.113.80", 20, "drop"), "net.dropped", finding.Likely, finding.Path,
		"you ─ 192.168.178.1 ─ (6 hops) ─ 203.0.113.80 ╳ imap.example.org", "",
		"203.0.113.80 (hop 8, 20 ms) most likely acts: it drops the packets", "seen as far as hop 8"},
}

// report has port 993 with the path of the case, and what was found of it.
func (c pathCase) report() *probe.Report {
	t := target(probe.RoleServer, "imap.example.org")
	t.Endpoints = slices.DeleteFunc(t.Endpoints, func(e *probe.EndpointReport) bool { return e.Port != 993 })
	t.Endpoints[0].Address, t.Endpoints[1].Address = "10.3.0.2:993", "[fd03::2]:993"
	t.Path = &probe.Path{Hops: c.hops, ActsAt: c.actsAt}
	r := report(t)
	if c.code == "" {
		return r
	}
	t.Recommended = nil
	for _, e := range t.Endpoints {
		e.TLS, e.Capabilities = nil, probe.Capabilities{}
	}
	set(t, 993, "tcp.connect", probe.Fail, "imap.example.org:993 cannot be reached")
	r.Verdict, r.ExitCode = probe.Blocked, 10
	f := finding.New(c.code, "imap.example.org:993 cannot be reached", "what the path showed says why")
	f.Certainty, f.Responsible = c.certainty, c.who
	f.Remedies = []finding.Remedy{{Text: "try another network"}, {Text: letterText}}
	f.Reproduce = []string{"imapilot probe --path imap.example.org:993"}
	r.Findings = []finding.Finding{at(f, 0, "tcp.connect", "imap.example.org:993/tls")}
	return r
}

// letterText is a remedy that is ready to be sent.
const letterText = `send this to whoever administers 10.1.0.1 (hop 1):
On 2026-05-24 at 14:02:13 UTC, TCP connections from 10.1.0.2 to imap.example.org (10.3.0.2), port 993, did not get through. Packets that live for one hop are answered by 10.1.0.1, those that live longer by nobody, while connections to port 143 of the same server get farther. So 10.1.0.1, or the device right behind it, drops packets to TCP port 993. Please allow outgoing TCP to port 993 (IMAP over TLS). To see it without privileges on a computer in this network:
  imapilot probe --path --control imap.example.net:993 imap.example.org:993 --output text`

func pathDropped() *probe.Report { return pathCases[0].report() }

// pathLong has a filter in the middle of many hops, and IPv6 beside.
func pathLong() *probe.Report {
	return pathCase{hops: fourteen[:8], actsAt: actsAt(8, "203.0.113.80", 20, "drop"), code: "net.dropped", certainty: finding.Likely, who: finding.Path}.report()
}

func pathRedirected() *probe.Report {
	r := pathCase{hops: []probe.Hop{hop(1, "10.3.0.2", 0.4), hop(2, "10.2.0.2", 1), hop(3, "10.3.0.2", 2)}, actsAt: actsAt(1, "10.1.0.1", 0.4, "redirect")}.report()
	f := finding.New("net.redirected", "imap.example.org:993 is sent on to another machine", "routers behind 10.1.0.1 report in the server's name")
	f.Certainty = finding.Likely
	r.Verdict, r.Findings = probe.Warning, []finding.Finding{at(f, 0, "tcp.connect", "imap.example.org:993/tls")}
	set(r.Targets[0], 993, "tcp.connect", probe.Warned, "connected to 10.3.0.2:993, sent on by 10.1.0.1")
	return r
}

func (c pathCase) pathMap() *PathMap {
	r := c.report()
	return NewPathMap(r.Targets[0], r.Findings)
}

// drawnLines are the lines of a map as text.
func drawnLines(m *PathMap, s layout.Style, times bool) []string {
	var lines []string
	for _, spans := range m.Lines(s, times) {
		line := ""
		for _, span := range spans {
			line += span.Text
		}
		lines = append(lines, line)
	}
	return lines
}

func TestMapOfAPath(t *testing.T) {
	for _, c := range pathCases {
		t.Run(c.name, func(t *testing.T) {
			m := c.pathMap()
			if got := strings.Join(drawnLines(m, layout.Style{Width: 75}, false), "\n"); got != c.drawn {
				t.Errorf("drawn as\n%s\nwant\n%s", got, c.drawn)
			}
			if got := strings.Join(drawnLines(m, layout.Style{ASCII: true, Width: 75}, false), "\n"); c.ascii != "" && got != c.ascii {
				t.Errorf("in ASCII drawn as\n%s\nwant\n%s", got, c.ascii)
			}
			if got := strings.Join(m.Words(layout.Style{Width: 75}), "; "); got != c.words {
				t.Errorf("it says\n%s\nwant\n%s", got, c.words)
			}
			if got := m.Distance(); got != c.distance {
				t.Errorf("the distance is %q, want %q", got, c.distance)
			}
		})
	}
}

// TestMapFitsAndShowsWhoActs draws every map at every width: no line is too long, and what acts is there, with its mark behind it.
func TestMapFitsAndShowsWhoActs(t *testing.T) {
	long := pathCase{hops: []probe.Hop{hop(1, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1", 0.4)}, actsAt: actsAt(2, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 1, "drop"),
		code: "net.dropped", certainty: finding.Likely, who: finding.Path}
	for _, c := range append(slices.Clone(pathCases), long) {
		m := c.pathMap()
		for width := 24; width <= 120; width++ {
			s := layout.Style{Width: width}
			lines := drawnLines(m, s, false)
			for _, line := range lines {
				if layout.Width(line) > width {
					t.Errorf("%s: at %d columns a line has %d: %s", c.name, width, layout.Width(line), line)
				}
			}
			if a := m.actor(); a != nil {
				shown := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
				if want := s.CutMiddle(a.name, width-6) + " " + m.mark.span(s).Text; !strings.Contains(shown, want) && layout.Width(a.name) < width-6 {
					t.Errorf("%s: at %d columns there is no %q in\n%s", c.name, width, want, strings.Join(lines, "\n"))
				}
			}
		}
	}
}

func TestMapGoesOnInTheNextLine(t *testing.T) {
	c := pathCase{hops: []probe.Hop{hop(1, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1", 0.4), hop(2, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:2", 3)},
		actsAt: actsAt(2, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:2", 3, "drop"), code: "net.dropped", certainty: finding.Likely, who: finding.Path}
	for width, want := range map[int][]string{
		75: {
			"you ─ (1 hop) ─ 2001:db8:aaaa:bbbb:cccc:dddd:eeee:2 ╳ imap.example.org",
			"                3 ms"},
		50: {
			"you ─ 2001:db8:aaaa:bbbb:cccc:dddd:eeee:1",
			"      0.4 ms",
			"  ─ 2001:db8:aaaa:bbbb:cccc:dddd:eeee:2 ╳",
			"    3 ms",
			"    imap.example.org"},
	} {
		if got := drawnLines(c.pathMap(), layout.Style{Width: width}, true); !slices.Equal(got, want) {
			t.Errorf("at %d columns it is\n%s\nwant\n%s", width, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestTimesStandBelowTheirHops(t *testing.T) {
	m := pathCases[4].pathMap()
	want := []string{
		"you ─ 10.1.0.1 ─ 10.2.0.2 ─ imap.example.org ╳",
		"      0.4 ms     1 ms       2 ms"}
	if got := drawnLines(m, layout.Style{}, true); !slices.Equal(got, want) {
		t.Errorf("it is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNoMapWithoutAPath(t *testing.T) {
	if m := NewPathMap(healthyServer().Targets[0], nil); m != nil {
		t.Errorf("there is a map: %q", drawnLines(m, layout.Style{}, false))
	}
	if m := NewPathMap(nil, nil); m != nil {
		t.Error("there is a map of nothing")
	}
}

func TestMapConcernsTheFindingOfThePath(t *testing.T) {
	r := pathCases[0].report()
	other := at(finding.New("net.flaky", "some get lost", "loss"), 0, "tcp.connect", "imap.example.org:143/starttls")
	r.Findings = append([]finding.Finding{other}, r.Findings...)
	m := NewPathMap(r.Targets[0], r.Findings)
	if m.Concerns(r.Findings[0]) || !m.Concerns(r.Findings[1]) {
		t.Errorf("concerns net.flaky: %t, net.dropped: %t", m.Concerns(r.Findings[0]), m.Concerns(r.Findings[1]))
	}
}
