package wire

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// list writes LIST (RFC 9051 section 7.3.1): attributes, delimiter, name, and of the extended data CHILDINFO.
func (m *mender) list() (bool, error) {
	i := 0
	m.write(" ")
	if m.have(0, tokenOpen) || m.isNIL(0) && len(m.tokens) > 2 {
		i = m.flags(0, maxAttributes)
	} else {
		m.write("()")
	}
	if !m.isString(i) && !m.have(i, tokenAtom) {
		return false, nil
	}
	m.write(" ")
	m.delimiter(i)
	end := m.extendedData(i + 1)
	m.write(" ")
	if ok, err := m.mailboxOf(i+1, end); !ok || err != nil {
		return false, err
	}
	m.childInfo(end)
	return true, nil
}

// delimiter writes token i as the hierarchy delimiter: one character, or NIL where there is none.
func (m *mender) delimiter(i int) {
	delimiter := m.value(i)
	r, size := utf8.DecodeRune(delimiter)
	switch {
	case m.isNIL(i) || len(delimiter) == 0:
		m.write("NIL")
	case size != len(delimiter) || r == utf8.RuneError:
		m.note("a hierarchy delimiter that is not one character was left out", delimiter)
		m.write("NIL")
	default:
		m.writeQuoted(delimiter)
	}
}

// extendedData returns where a list at the end of the response begins, after the name at i, or the number of tokens.
func (m *mender) extendedData(i int) int {
	for j := i + 1; j < len(m.tokens); j++ {
		if m.have(j, tokenOpen) && m.tokens[j].spaced && m.skip(j) == len(m.tokens) {
			return j
		}
	}
	return len(m.tokens)
}

// mailboxOf writes the mailbox name that begins at token i and ends at end. Servers that do not quote what they must
// are known: a name of several words is all that stands there.
func (m *mender) mailboxOf(i, end int) (ok bool, err error) {
	switch {
	case i >= end:
		return false, nil
	case end == i+1 && !m.have(i, tokenBroken):
		return true, m.mailbox(m.value(i))
	}
	words := slices.IndexFunc(m.tokens[i:end], func(t token) bool { return t.kind != tokenAtom }) < 0
	if words {
		return true, m.mailbox(m.span(i, end))
	}
	start, stop := m.tokens[i].start, m.tokens[end-1].end
	if m.have(i, tokenQuoted) {
		start--
	}
	if m.have(end-1, tokenQuoted) {
		stop++
	}
	return true, m.replacement(m.text[start:stop])
}

// childInfo writes CHILDINFO (RFC 5258 section 4) if it is in the list that begins at i.
func (m *mender) childInfo(i int) {
	for j := i + 1; j+1 < len(m.tokens); j = m.skip(j + 1) {
		if !is(m.value(j), "CHILDINFO") || !m.have(j+1, tokenOpen) {
			continue
		}
		m.write(` ("CHILDINFO" (`)
		first, end := true, m.skip(j+1)
		for k := j + 2; k < end; k++ {
			if !isAtom(m.value(k)) {
				continue
			}
			if !first {
				m.write(" ")
			}
			first = false
			m.writeQuoted(m.value(k))
		}
		m.write("))")
		return
	}
}

// statusBits are the items of STATUS (RFC 9051 section 7.3.5) that go-imap reads, and the bits of their numbers.
var statusBits = map[string]int{
	"MESSAGES": 32, "UIDNEXT": 32, "UIDVALIDITY": 32, "UNSEEN": 32, "DELETED": 32,
	"SIZE": 63, "DELETED-STORAGE": 63, "HIGHESTMODSEQ": 64, "APPENDLIMIT": 32,
}

// status writes STATUS without the items that go-imap cannot read.
func (m *mender) status() (bool, error) {
	i := m.extendedData(0)
	if !m.have(i, tokenOpen) {
		return false, nil
	}
	m.write(" ")
	if ok, err := m.mailboxOf(0, i); !ok || err != nil {
		return false, err
	}
	m.write(" (")
	first := true
	for i++; i+1 < len(m.tokens)-1; i = m.skip(i + 1) {
		item := upper(m.raw(i))
		bits := statusBits[item]
		if noLimit := item == "APPENDLIMIT" && m.isNIL(i+1); !noLimit && (bits == 0 || !m.number(i+1, bits)) {
			if bits != 0 {
				m.note("an item of STATUS with an impossible value was left out", m.span(i, i+2))
			}
			continue
		}
		if !first {
			m.write(" ")
		}
		first = false
		m.write(item, " ")
		m.writeBytes(bytes.ToUpper(m.raw(i + 1)))
	}
	m.write(")")
	return true, nil
}

// span returns the octets from token i up to token end.
func (m *mender) span(i, end int) []byte {
	end = min(end, len(m.tokens))
	if i >= end {
		return nil
	}
	return m.text[m.tokens[i].start:m.tokens[end-1].end]
}

// namespace writes NAMESPACE (RFC 9051 section 7.3.3): three lists of prefix and delimiter, or NIL.
func (m *mender) namespace() (bool, error) {
	i := 0
	for range 3 {
		m.write(" ")
		if !m.have(i, tokenOpen) {
			m.write("NIL")
			i++
			continue
		}
		end := m.skip(i)
		m.namespaceOf(i+1, end-1)
		i = end
	}
	return true, nil
}

// namespaceOf writes the descriptions between i and end.
func (m *mender) namespaceOf(i, end int) {
	var starts []int
	for ; i < end; i = m.skip(i) {
		if m.have(i, tokenOpen) && m.isString(i+1) && (m.have(i+2, tokenQuoted) || m.isNIL(i+2)) {
			starts = append(starts, i)
		}
	}
	if len(starts) == 0 {
		m.write("NIL")
		return
	}
	m.write("(")
	for n, start := range starts {
		if n > 0 {
			m.write(" ")
		}
		m.write("(")
		m.writeQuoted(m.value(start + 1))
		m.write(" ")
		m.delimiter(start + 2)
		m.write(")")
	}
	m.write(")")
}

// quota writes QUOTA (RFC 9208 section 5.1.2) without the resources whose numbers make no sense.
func (m *mender) quota() (bool, error) {
	if !m.isString(0) && !m.have(0, tokenAtom) || !m.have(1, tokenOpen) {
		return false, nil
	}
	m.write(" ")
	m.writeQuoted(m.value(0))
	m.write(" (")
	first, end := true, m.skip(1)
	for i := 2; i+2 < end; i += 3 {
		if !m.have(i, tokenAtom) || !isAtom(m.raw(i)) || !m.number(i+1, 63) || !m.number(i+2, 63) {
			m.note("a quota with an impossible value was left out", m.span(i, i+3))
			continue
		}
		if !first {
			m.write(" ")
		}
		first = false
		m.write(string(m.raw(i)), " ", string(m.raw(i+1)), " ", string(m.raw(i+2)))
	}
	m.write(")")
	return true, nil
}

// quotaRoot writes QUOTAROOT (RFC 9208 section 5.1.3).
func (m *mender) quotaRoot() (bool, error) {
	if len(m.tokens) == 0 {
		return false, nil
	}
	m.write(" ")
	if err := m.mailbox(m.value(0)); err != nil {
		return false, err
	}
	for i := 1; i < len(m.tokens); i++ {
		m.write(" ")
		m.writeQuoted(m.value(i))
	}
	return true, nil
}

// id writes ID (RFC 2971 section 3.2) without the fields that are NIL.
func (m *mender) id() (bool, error) {
	if !m.have(0, tokenOpen) {
		m.write(" NIL")
		return true, nil
	}
	m.write(" (")
	first := true
	for i := 1; i+1 < len(m.tokens); i += 2 {
		if !m.isString(i) || !m.isString(i+1) || len(m.value(i)) == 0 {
			continue
		}
		if !first {
			m.write(" ")
		}
		first = false
		m.writeQuoted(m.value(i))
		m.write(" ")
		m.writeQuoted(m.value(i + 1))
	}
	m.write(")")
	return true, nil
}
