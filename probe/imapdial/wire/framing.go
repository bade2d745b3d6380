package wire

import (
	"bytes"
	"strconv"
)

// A kind of response, by what has to be known to find its end.
type kind uint8

const (
	kindUnknown kind = iota // its first line is not complete
	kindLine                // one line without literals: status responses, continuation requests, counts, and what is no response
	kindNumbers             // one line that may be long: SEARCH and SORT
	kindFetch               // FETCH: literals may be large
	kindData                // other data; literals are short strings
)

// lexed reports whether the response consists of tokens, and so may hold literals.
func (k kind) lexed() bool { return k == kindFetch || k == kindData }

// An incoming response is what is held of one from the server. FETCH is held in segments, from one streamed literal to the next.
type incoming struct {
	kind      kind
	word      string // of data: its name in upper case
	number    uint32 // of FETCH
	held      []byte // lines with their ends, and literals
	lineStart int    // where the current line begins in held
	need      int64  // octets of a literal in held still to come
	octets    int    // so far, literals that stream through left out
	lexer     lexer
	shown     []byte // what transcript and hook get
	list      fetchList
}

// started reports whether octets of the response came.
func (r *incoming) started() bool { return r.octets > 0 }

// limit returns how many octets the response may have.
func (r *incoming) limit(lineLimit int) int {
	if r.kind == kindNumbers || r.kind == kindUnknown && hasNumbers(r.held) {
		return lineLimit * searchLines
	}
	return lineLimit
}

// hasNumbers reports whether an untagged response is one that may be long.
func hasNumbers(text []byte) bool {
	tag, rest := cutWord(text)
	word, _ := cutWord(rest)
	return string(tag) == "*" && (is(word, "SEARCH") || is(word, "SORT"))
}

// classify finds the kind by the first line, and where the lexer begins.
func (r *incoming) classify(text []byte) {
	tag, rest := cutWord(text)
	word, rest := cutWord(rest)
	switch {
	case string(tag) != "*" || isStatus(word):
		r.kind = kindLine
		return
	case is(word, "SEARCH") || is(word, "SORT"):
		r.kind = kindNumbers
		return
	}
	r.kind = kindData
	if n, err := strconv.ParseUint(string(word), 10, 32); err == nil {
		r.number = uint32(n)
		word, rest = cutWord(rest)
	}
	switch {
	case is(word, "FETCH"):
		r.kind = kindFetch
	case is(word, "EXISTS") || is(word, "RECENT") || is(word, "EXPUNGE"):
		r.kind = kindLine
	default:
		r.word = upper(word)
	}
	r.lexer.brackets = r.kind == kindFetch
	r.lexer.listing = r.word == "LIST"
	r.lexer.begin(len(text) - len(rest))
}

// nextSegment makes room for what follows a literal that streams through.
func (r *incoming) nextSegment() {
	r.held = r.held[:0]
	r.lineStart = 0
	r.lexer.nextSegment()
}

// reset makes ready for the next response.
func (r *incoming) reset() {
	held, shown, lexer := r.held[:0], r.shown[:0], r.lexer
	if cap(held) > maxIdleBuffer || cap(shown) > maxIdleBuffer {
		held, shown = nil, nil
	}
	lexer.reset()
	*r = incoming{held: held, shown: shown, lexer: lexer}
}

// cutWord returns the first word of text and what follows the spaces behind it.
func cutWord(text []byte) (word, rest []byte) {
	i := bytes.IndexByte(text, ' ')
	if i < 0 {
		return text, nil
	}
	return text[:i], bytes.TrimLeft(text[i:], " ")
}

func isStatus(word []byte) bool {
	return is(word, "OK") || is(word, "NO") || is(word, "BAD") || is(word, "BYE") || is(word, "PREAUTH")
}

// is reports whether word is s, which is in upper case.
func is(word []byte, s string) bool {
	if len(word) != len(s) {
		return false
	}
	for i, c := range word {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// upper returns word in upper case, or "" if it is too long for a word of the protocol.
func upper(word []byte) string {
	if len(word) > 64 {
		return ""
	}
	return string(bytes.ToUpper(word))
}
