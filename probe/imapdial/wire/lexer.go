package wire

import (
	"bytes"
	"math"
	"strconv"
)

// A tokenKind is a piece of the grammar of RFC 9051 section 4.
type tokenKind uint8

const (
	tokenAtom    tokenKind = iota // everything that is nothing else, up to a space or a parenthesis
	tokenQuoted                   // start and end are those of what stands between the quotes
	tokenLiteral                  // start and end are those of its octets
	tokenOpen
	tokenShut
	tokenBroken // a quoted string or a bracket that its line does not close
)

// A token is a piece of a response. spaced: a space precedes it.
type token struct {
	kind       tokenKind
	spaced     bool
	start, end int32
}

// A lexer cuts data from the server into tokens, line by line. It takes what no grammar allows as atoms.
type lexer struct {
	maxDepth int
	brackets bool // atoms may have a section in brackets: FETCH
	listing  bool // a quoted string may be a lone backslash: LIST
	tokens   []token
	pos      int
	depth    int
	spaced   bool // a space precedes what comes next
}

// maxKeptTokens is how many tokens keep their room for the next response.
const maxKeptTokens = 4096

func (l *lexer) begin(pos int) { l.pos, l.spaced = pos, true }

// nextSegment goes on after a literal that streamed through.
func (l *lexer) nextSegment() {
	l.tokens, l.pos, l.spaced = l.tokens[:0], 0, false
}

func (l *lexer) reset() {
	tokens := l.tokens[:0]
	if cap(tokens) > maxKeptTokens {
		tokens = nil
	}
	*l = lexer{maxDepth: l.maxDepth, tokens: tokens}
}

// line goes on to the end of text. If the line announces a literal it returns the literal's size. Errors: *LimitError, *SyntaxError.
func (l *lexer) line(text []byte) (size int64, isLiteral bool, err error) {
	for l.pos < len(text) {
		switch c := text[l.pos]; c {
		case ' ':
			l.pos++
			l.spaced = true
			continue
		case '(':
			if l.depth++; l.depth > l.maxDepth {
				return 0, false, &LimitError{What: "levels of parentheses in one response", Limit: int64(l.maxDepth)}
			}
			l.add(tokenOpen, l.pos, l.pos+1)
		case ')':
			if l.depth == 0 {
				l.add(tokenAtom, l.pos, l.pos+1)
				break
			}
			l.depth--
			l.add(tokenShut, l.pos, l.pos+1)
		case '"':
			l.quoted(text)
		default:
			if size, isLiteral, err := announced(text[l.pos:]); isLiteral {
				l.pos = len(text)
				return size, true, err
			}
			l.atom(text)
		}
		l.spaced = false
	}
	if n := len(l.tokens); n > 0 && l.tokens[n-1].kind == tokenBroken {
		if _, ambiguous := literalSize(text); ambiguous {
			// Either the quote is stray and a literal follows, or the braces are text. Both happen; a wrong guess would
			// take the text of a message for responses.
			return 0, false, &SyntaxError{Line: shortened(string(text))}
		}
	}
	return 0, false, nil
}

func (l *lexer) add(k tokenKind, start, end int) {
	l.tokens = append(l.tokens, token{kind: k, spaced: l.spaced, start: int32(start), end: int32(end)})
	l.pos = end
}

func (l *lexer) quoted(text []byte) {
	if l.listing && bytes.HasPrefix(text[l.pos:], []byte(`"\" `)) {
		// A delimiter whose backslash is not escaped. In its place no string can begin with a quote and a space.
		l.add(tokenQuoted, l.pos+1, l.pos+2)
		l.pos++
		return
	}
	end := closingQuote(text, l.pos)
	if end < 0 {
		l.add(tokenBroken, l.pos, len(text))
		return
	}
	l.add(tokenQuoted, l.pos+1, end)
	l.pos = end + 1
}

// closingQuote returns where the string that begins with the quote at start has its other quote, or -1.
func closingQuote(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func (l *lexer) atom(text []byte) {
	for i := l.pos; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ' || c == '(' || c == ')':
			l.add(tokenAtom, l.pos, i)
			return
		case c == '[' && l.brackets && l.depth == 1:
			l.section(text, i)
			return
		}
	}
	l.add(tokenAtom, l.pos, len(text))
}

// section ends the name of a FETCH item behind its section and origin octet, such as BODY[HEADER.FIELDS ("A")]<0>.
func (l *lexer) section(text []byte, bracket int) {
	for i := bracket; i < len(text); i++ {
		switch text[i] {
		case '"':
			if i = closingQuote(text, i); i < 0 {
				l.add(tokenBroken, l.pos, len(text))
				return
			}
		case ']':
			i++
			if i < len(text) && text[i] == '<' {
				if n := bytes.IndexByte(text[i:], '>'); n >= 0 {
					i += n + 1
				}
			}
			l.add(tokenAtom, l.pos, i)
			return
		}
	}
	l.add(tokenBroken, l.pos, len(text))
}

// announced reports whether text, from a place where a value may begin to the end of the line, announces a literal: {n}, or
// ~{n} (RFC 3516 section 4.2). The n+ that only clients may write is taken too.
func announced(text []byte) (size int64, ok bool, err error) {
	text = bytes.TrimPrefix(text, []byte("~"))
	if len(text) < 3 || text[0] != '{' || text[len(text)-1] != '}' {
		return 0, false, nil
	}
	digits := bytes.TrimSuffix(text[1:len(text)-1], []byte("+"))
	if len(digits) == 0 || len(bytes.Trim(digits, "0123456789")) > 0 {
		return 0, false, nil
	}
	size, perr := strconv.ParseInt(string(digits), 10, 64)
	if perr != nil {
		return 0, true, &LimitError{What: "octets in one literal", Limit: math.MaxInt64}
	}
	return size, true, nil
}

// literalAt begins a literal whose octets will be held from start on.
func (l *lexer) literalAt(start int) { l.add(tokenLiteral, start, start) }

// literalHeld ends it.
func (l *lexer) literalHeld(end int) {
	l.tokens[len(l.tokens)-1].end = int32(end)
	l.pos = end
	l.spaced = false
}
