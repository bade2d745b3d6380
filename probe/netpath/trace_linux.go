package netpath

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// The bounds of a trace. Each family gets 30 tries in all: these, and those that confirm what they showed.
var waves = []int{4, 10, 17, 24} // the highest TTL of each lot that goes out at once

const (
	waveAfter   = 450 * time.Millisecond  // the next lot goes out when the last is not answered by then
	lastAnswer  = 1400 * time.Millisecond // what the last lot gets: its SYN goes out once more after 1 s
	lateAnswer  = 400 * time.Millisecond  // what routers get that are still to answer when the end of the path has
	silentHops  = 8                       // so many silent hops in a row end a trace
	roundTrips  = 4                       // so many round trips an answer may take that was seen before
	leastAnswer = 250 * time.Millisecond  // and at least this
)

// A tracing is a trace that is under way.
type tracing struct {
	to       netip.AddrPort
	started  time.Time
	launched time.Time // the last lot
	lots     int
	most     int // tries
	opened   int
	sockets  []*socket // ordered by TTL
	ended    time.Time // when the end of the path was first seen
}

// trace opens connections whose packets live for 1, 2, 3 … hops, some at once, until one is answered. It takes 3 s, and most
// tries, at most.
func trace(ctx context.Context, to netip.AddrPort, most int) *Trace {
	t := &tracing{to: to, started: time.Now(), most: most}
	t.launch()
	for ctx.Err() == nil && !t.over() {
		wait(t.sockets, pollStep)
		t.shorten()
		if t.next() {
			t.launch()
		}
		if !t.open() { // nothing to wait for in the kernel
			select {
			case <-ctx.Done():
			case <-time.After(pollStep / 4):
			}
		}
	}
	result := &Trace{To: to, opened: t.opened}
	for _, s := range t.sockets {
		if !s.done {
			s.try.Took = time.Since(s.started)
		}
		s.close()
		result.Tries = append(result.Tries, s.try)
	}
	return result
}

func (t *tracing) launch() {
	for ttl := t.reach() + 1; ttl <= min(waves[t.lots], t.most); ttl++ {
		t.sockets = append(t.sockets, dial(t.to, ttl, 0))
		t.opened++
	}
	t.lots++
	t.launched = time.Now()
	t.shorten()
}

// reach is the highest TTL that was tried.
func (t *tracing) reach() int { return len(t.sockets) }

// open reports whether a try has no outcome yet.
func (t *tracing) open() bool {
	return slices.ContainsFunc(t.sockets, func(s *socket) bool { return !s.done })
}

// shorten leaves out what lies beyond the end of the path.
func (t *tracing) shorten() {
	i := slices.IndexFunc(t.sockets, func(s *socket) bool { return s.done && s.try.answered() })
	if i < 0 {
		return
	}
	if t.ended.IsZero() {
		t.ended = time.Now()
	}
	for _, s := range t.sockets[i+1:] {
		s.close()
	}
	t.sockets = t.sockets[:i+1]
}

// next reports whether it is time for another lot.
func (t *tracing) next() bool {
	if !t.ended.IsZero() || t.lots == len(waves) || t.silent() >= silentHops {
		return false
	}
	return !t.open() || time.Since(t.launched) >= waveAfter
}

// silent is how many hops were tried beyond the last that answered.
func (t *tracing) silent() int {
	for i := len(t.sockets) - 1; i >= 0; i-- {
		if t.sockets[i].done {
			return len(t.sockets) - 1 - i
		}
	}
	return len(t.sockets)
}

func (t *tracing) over() bool {
	switch {
	case !t.ended.IsZero():
		return !t.open() || time.Since(t.ended) >= lateAnswer
	case t.lots == len(waves) || t.silent() >= silentHops:
		return !t.open() || time.Since(t.launched) >= lastAnswer
	}
	return false
}

// compare tries some TTLs at once.
func compare(ctx context.Context, to netip.AddrPort, ttls ...int) *Trace {
	sockets := make([]*socket, len(ttls))
	for i, ttl := range ttls {
		sockets[i] = dial(to, ttl, 0)
	}
	waitAll(ctx, sockets, nearAnswer)
	result := &Trace{To: to}
	for _, s := range sockets {
		s.close()
		result.Tries = append(result.Tries, s.try)
	}
	return result
}

// steady repeats the tries that a verdict rests on, one after the other from one local port, so that routers that share connections out among
// several paths send them all the same way. It reports whether they came out as before.
func steady(ctx context.Context, t *Trace, ttls ...int) bool {
	port := uint16(0)
	for _, ttl := range ttls {
		before, tried := t.At(ttl)
		if !tried || ctx.Err() != nil {
			continue
		}
		s := dial(t.To, ttl, port)
		port = s.localPort()
		waitAll(ctx, []*socket{s}, max(leastAnswer, roundTrips*rtt(t)))
		s.close()
		if s.try.Outcome != before.Outcome || s.try.From != before.From {
			return false
		}
	}
	return true
}

// rtt is the longest time that an answer took.
func rtt(t *Trace) time.Duration {
	var longest time.Duration
	for _, try := range t.Tries {
		if try.Outcome != Silent {
			longest = max(longest, try.Took)
		}
	}
	return longest
}
