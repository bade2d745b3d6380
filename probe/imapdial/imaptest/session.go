package imaptest

import (
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// A session is one connection, between go-imap's server and an account. It is used by one goroutine at a time.
type session struct {
	server   *Server
	conn     net.Conn             // the TCP connection
	served   *imapserver.Conn     // what go-imap has of it
	account  *Account             // nil before sign-in
	selected atomic.Pointer[view] // nil while nothing is selected; atomic because go-imap runs IDLE on a goroutine of its own
	changed  chan struct{}        // has an element when the selected mailbox may have changed
}

var (
	_ imapserver.SessionIMAP4rev2   = (*session)(nil)
	_ imapserver.SessionSASL        = (*session)(nil)
	_ imapserver.SessionAppendLimit = limitedSession{}
)

// A limitedSession tells APPENDLIMIT.
type limitedSession struct{ *session }

// AppendLimit implements [imapserver.SessionAppendLimit].
func (s limitedSession) AppendLimit() uint32 { return s.server.config.MaxAppend }

func (s *session) Close() error {
	s.unselect()
	s.served.NetConn().Close() // that of TLS where there is one, so that the client gets a close_notify
	s.server.ended(s.conn)
	return nil
}

// Login carries the LOGIN command out.
func (s *session) Login(user, password string) error {
	return s.do("LOGIN", "", func() error { return s.signIn(user, password) })
}

func (s *session) signIn(user, password string) error {
	account := s.server.account(user)
	if account == nil || subtle.ConstantTimeCompare([]byte(password), []byte(account.Password())) != 1 {
		return imapserver.ErrAuthFailed
	}
	s.account = account
	return nil
}

// locked runs act with the account's lock.
func (s *session) locked(act func() error) error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	return act()
}

func (s *session) Namespace() (*imap.NamespaceData, error) {
	data := &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: s.account.prefix, Delim: rune(s.account.delim[0])}}}
	return data, s.do("NAMESPACE", "", func() error { return nil })
}

func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, o *imap.ListOptions) error {
	return s.do("LIST", "", func() error {
		for _, data := range s.account.list(ref, patterns, o, s.server.caps.Has(imap.CapSpecialUse)) {
			if err := w.WriteList(&data); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) Status(name string, o *imap.StatusOptions) (data *imap.StatusData, err error) {
	err = s.do("STATUS", name, func() error {
		return s.locked(func() error {
			m, err := s.account.find(name)
			if err != nil {
				return err
			}
			data = m.status()
			if s.server.config.MaxAppend != 0 {
				data.AppendLimit = &s.server.config.MaxAppend
			}
			return nil
		})
	})
	return data, err
}

func (s *session) Create(name string, o *imap.CreateOptions) error {
	return s.do("CREATE", name, func() error {
		if len(o.SpecialUse) > 0 && !s.server.caps.Has(imap.CapCreateSpecialUse) {
			return &imap.Error{Type: imap.StatusResponseTypeBad, Text: "CREATE takes no parameters here"}
		}
		return s.locked(func() error { return s.account.create(name, o.SpecialUse) })
	})
}

func (s *session) Delete(name string) error {
	return s.do("DELETE", name, func() error {
		return s.locked(func() error { return s.account.remove(name) })
	})
}

func (s *session) Rename(from, to string, _ *imap.RenameOptions) error {
	return s.do("RENAME", from, func() error {
		return s.locked(func() error { return s.account.rename(from, to) })
	})
}

func (s *session) Subscribe(name string) error {
	return s.do("SUBSCRIBE", name, func() error { return s.account.Subscribe(name, true) })
}

func (s *session) Unsubscribe(name string) error {
	return s.do("UNSUBSCRIBE", name, func() error { return s.account.Subscribe(name, false) })
}

func (s *session) Append(name string, r imap.LiteralReader, o *imap.AppendOptions) (data *imap.AppendData, err error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) != r.Size() {
		// go-imap's reader takes the end of the connection for that of the literal.
		return nil, fmt.Errorf("append to %s: %d of %d octets, then the connection ended", name, len(body), r.Size())
	}
	err = s.do("APPEND", name, func() error {
		flags, date := o.Flags, o.Time
		if hook := s.server.currentHooks().Stored; hook != nil {
			flags, date, body = stored(hook, name, flags, date, body)
		}
		return s.locked(func() error {
			m, err := s.account.find(name)
			if err != nil {
				return refuse(imap.ResponseCodeTryCreate, "no such mailbox")
			}
			msg, err := m.add(flags, date, body)
			if err != nil {
				return err
			}
			if s.server.caps.Has(imap.CapUIDPlus) {
				data = &imap.AppendData{UIDValidity: m.uidValidity, UID: msg.uid}
			}
			return nil
		})
	})
	return data, err
}

func (s *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	v := s.selected.Load()
	if v == nil {
		return nil
	}
	return v.tracker.Poll(w, allowExpunge)
}

// Idle tells of changes until stop is closed. The tracker has a function for it, which misses what happens just before it is called.
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	return s.do("IDLE", "", func() error {
		for {
			if err := s.Poll(w, true); err != nil {
				return err
			}
			select {
			case <-s.changed:
			case <-stop:
				return nil
			}
		}
	})
}
