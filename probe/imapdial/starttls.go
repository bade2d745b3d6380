package imapdial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A StartTLSError says why a connection could not be upgraded; the exchange stands in Facts.StartTLS.
type StartTLSError struct {
	StartTLS StartTLS
	Err      error // of the connection, or nil
}

func (e *StartTLSError) Error() string {
	s := e.StartTLS
	switch {
	case s.Outcome == StartTLSInjected:
		return "the server sent data after its answer to STARTTLS and before the handshake"
	case s.Outcome == StartTLSAccepted:
		return fmt.Sprintf("STARTTLS is overwritten as %s in the capabilities: something on the way removes it", s.Masked)
	case s.Outcome == StartTLSGreetedAgain:
		return fmt.Sprintf("the server greeted a second time after the handshake: %s", s.Answer.Raw)
	case s.Outcome == StartTLSClosed:
		return "the connection was closed in answer to STARTTLS"
	case s.Outcome == StartTLSNoAnswer:
		return "no answer to STARTTLS"
	}
	return fmt.Sprintf("the server refused STARTTLS: %s", s.Answer.Raw)
}

func (e *StartTLSError) Unwrap() error { return e.Err }

// startTLS asks for the upgrade, also where it is not listed: some servers hide it, and a stripped one shows itself by
// its refusal. A masked token means that somebody on the way interferes: then the upgrade is not used even if it works.
func (c *Conn) startTLS(context.Context) error {
	s := &c.facts.StartTLS
	caps, listed := c.facts.Greeting.Capabilities()
	if !listed || !has(caps, "STARTTLS") {
		// A greeting may carry a short list; CAPABILITY has the last word.
		asked, _, err := askCapabilities(c.raw)
		if err != nil {
			return err
		}
		caps = asked
	}
	c.facts.BeforeTLS = caps
	s.Listed, s.Masked = has(caps, "STARTTLS"), masked(caps)

	_, answer, err := c.raw.Do(wire.Atom("STARTTLS"))
	s.Answer = answer
	switch {
	case err != nil && isTimeout(err):
		s.Outcome = StartTLSNoAnswer
	case err != nil && isClosed(err), answer.Status == "BYE":
		s.Outcome = StartTLSClosed
	case err != nil:
		return err
	case answer.Status != "OK":
		s.Outcome = StartTLSRefused
	case len(c.raw.Buffered(1)) > 0:
		// What came in the clear must not pass for protected (RFC 9051 section 6.2.1).
		s.Outcome = StartTLSInjected
		c.facts.FirstBytes = c.raw.Buffered(firstBytes)
	default:
		s.Outcome = StartTLSAccepted
		if s.Masked == "" {
			return nil
		}
	}
	return &StartTLSError{StartTLS: *s, Err: err}
}

// masked returns a capability that looks like STARTTLS overwritten in place, as filters do that keep the length of a line.
func masked(caps []string) string {
	for _, c := range caps {
		if len(c) == len("STARTTLS") && strings.Count(c, "X") >= 6 {
			return c
		}
	}
	return ""
}

// has reports whether list holds capability; case does not matter (RFC 9051 section 7.2.2).
func has(list []string, capability string) bool {
	for _, c := range list {
		if strings.EqualFold(c, capability) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
