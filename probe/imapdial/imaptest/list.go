package imaptest

import (
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// list returns what LIST answers, by name.
func (a *Account) list(ref string, patterns []string, o *imap.ListOptions, showUses bool) []imap.ListData {
	a.mu.Lock()
	defer a.mu.Unlock()
	delim := rune(a.delim[0])
	if len(patterns) == 0 {
		// An empty pattern asks for the delimiter (RFC 9051 section 6.3.9).
		return []imap.ListData{{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delim}}
	}
	var found []imap.ListData
	for _, name := range a.names() {
		m := a.boxes[name]
		if !matches(name, delim, ref, patterns) {
			continue
		}
		info := (*imap.ListDataChildInfo)(nil)
		if o.SelectSubscribed && o.SelectRecursiveMatch && a.subscribedBelow(name) {
			info = &imap.ListDataChildInfo{Subscribed: true}
		}
		if o.SelectSubscribed && !m.subscribed && info == nil || o.SelectSpecialUse && len(m.uses) == 0 {
			continue
		}
		data := imap.ListData{Attrs: a.attributes(m, o, showUses), Delim: delim, Mailbox: name, ChildInfo: info}
		if o.ReturnStatus != nil && !m.noSelect {
			data.Status = m.status()
		}
		found = append(found, data)
	}
	return found
}

func matches(name string, delim rune, ref string, patterns []string) bool {
	for _, pattern := range patterns {
		if imapserver.MatchList(name, delim, ref, canonical(pattern)) {
			return true
		}
	}
	return false
}

func (a *Account) subscribedBelow(name string) bool {
	for other, m := range a.boxes {
		if m.subscribed && strings.HasPrefix(other, name+a.delim) {
			return true
		}
	}
	return false
}

func (a *Account) attributes(m *mailbox, o *imap.ListOptions, showUses bool) []imap.MailboxAttr {
	var attrs []imap.MailboxAttr
	if m.noSelect {
		attrs = append(attrs, imap.MailboxAttrNoSelect)
	}
	if a.hasChildren(m.path) {
		attrs = append(attrs, imap.MailboxAttrHasChildren)
	} else {
		attrs = append(attrs, imap.MailboxAttrHasNoChildren)
	}
	if m.subscribed && (o.SelectSubscribed || o.ReturnSubscribed) {
		attrs = append(attrs, imap.MailboxAttrSubscribed)
	}
	// RFC 6154 section 2 lets a plain LIST show them too, and most servers do.
	if showUses {
		attrs = append(attrs, m.uses...)
	}
	return attrs
}
