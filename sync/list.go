package mailsync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A Mailbox is one entry of an account's listing.
type Mailbox struct {
	Name       string // UTF-8, as the server has it, its delimiter and prefix included
	Delimiter  rune   // 0 when the server has no hierarchy
	Attributes []string
	SpecialUse string // such as \Sent, or ""
	Subscribed bool   // false also where the server cannot tell, see Listing.Subscriptions
	Selectable bool
	Broken     string         // the octets of a name that is no modified UTF-7, so that no command can carry it; else ""
	Status     *MailboxStatus // nil when the server did not tell
}

// MailboxStatus is what STATUS says.
type MailboxStatus struct {
	Messages    uint32
	UIDNext     uint32
	UIDValidity uint32
	Size        int64 // octets of all messages, -1 when not known
}

// A Listing is all mailboxes in the personal namespaces of an account: INBOX first, the others by name.
type Listing struct {
	Prefix        string // of the first personal namespace, such as "INBOX."
	Delimiter     rune   // 0 when the server has no hierarchy
	Subscriptions bool   // whether the server told which mailboxes are subscribed
	Mailboxes     []Mailbox
}

func isInbox(name string) bool { return strings.EqualFold(name, "INBOX") }

// List reads an account's listing, with status.
func List(ctx context.Context, c *imapdial.Control) (*Listing, error) {
	end := c.Begin(ctx)
	l, err := list(c)
	if err := end(err); err != nil {
		return nil, err
	}
	return l, nil
}

func list(c *imapdial.Control) (*Listing, error) {
	names, err := readNamespaces(c)
	if err != nil {
		return nil, err
	}
	l, data, err := readList(c)
	if err != nil {
		return nil, err
	}
	l.Prefix, l.Delimiter = names.prefix, names.delimiter
	seen, broken := map[string]bool{}, map[string]string{}
	for _, m := range c.Conn().Mended() {
		broken[m.Name] = m.Raw
	}
	for _, d := range data {
		m := newMailbox(d)
		if raw, ok := broken[m.Name]; ok && m.Selectable {
			m.Selectable, m.Broken = false, raw
		}
		if seen[m.Name] || !names.personal(m.Name) {
			continue
		}
		seen[m.Name] = true
		l.Mailboxes = append(l.Mailboxes, m)
	}
	if !names.told {
		l.guess()
	}
	slices.SortFunc(l.Mailboxes, func(a, b Mailbox) int {
		switch {
		case isInbox(a.Name):
			return -1
		case isInbox(b.Name):
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return l, readStatus(c, l)
}

// offers reports whether the server has an extension, which IMAP4rev2 may bring with it (RFC 9051 appendix E).
func offers(c *imapdial.Control, extension string) bool {
	return c.Has(extension) || c.Has("IMAP4rev2")
}

// readList sends LIST, with what the server can return beside names.
func readList(c *imapdial.Control) (*Listing, []*imap.ListData, error) {
	o := &imap.ListOptions{}
	if offers(c, "LIST-EXTENDED") { // RFC 5258
		o.ReturnSubscribed = true
		o.ReturnSpecialUse = offers(c, "SPECIAL-USE") // RFC 6154
		if offers(c, "LIST-STATUS") {                 // RFC 5819
			o.ReturnStatus = statusOptions(c)
		}
	}
	data, err := c.Client.List("", "*", o).Collect()
	if refused(err) && *o != (imap.ListOptions{}) {
		// Some servers promise the extension and refuse the command.
		o = &imap.ListOptions{}
		data, err = c.Client.List("", "*", o).Collect()
	}
	return &Listing{Subscriptions: o.ReturnSubscribed}, data, err
}

// refused reports whether a server said NO or BAD.
func refused(err error) bool {
	var e *imap.Error
	return errors.As(err, &e) && (e.Type == imap.StatusResponseTypeNo || e.Type == imap.StatusResponseTypeBad)
}

func statusOptions(c *imapdial.Control) *imap.StatusOptions {
	return &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, Size: offers(c, "STATUS=SIZE")} // RFC 8438
}

// specialUses are the attributes that say what a mailbox is for (RFC 6154 section 2, RFC 8457).
var specialUses = []imap.MailboxAttr{
	imap.MailboxAttrAll, imap.MailboxAttrArchive, imap.MailboxAttrDrafts, imap.MailboxAttrFlagged,
	imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash, imap.MailboxAttrImportant,
}

func newMailbox(d *imap.ListData) Mailbox {
	m := Mailbox{Name: d.Mailbox, Delimiter: d.Delim, Selectable: true}
	for _, a := range d.Attrs {
		m.Attributes = append(m.Attributes, string(a))
		switch {
		case a == imap.MailboxAttrNoSelect, a == imap.MailboxAttrNonExistent: // RFC 9051 section 7.3.1
			m.Selectable = false
		case a == imap.MailboxAttrSubscribed:
			m.Subscribed = true
		case m.SpecialUse == "" && slices.Contains(specialUses, a):
			m.SpecialUse = string(a)
		}
	}
	if d.Status != nil {
		m.Status = newStatus(d.Status)
	}
	return m
}

func newStatus(d *imap.StatusData) *MailboxStatus {
	if d.NumMessages == nil {
		return nil // the answer was for another name
	}
	s := &MailboxStatus{Messages: *d.NumMessages, UIDNext: uint32(d.UIDNext), UIDValidity: d.UIDValidity, Size: -1}
	if d.Size != nil {
		s.Size = *d.Size
	}
	return s
}

// statusWindow is how many STATUS commands are under way at once: enough to hide the distance to the server, few enough
// for every server's input buffer.
const statusWindow = 32

// readStatus asks for the status of what can be selected and came without one. A refusal leaves it out.
func readStatus(c *imapdial.Control, l *Listing) error {
	var without []*Mailbox
	for i := range l.Mailboxes {
		if m := &l.Mailboxes[i]; m.Selectable && m.Status == nil {
			without = append(without, m)
		}
	}
	o := statusOptions(c)
	for window := range slices.Chunk(without, statusWindow) {
		commands := make([]*imapclient.StatusCommand, len(window))
		for i, m := range window {
			commands[i] = c.Client.Status(m.Name, o)
		}
		for i, m := range window {
			data, err := commands[i].Wait()
			switch {
			case err == nil:
				m.Status = newStatus(data)
			case !refused(err):
				return err
			}
		}
	}
	return nil
}
