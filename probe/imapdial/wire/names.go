package wire

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A MendedName is a mailbox name that no command of the library can carry: it is not canonical modified UTF-7 (RFC 3501 section
// 5.1.3), so the library would not get back to the octets that the server means. The library sees a replacement that
// can be shown but not be used: a SELECT of Name opens nothing, or another mailbox.
type MendedName struct {
	Name string // as the library hands it out: what is readable, U+FFFD, and a number
	Raw  string // the octets from the server
}

// Mended returns the mailbox names that were replaced so far, in the order of their first appearance.
func (c *Conn) Mended() []MendedName {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]MendedName(nil), c.names.list...)
}

// A nameTable remembers the replacements, so that LIST and STATUS agree. The Conn's mutex guards it.
type nameTable struct {
	byRaw  map[string]string
	list   []MendedName
	octets int
}

// replace returns the replacement for raw, or false when there are too many.
func (t *nameTable) replace(raw string) (string, bool) {
	if name, ok := t.byRaw[raw]; ok {
		return name, true
	}
	name := readable(raw) + "\uFFFD" + strconv.Itoa(len(t.list)+1)
	t.octets += len(raw) + len(name)
	if len(t.list) == maxMended || t.octets > maxMendedOctets {
		return "", false
	}
	if t.byRaw == nil {
		t.byRaw = make(map[string]string)
	}
	t.byRaw[raw] = name
	t.list = append(t.list, MendedName{Name: name, Raw: raw})
	return name, true
}

// readable replaces what cannot be shown. Delimiters stay, so the name keeps its place in the tree.
func readable(raw string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(raw, "\uFFFD"))
}

// mailbox writes raw, a mailbox name, or its replacement.
func (m *mender) mailbox(raw []byte) error {
	if is(raw, "INBOX") || canonical(raw) { // RFC 9051 section 5.1: INBOX in any case
		m.writeQuoted(raw)
		return nil
	}
	return m.replacement(raw)
}

// replacement writes the replacement for raw.
func (m *mender) replacement(raw []byte) error {
	c := m.conn
	c.mu.Lock()
	name, ok := c.names.replace(string(raw))
	c.mu.Unlock()
	if !ok {
		return &LimitError{What: "mailbox names that are no modified UTF-7", Limit: maxMended}
	}
	m.note("a mailbox name that is no modified UTF-7 was replaced", raw)
	m.write(EncodeMailbox(name))
	return nil
}

// canonical reports whether raw is what its meaning is encoded to.
func canonical(raw []byte) bool {
	if plain(string(raw)) && bytes.IndexByte(raw, '&') < 0 {
		return true
	}
	name, ok := decodeUTF7(string(raw))
	return ok && EncodeUTF7(name) == string(raw)
}

// decodeUTF7 decodes modified UTF-7. It may accept what is not canonical.
func decodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		plainText, rest, shifted := strings.Cut(s, "&")
		if !plain(plainText) {
			return "", false
		}
		b.WriteString(plainText)
		if !shifted {
			break
		}
		encoded, rest, closed := strings.Cut(rest, "-")
		if !closed {
			return "", false
		}
		s = rest
		if encoded == "" {
			b.WriteByte('&')
			continue
		}
		octets, err := mailboxBase64.DecodeString(encoded)
		if err != nil || len(octets)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(octets)/2)
		for i := range units {
			units[i] = uint16(octets[2*i])<<8 | uint16(octets[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String(), true
}
