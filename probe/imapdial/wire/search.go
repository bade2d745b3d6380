package wire

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
)

// numbers writes SEARCH or SORT (RFC 9051 section 7.3.4, RFC 5256 section 4). A search result is a set: sorted, because go-imap takes
// quadratic time to insert numbers that come backwards.
func (m *mender) numbers(text []byte) {
	_, rest := cutWord(text)
	word, rest := cutWord(rest)
	m.write("* ", upper(word))
	if is(word, "SEARCH") {
		m.sortedNumbers(rest)
	} else {
		m.eachNumber(rest, func(_ uint32, digits []byte) {
			m.write(" ")
			m.writeBytes(digits)
		})
	}
	m.write("\r\n")
}

func (m *mender) sortedNumbers(text []byte) {
	text, modSeq := cutModSeq(text)
	var found []uint32
	m.eachNumber(text, func(n uint32, _ []byte) { found = append(found, n) })
	if !slices.IsSorted(found) {
		slices.Sort(found)
	}
	out := m.out
	for _, n := range slices.Compact(found) {
		out = strconv.AppendUint(append(out, ' '), uint64(n), 10)
	}
	m.out = out
	if fits(modSeq, 64) {
		m.write(" (MODSEQ ")
		m.writeBytes(modSeq)
		m.write(")")
	}
}

// cutModSeq takes (MODSEQ n) off the end of a search result (RFC 7162 section 3.1.5).
func cutModSeq(text []byte) (rest, modSeq []byte) {
	i := bytes.LastIndexByte(text, '(')
	if i < 0 {
		return text, nil
	}
	word, arg := cutWord(text[i+1:])
	if !is(word, "MODSEQ") {
		return text, nil
	}
	return text[:i], bytes.TrimRight(arg, " )")
}

// eachNumber calls f for the numbers in text; 0 is none (RFC 9051 section 9, nz-number), and would mean "*" to go-imap.
func (m *mender) eachNumber(text []byte, f func(n uint32, digits []byte)) {
	for len(text) > 0 {
		var word []byte
		if word, text = cutWord(text); len(word) == 0 {
			text = bytes.TrimLeft(text, " ")
			continue
		}
		if n, ok := number(word, 32); ok && n > 0 {
			f(uint32(n), word)
		} else {
			m.note("what is no number was left out of a search result", word)
		}
	}
}

// esearch writes an extended search result (RFC 4731 section 3.1).
func (m *mender) esearch() (bool, error) {
	i := 0
	var tag []byte // go-imap cannot do without; the empty one fits every search
	if m.have(0, tokenOpen) {
		if !is(m.raw(1), "TAG") || !m.isString(2) && !m.have(2, tokenAtom) || !m.have(3, tokenShut) {
			return false, nil
		}
		tag = m.value(2)
		i = 4
	}
	m.write(" (TAG ")
	m.writeQuoted(tag)
	m.write(")")
	if m.have(i, tokenAtom) && is(m.raw(i), "UID") {
		m.write(" UID")
		i++
	}
	for i+1 < len(m.tokens) {
		m.esearchItem(m.raw(i), i+1)
		i = m.skip(i + 1)
	}
	return true, nil
}

func (m *mender) esearchItem(name []byte, i int) {
	set := sortedSet(m.raw(i))
	switch {
	case is(name, "ALL") && set != nil:
		m.write(" ALL ")
		m.writeBytes(set)
	case is(name, "MIN") && m.number(i, 32), is(name, "MAX") && m.number(i, 32),
		is(name, "COUNT") && m.number(i, 32), is(name, "MODSEQ") && m.number(i, 64):
		m.write(" ", upper(name), " ")
		m.writeBytes(m.raw(i))
	default:
		m.note("an item was left out of a search result", name)
	}
}

// A span is a range of a set of numbers, in order.
type span struct{ first, last uint32 }

// parseSet parses a sequence-set without "*" (RFC 9051 section 9). It returns nil if text is none.
func parseSet(text []byte) []span {
	var set []span
	for part := range bytes.SplitSeq(text, []byte(",")) {
		from, to, isRange := bytes.Cut(part, []byte(":"))
		if !isRange {
			to = from
		}
		first, ok1 := number(from, 32)
		last, ok2 := number(to, 32)
		if !ok1 || !ok2 || from[0] == '0' || to[0] == '0' {
			return nil
		}
		set = append(set, span{uint32(min(first, last)), uint32(max(first, last))})
	}
	return set
}

func isSet(text []byte) bool { return parseSet(text) != nil }

// sortedSet returns the set in order, or nil if text is none.
func sortedSet(text []byte) []byte {
	set := parseSet(text)
	slices.SortFunc(set, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var out []byte
	for i, s := range set {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, uint64(s.first), 10)
		if s.last > s.first {
			out = strconv.AppendUint(append(out, ':'), uint64(s.last), 10)
		}
	}
	return out
}
