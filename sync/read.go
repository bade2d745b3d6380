package mailsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// A reading finds out what a mailbox holds: UID, FLAGS, INTERNALDATE, RFC822.SIZE and the header fields that identify messages. It
// goes on after a lost connection, and does not rest until the server has told of every message.
type reading struct {
	*link
	name     string // as the server has it
	writable bool   // the mailbox is selected, not examined
	from     uint32 // the first UID that counts

	out        *Contents
	exists     uint32   // messages that the server said there are
	next       uint32   // the first UID that was not told yet
	incomplete []uint32 // told of without size or header
	unreadable []uint32 // exist, and cannot be told of
	attempts   int      // FETCHes that began at next
	header     []byte   // reused
	renew      func()   // the patience, when something was told
}

// maxIdentity bounds what is read of the fields that identify a message.
const maxIdentity = 64 << 10

// maxForeseen is how many messages a server's word is enough to take memory for.
const maxForeseen = 100_000

// maxUnreadable is how many messages may end the connection before the mailbox is given up.
const maxUnreadable = 20

// read tells what a mailbox holds from UID from on, and the UIDs of messages that the server cannot tell of. keyName is the mailbox's in a Key. The mailbox's
// state is that of now. The error is a *Refusal or a *StopError.
func (l *link) read(ctx context.Context, name, keyName string, writable bool, from uint32) (*Contents, []uint32, error) {
	r := &reading{link: l, name: name, writable: writable, from: max(from, 1), next: max(from, 1), out: &Contents{Mailbox: keyName}, renew: l.renewal()}
	err := l.persist(ctx, func() error {
		data, err := l.choose(ctx, name, writable, true)
		if err == nil {
			r.exists, r.out.UIDValidity = data.NumMessages, data.UIDValidity
		}
		return err
	})
	if err != nil || r.exists == 0 {
		return r.out, nil, err
	}
	if r.from == 1 {
		r.out.Messages = make([]Message, 0, min(r.exists, maxForeseen))
	}
	for _, step := range []func(context.Context) error{r.all, r.rest, r.keys} {
		if err := l.persist(ctx, func() error { return step(ctx) }); err != nil {
			return nil, nil, err
		}
		r.out.Sort()
	}
	return r.out, r.unreadable, nil
}

var (
	wantSummary = &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true,
		BodySection: []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"Message-Id"}, Peek: true}}}
	wantHeaders = &imap.FetchOptions{UID: true,
		BodySection: []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierHeader, HeaderFields: identityFields, Peek: true}}}
)

// all asks for everything that was not told yet. A server that ends the connection twice at the same place is asked for
// the next message alone, which is passed over when that ends the connection too.
func (r *reading) all(ctx context.Context) error {
	r.attempts++
	if r.attempts > 2 {
		return r.one(ctx)
	}
	before := r.next
	ascending := true
	err := r.fetch(ctx, imap.UIDSet{{Start: imap.UID(r.next), Stop: 0}}, func(m Message) {
		if m.UID < r.next {
			ascending = false
		}
		r.next = max(r.next, m.UID+1)
	})
	if isLost(err) && !ascending {
		r.next, r.incomplete = r.from, nil // what comes before the last UID told is not complete: start over
		r.out.Messages = r.out.Messages[:0]
	}
	if r.next > before {
		r.renew()
		r.attempts = 0
	}
	if _, refused := errors.AsType[*Refusal](err); refused {
		return nil // Cyrus says NO when nothing matches; what is missing then is found by rest
	}
	return err
}

// one asks for the next message alone.
func (r *reading) one(ctx context.Context) error {
	uids, err := r.search(ctx, imap.UIDSet{{Start: imap.UID(r.next), Stop: 0}})
	if err != nil {
		return err
	}
	uids = slices.DeleteFunc(uids, func(u uint32) bool { return u < r.next })
	if len(uids) == 0 {
		return nil
	}
	uid := slices.Min(uids)
	err = r.fetch(ctx, imap.UIDSetNum(imap.UID(uid)), func(Message) {})
	if isLost(err) {
		r.unreadable = append(r.unreadable, uid)
		if len(r.unreadable) > maxUnreadable {
			return stop(exitLost, "%s: %d messages of mailbox %q end the connection when they are asked for: %w", r.side, len(r.unreadable), r.name, err)
		}
	}
	r.next = uid + 1
	r.renew()
	r.attempts = 0
	if err != nil {
		return err
	}
	return r.all(ctx)
}

// fetch asks for a set of messages and adds what is complete; told is called for each of which anything was told.
func (r *reading) fetch(ctx context.Context, set imap.UIDSet, told func(Message)) error {
	if _, err := r.choose(ctx, r.name, r.writable, false); err != nil {
		return err
	}
	return r.do(ctx, fmt.Sprintf("read mailbox %q", r.name), func(c *imapclient.Client) error {
		cmd := c.Fetch(set, wantSummary)
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			if err := r.add(msg, told); err != nil {
				cmd.Close()
				return err
			}
		}
		return cmd.Close()
	})
}

// add takes one FETCH response in.
func (r *reading) add(msg *imapclient.FetchMessageData, told func(Message)) error {
	m := Message{Size: -1, Date: NoDate}
	var flags []string
	header := false
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			m.UID = uint32(item.UID)
		case imapclient.FetchItemDataFlags:
			for _, f := range item.Flags {
				flags = append(flags, string(f))
			}
		case imapclient.FetchItemDataInternalDate:
			m.SetTime(item.Time)
		case imapclient.FetchItemDataRFC822Size:
			m.Size = item.Size
		case imapclient.FetchItemDataBodySection:
			if !r.readHeader(item.Literal) {
				return nil // cut off: the connection is gone
			}
			header = true
		}
	}
	if m.UID < r.from {
		return nil
	}
	told(m)
	if m.Size < 0 || !header {
		r.incomplete = append(r.incomplete, m.UID)
		return nil
	}
	var id string
	if m.By, m.Key, id = messageIDKey(r.header); !r.ids {
		id = ""
	}
	if err := r.out.Add(m, flags, id); err != nil {
		return stop(exitCannot, "%s: read mailbox %q: %w", r.side, r.name, err)
	}
	return nil
}

// readHeader reads the header fields of a FETCH response, and reports whether they came whole.
func (r *reading) readHeader(lit imap.LiteralReader) bool {
	r.header = r.header[:0]
	if lit == nil {
		return true
	}
	want := int(min(lit.Size(), maxIdentity))
	r.header = slices.Grow(r.header, want)[:want]
	_, err := io.ReadFull(lit, r.header)
	return err == nil
}

// rest asks once more, by their UIDs, for the messages that were told of without what identifies them, and for those that
// exist and were not told of at all: an unsolicited FETCH response may have taken the place of the answer.
func (r *reading) rest(ctx context.Context) error {
	missing := slices.Clone(r.incomplete)
	if r.from == 1 && len(r.out.Messages)+len(missing)+len(r.unreadable) < int(r.exists) {
		uids, err := r.search(ctx, nil)
		if err != nil {
			return err
		}
		for _, uid := range uids {
			if _, there := r.out.Find(uid); !there && !slices.Contains(r.unreadable, uid) {
				missing = append(missing, uid)
			}
		}
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	sizes := map[uint32]Message{}
	for set := range uidSets(missing) {
		err := r.fetch(ctx, set, func(m Message) { sizes[m.UID] = m })
		if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
			return err
		}
	}
	r.out.Sort()
	var late []Message
	for _, uid := range missing {
		m, told := sizes[uid]
		if _, there := r.out.Find(uid); there {
			continue
		}
		if told && m.Size >= 0 {
			late = append(late, m) // without a key: its digest will tell
		} else {
			r.unreadable = append(r.unreadable, uid)
		}
	}
	r.out.Messages = append(r.out.Messages, late...)
	r.incomplete = nil
	return r.gone(ctx)
}

// gone takes messages that no longer exist off the unreadable ones.
func (r *reading) gone(ctx context.Context) error {
	if len(r.unreadable) == 0 {
		return nil
	}
	slices.Sort(r.unreadable)
	var left []uint32
	for set := range uidSets(r.unreadable) {
		uids, err := r.search(ctx, set)
		if err != nil {
			return err
		}
		left = append(left, uids...)
	}
	r.unreadable = left
	return nil
}

// keys fetches Date, From, To and Subject of messages without a Message-Id.
func (r *reading) keys(ctx context.Context) error {
	var uids []uint32
	for _, m := range r.out.Messages {
		if m.By == ByDigest {
			uids = append(uids, m.UID)
		}
	}
	for set := range uidSets(uids) {
		if _, err := r.choose(ctx, r.name, r.writable, false); err != nil {
			return err
		}
		err := r.do(ctx, fmt.Sprintf("read mailbox %q", r.name), func(c *imapclient.Client) error {
			cmd := c.Fetch(set, wantHeaders)
			for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
				r.addKey(msg)
			}
			return cmd.Close()
		})
		if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
			return err
		}
	}
	return nil
}

func (r *reading) addKey(msg *imapclient.FetchMessageData) {
	var uid uint32
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = uint32(item.UID)
		case imapclient.FetchItemDataBodySection:
			i, there := r.out.Find(uid)
			if there && r.readHeader(item.Literal) {
				r.out.Messages[i].By, r.out.Messages[i].Key = headersKey(r.header)
			}
		}
	}
}

func (r *reading) search(ctx context.Context, set imap.UIDSet) ([]uint32, error) {
	return r.searchIn(ctx, r.name, r.writable, set)
}

// searchIn returns those UIDs of a set, or of all messages, that exist.
func (l *link) searchIn(ctx context.Context, name string, writable bool, set imap.UIDSet) ([]uint32, error) {
	if _, err := l.choose(ctx, name, writable, false); err != nil {
		return nil, err
	}
	criteria := &imap.SearchCriteria{}
	if set != nil {
		criteria.UID = []imap.UIDSet{set}
	}
	var out []uint32
	err := l.do(ctx, fmt.Sprintf("search mailbox %q", name), func(c *imapclient.Client) error {
		data, err := c.UIDSearch(criteria, nil).Wait()
		if err != nil {
			return err
		}
		out, err = listUIDs(data.All)
		return err
	})
	return out, err
}
