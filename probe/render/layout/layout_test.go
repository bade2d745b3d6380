package layout

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"":                   0,
		"INBOX":              5,
		"Müller":             6,
		"Mu\u0308ller":       6, // combining diaeresis
		"受信箱":                6,
		"\x1b[31mred\x1b[0m": 3,
	} {
		if got := Width(text); got != want {
			t.Errorf("Width(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestCutting(t *testing.T) {
	tests := []struct {
		name        string
		style       Style
		text        string
		width       int
		end, middle string
	}{
		{"what fits stays", Style{}, "INBOX", 5, "INBOX", "INBOX"},
		{"ends stay in the middle", Style{}, "Archive/2019/Projekte", 11, "Archive/20…", "Archi…jekte"},
		{"dots in ASCII", Style{ASCII: true}, "Archive/2019/Projekte", 11, "Archive/...", "Arch...ekte"},
		{"wide characters are not cut in half", Style{}, "受信箱受信箱", 8, "受信箱…", "受信…箱"},
		{"too narrow for dots", Style{}, "INBOX", 3, "INB", "INX"},
		{"nothing", Style{}, "INBOX", 0, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.style.Cut(test.text, test.width); got != test.end {
				t.Errorf("Cut gives %q, want %q", got, test.end)
			}
			if got := test.style.CutMiddle(test.text, test.width); got != test.middle {
				t.Errorf("CutMiddle gives %q, want %q", got, test.middle)
			}
		})
	}
}

func TestCuttingNeverIsTooWide(t *testing.T) {
	for _, text := range []string{"Archive/2019/Projekte", "受信箱/プロジェクト/二〇一九年", "a受b信c箱d", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301"} {
		for width := range 30 {
			for _, s := range []Style{{}, {ASCII: true}} {
				if got := s.Cut(text, width); Width(got) > width {
					t.Errorf("Cut(%q, %d) = %q, of %d columns", text, width, got, Width(got))
				}
				if got := s.CutMiddle(text, width); Width(got) > width {
					t.Errorf("CutMiddle(%q, %d) = %q, of %d columns", text, width, got, Width(got))
				}
			}
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		name, text string
		width      int
		want       []string
	}{
		{"nothing is one line", "", 10, []string{""}},
		{"between words", "the server did not answer", 11, []string{"the server", "did not", "answer"}},
		{"a long word stays whole", "use sha256/AAAABBBBCCCC here", 10, []string{"use", "sha256/AAAABBBBCCCC", "here"}},
		{"line ends are blanks", "one\r\ntwo\tthree", 20, []string{"one two three"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Wrap(test.text, test.width); !slices.Equal(got, test.want) {
				t.Errorf("Wrap gives %q, want %q", got, test.want)
			}
		})
	}
}

// TestCommandIsTheSameToTheShell lets the shell say what arrives: the lines must give the words that the whole gave.
func TestCommandIsTheSameToTheShell(t *testing.T) {
	for _, command := range []string{
		`printf '<%s>\n' a b c`,
		`printf '<%s>\n' 'a  long   argument with blanks' "and \"another\" one" it\'s a\ blank end`,
		`(printf '<a CAPABILITY\r\n'; printf '<b> %s\n' two words) | tr a-z A-Z | head -n 5`,
		`printf '<%s>\n' 'no # comment' a#b # and here 'one with an open quote`,
		`printf '<%s>\n' -a b -c -d e --flag 'a value' | cat -u  |  cat  `,
	} {
		want := shell(t, command)
		for width := range 60 {
			lines := Command(command, width)
			if got := shell(t, strings.Join(lines, "\n")); got != want {
				t.Fatalf("at %d columns %q says %q, want %q", width, lines, got, want)
			}
			for _, line := range lines {
				if Width(line) > max(width, 40) { // a word may be that long
					t.Errorf("at %d columns a line has %d: %q", width, Width(line), line)
				}
			}
		}
	}
}

func shell(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("sh -c %q: %v: %s", script, err, out)
	}
	return string(out)
}

func text(t *testing.T, p *Page) string {
	t.Helper()
	var b strings.Builder
	if _, err := p.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageTrustsNoText(t *testing.T) {
	p := Page{Style: Style{Color: true}}
	p.Line(Span{"evil \x1b]52;c;aGk=\x07\x1b[2J\u202ename", Bad}, Plain("\rnext\nline"))
	got := text(t, &p)
	if want := "\x1b[1;31mevil name\x1b[0m next line\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPageColours(t *testing.T) {
	p := Page{Style: Style{Color: true}}
	p.Line(Plain("  "), p.Mark(OK), Span{"  padded  ", Muted}, Plain(" "))
	p.Blank()
	p.Blank()
	p.Line(Span{"   ", Bad})
	if got, want := text(t, &p), "  \x1b[32m✓\x1b[0m  \x1b[2mpadded\x1b[0m\n\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	table := Table{Columns: []Column{{Title: "Folder", Cut: Middle}, {Title: "Empty"}, {Title: "Messages", Right: true}, {Title: "Note", Cut: End}}}
	table.Row(Plain("INBOX"), Plain(""), Plain("41 208"), Plain("new"))
	table.Row(Plain("受信箱/プロジェクト/二〇一九年"), Span{}, Plain("3"))
	table.Row(Plain("Archive/2019/Projekte/Müller und Söhne"), Plain(""), Plain("944"), Plain("special use"))
	p := Page{Style: Style{Width: 48}}
	p.Table(&table, "  ")
	want := strings.Join([]string{
		"  Folder                   Messages  Note",
		"  INBOX                      41 208  new",
		"  受信箱/プロ…/二〇一九年         3",
		"  Archive/201…r und Söhne       944  special use",
		"",
	}, "\n")
	if got := text(t, &p); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestQuantities(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", 67310: "67 310", -1234567: "-1 234 567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10240: "10 KiB", 1<<20 - 1: "1.0 MiB", 40 << 20: "40 MiB",
		19542101196: "18.2 GiB", 200 << 30: "200 GiB", 5 << 40: "5.0 TiB", 5000 << 40: "5000 TiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 ms", 9 * time.Millisecond: "9 ms", 1290 * time.Millisecond: "1.2 s", 59 * time.Second: "59 s",
		125 * time.Second: "2 min 05 s", 40 * time.Minute: "40 min", 331 * time.Minute: "5 h 31 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%s) = %q, want %q", d, got, want)
		}
	}
	for ms, want := range map[float64]string{0.02: "0.1 ms", 0.4: "0.4 ms", 1: "1 ms", 11.6: "12 ms", 2050: "2.0 s"} {
		if got := Milliseconds(ms); got != want {
			t.Errorf("Milliseconds(%g) = %q, want %q", ms, got, want)
		}
	}
	if got := Counted(1, "folder", "folders") + ", " + Counted(2, "folder", "folders"); got != "1 folder, 2 folders" {
		t.Errorf("Counted gives %q", got)
	}
}

// FuzzText holds what is promised of any text: it moves no cursor, it fits where it was cut to fit, and wrapping loses no word.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "INBOX", "受信箱/プロジェクト", "a\x1b[31mb\x1b]0;title\x07", "\xff\xfe\u202e", "e\u0301\u0302", "👩‍👩‍👧 family", "\x1b[", "a\u200bb"} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = max(0, width%200)
		for _, style := range []Style{{}, {ASCII: true}} {
			for name, got := range map[string]string{"Cut": style.Cut(s, width), "CutMiddle": style.CutMiddle(s, width)} {
				if Width(got) > width {
					t.Errorf("%s(%q, %d) = %q, of %d columns", name, s, width, got, Width(got))
				}
			}
		}
		lines := Wrap(s, width)
		if got, want := strings.Fields(strings.Join(lines, " ")), strings.Fields(Clean(s)); !slices.Equal(got, want) {
			t.Errorf("Wrap(%q) has the words %q, want %q", s, got, want)
		}
		p := Page{Style: Style{Width: width}}
		p.Line(Span{s, Bad})
		p.Paragraph(Plain("head "), s)
		if got := text(t, &p); strings.ContainsFunc(got, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 }) {
			t.Errorf("a page shows %q as %q", s, got)
		}
	})
}
