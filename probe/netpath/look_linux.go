package netpath

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// slowAnswer is what a try gets where a router first looks for the host, in vain: 3 s on Linux.
const slowAnswer = 3800 * time.Millisecond

// The spaced tries of a question.
const (
	spacedTries = 5
	spacedBy    = 250 * time.Millisecond
	spacedLimit = 900 * time.Millisecond // before the SYN goes out a second time
)

// look traces the path and compares ports at once; then it looks closer at where the path ended. Some containers forbid the socket options.
func (s *Survey) look(ctx context.Context) {
	fd, err := open(s.To.Addr(), 1, 0)
	if err != nil {
		s.lookPlainly(ctx)
		return
	}
	unix.Close(fd)
	var running sync.WaitGroup
	most := waves[len(waves)-1]
	if s.After != nil && s.After.Trace != nil {
		s.Cells, most = s.After.Cells, max(0, most-s.After.Trace.opened)
	} else {
		running.Go(func() { s.fillCells(ctx) })
	}
	s.Trace = trace(ctx, s.To, most)
	running.Wait()
	running.Go(func() {
		if s.Repeat {
			s.Spaced = s.spaced(ctx)
		}
	})
	running.Go(func() { s.Steady = steady(ctx, s.Trace, s.deciding()...) })
	running.Go(func() { s.Names = s.names(ctx) })
	running.Go(func() { s.Twins = s.twins(ctx) })
	if to, ok := s.comparable(); ok {
		s.Compare = compare(ctx, to, s.next()...)
	}
	running.Wait()
}

// deciding are the TTLs that a verdict rests on: the last router, and what comes behind it.
func (s *Survey) deciding() []int {
	var ttls []int
	last, seen := s.Trace.Last()
	if seen {
		ttls = append(ttls, last.TTL)
	}
	if end, ok := s.Trace.End(); ok {
		return append(ttls, end.TTL)
	}
	return ttls
}

// next are the TTLs at which another port is looked at: where this one was answered or went silent, and one behind.
func (s *Survey) next() []int {
	last, seen := s.Trace.Last()
	if end, ok := s.Trace.End(); ok {
		if seen && last.TTL == end.TTL-1 {
			return []int{end.TTL, end.TTL + 1}
		}
		return []int{end.TTL, end.TTL + 1, end.TTL + 2, end.TTL + 3} // routers hide here: how far away is the host?
	}
	return []int{last.TTL + 1, last.TTL + 2}
}

// names asks for the routers' own names where connections are answered, or packets translated, in the host's: with datagrams, to the host and to an
// address that nobody has.
func (s *Survey) names(ctx context.Context) map[int]netip.Addr {
	var ttls []int
	if hop, ok := s.translated(); ok {
		ttls = append(ttls, hop.TTL)
	}
	if end, ok := s.Trace.End(); ok && end.Outcome == Connected {
		ttls = append(ttls, end.TTL)
	}
	names := map[int]netip.Addr{}
	for _, ttl := range ttls {
		for _, from := range datagrams(ctx, ttl, s.To.Addr(), unused(s.To.Addr())) {
			if from.IsValid() && from != s.To.Addr() && !names[ttl].IsValid() {
				names[ttl] = from
			}
		}
	}
	return names
}

// twins looks whether the host's other IMAP port, if it came out like this one, is answered at the same hop.
func (s *Survey) twins(ctx context.Context) map[netip.AddrPort]Try {
	twins := map[netip.AddrPort]Try{}
	end, ended := s.Trace.End()
	for _, c := range s.Cells {
		if !s.alike(c) {
			continue
		}
		twins[c.To] = c.Try
		if ended {
			twins[c.To] = alone(ctx, c.To, end.TTL, 0, nearAnswer)
		}
	}
	return twins
}

// fillCells tries all ports that are compared, at once.
func (s *Survey) fillCells(ctx context.Context) {
	cells := s.ports()
	sockets := make([]*socket, len(cells))
	for i, c := range cells {
		sockets[i] = dial(c.To, 0, 0)
	}
	if s.Patient {
		sockets[0].patiently()
	}
	waitAll(ctx, sockets, nearAnswer)
	if s.Patient {
		waitAll(ctx, sockets[:1], slowAnswer-nearAnswer)
	}
	for i, socket := range sockets {
		socket.close()
		cells[i].Try = socket.try
	}
	s.Cells = cells
	if s.answeredTwice() {
		to := netip.AddrPortFrom(unused(s.To.Addr()), s.To.Port())
		s.Cells = append(s.Cells, Cell{To: to, Unused: true, Try: alone(ctx, to, 0, 0, nearAnswer)})
	}
}

// spaced tries the port several times, one after the other.
func (s *Survey) spaced(ctx context.Context) []Try {
	tries := make([]Try, spacedTries)
	var running sync.WaitGroup
	for i := range tries {
		running.Go(func() { tries[i] = alone(ctx, s.To, 0, 0, spacedLimit) })
		if i == len(tries)-1 {
			break
		}
		select {
		case <-ctx.Done():
			running.Wait()
			return nil
		case <-time.After(spacedBy):
		}
	}
	running.Wait()
	return tries
}
