package wire

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// fetchList is how far the list of a FETCH response is (RFC 9051 section 7.5.2).
type fetchList struct {
	begun  bool // its first segment was looked at
	opened bool // its head is written
	closed bool // its end has come, or it is no list
}

// fetchUpToLiteral writes a segment that ends in a literal of n octets, and reports whether the library is to get that.
func (m *mender) fetchUpToLiteral(r *incoming, n int64) bool {
	m.text, m.tokens = r.held, r.lexer.tokens
	name := m.fetchItems(r)
	if name == nil {
		return false
	}
	mark := m.mark()
	m.separate(r)
	if !m.sectionName(name) {
		m.undo(mark)
		m.note("a FETCH item was left out", name)
		return false
	}
	r.list.opened = true
	m.writeBytes(name)
	m.write(" {", strconv.FormatInt(n, 10), "}\r\n")
	return true
}

// fetchToEnd writes the last segment. A response of which nothing remains is no answer, and is not passed.
func (m *mender) fetchToEnd(r *incoming) {
	m.fetchItems(r)
	if r.list.opened {
		m.write(")\r\n")
	}
}

// fetchItems writes the items of a segment that go-imap can read. If the last one lacks its value, it returns its name.
func (m *mender) fetchItems(r *incoming) (name []byte) {
	i := 0
	if !r.list.begun {
		r.list.begun = true
		r.list.closed = !m.have(0, tokenOpen)
		i = 1
	}
	for i < len(m.tokens) && !r.list.closed {
		switch {
		case m.have(i, tokenShut):
			r.list.closed = true
		case !m.have(i, tokenAtom):
			i = m.skip(i)
		case i+1 == len(m.tokens):
			return m.raw(i)
		case m.have(i+1, tokenShut):
			m.note("a FETCH item was left out", m.raw(i))
			i++
		default:
			m.fetchItem(r, i)
			i = m.skip(i + 1)
		}
	}
	return nil
}

// fetchItem writes the item whose name is token i, or leaves it out: what is not there is unknown, and go-imap dies of less.
func (m *mender) fetchItem(r *incoming, i int) {
	mark := m.mark()
	m.separate(r)
	if !m.fetchValue(m.raw(i), i+1) {
		m.undo(mark)
		m.note("a FETCH item was left out", m.span(i, m.skip(i+1)))
		return
	}
	r.list.opened = true
}

// separate writes what stands before an item.
func (m *mender) separate(r *incoming) {
	if r.list.opened {
		m.write(" ")
		return
	}
	m.out = strconv.AppendUint(append(m.out, "* "...), uint64(r.number), 10)
	m.write(" FETCH (")
}

// fetchValue writes the item name with the value at token i and reports whether it is one that go-imap can read.
func (m *mender) fetchValue(name []byte, i int) bool {
	switch {
	case is(name, "UID"):
		return m.number(i, 32) && m.raw(i)[0] != '0' && m.plainItem("UID ", i)
	case is(name, "FLAGS"):
		if !m.have(i, tokenOpen) && !m.isNIL(i) {
			return false
		}
		m.write("FLAGS ")
		m.flags(i, math.MaxInt)
		return true
	case is(name, "INTERNALDATE"):
		if !m.have(i, tokenQuoted) || !isDateTime(m.raw(i)) {
			return false
		}
		m.write("INTERNALDATE ")
		m.writeString(i)
		return true
	case is(name, "RFC822.SIZE"):
		return m.number(i, 63) && m.plainItem("RFC822.SIZE ", i)
	case is(name, "MODSEQ"):
		if !m.have(i, tokenOpen) || !m.number(i+1, 64) || !m.have(i+2, tokenShut) {
			return false
		}
		m.write("MODSEQ (")
		m.writeBytes(m.raw(i + 1))
		m.write(")")
		return true
	case is(name, "ENVELOPE"):
		m.write("ENVELOPE ")
		_, ok := m.envelope(i)
		return ok
	case is(name, "BODY") || is(name, "BODYSTRUCTURE"):
		m.write(upper(name), " ")
		_, ok := m.body(i)
		return ok
	}
	return m.sectionValue(name, i)
}

func (m *mender) plainItem(name string, i int) bool {
	m.write(name)
	m.writeBytes(m.raw(i))
	return true
}

// sectionValue writes BODY[…] or BINARY[…] that is NIL or quoted, or BINARY.SIZE[…].
func (m *mender) sectionValue(name []byte, i int) bool {
	base, section, _ := bytes.Cut(name, []byte("["))
	switch {
	case is(base, "BINARY.SIZE") && isPart(section) && m.number(i, 32):
		m.writeBytes(name)
		m.write(" ")
		m.writeBytes(m.raw(i))
	case !m.sectionName(name):
		return false
	case m.isNIL(i):
		m.writeBytes(name)
		m.write(" NIL")
	case m.have(i, tokenQuoted):
		m.writeBytes(name)
		m.write(" ")
		m.writeString(i)
	default:
		return false
	}
	return true
}

// sectionName reports whether name is BODY[…] or BINARY[…] as go-imap reads it.
func (m *mender) sectionName(name []byte) bool {
	base, section, found := bytes.Cut(name, []byte("["))
	return found && (is(base, "BODY") && isSection(section) || is(base, "BINARY") && isPart(section))
}

// isDateTime reports whether go-imap can read b as a date-time (RFC 9051 section 9).
func isDateTime(b []byte) bool {
	t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", string(b))
	return err == nil && !t.IsZero()
}

// cutPart takes the part number off the front of a section: numbers with dots between them. dot: one follows.
func cutPart(b []byte) (rest []byte, parts int, dot bool) {
	for {
		n := 0
		for n < len(b) && '0' <= b[n] && b[n] <= '9' {
			n++
		}
		if n == 0 || !fits(b[:n], 32) {
			return b, parts, parts > 0
		}
		b = b[n:]
		parts++
		if len(b) == 0 || b[0] != '.' {
			return b, parts, false
		}
		b = b[1:]
	}
}

// isPart reports whether b, which stands behind the opening bracket, is a section of BINARY (RFC 3516 section 4.1).
func isPart(b []byte) bool {
	rest, _, dot := cutPart(b)
	return !dot && string(rest) == "]"
}

// isSection reports whether b, which stands behind the opening bracket, is a section of BODY with its origin octet, if any.
func isSection(b []byte) bool {
	rest, parts, dot := cutPart(b)
	if dot || parts == 0 {
		n := 0
		for n < len(rest) && atomChar(rest[n]) {
			n++
		}
		specifier := rest[:n]
		rest = rest[n:]
		if dot && n == 0 || n > 0 && '0' <= specifier[0] && specifier[0] <= '9' {
			return false // a number too large for go-imap is none to it, and the whole message the section
		}
		if is(specifier, "HEADER.FIELDS") || is(specifier, "HEADER.FIELDS.NOT") {
			var ok bool
			if rest, ok = cutHeaderList(rest); !ok {
				return false
			}
		}
	}
	rest, closed := bytes.CutPrefix(rest, []byte("]"))
	if !closed || len(rest) == 0 {
		return closed
	}
	origin, closed := bytes.CutSuffix(rest[1:], []byte(">"))
	return closed && rest[0] == '<' && fits(origin, 32)
}

// cutHeaderList takes a list of field names in parentheses off the front of b, which begins with a space.
func cutHeaderList(b []byte) (rest []byte, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(" ("))
	if !ok {
		return nil, false
	}
	for {
		n := 0
		if len(b) > 0 && b[0] == '"' {
			n = closingQuote(b, 0) + 1
		} else {
			for n < len(b) && atomChar(b[n]) {
				n++
			}
		}
		if n <= 0 || n == len(b) {
			return nil, false
		}
		b = b[n:]
		if b[0] == ')' {
			return b[1:], true
		}
		if b[0] != ' ' {
			return nil, false
		}
		b = b[1:]
	}
}
