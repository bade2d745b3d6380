package netpath

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// ClosedPort is a port at which hardly anybody listens: what answers there answers everywhere.
const ClosedPort = 64993

// A Question is what a Survey is to find out.
type Question struct {
	To      netip.AddrPort
	Others  []netip.Addr   // further servers of this family, at whose same port to look too: the other side of a job
	Control netip.AddrPort // a server that is known to work, to compare with; may be the zero value
	Repeat  bool           // try the port several times more, to see whether some connections get lost
	After   *Survey        // of another port of the host, just made: its cells serve here too, and its tries count; nil: there is none
	Patient bool           // an answer is known to come, after seconds: a router that looks for a host in vain
}

// A Cell is one of the ports that are compared.
type Cell struct {
	To     netip.AddrPort
	Unused bool // nobody has this address (RFC 5737, RFC 3849)
	Try
}

// A Survey is what was seen of a path. All of it is there even if the time ran out; what was not tried is missing.
type Survey struct {
	Question
	Trace   *Trace                 // of To; nil with Err
	Compare *Trace                 // a few TTLs of another port, next to where the trace ended; nil when there was nothing to compare with
	Cells   []Cell                 // To first; each once
	Names   map[int]netip.Addr     // of routers by TTL, as datagrams showed them where connections are answered in others' names
	Twins   map[netip.AddrPort]Try // ports of the host that came out like To, where that one's path ended
	Spaced  []Try                  // of To, one after the other; none unless asked for
	Steady  bool                   // the tries that count came out the same again, from one local port
	Own     []netip.Addr
	Err     error // ErrUnavailable: only Cells can be had
	Took    time.Duration
}

// tries is how many connections the path takes at most, in each family.
const tries = 30

// Limit is how long a survey takes at most.
const Limit = 4 * time.Second

// Look surveys the path to a port. It takes at most [Limit], 30 tries for the path and 16 more for the comparison; connections that come
// about are closed at once.
func Look(ctx context.Context, q Question) *Survey {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	s := &Survey{Question: q, Own: ownAddresses()}
	s.look(ctx)
	s.Took = time.Since(started)
	return s
}

// ports are the cells of a question: the port itself; its host's other IMAP ports and one that is closed; the same port at other hosts, and what
// answers there.
func (q *Question) ports() []Cell {
	var cells []Cell
	add := func(host netip.Addr, ports ...uint16) {
		for _, port := range ports {
			to := netip.AddrPortFrom(host, port)
			same := host.IsValid() && host.Is6() == q.To.Addr().Is6()
			if same && !slices.ContainsFunc(cells, func(c Cell) bool { return c.To == to }) {
				cells = append(cells, Cell{To: to})
			}
		}
	}
	given := q.To.Port()
	add(q.To.Addr(), given, 993, 143, ClosedPort)
	add(q.Control.Addr(), given, q.Control.Port(), 993, 143)
	for _, host := range q.Others[:min(len(q.Others), 1)] {
		add(host, given, 993, 143)
	}
	return cells[:min(len(cells), mostCells)]
}

// mostCells leaves of the 16 tries of a comparison 4 for a closer look, and one each for an address that nobody has and for a port that came out alike.
const mostCells = 10

// unused returns an address of the family of a that nobody has: it is for documentation alone.
func unused(a netip.Addr) netip.Addr {
	if a.Is6() {
		return netip.MustParseAddr("2001:db8::1")
	}
	return netip.MustParseAddr("192.0.2.1")
}

// answeredTwice reports whether the port and one that is closed everywhere both answer: then one more cell tells whether everything does.
func (s *Survey) answeredTwice() bool {
	given, _ := s.cell(s.To)
	closed, _ := s.cell(netip.AddrPortFrom(s.To.Addr(), ClosedPort))
	return given.Outcome == Connected && closed.Outcome == Connected
}

// cell returns the cell of a port.
func (s *Survey) cell(to netip.AddrPort) (Cell, bool) {
	i := slices.IndexFunc(s.Cells, func(c Cell) bool { return c.To == to })
	if i < 0 {
		return Cell{}, false
	}
	return s.Cells[i], true
}

// comparable returns the port that says most about To's: one of the same host that is answered by the host, else another host's.
func (s *Survey) comparable() (netip.AddrPort, bool) {
	rank := func(c Cell) int {
		switch {
		case c.To == s.To || c.Unused || c.To.Port() == s.To.Port():
			return 0
		case c.Outcome != Connected && c.Outcome != Refused:
			return 0
		}
		n := 1
		if c.To.Addr() == s.To.Addr() {
			n += 2
		}
		if given, ok := s.cell(s.To); ok && given.Outcome != c.Outcome {
			n++ // it is treated in another way
		}
		return n
	}
	best, found := Cell{}, false
	for _, c := range s.Cells {
		if n := rank(c); n > 0 && (!found || n > rank(best)) {
			best, found = c, true
		}
	}
	return best.To, found
}
