package imaptest

import (
	"errors"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
)

// ErrHangUp, returned by a hook, closes the connection without an answer.
var ErrHangUp = errors.New("imaptest: hang up")

// A Command is what a hook sees of a command.
type Command struct {
	Name    string // as in [Server.Count]
	User    string // "" before sign-in
	Mailbox string // the mailbox that is named, else the selected one, else ""
	Count   int    // how many of this name were seen, this one included
}

// Hooks let a test interfere. Each is called on the connection's goroutine, several at once; nil ones do nothing.
// An error is the command's answer: an *imap.Error as it is, another as NO with its text; [ErrHangUp] closes the connection.
type Hooks struct {
	Before func(Command) error // before the command acts
	After  func(Command) error // after the command acted, before its answer: what was done stays done

	// Stored may return another message in place of one that a client appends, as servers do that alter mail.
	Stored func(mailbox string, m Message) Message
	// Body may return other octets than those of the message, for BODY[] and its sections; RFC822.SIZE stays.
	Body func(mailbox string, uid uint32, body []byte) []byte
}

// counts holds how many commands were seen, by name.
type counts struct {
	mu sync.Mutex
	m  map[string]int
}

func (c *counts) add(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = make(map[string]int)
	}
	c.m[name]++
	return c.m[name]
}

// Count returns how many commands of these names were seen since the start or the last ResetCounts, refused ones included. A name is in upper
// case and without UID: LOGIN, AUTHENTICATE, NAMESPACE, LIST (LSUB too), STATUS, SELECT, EXAMINE, UNSELECT (CLOSE too), CREATE, DELETE, RENAME,
// SUBSCRIBE, UNSUBSCRIBE, APPEND, FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE, IDLE. Commands that touch no mailbox (NOOP, CAPABILITY,
// STARTTLS, LOGOUT, …) are not counted.
func (s *Server) Count(names ...string) int {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	n := 0
	for _, name := range names {
		n += s.counts.m[name]
	}
	return n
}

// ResetCounts sets all counts to zero.
func (s *Server) ResetCounts() {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	s.counts.m = nil
}

// do counts a command and carries it out between the hooks. mailbox is the one that the command names, "" for the selected one.
func (s *session) do(name, mailbox string, act func() error) error {
	if v := s.selected.Load(); mailbox == "" && v != nil {
		mailbox = v.name()
	}
	command := Command{Name: name, Mailbox: mailbox, Count: s.server.counts.add(name)}
	if s.account != nil {
		command.User = s.account.user
	}
	if hook := s.server.currentHooks().Before; hook != nil {
		if err := hook(command); err != nil {
			return s.answer(err)
		}
	}
	if err := act(); err != nil {
		return s.answer(err)
	}
	if hook := s.server.currentHooks().After; hook != nil {
		return s.answer(hook(command))
	}
	return nil
}

// answer makes err one that go-imap sends to the client. After a hang-up nothing can be sent any more.
func (s *session) answer(err error) error {
	var status *imap.Error
	switch {
	case err == nil || errors.As(err, &status):
		return err
	case errors.Is(err, ErrHangUp):
		s.conn.Close()
		return err
	}
	return refuse("", "%v", err)
}

// stored asks the hook what becomes of a message.
func stored(hook func(string, Message) Message, mailbox string, flags []imap.Flag, date time.Time, body []byte) ([]imap.Flag, time.Time, []byte) {
	msg := Message{InternalDate: date, Body: body}
	for _, f := range flags {
		msg.Flags = append(msg.Flags, string(f))
	}
	msg = hook(mailbox, msg)
	flags = nil
	for _, f := range msg.Flags {
		flags = append(flags, imap.Flag(f))
	}
	return flags, msg.InternalDate, msg.Body
}
