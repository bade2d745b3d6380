package imapdial

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A Writer is a session that only writes messages. One goroutine uses it. Whoever holds it closes it. It is dead after an error of Append.
type Writer struct {
	raw      *wire.Raw
	conn     net.Conn
	account  Account
	literal  bool            // LITERAL+ is offered (RFC 7888)
	proven   map[string]bool // what this server accepted in an APPEND line: "mailbox NAME", "flag NAME"
	selected string          // the mailbox that is selected, "" for none
	idle     time.Duration
	dead     error
}

// A Message is one message to write.
type Message struct {
	Flags        []string  // those that an APPEND line cannot carry are left out, see [Appendable]
	InternalDate time.Time // zero: none is sent
	Size         int64     // octets that Body yields, exactly
	Body         io.Reader // small messages from memory, so that a batch can be sent without waiting; large ones may stream
}

// An Outcome is what became of a message.
type Outcome struct {
	State       OutcomeState
	UIDValidity uint32        // from APPENDUID (RFC 4315 section 3), or 0
	UID         uint32        // from APPENDUID, or 0
	Response    wire.Response // the tagged answer
}

// OutcomeState is what is known of a message after Append.
type OutcomeState uint8

// The outcomes of a message.
const (
	NotSent    OutcomeState = iota // no octet of its body was sent
	Stored                         // tagged OK
	Rejected                       // tagged NO or BAD
	Incomplete                     // its Body failed or ended early, or the connection was lost within it: the literal was cut off, so the server cannot have stored it
	InDoubt                        // sent whole, and no answer came: look before sending it again
)

// writeIdle is the longest that a write or the wait for an answer may make no progress: servers that index or
// replicate on arrival take tens of seconds for a large message.
const writeIdle = 3 * time.Minute

// Writer turns the session into one that only writes messages.
func (s *Session) Writer() (*Writer, error) {
	if s.spent {
		return nil, errSpent
	}
	s.spent = true
	conn := s.conn.conn
	conn.SetDeadline(time.Time{})
	return &Writer{
		raw: s.conn.raw, conn: conn, account: s.account, literal: s.Has("LITERAL+"),
		proven: map[string]bool{}, idle: writeIdle,
	}, nil
}

// Account returns the account it was opened with.
func (w *Writer) Account() Account { return w.account }

// Logout says LOGOUT, waits shortly, and closes.
func (w *Writer) Logout(ctx context.Context) error {
	if w.dead != nil {
		return w.Close()
	}
	return logout(ctx, w.conn, w.raw)
}

// Close closes the connection.
func (w *Writer) Close() error { return closeNow(w.conn) }
