package imapdial

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// Control is a session that reads and controls, on go-imap. One goroutine uses its Client, one command at a time. go-imap takes no context, so
// every use stands between Begin and the func that Begin returns. Whoever holds a Control closes it.
type Control struct {
	Client       *imapclient.Client
	conn         *wire.Conn
	account      Account
	capabilities []string
	closed       atomic.Bool
}

// ControlOptions adjust a Control. The zero value is usable.
type ControlOptions struct {
	Limits wire.Limits
	// Unilateral, if not nil, gets what the server tells without being asked. It runs on the library's reader and must not call the Client.
	Unilateral *imapclient.UnilateralDataHandler
}

// withheld are capabilities that the library must not see: with IMAP4rev2 listed it sends mailbox names in raw UTF-8 to a
// server on which nobody enabled that, and what UTF8=ACCEPT and LITERAL- promise it does wrong.
var withheld = []string{"IMAP4REV2", "UTF8=ACCEPT", "UTF8=ONLY", "LITERAL-"}

// Control turns the session into a go-imap client for listing, FETCH and all other control commands.
func (s *Session) Control(o ControlOptions) (*Control, error) {
	if s.spent {
		return nil, errSpent
	}
	s.spent = true
	shown := slices.DeleteFunc(slices.Clone(s.capabilities), func(c string) bool {
		return slices.Contains(withheld, strings.ToUpper(c)) || strings.HasPrefix(strings.ToUpper(c), "AUTH=")
	})
	if !has(shown, "IMAP4rev1") {
		shown = append([]string{"IMAP4rev1"}, shown...)
	}
	conn := s.conn.raw.Detach()
	conn.SetDeadline(time.Time{})
	c := &Control{account: s.account, capabilities: s.capabilities}
	c.conn = wire.NewConn(conn, wire.Options{
		Limits:     o.Limits,
		Transcript: s.conn.transcript,
		Greeting:   "* PREAUTH [CAPABILITY " + strings.Join(shown, " ") + "] signed in",
		Caps:       shown,
	})
	c.Client = imapclient.New(c.conn, &imapclient.Options{UnilateralDataHandler: o.Unilateral})
	c.conn.ReaderDone(c.Client.Closed())
	if err := c.Client.WaitGreeting(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Begin binds the commands that follow to ctx: when it ends, the connection is closed. The returned func ends the
// binding and turns err, what the command said, into the better explanation: the context's cause, the server's BYE, the limit that was passed.
func (c *Control) Begin(ctx context.Context) (end func(err error) error) {
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	return func(err error) error {
		stop()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if cause := c.conn.Err(); cause != nil {
			return cause
		}
		return err
	}
}

// Account returns the account it was opened with.
func (c *Control) Account() Account { return c.account }

// Capabilities returns what the server offers after sign-in, as listed.
func (c *Control) Capabilities() []string { return c.capabilities }

// Has reports whether the server offers capability after sign-in; case does not matter.
func (c *Control) Has(capability string) bool { return has(c.capabilities, capability) }

// Conn returns the guarded connection below the Client, for its counters and what it mended.
func (c *Control) Conn() *wire.Conn { return c.conn }

// Alive reports whether the connection can still be used.
func (c *Control) Alive() bool { return !c.closed.Load() && c.conn.Err() == nil }

// Logout says LOGOUT, waits shortly, and closes.
func (c *Control) Logout(ctx context.Context) error {
	if !c.Alive() {
		return c.Close()
	}
	limited, cancel := context.WithTimeout(ctx, logoutWait)
	defer cancel()
	end := c.Begin(limited)
	err := end(c.Client.Logout().Wait())
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return err
}

// closeWait bounds the wait for go-imap's reader, which hangs when a response was not read to its end.
const closeWait = time.Second

// Close closes the connection. It does not hang, even in the middle of a response.
func (c *Control) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	err := c.conn.Close() // first: Client.Close waits for its reader
	if c.Client != nil {
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Client.Close()
		}()
		select {
		case <-done:
		case <-time.After(closeWait):
		}
	}
	return err
}
