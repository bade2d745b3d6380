package wire

import (
	"bytes"
	"math"
	"strings"
)

// line writes a response without literals: a status response, a continuation request, a count.
func (m *mender) line(text []byte) error {
	if len(text) == 0 {
		m.note("an empty line was dropped", nil)
		return nil
	}
	if text[0] == '+' {
		m.continuation(text[1:])
		return nil
	}
	tag, rest := cutWord(text)
	word, rest := cutWord(rest)
	if string(tag) == "*" {
		if isStatus(word) {
			m.untaggedStatus(text, word, rest)
		} else {
			m.count(text, word, rest)
		}
		return nil
	}
	return m.tagged(text, tag, word, rest)
}

// continuation passes a continuation request that is due: go-imap dies of any other.
func (m *mender) continuation(rest []byte) {
	c := m.conn
	c.mu.Lock()
	due := c.commands.consented()
	c.mu.Unlock()
	if !due {
		m.note("a continuation request that nothing waits for was dropped", rest)
		return
	}
	m.write("+ ")
	m.writeText(bytes.TrimLeft(rest, " "))
	m.write("\r\n")
}

// tagged passes the answer to a command under way.
func (m *mender) tagged(text, tag, word, rest []byte) error {
	if !validTag(string(tag)) || !isStatus(word) {
		return &SyntaxError{Line: shortened(string(text))}
	}
	c := m.conn
	c.mu.Lock()
	known := c.commands.finish(string(tag))
	if known {
		c.counts = counts{}
	}
	c.mu.Unlock()
	if !known {
		m.note("the answer to a command that is not under way was dropped", text)
		return nil
	}
	m.writeBytes(tag)
	m.write(" ")
	if is(word, "BYE") || is(word, "PREAUTH") {
		// No answer to a command (RFC 9051 section 7.1). What is not known to have succeeded has failed.
		m.note("the answer to a command was neither OK nor NO nor BAD", text)
		word = []byte("BAD")
	}
	m.statusText(word, rest)
	return nil
}

func (m *mender) untaggedStatus(text, word, rest []byte) {
	if is(word, "BYE") {
		r := ParseResponse("* BYE " + string(rest))
		c := m.conn
		c.mu.Lock()
		c.bye = &ByeError{Code: r.Code, Text: r.Text}
		c.mu.Unlock()
	}
	m.write("* ")
	m.statusText(word, rest)
}

// count writes EXISTS, RECENT or EXPUNGE.
func (m *mender) count(text, n, rest []byte) {
	word, _ := cutWord(rest)
	value, ok := number(n, 32)
	if !ok || value == 0 && is(word, "EXPUNGE") {
		m.note("a response that makes no sense was dropped", text)
		return
	}
	m.write("* ")
	m.writeBytes(n)
	m.write(" ", upper(word), "\r\n")
}

// statusText writes OK, NO, BAD, BYE or PREAUTH with its response code and text. A code that go-imap would stumble over is left out.
func (m *mender) statusText(word, rest []byte) {
	m.write(upper(word))
	if code, ok := bytes.CutPrefix(rest, []byte("[")); ok {
		inside, after, closed := cutCode(code)
		rest = bytes.TrimLeft(after, " ")
		mark := m.mark()
		m.write(" [")
		if closed && m.code(inside) {
			m.write("]")
		} else {
			m.undo(mark)
			m.note("a response code was left out", code)
			rest = bytes.TrimLeft(rest, "[ ") // it is none
		}
	}
	if len(rest) > 0 {
		m.write(" ")
		m.writeText(rest)
	}
	m.write("\r\n")
}

// cutCode splits at the bracket that closes a response code: not one in a string or a list, unless there is no other.
func cutCode(text []byte) (inside, after []byte, ok bool) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := closingQuote(text, i)
			if end < 0 {
				return bytes.Cut(text, []byte("]"))
			}
			i = end
		case '(':
			depth++
		case ')':
			depth--
		case ']':
			if depth <= 0 {
				return text[:i], text[i+1:], true
			}
		}
	}
	inside, after, ok = bytes.Cut(text, []byte("]"))
	if !ok {
		return nil, text, false
	}
	return inside, after, true
}

// code writes the response code and reports whether there is anything to write. Where go-imap does not read the
// argument, the name is enough.
func (m *mender) code(inside []byte) bool {
	name, arg := cutWord(inside)
	if !isAtom(name) {
		return false
	}
	m.write(strings.ToUpper(string(name)))
	switch args := bytes.Fields(arg); {
	case is(name, "CAPABILITY"):
		if m.caps != nil {
			return m.writeNames(m.caps)
		}
		return m.writeNames(strings.Fields(string(arg)))
	case is(name, "PERMANENTFLAGS"):
		return m.permanentFlags(arg)
	case is(name, "UIDNEXT") || is(name, "UIDVALIDITY"):
		return m.codeArgs(args, len(args) == 1 && fits(args[0], 32))
	case is(name, "HIGHESTMODSEQ"):
		return m.codeArgs(args, len(args) == 1 && fits(args[0], 64))
	case is(name, "APPENDUID"):
		return m.codeArgs(args, len(args) == 2 && fits(args[0], 32) && fits(args[1], 32))
	case is(name, "COPYUID"):
		return m.codeArgs(args, len(args) == 3 && len(arg) <= maxCodeSet && fits(args[0], 32) && isSet(args[1]) && isSet(args[2]))
	}
	return true
}

func (m *mender) codeArgs(args [][]byte, ok bool) bool {
	for _, arg := range args {
		if ok {
			m.write(" ")
			m.writeBytes(arg)
		}
	}
	return ok
}

// permanentFlags has to cut its list into tokens first: status responses are not.
func (m *mender) permanentFlags(arg []byte) bool {
	l := lexer{maxDepth: 1}
	l.begin(0)
	if _, isLiteral, err := l.line(arg); isLiteral || err != nil {
		return false
	}
	text, tokens := m.text, m.tokens
	m.text, m.tokens = arg, l.tokens
	m.write(" ")
	m.flags(0, math.MaxInt)
	m.text, m.tokens = text, tokens
	return true
}

func fits(b []byte, bits int) bool {
	_, ok := number(b, bits)
	return ok
}

// writeText writes text for people. A control character would end it for go-imap, or end the line.
func (m *mender) writeText(text []byte) {
	for _, c := range text {
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		m.out = append(m.out, c)
	}
}
