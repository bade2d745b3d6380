package mailsync

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"

	"github.com/emersion/go-imap/v2"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// namespaces are an account's (RFC 2342).
type namespaces struct {
	told      bool // by NAMESPACE
	prefix    string
	delimiter rune
	own       []string // prefixes of personal namespaces
	foreign   []string // prefixes of other users' and shared ones
}

// readNamespaces asks for the namespaces; a server without NAMESPACE tells its delimiter in answer to LIST "" ""
// (RFC 9051 section 6.3.9).
func readNamespaces(c *imapdial.Control) (*namespaces, error) {
	n := &namespaces{}
	if offers(c, "NAMESPACE") {
		data, err := c.Client.Namespace().Wait()
		if err != nil && !refused(err) {
			return nil, err
		}
		if err == nil && len(data.Personal) > 0 {
			n.told = true
			n.own = prefixes(data.Personal)
			n.foreign = append(prefixes(data.Other), prefixes(data.Shared)...)
			n.prefix, n.delimiter = n.own[0], data.Personal[0].Delim
			return n, nil
		}
	}
	root, err := c.Client.List("", "", nil).Collect()
	if err != nil && !refused(err) {
		return nil, err
	}
	if len(root) > 0 {
		n.delimiter = root[0].Delim
	}
	n.own = []string{""}
	return n, nil
}

func prefixes(list []imap.NamespaceDescriptor) []string {
	var out []string
	for _, d := range list {
		out = append(out, decodeUTF7(d.Prefix)) // the library leaves prefixes as they came
	}
	return out
}

// personal reports whether a mailbox is the account's own: the longest prefix that fits decides.
func (n *namespaces) personal(name string) bool {
	if isInbox(name) {
		return true
	}
	own, foreign := longestPrefix(n.own, name), longestPrefix(n.foreign, name)
	return own > foreign || own == foreign && own >= 0
}

// longestPrefix returns the length of the longest of the prefixes that name has, -1 without one. A namespace's own root,
// its prefix without the delimiter, belongs to it.
func longestPrefix(prefixes []string, name string) int {
	longest := -1
	for _, p := range prefixes {
		if hasPrefix(name, p) || p != "" && name == p[:len(p)-1] {
			longest = max(longest, len(p))
		}
	}
	return longest
}

// hasPrefix is strings.HasPrefix, with INBOX at the beginning of p in any case.
func hasPrefix(name, p string) bool {
	const inbox = len("INBOX")
	if len(p) >= inbox && len(name) >= len(p) && isInbox(p[:inbox]) {
		return isInbox(name[:inbox]) && strings.HasPrefix(name[inbox:], p[inbox:])
	}
	return strings.HasPrefix(name, p)
}

// guess finds prefix and delimiter where no namespace was told: when every mailbox stands below INBOX, that is the prefix.
func (l *Listing) guess() {
	others := 0
	for _, m := range l.Mailboxes {
		if l.Delimiter == 0 {
			l.Delimiter = m.Delimiter
		}
		if isInbox(m.Name) {
			continue
		}
		others++
		if l.Delimiter == 0 || !hasPrefix(m.Name, "INBOX"+string(l.Delimiter)) {
			return
		}
	}
	if others > 0 {
		l.Prefix = "INBOX" + string(l.Delimiter)
	}
}

// levels takes a mailbox name apart, without the prefix of the account. INBOX is a level by itself.
func (l *Listing) levels(name string) []string {
	if isInbox(name) {
		return []string{"INBOX"}
	}
	if hasPrefix(name, l.Prefix) {
		name = name[len(l.Prefix):]
	}
	if l.Delimiter == 0 {
		return []string{name}
	}
	return strings.Split(name, string(l.Delimiter))
}

// keyName returns a name as Key has it.
func (l *Listing) keyName(name string) string { return strings.Join(l.levels(name), "/") }

// mailboxBase64 is the base64 of modified UTF-7 (RFC 3501 section 5.1.3).
var mailboxBase64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// decodeUTF7 decodes modified UTF-7. What is none is returned as it is.
func decodeUTF7(s string) string {
	var b strings.Builder
	for rest := s; rest != ""; {
		plain, shifted, found := strings.Cut(rest, "&")
		b.WriteString(plain)
		if !found {
			break
		}
		code, after, ended := strings.Cut(shifted, "-")
		if !ended {
			return s
		}
		if rest = after; code == "" {
			b.WriteByte('&')
			continue
		}
		octets, err := mailboxBase64.DecodeString(code)
		if err != nil || len(octets)%2 != 0 {
			return s
		}
		var units []uint16
		for i := 0; i < len(octets); i += 2 {
			units = append(units, uint16(octets[i])<<8|uint16(octets[i+1]))
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String()
}
