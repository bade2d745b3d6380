package imaptest

import (
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// A mailbox is guarded by its account's lock.
type mailbox struct {
	path        string // its name
	uidValidity uint32
	uidNext     imap.UID
	uses        []imap.MailboxAttr
	subscribed  bool
	noSelect    bool
	messages    []*message // by UID
	tracker     *imapserver.MailboxTracker
	selectedBy  map[*session]bool
}

// A message's flags are replaced, never changed in place, so that a copy of the struct can be read without the lock.
type message struct {
	uid   imap.UID
	flags []imap.Flag
	date  time.Time
	body  []byte
}

var systemFlags = []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}

// has reports whether m has flag. The case of a flag has no meaning (RFC 9051 section 2.3.2).
func (m *message) has(flag imap.Flag) bool { return containsFlag(m.flags, flag) }

func containsFlag(flags []imap.Flag, flag imap.Flag) bool {
	return slices.ContainsFunc(flags, func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flag)) })
}

// checkFlags returns an answer BAD if a client may not set flags: \Recent and system flags that nobody knows (RFC 9051 section 2.3.2).
func checkFlags(flags []imap.Flag) error {
	for _, f := range flags {
		if strings.HasPrefix(string(f), `\`) && !containsFlag(systemFlags, f) {
			return &imap.Error{Type: imap.StatusResponseTypeBad, Text: "invalid system flag " + string(f)}
		}
	}
	return nil
}

// unite returns a and what b has besides, in a new slice.
func unite(a, b []imap.Flag) []imap.Flag {
	united := slices.Clone(a)
	for _, f := range b {
		if !containsFlag(united, f) {
			united = append(united, f)
		}
	}
	return united
}

// add appends a message and tells the sessions that have the mailbox selected.
func (m *mailbox) add(flags []imap.Flag, date time.Time, body []byte) (*message, error) {
	if err := checkFlags(flags); err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, refuse("", "a message cannot be empty")
	}
	if date.IsZero() {
		date = time.Now()
	}
	// INTERNALDATE has whole seconds.
	msg := &message{uid: m.uidNext, flags: unite(nil, flags), date: date.Truncate(time.Second), body: body}
	m.uidNext++
	m.messages = append(m.messages, msg)
	m.tracker.QueueNumMessages(uint32(len(m.messages)))
	m.wake()
	return msg, nil
}

// store changes the flags of message i and tells all sessions but by.
func (m *mailbox) store(i int, change *imap.StoreFlags, by *imapserver.SessionTracker) error {
	if err := checkFlags(change.Flags); err != nil {
		return err
	}
	msg := m.messages[i]
	switch change.Op {
	case imap.StoreFlagsSet:
		msg.flags = unite(nil, change.Flags)
	case imap.StoreFlagsAdd:
		msg.flags = unite(msg.flags, change.Flags)
	case imap.StoreFlagsDel:
		msg.flags = slices.DeleteFunc(slices.Clone(msg.flags), func(f imap.Flag) bool { return containsFlag(change.Flags, f) })
	}
	m.tracker.QueueMessageFlags(uint32(i)+1, msg.uid, msg.flags, by)
	m.wake()
	return nil
}

// expunge removes the messages that gone names, from the last on so that sequence numbers hold.
func (m *mailbox) expunge(gone func(*message) bool) {
	for i := len(m.messages) - 1; i >= 0; i-- {
		if gone(m.messages[i]) {
			m.messages = slices.Delete(m.messages, i, i+1)
			m.tracker.QueueExpunge(uint32(i) + 1)
		}
	}
	m.wake()
}

// wake makes the sessions look that wait in IDLE.
func (m *mailbox) wake() {
	for s := range m.selectedBy {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// flags returns the system flags and the keywords in use.
func (m *mailbox) flags() []imap.Flag {
	flags := systemFlags
	for _, msg := range m.messages {
		flags = unite(flags, msg.flags)
	}
	return flags
}

// status answers STATUS. All of it is filled in: go-imap writes what was asked for.
func (m *mailbox) status() *imap.StatusData {
	messages := uint32(len(m.messages))
	var unseen, deleted, recent uint32
	var size, deletedSize int64
	for _, msg := range m.messages {
		size += int64(len(msg.body))
		if !msg.has(imap.FlagSeen) {
			unseen++
		}
		if msg.has(imap.FlagDeleted) {
			deleted++
			deletedSize += int64(len(msg.body))
		}
	}
	return &imap.StatusData{
		Mailbox: m.path, NumMessages: &messages, NumRecent: &recent, NumUnseen: &unseen, NumDeleted: &deleted,
		UIDNext: m.uidNext, UIDValidity: m.uidValidity, Size: &size, DeletedStorage: &deletedSize,
	}
}
