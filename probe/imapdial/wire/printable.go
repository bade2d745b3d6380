package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns s on one line and without what acts on a terminal or hides text: escape sequences as a whole,
// control characters (C0, C1, DEL), and invisible formatting such as bidirectional overrides and zero-width spaces.
// Tabs and line feeds become spaces, octets that are not UTF-8 become U+FFFD. So server text can go to a
// terminal, a log or a report.
func Printable(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		if n := escapeSequence(s); n > 0 {
			s = s[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == '\t' || r == '\n' || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		case visible(r):
			b.WriteRune(r) // an invalid octet was decoded to U+FFFD
		}
	}
	return b.String()
}

// plain reports whether s is printable ASCII, which nearly all lines are.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// visible reports whether r may stand in output. Of the format characters (Cf: overrides, isolates, marks, zero-width
// and tag characters) only the joiners stay: Persian, Indic scripts and emoji need them.
func visible(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return r == nonJoiner || r == joiner || !unicode.In(r, unicode.Cc, unicode.Cf)
}

// Introducers of escape sequences in ECMA-48 section 5, behind ESC or as a C1 character.
const (
	esc = '\x1b'
	bel = '\x07'
)

// escapeSequence returns the length of the escape sequence that s starts with, or 0. A sequence without its end
// counts as its introducer alone, so that a server cannot make the rest of a text vanish.
func escapeSequence(s string) int {
	var introducer byte // as the second octet of the 7-bit form
	var n int
	switch r, size := utf8.DecodeRuneInString(s); {
	case r == esc && len(s) == 1:
		return 1
	case r == esc:
		introducer, n = s[1], 2
	case r >= 0x80 && r <= 0x9f:
		introducer, n = byte(r-0x40), size
	default:
		return 0
	}
	switch introducer {
	case '[': // CSI: parameters, intermediates, a final octet
		return n + controlSequence(s[n:])
	case ']', 'P', 'X', '^', '_': // OSC, DCS, SOS, PM, APC: a string up to ST, or BEL as xterm has it
		return n + controlString(s[n:])
	}
	if s[0] != esc {
		return n
	}
	return shortSequence(s)
}

// controlSequence returns the length of what follows CSI, or 0 when it does not end as one.
func controlSequence(s string) int {
	i := 0
	for i < len(s) && s[i] >= 0x30 && s[i] <= 0x3f {
		i++
	}
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f {
		i++
	}
	if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
		return i + 1
	}
	return 0
}

// controlString returns the length of a string with its terminator, or 0 when another control character comes first.
func controlString(s string) int {
	for i, r := range s {
		switch {
		case r == bel:
			return i + 1
		case r == '\u009c': // ST
			return i + utf8.RuneLen(r)
		case r == esc && i+1 < len(s) && s[i+1] == '\\': // ST
			return i + 2
		case unicode.IsControl(r):
			return 0
		}
	}
	return 0
}

// shortSequence returns the length of ESC, intermediates and a final octet, or 1 for ESC alone.
func shortSequence(s string) int {
	i := 1
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f {
		i++
	}
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		return i + 1
	}
	return 1
}
