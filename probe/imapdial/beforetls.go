package imapdial

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// BeforeTLS connects to ep as far as the place where the TLS handshake would start: with TLS right after TCP, with STARTTLS after the
// server's OK to that command. It is for handshakes that are only looked at: what it returns is the bare connection, without a
// deadline, and nothing can sign in on it. The caller closes it. A non-nil error is an *[Error], as that of Dial.
//
// The capabilities are not asked for: the caller knows from an earlier connection that STARTTLS is to be had.
func BeforeTLS(ctx context.Context, ep Endpoint, o *Options) (net.Conn, error) {
	c := &Conn{
		facts:      Facts{Endpoint: ep, Started: time.Now()},
		transcript: wire.NewTranscript(transcriptLines),
		options:    o.withDefaults(),
	}
	steps := []step{{StageConnect, c.dial}}
	switch ep.Security {
	case STARTTLS:
		steps = append(steps, step{StageGreeting, c.greet}, step{StageStartTLS, c.upgrade})
	case Cleartext:
		return nil, &Error{Stage: StageConnect, Endpoint: ep, Err: fmt.Errorf("the endpoint has no TLS")}
	}
	for _, s := range steps {
		if err := c.bounded(ctx, s.stage, c.options.Timeout, s.do); err != nil {
			c.record()
			c.Close()
			return nil, &Error{Stage: s.stage, Endpoint: ep, Err: err}
		}
	}
	c.record()
	c.conn.SetDeadline(time.Time{})
	return c.conn, nil
}

// upgrade says STARTTLS and nothing before it (RFC 9051 section 6.2.1).
func (c *Conn) upgrade(context.Context) error {
	s := &c.facts.StartTLS
	_, answer, err := c.raw.Do(wire.Atom("STARTTLS"))
	s.Answer = answer
	switch {
	case err != nil:
		s.Outcome = StartTLSClosed
		if isTimeout(err) {
			s.Outcome = StartTLSNoAnswer
		}
	case answer.Status != "OK":
		s.Outcome = StartTLSRefused
	case len(c.raw.Buffered(1)) > 0:
		s.Outcome = StartTLSInjected
	default:
		s.Outcome = StartTLSAccepted
		return nil
	}
	return &StartTLSError{StartTLS: *s, Err: err}
}
