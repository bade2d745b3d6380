package probe

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imapilot-project/imapilot/probe/hello"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// smallGroups are those of a handshake whose ClientHello fits into one packet: the default without the post-quantum one.
const smallGroups = "X25519 secp256r1 secp384r1 secp521r1"

// helloTrial is after how long without a byte a handshake gets a trial with a small hello beside it (contract 4.1).
const helloTrial = 2500 * time.Millisecond

// A retrial is what became of a handshake in another form than the usual.
type retrial struct {
	ep    imapdial.Endpoint
	facts imapdial.Facts
	conn  *imapdial.Conn // nil unless the policy was met
	raw   bool           // a small hello of under 256 octets was answered
}

// works reports whether the handshake passes. Of nil, it does not.
func (r *retrial) works() bool { return r != nil && r.facts.TLS != nil }

// answered reports whether the server said something to it, if only an alert. Of nil, it did not.
func (r *retrial) answered() bool { return r != nil && speaksTLS(&r.facts) }

// end closes what it left open.
func (r *retrial) end() {
	if r != nil && r.conn != nil {
		r.conn.Close()
	}
}

// tryHandshake observes the endpoint with another dialer, or other settings, than usual. The caller ends the trial.
func (t *targetRun) tryHandshake(ctx context.Context, ep imapdial.Endpoint, dial dialFunc) *retrial {
	r := &retrial{ep: ep}
	r.facts, r.conn = imapdial.Observe(ctx, ep, t.prober.options(dial, t.prober.timeout()))
	return r
}

// trySmall observes the endpoint with a small hello: the one that a job would use, of about 300 octets, and beside it one of under 256, for old
// balancers that drop those between 256 and 511. The caller ends the trial.
func (t *targetRun) trySmall(ctx context.Context, ep imapdial.Endpoint) *retrial {
	small := ep
	small.TLS.Groups = smallGroups
	raw := false
	var running sync.WaitGroup
	running.Go(func() {
		limit := t.prober.timeout()
		conn, err := imapdial.BeforeTLS(ctx, ep, t.prober.options(t.dialer(), limit))
		if err != nil {
			return
		}
		defer conn.Close()
		offer := hello.Offer{Version: hello.TLS12, Suites: hello.GoSuites, Groups: hello.GoGroups[3:], Schemes: hello.GoSchemes}
		if name := ep.ServerName(); len(name) <= 100 { // a longer one would make it too long
			offer.ServerName = name
		}
		reply := hello.Ask(ctx, conn, offer, limit)
		raw = reply.Outcome == hello.Answered
	})
	r := t.tryHandshake(ctx, small, t.dialer())
	running.Wait()
	r.raw = raw
	return r
}

// adapt tries a small hello where a reset or a close follows the usual one and nothing else explains it.
func (t *targetRun) adapt(ctx context.Context, s *subject) {
	if s.facts.Err == nil || !s.saidHello() || s.shookHands() || len(s.facts.FirstBytes) > 0 || s.closedWithoutHello() || s.ep.TLS.Groups != "" ||
		!isClosed(s.facts.Err) || s.trials.explains(s.oldest()) {
		return
	}
	s.useSmall(t.trySmall(ctx, s.ep))
}

// useSmall makes the connection with a small hello the one that is judged, if it came about.
func (s *subject) useSmall(r *retrial) {
	if r == nil {
		return
	}
	s.trials.small = r.raw
	if !r.works() {
		return
	}
	s.large, s.ep, s.facts, s.conn = s.facts, r.ep, &r.facts, r.conn
}

// A looked is what a first look at an endpoint showed.
type looked struct {
	facts     imapdial.Facts
	conn      *imapdial.Conn
	trials    *sizeTrials // that were made because the handshake went without an answer; nil for none. The caller ends them
	helloSize int         // octets of the usual ClientHello; 0 if none was sent
	heard     int64       // octets that came after it
}

// lookBeside observes the endpoint; while a ClientHello goes without an answer, other forms of it are tried beside it. Where the answer
// stops in the middle, small segments are tried afterwards.
func (t *targetRun) lookBeside(ctx context.Context, s *subject, w *walk) *looked {
	first, stopFirst := context.WithCancel(ctx)
	defer stopFirst()
	beside, stopBeside := context.WithCancel(ctx)
	defer stopBeside()
	watch := newHelloWatch(w.DialContext)
	l := new(looked)
	var running sync.WaitGroup
	running.Go(func() {
		if !watch.unanswered(beside, t.prober.wait(helloTrial)) {
			return
		}
		l.trials = t.trySizes(beside, w.reached(s.ep), true)
		if l.trials.help() {
			stopFirst()
		}
	})
	l.facts, l.conn = imapdial.Observe(first, s.ep, t.prober.options(watch.DialContext, t.prober.timeout()))
	stopBeside()
	running.Wait()
	l.helloSize, l.heard = int(watch.size.Load()), watch.heard.Load()
	switch {
	case l.facts.TLS != nil: // the answer came after all
		l.trials.end()
		l.trials = nil
	case l.trials == nil && l.heard > 0 && isTimeout(l.facts.Err) && l.facts.Err.Stage == imapdial.StageHandshake:
		l.trials = t.trySizes(ctx, w.reached(s.ep), false)
	}
	return l
}

// reached is ep at the address that was connected to.
func (w *walk) reached(ep imapdial.Endpoint) imapdial.Endpoint {
	ep.Connect = w.attempts[len(w.attempts)-1].address.String()
	return ep
}

// A helloWatch tells when a ClientHello went out on a connection and when the first octet came back.
type helloWatch struct {
	dial           dialFunc
	sent, answered chan struct{}
	size, heard    atomic.Int64 // octets of the ClientHello, and of what came after it
}

func newHelloWatch(dial dialFunc) *helloWatch {
	return &helloWatch{dial: dial, sent: make(chan struct{}), answered: make(chan struct{})}
}

// DialContext dials the one connection that is watched.
func (w *helloWatch) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := w.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, watch: w}, nil
}

// unanswered waits for the ClientHello and then for limit, and reports whether nothing came back. It gives up when ctx ends.
func (w *helloWatch) unanswered(ctx context.Context, limit time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-w.sent:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-w.answered:
		return false
	case <-timer.C:
		return true
	}
}

// A watchedConn tells its watch what passes. As every connection here it is read by one goroutine and written by one.
type watchedConn struct {
	net.Conn
	watch                  *helloWatch
	saidHello, wasAnswered sync.Once
}

// NetConn returns the connection below, for those who ask the kernel about it.
func (c *watchedConn) NetConn() net.Conn { return c.Conn }

func (c *watchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 && p[0] == 0x16 { // a handshake record, and none of IMAP's commands
		c.saidHello.Do(func() {
			c.watch.size.Store(int64(n))
			close(c.watch.sent)
		})
	}
	return n, err
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.watch.sent:
		if n > 0 {
			c.watch.heard.Add(int64(n))
			c.wasAnswered.Do(func() { close(c.watch.answered) })
		}
	default:
	}
	return n, err
}
