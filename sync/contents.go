package mailsync

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
)

// Contents is what a mailbox holds, as far as comparing needs it. It is kept small, since mailboxes with a million messages exist: flag
// lists are kept once for all the messages that have them, and Message-Ids in one piece of memory.
type Contents struct {
	Mailbox     string // as in Key
	UIDValidity uint32
	Messages    []Message // ascending by UID, see Sort
	flags       flagLists
	ids         [][]byte // pieces of idPiece octets
}

// A Message is what a mailbox's listing tells of one message.
type Message struct {
	Size  int64 // octets
	Date  int64 // INTERNALDATE in seconds since 1970, or NoDate
	Key   [16]byte
	UID   uint32
	flags uint32 // index into the flag lists
	idAt  uint32
	Zone  int16 // of INTERNALDATE, minutes east of UTC
	By    KeyKind
	idLen uint8
}

// NoDate is the Date of a message for which the server gave none.
const NoDate = math.MinInt64

// Add appends a message with its flags. messageID is what a person is shown, and may be "". The error is that the server has more different flags than
// can be held.
func (c *Contents) Add(m Message, flags []string, messageID string) error {
	var err error
	if m.flags, err = c.flags.intern(flags); err != nil {
		return err
	}
	m.idAt, m.idLen = c.keepID(messageID)
	c.Messages = append(c.Messages, m)
	return nil
}

// idPiece is how large a piece of memory for Message-Ids grows: one for all would be copied again and again on its way to megabytes.
const idPiece = 1 << 16

// keepID stores a Message-Id, cut to what fits into a report. at is its place, counted over all pieces.
func (c *Contents) keepID(id string) (at uint32, n uint8) {
	id = id[:min(len(id), math.MaxUint8)]
	last := len(c.ids) - 1
	if last < 0 || len(c.ids[last])+len(id) > idPiece {
		c.ids = append(c.ids, nil)
		last++
	}
	if id == "" || last >= math.MaxUint32/idPiece {
		return 0, 0
	}
	at = uint32(last*idPiece + len(c.ids[last]))
	c.ids[last] = append(c.ids[last], id...)
	return at, uint8(len(id))
}

// Sort brings Messages into the order of UIDs.
func (c *Contents) Sort() {
	slices.SortFunc(c.Messages, func(a, b Message) int { return cmp.Compare(a.UID, b.UID) })
}

// Flags returns the flags of message i, in lower-case order. The caller does not change the list.
func (c *Contents) Flags(i int) []string { return c.flags.list(c.Messages[i].flags) }

// MessageID returns the Message-Id of message i as far as it was kept.
func (c *Contents) MessageID(i int) string {
	m := &c.Messages[i]
	if m.idLen == 0 {
		return ""
	}
	return string(c.ids[m.idAt/idPiece][m.idAt%idPiece:][:m.idLen])
}

// Key returns where message i is.
func (c *Contents) Key(i int) Key { return Key{c.Mailbox, c.UIDValidity, c.Messages[i].UID} }

// Find returns the index of a UID.
func (c *Contents) Find(uid uint32) (int, bool) {
	i := sort.Search(len(c.Messages), func(i int) bool { return c.Messages[i].UID >= uid })
	return i, i < len(c.Messages) && c.Messages[i].UID == uid
}

// since returns the part of c whose UIDs are at least uid. Both share their memory.
func (c *Contents) since(uid uint32) *Contents {
	at, _ := c.Find(uid)
	return c.with(c.Messages[at:])
}

// with returns c with other messages, whose flags and Message-Ids are c's.
func (c *Contents) with(messages []Message) *Contents {
	part := *c
	part.Messages = messages
	return &part
}

// Time returns the INTERNALDATE in its own zone, or the zero Time.
func (m *Message) Time() time.Time {
	if m.Date == NoDate {
		return time.Time{}
	}
	return time.Unix(m.Date, 0).In(time.FixedZone("", int(m.Zone)*60))
}

// SetTime sets Date and Zone. The zero Time is NoDate.
func (m *Message) SetTime(t time.Time) {
	if t.IsZero() {
		m.Date, m.Zone = NoDate, 0
		return
	}
	_, east := t.Zone()
	m.Date, m.Zone = t.Unix(), int16(east/60)
}

// flagLists keeps every list of flags once. Flags are equal without regard to case (RFC 9051 section 2.3.2), as some servers store them in lower case.
type flagLists struct {
	lists [][]string
	names []string // the lists in lower case, joined: equal for equal lists
	index map[string]uint32
	size  int
}

// maxFlagOctets bounds what a server can make us hold in different lists of flags. A mailbox with a hundred keywords has some
// thousand combinations of them, each of a few hundred octets.
const maxFlagOctets = 16 << 20

var errTooManyFlags = errors.New("the server has more different flags than can be held")

func (f *flagLists) intern(flags []string) (uint32, error) {
	if f.index == nil {
		f.index = map[string]uint32{"": 0}
		f.lists, f.names = [][]string{nil}, []string{""}
	}
	list := canonicalFlags(flags)
	name := strings.ToLower(strings.Join(list, " "))
	if i, ok := f.index[name]; ok {
		return i, nil
	}
	if f.size += 2 * len(name); f.size > maxFlagOctets {
		return 0, errTooManyFlags
	}
	i := uint32(len(f.lists))
	f.lists, f.names = append(f.lists, list), append(f.names, name)
	f.index[name] = i
	return i, nil
}

func (f *flagLists) list(i uint32) []string {
	if int(i) >= len(f.lists) {
		return nil
	}
	return f.lists[i]
}

func (f *flagLists) name(i uint32) string {
	if int(i) >= len(f.names) {
		return ""
	}
	return f.names[i]
}

// canonicalFlags returns flags in lower-case order, each once, without \Recent, which is the session's and not the message's.
func canonicalFlags(flags []string) []string {
	var list []string
	for _, f := range flags {
		if !strings.EqualFold(f, `\Recent`) {
			list = append(list, strings.Clone(f))
		}
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return slices.CompactFunc(list, strings.EqualFold)
}
