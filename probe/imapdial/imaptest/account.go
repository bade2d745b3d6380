package imaptest

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

const inbox = "INBOX" // the one name without regard to case (RFC 9051 section 5.1)

// An Account is a user's mailboxes. Names of mailboxes are those that the server lists, prefix and delimiter included, in UTF-8;
// [Account.Name] makes one from its parts. Its methods are safe for concurrent use, and clients are told of changes.
type Account struct {
	user   string
	delim  string
	prefix string
	refuse func(name string) bool

	mu           sync.Mutex // guards what follows, mailboxes and messages included
	password     string
	boxes        map[string]*mailbox
	lastValidity uint32
}

// A Message is a message of a mailbox.
type Message struct {
	UID          uint32 // 0 in what is to be added
	Flags        []string
	InternalDate time.Time // zero in what is to be added means now
	Body         []byte    // the whole message, header included; not to be changed
}

// A MailboxInfo describes a mailbox.
type MailboxInfo struct {
	Name        string
	SpecialUse  string // such as \Sent, or ""
	Subscribed  bool
	NoSelect    bool // only a parent of others
	UIDValidity uint32
	Messages    int
}

func newAccount(user, password string, c Config) *Account {
	a := &Account{
		user:     user,
		delim:    string(c.Delim),
		prefix:   c.Prefix,
		refuse:   c.RefuseName,
		password: password,
		boxes:    make(map[string]*mailbox),
		// Two servers of one process should not have the same UIDVALIDITY for INBOX; real ones start with the time of day.
		lastValidity: uint32(time.Now().UnixNano()>>20)%1e9 + 1,
	}
	a.add(inbox)
	return a
}

// User returns the name that signs in.
func (a *Account) User() string { return a.user }

// SetPassword changes the password.
func (a *Account) SetPassword(password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.password = password
}

// Password returns the password.
func (a *Account) Password() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.password
}

// Name returns the name of the mailbox at path, with prefix and delimiter. The path INBOX alone is INBOX whatever the prefix.
// A delimiter inside a part becomes "-".
func (a *Account) Name(path ...string) string { return joinPath(a.prefix, a.delim, path) }

// Mailboxes returns all mailboxes, sorted by name.
func (a *Account) Mailboxes() []MailboxInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	var infos []MailboxInfo
	for _, name := range a.names() {
		m := a.boxes[name]
		info := MailboxInfo{Name: name, Subscribed: m.subscribed, NoSelect: m.noSelect, UIDValidity: m.uidValidity, Messages: len(m.messages)}
		if len(m.uses) > 0 {
			info.SpecialUse = string(m.uses[0])
		}
		infos = append(infos, info)
	}
	return infos
}

// Messages returns the messages of a mailbox by UID, nil if there is no such mailbox. The flags of each are sorted.
func (a *Account) Messages(mailbox string) []Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, err := a.find(mailbox)
	if err != nil {
		return nil
	}
	messages := make([]Message, 0, len(m.messages))
	for _, msg := range m.messages {
		copied := Message{UID: uint32(msg.uid), InternalDate: msg.date, Body: msg.body}
		for _, f := range msg.flags {
			copied.Flags = append(copied.Flags, string(f))
		}
		sort.Strings(copied.Flags)
		messages = append(messages, copied)
	}
	return messages
}

// Create creates a mailbox, with a special use unless that is "".
func (a *Account) Create(mailbox, specialUse string) error {
	var uses []imap.MailboxAttr
	if specialUse != "" {
		uses = append(uses, imap.MailboxAttr(specialUse))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.create(mailbox, uses)
}

// Subscribe sets or takes away a subscription.
func (a *Account) Subscribe(mailbox string, subscribed bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.boxes[canonical(mailbox)]
	if m == nil {
		return errNoMailbox
	}
	m.subscribed = subscribed
	return nil
}

// Append adds a message and returns its UID.
func (a *Account) Append(mailbox string, msg Message) (uid uint32, err error) {
	var flags []imap.Flag
	for _, f := range msg.Flags {
		flags = append(flags, imap.Flag(f))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m, err := a.find(mailbox)
	if err != nil {
		return 0, err
	}
	added, err := m.add(flags, msg.InternalDate, msg.Body)
	if err != nil {
		return 0, err
	}
	return uint32(added.uid), nil
}

// SetFlags replaces the flags of a message.
func (a *Account) SetFlags(mailbox string, uid uint32, flags ...string) error {
	var list []imap.Flag
	for _, f := range flags {
		list = append(list, imap.Flag(f))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m, err := a.find(mailbox)
	if err != nil {
		return err
	}
	for i, msg := range m.messages {
		if uint32(msg.uid) == uid {
			return m.store(i, &imap.StoreFlags{Op: imap.StoreFlagsSet, Flags: list}, nil)
		}
	}
	return fmt.Errorf("no message %d in %s", uid, mailbox)
}

// Remove expunges messages.
func (a *Account) Remove(mailbox string, uids ...uint32) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, err := a.find(mailbox)
	if err != nil {
		return err
	}
	m.expunge(func(msg *message) bool { return slices.Contains(uids, uint32(msg.uid)) })
	return nil
}

// Renumber gives a mailbox another UIDVALIDITY and all its messages new UIDs, as a server does that lost its index.
// Connections that have it selected are closed.
func (a *Account) Renumber(mailbox string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, err := a.find(mailbox)
	if err != nil {
		return err
	}
	a.lastValidity++
	m.uidValidity = a.lastValidity
	for s := range m.selectedBy {
		s.conn.Close()
	}
	for _, msg := range m.messages {
		msg.uid = m.uidNext
		m.uidNext++
	}
	return nil
}

// What follows wants a.mu locked.

var errNoMailbox = refuse(imap.ResponseCodeNonExistent, "no such mailbox")

// refuse returns an answer NO.
func refuse(code imap.ResponseCode, format string, args ...any) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: fmt.Sprintf(format, args...)}
}

// canonical gives INBOX its one spelling.
func canonical(name string) string {
	if strings.EqualFold(name, inbox) {
		return inbox
	}
	return name
}

// joinPath makes the name of a mailbox.
func joinPath(prefix, delim string, path []string) string {
	if len(path) == 1 && strings.EqualFold(path[0], inbox) {
		return inbox
	}
	parts := make([]string, len(path))
	for i, part := range path {
		parts[i] = strings.ReplaceAll(part, delim, "-")
	}
	return prefix + strings.Join(parts, delim)
}

// find returns a mailbox that can be selected.
func (a *Account) find(name string) (*mailbox, error) {
	m := a.boxes[canonical(name)]
	if m == nil || m.noSelect {
		return nil, errNoMailbox
	}
	return m, nil
}

func (a *Account) names() []string {
	names := make([]string, 0, len(a.boxes))
	for name := range a.boxes {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// add makes a mailbox of a name that is new and valid.
func (a *Account) add(name string) *mailbox {
	// RFC 9051 section 2.3.1.1: a mailbox that is made again under its old name needs another UIDVALIDITY.
	a.lastValidity++
	m := &mailbox{path: name, uidValidity: a.lastValidity, uidNext: 1, tracker: imapserver.NewMailboxTracker(0), selectedBy: make(map[*session]bool)}
	a.boxes[name] = m
	return m
}

// checkName returns why a mailbox of that name cannot be made, or nil.
func (a *Account) checkName(name string) error {
	inside := strings.TrimPrefix(name, a.prefix)
	switch {
	case name == "" || inside == "":
		return refuse(imap.ResponseCodeCannot, "empty mailbox name")
	case !strings.HasPrefix(name, a.prefix):
		return refuse(imap.ResponseCodeCannot, "mailbox name lacks the prefix %s", a.prefix)
	case strings.HasPrefix(inside, a.delim) || strings.Contains(inside, a.delim+a.delim):
		return refuse(imap.ResponseCodeCannot, "mailbox name has an empty part")
	case a.refuse != nil && a.refuse(name):
		return refuse(imap.ResponseCodeCannot, "character not allowed in mailbox name")
	}
	return nil
}

// create makes a mailbox, and its missing parents as names that cannot be selected (RFC 9051 section 6.3.4).
func (a *Account) create(name string, uses []imap.MailboxAttr) error {
	name = strings.TrimSuffix(canonical(name), a.delim)
	m := a.boxes[name]
	if m != nil && !m.noSelect {
		return refuse(imap.ResponseCodeAlreadyExists, "mailbox exists")
	}
	if err := a.checkName(name); err != nil {
		return err
	}
	if m == nil {
		m = a.add(name)
		a.addParents(name)
	}
	m.noSelect = false
	m.uses = uses
	return nil
}

func (a *Account) addParents(name string) {
	for i := len(a.prefix) + 1; i < len(name); i++ {
		if strings.HasPrefix(name[i:], a.delim) && a.boxes[canonical(name[:i])] == nil {
			a.add(name[:i]).noSelect = true
		}
	}
}

// hasChildren reports whether there are mailboxes below name.
func (a *Account) hasChildren(name string) bool {
	for other := range a.boxes {
		if strings.HasPrefix(other, name+a.delim) {
			return true
		}
	}
	return false
}

// remove deletes a mailbox. One with children stays as a name (RFC 9051 section 6.3.5).
func (a *Account) remove(name string) error {
	name = canonical(name)
	if name == inbox {
		return refuse(imap.ResponseCodeCannot, "INBOX cannot be deleted")
	}
	m := a.boxes[name]
	switch {
	case m == nil:
		return errNoMailbox
	case m.noSelect && a.hasChildren(name):
		return refuse(imap.ResponseCodeHasChildren, "mailbox has children")
	}
	delete(a.boxes, name)
	if a.hasChildren(name) {
		a.add(name).noSelect = true
	}
	return nil
}

// rename renames a mailbox with all below it. What INBOX would do (RFC 9051 section 6.3.6) is refused.
func (a *Account) rename(from, to string) error {
	from, to = canonical(from), strings.TrimSuffix(canonical(to), a.delim)
	switch {
	case from == inbox:
		return refuse(imap.ResponseCodeCannot, "INBOX cannot be renamed")
	case a.boxes[from] == nil:
		return errNoMailbox
	case a.boxes[to] != nil:
		return refuse(imap.ResponseCodeAlreadyExists, "mailbox exists")
	case strings.HasPrefix(to, from+a.delim):
		return refuse(imap.ResponseCodeCannot, "a mailbox cannot move below itself")
	}
	if err := a.checkName(to); err != nil {
		return err
	}
	for _, name := range a.names() {
		if name == from || strings.HasPrefix(name, from+a.delim) {
			m := a.boxes[name]
			delete(a.boxes, name)
			m.path = to + strings.TrimPrefix(name, from)
			a.boxes[m.path] = m
		}
	}
	a.addParents(to)
	return nil
}
