package netpath

import (
	"net/netip"
	"testing"
	"time"
)

var (
	client  = netip.MustParseAddr("10.1.0.2")
	router1 = netip.MustParseAddr("10.1.0.1")
	router2 = netip.MustParseAddr("10.2.0.2")
	host    = netip.MustParseAddr("10.3.0.2")
	other   = netip.MustParseAddr("10.3.0.3")
	given   = netip.AddrPortFrom(host, 993)
)

func from(ttl int, router netip.Addr) Try {
	return Try{TTL: ttl, Outcome: Exceeded, From: router, Type: 11, Took: time.Millisecond}
}

func came(ttl int, o Outcome) Try { return Try{TTL: ttl, Outcome: o, Took: time.Millisecond} }

func icmp(ttl int, sender netip.Addr, code uint8) Try {
	return Try{TTL: ttl, Outcome: Unreachable, From: sender, Type: 3, Code: code, Took: time.Millisecond}
}

func path(tries ...Try) *Trace { return &Trace{To: given, Tries: tries} }

// beside is a trace of the host's port 143.
func beside(tries ...Try) *Trace { return &Trace{To: netip.AddrPortFrom(host, 143), Tries: tries} }

func cellOf(a netip.Addr, port uint16, o Outcome) Cell {
	return Cell{To: netip.AddrPortFrom(a, port), Try: Try{Outcome: o}}
}

func TestJudge(t *testing.T) {
	closed := cellOf(host, ClosedPort, Refused)
	tests := []struct {
		name   string
		survey Survey
		want   Verdict // Try is not compared, RTT neither
	}{
		{"nothing listens", Survey{Trace: path(from(1, router1), from(2, router2), came(3, Refused)), Compare: beside(came(3, Connected))},
			Verdict{Act: Refuses, Place: AtHost, Sure: Likely, Hop: Hop{TTL: 3, Address: host}}},
		{"a router refuses", Survey{Trace: path(from(1, router1), came(2, Refused)), Compare: beside(from(2, router2))},
			Verdict{Act: Refuses, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}}},
		{"a router refuses, and none shows itself", Survey{Trace: path(came(1, Silent), came(2, Refused)), Compare: beside(came(2, Silent), came(3, Connected))},
			Verdict{Act: Refuses, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1}}},
		{"a later router refuses", Survey{Trace: path(from(1, router1), from(2, router2), came(3, Refused)), Compare: beside(from(3, other))},
			Verdict{Act: Refuses, Place: OnPath, Sure: Likely, Hop: Hop{TTL: 2, Address: router2}}},
		{"this computer refuses", Survey{Trace: path(came(1, Refused)), Compare: beside(from(1, router1))},
			Verdict{Act: FiltersHere, Place: Here, Sure: Likely}},
		{"a server next door refuses", Survey{Trace: path(came(1, Refused)), Compare: beside(came(1, Connected))},
			Verdict{Act: Refuses, Place: AtHost, Sure: Likely, Hop: Hop{TTL: 1, Address: host}}},
		{"this computer says no by ICMP", Survey{Trace: path(icmp(1, client, 3)), Own: []netip.Addr{client}},
			Verdict{Act: FiltersHere, Place: Here, Sure: Certain}},
		{"a router says no by ICMP", Survey{Trace: path(from(1, router1), from(2, router2), icmp(3, router2, 13))},
			Verdict{Act: Rejects, Place: OnPath, Sure: Certain, Hop: Hop{TTL: 2, Address: router2}}},
		{"the last router says no by ICMP after seconds", Survey{Trace: path(from(1, router1), from(2, router2), came(3, Silent)),
			Cells: []Cell{{To: given, Try: icmp(0, router2, 1)}}}, Verdict{Act: Rejects, Place: OnPath, Sure: Certain, Hop: Hop{TTL: 2, Address: router2}}},
		{"the first router says no by ICMP before it looks at the TTL", Survey{Trace: path(icmp(1, router1, 13))},
			Verdict{Act: Rejects, Place: FirstHop, Sure: Certain, Hop: Hop{TTL: 1, Address: router1}}},
		{"the host itself says no by ICMP", Survey{Trace: path(from(1, router1), from(2, router2), icmp(3, host, 3))},
			Verdict{Act: Rejects, Place: AtHost, Sure: Certain, Hop: Hop{TTL: 3, Address: host}}},
		{"an ICMP message of which the sender is not told", Survey{Trace: path(from(1, router1), Try{TTL: 2, Outcome: Unreachable})},
			Verdict{Act: Rejects, Place: Unsure, Sure: Open, Hop: Hop{TTL: 1, Address: router1}}},
		{"the first router drops", Survey{Trace: path(from(1, router1), came(2, Silent), came(3, Silent)), Compare: beside(from(2, router2))},
			Verdict{Act: Drops, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}}},
		{"the last router or the host drops", Survey{Trace: path(from(1, router1), from(2, router2), came(3, Silent)), Compare: beside(came(3, Connected))},
			Verdict{Act: Drops, Place: Unsure, Sure: Open, Hop: Hop{TTL: 2, Address: router2}}},
		{"nothing to compare with", Survey{Trace: path(from(1, router1), from(2, router2), came(3, Silent))},
			Verdict{Act: Drops, Place: Unsure, Sure: Open, Hop: Hop{TTL: 2, Address: router2}}},
		{"this computer drops", Survey{Trace: path(came(1, Silent), came(2, Silent)), Compare: beside(from(1, router1))},
			Verdict{Act: FiltersHere, Place: Here, Sure: Likely}},
		{"nobody shows himself", Survey{Trace: path(came(1, Silent), came(2, Silent)), Compare: beside(came(1, Silent))},
			Verdict{Act: Drops, Place: Unsure, Sure: Open}},
		{"routers hide behind one that drops", Survey{Trace: path(from(1, router1), came(2, Silent)), Compare: beside(came(2, Silent), came(3, Connected))},
			Verdict{Act: Drops, Place: Unsure, Sure: Open, Hop: Hop{TTL: 1, Address: router1}}},
		{"no route", Survey{Trace: path(came(1, Local))},
			Verdict{Act: NoRoute, Place: Here, Sure: Certain}},
		{"all is well", Survey{Trace: path(from(1, router1), from(2, router2), came(3, Connected)), Compare: beside(came(3, Refused))},
			Verdict{Act: Passes, Place: AtHost, Sure: Likely, Hop: Hop{TTL: 3, Address: host}}},
		{"a transparent proxy", Survey{Trace: path(came(1, Connected)), Compare: beside(from(1, router1))},
			Verdict{Act: Answers, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}}},
		{"a portal", Survey{Trace: path(came(1, Connected)), Names: map[int]netip.Addr{1: router1}, Cells: []Cell{
			cellOf(host, 993, Connected), cellOf(host, ClosedPort, Connected), {To: netip.MustParseAddrPort("192.0.2.1:993"), Unused: true, Try: came(0, Connected)}}},
			Verdict{Act: AnswersForAll, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}}},
		{"a server that answers at every port", Survey{Trace: path(from(1, router1), came(2, Connected)), Cells: []Cell{
			cellOf(host, 993, Connected), cellOf(host, ClosedPort, Connected), {To: netip.MustParseAddrPort("192.0.2.1:993"), Unused: true, Try: came(0, Silent)}}},
			Verdict{Act: Passes, Place: AtHost, Sure: Likely, Hop: Hop{TTL: 2, Address: host}}},
		{"packets are sent on to another address", Survey{Trace: path(from(1, host), from(2, host), came(3, Connected)), Names: map[int]netip.Addr{1: router1}},
			Verdict{Act: Redirects, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}}},
		{"a host passes the port on to a container", Survey{Trace: path(from(1, router1), from(2, host), came(3, Connected))},
			Verdict{Act: Passes, Place: AtHost, Sure: Likely, Hop: Hop{TTL: 3, Address: host}}},
		{"some connections get lost", Survey{Trace: path(from(1, router1), came(2, Connected)), Spaced: []Try{came(0, Connected), came(0, Silent)}},
			Verdict{Act: Loses, Sure: Likely}},
		{"the connection of before was lost and this one comes about", Survey{Trace: path(came(1, Silent), came(2, Silent)), Cells: []Cell{cellOf(host, 993, Connected)},
			Spaced: []Try{came(0, Silent)}}, Verdict{Act: Loses, Sure: Likely}},

		{"the port fails at every host", Survey{Trace: path(from(1, router1), came(2, Silent)), Compare: beside(from(2, router2)),
			Cells: []Cell{cellOf(host, 993, Silent), cellOf(host, 143, Connected), closed, cellOf(other, 993, Silent), cellOf(other, 143, Connected)}},
			Verdict{Act: Drops, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}, All: true}},
		{"the port fails at one host of two", Survey{Trace: path(from(1, router1), came(2, Silent)),
			Cells: []Cell{cellOf(host, 993, Silent), closed, cellOf(other, 993, Refused)}},
			Verdict{Act: Drops, Place: Unsure, Sure: Open, Hop: Hop{TTL: 1, Address: router1}}},
		{"every port fails at every host", Survey{Trace: path(from(1, router1), came(2, Silent)),
			Cells: []Cell{cellOf(host, 993, Silent), cellOf(host, 143, Silent), cellOf(other, 993, Silent)}},
			Verdict{Act: Drops, Place: Unsure, Sure: Open, Hop: Hop{TTL: 1, Address: router1}}},
		{"nothing listens at both hosts", Survey{Trace: path(from(1, router1), came(2, Refused)), Compare: beside(came(2, Connected)),
			Cells: []Cell{cellOf(host, 993, Refused), cellOf(host, 143, Connected), cellOf(other, 993, Refused)}},
			Verdict{Act: Refuses, Place: AtHost, Sure: Likely, Hop: Hop{TTL: 2, Address: host}}},

		{"without hops: silence", Survey{Err: ErrUnavailable, Cells: []Cell{cellOf(host, 993, Silent), closed}}, Verdict{Act: Drops}},
		{"without hops: the port fails at every host", Survey{Err: ErrUnavailable,
			Cells: []Cell{cellOf(host, 993, Silent), closed, cellOf(other, 993, Silent)}}, Verdict{Act: Drops, All: true}},
		{"without hops: nothing listens", Survey{Err: ErrUnavailable, Cells: []Cell{cellOf(host, 993, Refused)}}, Verdict{Act: Refuses, Place: AtHost, Sure: Likely}},
		{"nothing was seen", Survey{Err: ErrUnavailable}, Verdict{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.survey.To, tt.survey.Steady = given, true
			got := tt.survey.Judge()
			got.Try, got.Hop.RTT = Try{}, 0
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// TestAnUnsteadyPathIsNotLikely: where a second look from one local port differs, routers share connections out.
func TestAnUnsteadyPathIsNotLikely(t *testing.T) {
	s := Survey{Question: Question{To: given}, Trace: path(from(1, router1), came(2, Refused)), Compare: beside(from(2, router2))}
	if got := s.Judge().Sure; got != Open {
		t.Errorf("got %v, want Open", got)
	}
}

func TestHops(t *testing.T) {
	trace := path(came(1, Silent), from(2, router2), came(3, Silent), came(4, Silent))
	hops := trace.Hops()
	if len(hops) != 2 || hops[0].Address.IsValid() || hops[1].Address != router2 {
		t.Errorf("got %+v, want a silent hop and %v", hops, router2)
	}
	hops = path(from(1, router1), came(2, Connected)).Hops()
	if len(hops) != 2 || hops[1].Address != host {
		t.Errorf("got %+v, want %v at the end", hops, host)
	}
	hops = path(from(1, router1), icmp(2, router1, 13)).Hops()
	if len(hops) != 1 || hops[0].Address != router1 {
		t.Errorf("got %+v, want the router once", hops)
	}
}

func TestHoldsForAnotherPort(t *testing.T) {
	twin := netip.AddrPortFrom(host, 143)
	s := Survey{Question: Question{To: given}, Trace: path(from(1, router1), came(2, Refused))}
	if s.Holds(twin) || !s.Holds(given) {
		t.Error("nothing is known of the other port")
	}
	s.Twins = map[netip.AddrPort]Try{twin: from(2, router2)}
	if s.Holds(twin) {
		t.Error("the other port's packets went on")
	}
	s.Twins[twin] = came(2, Refused)
	if !s.Holds(twin) {
		t.Error("the other port was refused at the same hop")
	}
}

func TestWhereAHelloIsLost(t *testing.T) {
	s := &Survey{Question: Question{To: given}, Trace: path(from(1, router1), from(2, router2), came(3, Connected))}
	hidden := &Survey{Question: Question{To: given}, Trace: path(from(1, router1), came(2, Silent), came(3, Connected))}
	tests := []struct {
		name   string
		survey *Survey
		tries  []Try
		want   Verdict
	}{
		{"the first router resets", s, []Try{came(1, Exceeded), came(2, Refused)}, Verdict{Act: Refuses, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}}},
		{"the first router drops", s, []Try{came(1, Exceeded), came(2, Silent)}, Verdict{Act: Drops, Place: FirstHop, Sure: Likely, Hop: Hop{TTL: 1, Address: router1}}},
		{"it passes the last router", s, []Try{came(1, Exceeded), came(2, Exceeded)}, Verdict{Act: Drops, Place: Unsure, Sure: Open, Hop: Hop{TTL: 2, Address: router2}}},
		{"this computer drops", s, []Try{came(1, Silent), came(2, Silent)}, Verdict{Act: Drops, Place: Here, Sure: Likely}},
		{"a hop that never shows itself says nothing", hidden, []Try{came(1, Exceeded), came(2, Silent)},
			Verdict{Act: Drops, Place: Unsure, Sure: Open, Hop: Hop{TTL: 1, Address: router1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := (&HelloTrace{tt.tries}).Judge(tt.survey)
			got.Try, got.Hop.RTT = Try{}, 0
			if tt.want.Place == Here {
				tt.want.Act = FiltersHere
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	six := netip.MustParseAddr("fd02::2")
	for _, tt := range []struct {
		try  Try
		want Refusal
		text string
	}{
		{icmp(3, router2, 0), NoNetwork, "icmp 3/0"},
		{icmp(3, router2, 1), NoHost, "icmp 3/1"},
		{icmp(3, router2, 3), NoPort, "icmp 3/3"},
		{icmp(3, router2, 9), Prohibited, "icmp 3/9"},
		{icmp(3, router2, 10), Prohibited, "icmp 3/10"},
		{icmp(3, router2, 13), Prohibited, "icmp 3/13"},
		{icmp(3, router2, 200), 0, "icmp 3/200"},
		{Try{Outcome: Unreachable, From: six, Type: 1, Code: 1}, Prohibited, "icmpv6 1/1"},
		{Try{Outcome: Unreachable, From: six, Type: 1, Code: 4}, NoPort, "icmpv6 1/4"},
		{Try{Outcome: Unreachable, From: six, Type: 1, Code: 3}, NoHost, "icmpv6 1/3"},
		{Try{Outcome: Unreachable, From: six, Type: 4, Code: 1}, 0, "icmpv6 4/1"},
		{Try{Outcome: Unreachable}, 0, ""},
		{from(1, router1), 0, "icmp 11/0"},
	} {
		if got := tt.try.Refusal(); got != tt.want || tt.try.ICMP() != tt.text {
			t.Errorf("%+v: got %v, %q, want %v, %q", tt.try, got, tt.try.ICMP(), tt.want, tt.text)
		}
	}
}

// TestCellsAreFew: a comparison takes 16 tries at most, with 4 for a closer look, one for an address that nobody has and one for a port that came out alike.
func TestCellsAreFew(t *testing.T) {
	q := Question{To: netip.AddrPortFrom(host, 1993), Others: []netip.Addr{other}, Control: netip.MustParseAddrPort("10.4.0.2:443")}
	cells := q.ports()
	if len(cells) > mostCells || cells[0].To != q.To {
		t.Errorf("got %d cells, the first %v", len(cells), cells[0].To)
	}
	q.Control = netip.MustParseAddrPort("[fd04::2]:443")
	for _, c := range q.ports() {
		if c.To.Addr().Is6() {
			t.Errorf("%v is of the other family", c.To)
		}
	}
}
