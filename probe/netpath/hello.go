package netpath

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// How long a hello is waited for: the kernel sends it again after some 0.2, 0.6 and 1.4 s.
const helloAnswer = 1600 * time.Millisecond

// mostHellos bounds the connections of a TraceHello, which count among those of the path.
const mostHellos = 8

// A HelloTrace is what became of a ClientHello that was sent on open connections and lived for 1, 2, 3 … hops: what acts on it acts on nothing before.
type HelloTrace struct {
	Tries []Try // ordered by TTL; From is never known
}

// TraceHello opens connections with dial and sends hello on each, in packets that live for one hop more each time, up to the hop before the
// host's distance. It takes about 2 s, and at most 8 connections, those nearest to the host. The error is ErrUnavailable or that of the first dial.
func TraceHello(ctx context.Context, dial func(context.Context) (net.Conn, error), hello []byte, distance int) (*HelloTrace, error) {
	first := max(1, distance-min(mostHellos, tries-2-distance))
	sent := make([]Try, max(0, distance-first))
	errs := make([]error, len(sent))
	var running sync.WaitGroup
	for i := range sent {
		running.Go(func() { sent[i], errs[i] = sayHello(ctx, dial, hello, first+i) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return &HelloTrace{sent}, nil
}

// sayHello opens one connection and sends hello for ttl hops.
func sayHello(ctx context.Context, dial func(context.Context) (net.Conn, error), hello []byte, ttl int) (Try, error) {
	conn, err := dial(ctx)
	if err != nil {
		return Try{}, err
	}
	defer conn.Close()
	raw := rawOf(conn)
	if raw == nil {
		return Try{}, ErrUnavailable
	}
	if err := live(raw, ttl); err != nil {
		return Try{}, err
	}
	defer live(raw, 0) // what closes the connection shall arrive
	started := time.Now()
	conn.SetDeadline(started.Add(helloAnswer))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })
	defer stop()
	_, err = conn.Write(hello)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	return Try{TTL: ttl, Outcome: helloOutcome(err), Took: time.Since(started), Err: err}, nil
}

// rawOf reaches the socket below a connection; nil if there is none.
func rawOf(conn net.Conn) syscall.RawConn {
	for {
		switch c := conn.(type) {
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// helloOutcome says what an error of the connection means: with IP_RECVERR a router's report that the packet lived too short ends it.
func helloOutcome(err error) Outcome {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return Connected
	case errors.Is(err, syscall.EHOSTUNREACH):
		return Exceeded
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Refused
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Silent
	}
	return Unreachable
}

// Judge says who acts on the hello, from the trace of the connection and that of the hello: the hop behind which it does not come any
// farther. Place is Unsure where the last router and the host cannot be told apart.
func (h *HelloTrace) Judge(s *Survey) Verdict {
	v := Verdict{Act: Drops}
	passed := 0
	for _, try := range h.Tries {
		if try.Outcome == Exceeded {
			passed = try.TTL
			continue
		}
		if try.Outcome == Refused {
			v.Act = Refuses
		}
		if try.Outcome == Connected || try.Outcome == Silent && !s.seen(try.TTL) {
			continue // it says nothing: the hop never answers
		}
		v.Try, v.Sure = try, Likely
		break
	}
	if v.Sure == Open {
		v.Hop, _ = s.Trace.Last()
		return v
	}
	if v.Try.TTL == 1 {
		v.Act, v.Place = FiltersHere, Here
		return v
	}
	v.Hop = s.before(max(v.Try.TTL, passed+1))
	v.Place = placeOf(v.Hop)
	return v
}

// seen reports whether a router showed itself at a TTL.
func (s *Survey) seen(ttl int) bool {
	try, ok := s.Trace.At(ttl)
	return ok && try.Outcome == Exceeded
}
