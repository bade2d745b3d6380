package wire

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Mend is a kind of change to what the server sent, made because go-imap would have died of it or not have understood it.
type Mend struct {
	What    string // "a flag was left out", …
	Example string // the first one, printable
	Count   int
}

type mends map[string]*Mend

// Mends returns what was left out or replaced so far, in the order of What.
func (c *Conn) Mends() []Mend {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Mend
	for _, what := range slices.Sorted(maps.Keys(c.mends)) {
		list = append(list, *c.mends[what])
	}
	return list
}

// A mender writes responses anew for the library.
type mender struct {
	conn *Conn
	caps []string // what the library is to see as capabilities; nil for what the server lists

	text   []byte // the response, or a segment of it
	tokens []token
	out    []byte // for the library to read
}

// mend writes what the library may see of a complete response. Errors: *LimitError, *SyntaxError.
func (m *mender) mend(r *incoming, text []byte) error {
	m.text, m.tokens = text, r.lexer.tokens
	switch r.kind {
	case kindLine:
		return m.line(text)
	case kindNumbers:
		m.numbers(text)
		return nil
	case kindFetch:
		m.fetchToEnd(r)
		return nil
	}
	return m.data(r.word, text)
}

// note counts a mend.
func (m *mender) note(what string, example []byte) {
	c := m.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.mends[what]
	if !ok {
		if c.mends == nil {
			c.mends = make(mends)
		}
		entry = &Mend{What: what, Example: shortened(string(example[:min(len(example), maxExample)]))}
		c.mends[what] = entry
	}
	entry.Count++
}

// maxExample is how much of what was mended is kept.
const maxExample = 200

// write appends to what the library reads.
func (m *mender) write(parts ...string) {
	for _, p := range parts {
		m.out = append(m.out, p...)
	}
}

func (m *mender) writeBytes(b []byte) { m.out = append(m.out, b...) }

func (m *mender) writeQuoted(b []byte) { m.writeBytes(quote(b)) }

// mark and undo take back what was written since.
func (m *mender) mark() int     { return len(m.out) }
func (m *mender) undo(mark int) { m.out = m.out[:mark] }

// dataMenders write the arguments of untagged data from their tokens. False means that nothing of it can be used.
var dataMenders = map[string]func(*mender) (bool, error){
	"CAPABILITY": (*mender).capability,
	"ENABLED":    (*mender).enabled,
	"FLAGS":      (*mender).flagsData,
	"LIST":       (*mender).list,
	"STATUS":     (*mender).status,
	"ESEARCH":    (*mender).esearch,
	"NAMESPACE":  (*mender).namespace,
	"QUOTA":      (*mender).quota,
	"QUOTAROOT":  (*mender).quotaRoot,
	"ID":         (*mender).id,
}

func (m *mender) data(word string, text []byte) error {
	mend, known := dataMenders[word]
	if !known {
		m.note("a response that is not in use here was dropped", text)
		return nil
	}
	mark := m.mark()
	m.write("* ", word)
	usable, err := mend(m)
	if err != nil || !usable {
		m.undo(mark)
		m.note("a response that makes no sense was dropped", text)
		return err
	}
	m.write("\r\n")
	return nil
}

// have reports whether there is a token i of kind k.
func (m *mender) have(i int, k tokenKind) bool { return i < len(m.tokens) && m.tokens[i].kind == k }

// raw returns the octets of token i as they came; strings still have their escapes.
func (m *mender) raw(i int) []byte {
	if i >= len(m.tokens) {
		return nil
	}
	t := m.tokens[i]
	return m.text[t.start:t.end]
}

// value returns what the atom or string i means.
func (m *mender) value(i int) []byte {
	b := m.raw(i)
	if !m.have(i, tokenQuoted) || bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	var plain []byte
	for j := 0; j < len(b); j++ {
		if b[j] == '\\' && j+1 < len(b) {
			j++
		}
		plain = append(plain, b[j])
	}
	return plain
}

// isNIL takes any case: servers that write nil are known.
func (m *mender) isNIL(i int) bool { return m.have(i, tokenAtom) && is(m.raw(i), "NIL") }

func (m *mender) isString(i int) bool { return m.have(i, tokenQuoted) || m.have(i, tokenLiteral) }

// number reports whether token i is a number of at most bits bits, the sign left out.
func (m *mender) number(i, bits int) bool {
	if !m.have(i, tokenAtom) {
		return false
	}
	_, ok := number(m.raw(i), bits)
	return ok
}

// number parses digits. go-imap takes no sign and nothing behind them.
func number(b []byte, bits int) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 || b[0] < '0' || b[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), 10, bits)
	return n, err == nil
}

// skip returns the index behind the value that begins at i.
func (m *mender) skip(i int) int {
	depth := 0
	for ; i < len(m.tokens); i++ {
		switch m.tokens[i].kind {
		case tokenOpen:
			depth++
		case tokenShut:
			depth--
		}
		if depth <= 0 {
			return i + 1
		}
	}
	return i
}

// writeString writes the string i as it came. go-imap takes any octet in one.
func (m *mender) writeString(i int) {
	if m.have(i, tokenLiteral) {
		m.write(fmt.Sprintf("{%d}\r\n", len(m.raw(i))))
		m.writeBytes(m.raw(i))
		return
	}
	m.write(`"`)
	m.writeBytes(m.raw(i))
	m.write(`"`)
}

// atomChar reports whether c may stand in an atom that go-imap reads (RFC 9051 section 9).
func atomChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`(){%*"\]`, c) < 0
}

func isAtom(b []byte) bool {
	for _, c := range b {
		if !atomChar(c) {
			return false
		}
	}
	return len(b) > 0
}

// isFlag takes a keyword or a system flag, and \* where it means that new keywords can be made.
func isFlag(b []byte) bool {
	name, system := bytes.CutPrefix(b, []byte(`\`))
	return isAtom(name) || system && string(name) == "*"
}

// flags writes the list of flags or attributes that begins at i, the first limit of them, and returns the index behind it.
func (m *mender) flags(i, limit int) int {
	m.write("(")
	end := m.skip(i)
	if m.have(i, tokenOpen) {
		for written := 0; i < end && written < limit; i++ {
			switch {
			case m.have(i, tokenOpen) || m.have(i, tokenShut):
				continue
			case !isFlag(m.value(i)):
				m.note("a flag that no command can carry was left out", m.value(i))
				continue
			}
			if written > 0 {
				m.write(" ")
			}
			written++
			m.writeBytes(m.value(i))
		}
	}
	m.write(")")
	return end
}

func (m *mender) flagsData() (bool, error) {
	m.write(" ")
	m.flags(0, math.MaxInt)
	return true, nil
}

func (m *mender) capability() (bool, error) {
	names := m.caps
	if names == nil {
		for i := range m.tokens {
			names = append(names, string(m.raw(i)))
		}
	}
	return m.writeNames(names), nil
}

func (m *mender) enabled() (bool, error) {
	var names []string
	for i := range m.tokens {
		names = append(names, string(m.raw(i)))
	}
	m.writeNames(names)
	return true, nil
}

// writeNames writes the atoms among names, each behind a space, and reports whether there are any.
func (m *mender) writeNames(names []string) bool {
	any := false
	for _, name := range names {
		if isAtom([]byte(name)) {
			m.write(" ", name)
			any = true
		}
	}
	return any
}
