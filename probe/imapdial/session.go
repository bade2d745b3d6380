package imapdial

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A Session is a signed-in connection. Whoever holds it closes it. Control and Writer consume it: after one
// of them it is spent, and a second call is an error. It is used by one goroutine.
type Session struct {
	conn         *Conn
	account      Account
	capabilities []string
	identity     string        // the server's answer to ID
	latency      time.Duration // of ID, 0 when it was not sent
	spent        bool
}

// errSpent means that a Session was used after Control or Writer had consumed it.
var errSpent = errors.New("internal error: the session is spent")

// Open resolves the account's secret, dials and signs in: what a second connection or a reconnect needs. label and ask
// are those of [secret.Reference.Resolve]. Errors: those of Resolve, *[Error], the context's cause.
func Open(ctx context.Context, acct Account, label string, ask secret.Ask, o *Options) (*Session, error) {
	s, err := acct.Secret.Resolve(ctx, label, ask)
	if err != nil {
		return nil, err
	}
	c, err := Dial(ctx, acct.Endpoint, o)
	if err != nil {
		return nil, err
	}
	return c.SignIn(ctx, acct, s)
}

// Account returns the account it was opened with; its Mechanism is the one that was used.
func (s *Session) Account() Account { return s.account }

// Facts returns what the connection attempt showed.
func (s *Session) Facts() Facts { return s.conn.facts }

// Capabilities returns what the server offers after sign-in, as listed.
func (s *Session) Capabilities() []string { return s.capabilities }

// Has reports whether the server offers capability after sign-in; case does not matter.
func (s *Session) Has(capability string) bool { return has(s.capabilities, capability) }

// Identity returns what the server says about itself in answer to ID (RFC 2971), as a list of quoted names and values, printable; "" when
// it said nothing.
func (s *Session) Identity() string { return s.identity }

// Latency returns how long the answer to the first command after sign-in, ID, took; 0 when it was not sent.
func (s *Session) Latency() time.Duration { return s.latency }

// Do sends a command without literals, such as NAMESPACE, and returns its untagged responses and the tagged one, under
// the deadline of a stage before sign-in. A NO or BAD is not an error.
func (s *Session) Do(ctx context.Context, command string) (untagged []wire.Response, tagged wire.Response, err error) {
	if s.spent {
		return nil, wire.Response{}, errSpent
	}
	if strings.ContainsAny(command, "\r\n\x00") {
		return nil, wire.Response{}, errors.New("a command cannot contain a line end or NUL")
	}
	err = s.conn.bounded(ctx, StageSignIn, s.conn.options.Timeout, func(context.Context) error {
		untagged, tagged, err = s.conn.raw.Do(wire.Atom(command))
		return err
	})
	return untagged, tagged, err
}

// Logout says LOGOUT, waits shortly for the answer, and closes. A spent Session has nothing to end.
func (s *Session) Logout(ctx context.Context) error {
	if s.spent {
		return nil
	}
	s.spent = true
	return logout(ctx, s.conn.conn, s.conn.raw)
}

// Close closes the connection without LOGOUT.
func (s *Session) Close() error {
	if s.spent {
		return nil
	}
	s.spent = true
	return closeNow(s.conn.conn)
}
