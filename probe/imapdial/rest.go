package imapdial

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/tcpinfo"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// TCPInfo is what the kernel knows of a connection.
type TCPInfo = tcpinfo.Info

// TCP returns what the kernel knows of the connection now.
func (c *Conn) TCP() TCPInfo {
	if c.conn == nil {
		return TCPInfo{}
	}
	return tcpinfo.Of(c.conn)
}

// TCP returns what the kernel knows of the session's connection now.
func (s *Session) TCP() TCPInfo { return s.conn.TCP() }

// A Rest is what became of a connection on which nothing was sent for a while.
type Rest struct {
	Rested        time.Duration // how long it was left alone
	Early         bool          // it ended before the time was up
	Bye           wire.Response // the server's last words; zero when there were none
	Err           error         // why the connection ended, early or in place of an answer to NOOP; nil if that was answered
	Waited        time.Duration // for the answer to NOOP, whether it came or not; 0 if there was no NOOP
	Before, After TCPInfo       // what the kernel knew at the start and at the end
}

// Rest sends nothing for d, no TCP keep-alive either, and then NOOP, whose answer it awaits under the deadline of a stage before sign-in. It returns early
// if the connection ends, or ctx does; Err is the context's cause then.
func (c *Conn) Rest(ctx context.Context, d time.Duration) *Rest {
	r := &Rest{Before: c.TCP()}
	defer c.record()
	defer keepAlive(c.conn, false)()
	begin := time.Now()
	r.Err = c.bounded(ctx, StageSignIn, d, func(context.Context) error { return c.listen(r) })
	r.Rested, r.Early = time.Since(begin), !errors.Is(r.Err, os.ErrDeadlineExceeded)
	if !r.Early {
		begin = time.Now()
		r.Err = c.bounded(ctx, StageSignIn, c.options.Timeout, func(context.Context) error { return c.stir(r) })
		r.Waited = time.Since(begin)
	}
	r.After = c.TCP()
	return r
}

// Rest is that of [Conn], for a signed-in connection.
func (s *Session) Rest(ctx context.Context, d time.Duration) *Rest {
	if s.spent {
		return &Rest{Early: true, Err: errSpent}
	}
	return s.conn.Rest(ctx, d)
}

// restResponses bounds what a server may tell during a rest.
const restResponses = 10_000

// listen takes what the server tells, until the deadline.
func (c *Conn) listen(r *Rest) error {
	for range restResponses {
		resp, err := c.raw.ReadResponse()
		if err != nil {
			return err
		}
		if resp.Status == "BYE" {
			r.Bye = resp
		}
	}
	return wire.ErrTooManyResponses
}

// stir asks whether the connection still works (RFC 9051 section 6.1.2). A NO or BAD shows that it does.
func (c *Conn) stir(r *Rest) error {
	untagged, tagged, err := c.raw.Do(wire.Atom("NOOP"))
	for _, u := range untagged {
		if u.Status == "BYE" {
			r.Bye = u
		}
	}
	if err == nil && tagged.Status == "BYE" {
		return &ByeError{Response: tagged}
	}
	return err
}

// keepAlive switches TCP keep-alive of the connection below conn and returns a func that switches it back. Where there is none it does nothing.
func keepAlive(conn net.Conn, on bool) (back func()) {
	for {
		switch c := conn.(type) {
		case interface{ SetKeepAlive(bool) error }:
			if c.SetKeepAlive(on) == nil {
				return func() { c.SetKeepAlive(!on) }
			}
			return func() {}
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return func() {}
		}
	}
}
