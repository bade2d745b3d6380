package imaptest

import (
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// A view is a mailbox as one session has it selected: its sequence numbers change only when the client was told.
type view struct {
	account  *Account
	mailbox  *mailbox
	tracker  *imapserver.SessionTracker
	readOnly bool
	saved    imap.UIDSet // the result that $ stands for (RFC 5182)
}

// A position is a message at a sequence number of the client.
type position struct {
	seq   uint32
	index int // in the mailbox
	message
}

func (v *view) name() string {
	v.account.mu.Lock()
	defer v.account.mu.Unlock()
	return v.mailbox.path
}

// all returns the messages that the client knows. The account's lock is held.
func (v *view) all() []position {
	all := make([]position, 0, len(v.mailbox.messages))
	for i, msg := range v.mailbox.messages {
		if seq := v.tracker.EncodeSeqNum(uint32(i) + 1); seq != 0 {
			all = append(all, position{seq, i, *msg})
		}
	}
	return all
}

// positions returns those of set. The account's lock is held.
func (v *view) positions(set imap.NumSet) []position {
	all := v.all()
	if len(all) == 0 {
		return nil
	}
	chosen := v.resolve(set, all[len(all)-1])
	return slices.DeleteFunc(all, func(p position) bool { return !chosen(p) })
}

// resolve returns what tells whether a message is in set, "*" being the last one and "$" the saved result.
func (v *view) resolve(set imap.NumSet, last position) func(position) bool {
	switch set := set.(type) {
	case imap.SeqSet:
		resolved := slices.Clone(set)
		for i := range resolved {
			resolveStar(&resolved[i].Start, &resolved[i].Stop, last.seq)
		}
		return func(p position) bool { return resolved.Contains(p.seq) }
	case imap.UIDSet:
		if imap.IsSearchRes(set) {
			set = v.saved
		}
		resolved := slices.Clone(set)
		for i := range resolved {
			resolveStar(&resolved[i].Start, &resolved[i].Stop, last.uid)
		}
		return func(p position) bool { return resolved.Contains(p.uid) }
	}
	panic(fmt.Sprintf("imaptest: set of type %T", set))
}

// resolveStar puts last for "*", which go-imap has as 0, and the smaller number first (RFC 9051 section 9, seq-range).
func resolveStar[N uint32 | imap.UID](start, stop *N, last N) {
	if *start != 0 && *stop != 0 {
		return
	}
	if *start == 0 {
		*start = last
	}
	if *stop == 0 {
		*stop = last
	}
	*start, *stop = min(*start, *stop), max(*start, *stop)
}

func (s *session) Select(name string, o *imap.SelectOptions) (data *imap.SelectData, err error) {
	command := "SELECT"
	if o.ReadOnly {
		command = "EXAMINE"
	}
	err = s.do(command, name, func() error {
		s.unselect()
		return s.locked(func() error {
			m, err := s.account.find(name)
			if err != nil {
				return err
			}
			s.selected.Store(&view{account: s.account, mailbox: m, tracker: m.tracker.NewSession(), readOnly: o.ReadOnly})
			m.selectedBy[s] = true
			data = &imap.SelectData{Flags: m.flags(), NumMessages: uint32(len(m.messages)), UIDNext: m.uidNext, UIDValidity: m.uidValidity}
			if !o.ReadOnly {
				data.PermanentFlags = append(slices.Clone(data.Flags), imap.FlagWildcard)
			}
			unseen := slices.IndexFunc(m.messages, func(msg *message) bool { return !msg.has(imap.FlagSeen) })
			data.FirstUnseenSeqNum = uint32(unseen + 1)
			return nil
		})
	})
	return data, err
}

func (s *session) Unselect() error {
	return s.do("UNSELECT", "", func() error {
		s.unselect()
		return nil
	})
}

func (s *session) unselect() {
	v := s.selected.Swap(nil)
	if v == nil {
		return
	}
	v.account.mu.Lock()
	delete(v.mailbox.selectedBy, s)
	v.account.mu.Unlock()
	v.tracker.Close()
}

// errReadOnly answers what would change a mailbox that is open with EXAMINE (RFC 9051 section 6.3.3).
var errReadOnly = refuse("", "the mailbox is selected read-only")

func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) error {
	return s.do("STORE", "", func() error {
		v := s.selected.Load()
		if v.readOnly {
			return errReadOnly
		}
		var changed []position
		err := s.locked(func() error {
			for _, p := range v.positions(set) {
				if err := v.mailbox.store(p.index, flags, v.tracker); err != nil {
					return err
				}
				p.message = *v.mailbox.messages[p.index]
				changed = append(changed, p)
			}
			return nil
		})
		if err != nil || flags.Silent {
			return err
		}
		_, byUID := set.(imap.UIDSet)
		return s.write(w, changed, &imap.FetchOptions{Flags: true, UID: byUID})
	})
}

// Expunge carries out EXPUNGE and what CLOSE removes; go-imap does not say which. So in a mailbox that is open with
// EXAMINE it does nothing, as CLOSE wants it; UID EXPUNGE is refused.
func (s *session) Expunge(_ *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	return s.do("EXPUNGE", "", func() error {
		v := s.selected.Load()
		switch {
		case v.readOnly && uids != nil:
			return errReadOnly
		case v.readOnly:
			return nil
		}
		return s.locked(func() error {
			v.mailbox.expunge(func(msg *message) bool {
				return msg.has(imap.FlagDeleted) && (uids == nil || uids.Contains(msg.uid))
			})
			return nil
		})
	})
}

func (s *session) Copy(set imap.NumSet, dest string) (data *imap.CopyData, err error) {
	err = s.do("COPY", dest, func() error {
		return s.locked(func() error {
			data, err = s.copy(set, dest)
			return err
		})
	})
	return s.copyUID(data), err
}

// copyUID returns data if there is something to tell of it, and UIDPLUS to do it with.
func (s *session) copyUID(data *imap.CopyData) *imap.CopyData {
	if data == nil || len(data.SourceUIDs) == 0 || !s.server.caps.Has(imap.CapUIDPlus) {
		return nil
	}
	return data
}

func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	return s.do("MOVE", dest, func() error {
		v := s.selected.Load()
		if v.readOnly {
			return errReadOnly
		}
		var data *imap.CopyData
		err := s.locked(func() (err error) {
			if data, err = s.copy(set, dest); err == nil {
				v.mailbox.expunge(func(msg *message) bool { return data.SourceUIDs.Contains(msg.uid) })
			}
			return err
		})
		if data = s.copyUID(data); err != nil || data == nil {
			return err
		}
		return w.WriteCopyData(data)
	})
}

// copy copies within the account, whose lock is held.
func (s *session) copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	m, err := s.account.find(dest)
	if err != nil {
		return nil, refuse(imap.ResponseCodeTryCreate, "no such mailbox")
	}
	data := &imap.CopyData{UIDValidity: m.uidValidity}
	for _, p := range s.selected.Load().positions(set) {
		added, err := m.add(p.flags, p.date, p.body)
		if err != nil {
			return nil, err
		}
		data.SourceUIDs.AddNum(p.uid)
		data.DestUIDs.AddNum(added.uid)
	}
	return data, nil
}
