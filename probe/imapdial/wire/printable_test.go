package wire

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain text stays", "NO [X] it's 5% (so)", "NO [X] it's 5% (so)"},
		{"letters of any script stay", "Entwürfe 受信箱 شما\u200cرا 👩\u200d💻", "Entwürfe 受信箱 شما\u200cرا 👩\u200d💻"},
		{"tab and line feed become spaces", "a\tb\r\nc\u2028d", "a b c d"},
		{"C0, C1 and DEL go", "a\x00\x07\x08\x7f\u0085\u009fb", "ab"},
		{"CSI goes whole", "a\x1b[1;31mb\x1b[2 qc\u009b31md", "abcd"},
		{"a raw 0x9b is no UTF-8", "a\x9b31mb", "a\uFFFD31mb"},
		{"OSC goes whole", "a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\c\u009d52;c;eA==\u009cd", "ablinkcd"},
		{"DCS, SOS, PM and APC go whole", "a\x1bPx\x1b\\b\x1bXx\x1b\\c\x1b^x\x1b\\d\x1b_x\x1b\\e", "abcde"},
		{"short sequences go whole", "a\x1bcb\x1b(Bc\x1b#8d\x1b", "abcd"},
		{"a sequence without end takes no text with it", "a\x1b]0;all of this stays", "a0;all of this stays"},
		{"a string is ended by any other control", "a\x1b]0;x\x1b]1;y\x07b", "a0;xb"},
		{"a parameter without end stays", "a\x1b[31", "a31"},
		{"overrides and isolates go", "a\u202eb\u2066c\u2069d\u200fe\u061cf", "abcdef"},
		{"zero-width and tag characters go", "a\u200bb\ufeffc\u2060d\U000e0041e\u00adf", "abcdef"},
		{"what is no UTF-8 is replaced", "a\xffb\xc3", "a\uFFFDb\uFFFD"},
		{"a sequence that appears when another is removed", "a\x1b\x1b[m[31mb", "a[31mb"},
	} {
		if got := Printable(tt.in); got != tt.want {
			t.Errorf("%s: Printable(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"a\x1b[31mb", "\x1b]0;\x1b\\\u009b1\u009d\u009c", "\x1b\x1b[m[31m", "\xff\u202e\t\r\n", "\u009b\x9b\xc2\xc2\x9b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if !utf8.ValidString(got) {
			t.Errorf("Printable(%q) = %q is not UTF-8", s, got)
		}
		if i := strings.IndexFunc(got, unicode.IsControl); i >= 0 {
			t.Errorf("Printable(%q) = %q has a control character at %d", s, got, i)
		}
		if again := Printable(got); again != got {
			t.Errorf("Printable twice gives %q, then %q", got, again)
		}
		if !unsafeOctets(s) && got != s {
			t.Errorf("Printable(%q) = %q, want it unchanged", s, got)
		}
	})
}

// unsafeOctets reports whether s has anything but printable ASCII.
func unsafeOctets(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0
}

func TestPrintableTakesLinearTime(t *testing.T) {
	for _, piece := range []string{"\x1b]", "\u009d", "\x1b[", "\x1b[1", "\x1bPx", "\x1b(", "\x1b"} {
		s := strings.Repeat(piece, 1<<20/len(piece))
		if got := Printable(s); len(got) > len(s) {
			t.Errorf("%q grows from %d to %d octets", piece, len(s), len(got))
		}
	}
}
