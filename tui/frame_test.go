package tui

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// themes are those the frame's contract is checked with.
var themes = map[string]*theme{"colour": newTheme(true, false), "mono": newTheme(false, false), "ASCII": newTheme(false, true)}

// checkFrame fails unless the frame has exactly the terminal's size and nothing in it moves the cursor.
func checkFrame(t *testing.T, name string, w *wizard, wide, high int) {
	t.Helper()
	w.take(tea.WindowSizeMsg{Width: wide, Height: high})
	frame := w.View()
	select {
	case c := <-w.crew.crashes:
		t.Fatalf("%s at %dx%d: %v\n%s", name, wide, high, c, c.stack)
	default:
	}
	lines := strings.Split(frame, "\n")
	if len(lines) != high {
		t.Fatalf("%s at %dx%d has %d lines", name, wide, high, len(lines))
	}
	for i, l := range lines {
		if got := ansi.StringWidth(l); got != wide {
			t.Fatalf("%s at %dx%d: line %d is %d cells wide: %q", name, wide, high, i, got, l)
		}
		if rest := withoutColours(l); strings.ContainsFunc(rest, func(r rune) bool { return unicode.IsControl(r) }) {
			t.Fatalf("%s at %dx%d: line %d has a control character: %q", name, wide, high, i, l)
		}
	}
}

// withoutColours takes out SGR sequences and nothing else.
func withoutColours(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := strings.IndexFunc(after, func(r rune) bool { return (r < '0' || r > '9') && r != ';' })
		if end < 0 || after[end] != 'm' {
			b.WriteString("\x1b") // some other sequence
			s = after
			continue
		}
		s = after[end+1:]
	}
}

func TestEveryFrameHasTheTerminalsSize(t *testing.T) {
	widths := []int{1, 2, 3, 5, 9, 17, 30, 44, 59, 60, 61, 79, 80, 81, 100, 119, 120, 121, 160, 161, 200}
	heights := []int{1, 2, 3, 4, 5, 8, 12, 15, 16, 17, 20, 23, 24, 25, 29, 30, 31, 40, 50}
	for themeName, theme := range themes {
		for n, screen := range screens {
			w := settled(theme)
			screen.build(w)
			for i, wide := range widths {
				for j, high := range heights {
					// Every screen gets another sample of the sizes: all of them would take a minute with the race detector.
					if (i*7+j*3+n)%11 == 0 {
						checkFrame(t, screen.name+", "+themeName, w, wide, high)
					}
				}
			}
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(uint8(5), uint8(80), uint8(24), "Projekte/Müller", "[INUSE] \x1b]52;c;YQ==\x07")
	f.Add(uint8(14), uint8(61), uint8(16), "受信\u202e", "\r\nA1 OK")
	f.Fuzz(func(t *testing.T, screen, wide, high uint8, name, said string) {
		s := screens[int(screen)%len(screens)]
		w := settled(themes["colour"])
		s.build(w)
		poison(w, name, said)
		checkFrame(t, s.name, w, int(wide%200)+1, int(high%60)+1)
	})
}

// poison puts what a server could say wherever the screens show such text.
func poison(w *wizard, name, said string) {
	for _, target := range w.check.targets {
		if target == nil {
			continue
		}
		if p := target.Path; p != nil {
			p.Hops[0].Address, p.ActsAt.Address, p.ActsAt.How = said, name, said
		}
		for _, e := range target.Endpoints {
			for i := range e.Checks {
				e.Checks[i].Summary = said
			}
			if e.TLS != nil {
				e.TLS.Certificates[0].Subject, e.TLS.Certificates[0].DNSNames = name, []string{said}
			}
		}
	}
	if r := w.check.report; r != nil {
		for i := range r.Findings {
			r.Findings[i].Summary, r.Findings[i].Cause = said, name+said
			r.Findings[i].Evidence = map[string]any{"said": said}
			for j := range r.Findings[i].Remedies {
				r.Findings[i].Remedies[j].Text = name + "\n" + said
			}
		}
	}
	if p := w.plan.plan; p != nil {
		for i := range p.Folders {
			p.Folders[i].Source, p.Folders[i].Dest, p.Folders[i].Why = name, name+said, said
		}
	}
	progress := &w.copying.progress
	for i := range progress.Folders {
		progress.Folders[i].Dest = name
	}
	for i := range progress.Failures {
		progress.Failures[i] = mailsync.Failure{Folder: name, ServerText: said, Code: said, Step: "append"}
	}
	for i, e := range w.copying.recent {
		if d, ok := e.Data.(mailsync.Throttled); ok {
			d.ServerText = said
			w.copying.recent[i].Data = d
		}
	}
	if s := w.summary.summary; s != nil {
		for i := range s.Failures {
			s.Failures[i].Folder, s.Failures[i].ServerText = name, said
		}
	}
}

func TestHostileTextCannotLeaveItsPlace(t *testing.T) {
	for _, screen := range screens {
		w := settled(themes["mono"])
		screen.build(w)
		poison(w, "evil\x1b[2J\u202ename", "\x1b]52;c;YQ==\x07said\r\n\x9b31m")
		for _, size := range []struct{ wide, high int }{{80, 24}, {120, 40}, {44, 12}} {
			checkFrame(t, screen.name, w, size.wide, size.high)
		}
		if strings.Contains(w.View(), "\u202e") {
			t.Errorf("%s lets a bidirectional override through", screen.name)
		}
	}
}

func TestMonoKeepsItsEmphasis(t *testing.T) {
	theme := newTheme(false, false)
	for name, style := range map[string]interface{ Render(...string) string }{"bold": theme.bold, "warn": theme.warn, "problem": theme.problem, "cursor": theme.cursor, "accent": theme.accent} {
		if got := style.Render("x"); !strings.Contains(got, "\x1b[") {
			t.Errorf("%s is %q, without any attribute", name, got)
		}
		if got := style.Render("x"); strings.Contains(got, "3") && strings.Contains(got, "\x1b[3") {
			t.Errorf("%s has a colour: %q", name, got)
		}
	}
}

func TestWhichLocalesGetASCII(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"LANG": "de_DE.UTF-8"}, false},
		{map[string]string{"LANG": "C.utf8"}, false},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "C"}, true},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, false},
		{map[string]string{"LANG": "de_DE.ISO-8859-1"}, true},
		{map[string]string{"LANG": "ja_JP.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8", "RUNEWIDTH_EASTASIAN": "1"}, true},
		{map[string]string{}, true},
	} {
		if got := useASCII(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%v: got %t, want %t", c.env, got, c.want)
		}
	}
}

func TestTheMarksOfASetHaveOneWidth(t *testing.T) {
	for name, g := range map[string]glyphs{"unicode": unicodeGlyphs, "ASCII": asciiGlyphs} {
		want := width(g.markOK)
		for _, mark := range append([]string{g.markWarn, g.markProblem, g.markHeld, g.markUnused}, g.spinner...) {
			if width(mark) != want {
				t.Errorf("%s: %q is %d cells wide, the others %d", name, mark, width(mark), want)
			}
		}
	}
}

func TestHelpLeavesOutTheLeastImportantButNotItself(t *testing.T) {
	theme := themes["mono"]
	bindings := []key.Binding{bind("a", "first thing"), bind("b", "second thing"), bind("c", "third thing"), bind("?", "help")}
	for w := range 120 {
		for rows := 1; rows <= 2; rows++ {
			lines := theme.helpRows(bindings, rows, w)
			if len(lines) != rows {
				t.Fatalf("%d columns: %d rows, want %d", w, len(lines), rows)
			}
			text := ""
			for _, l := range lines {
				if width(l) != w {
					t.Fatalf("%d columns: the row is %d wide: %q", w, width(l), l)
				}
				text += ansi.Strip(l)
			}
			if w >= 10 && !strings.Contains(text, "? help") {
				t.Errorf("%d columns, %d rows: %q does not lead to the list", w, rows, text)
			}
			if strings.Contains(text, "second") && !strings.Contains(text, "first thing") {
				t.Errorf("%d columns: %q leaves out the more important one", w, text)
			}
		}
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	text := "a host-name --with-flags and averyveryverylongwordwithoutanyblanks 受信重要 end"
	for w := 2; w < 80; w++ {
		lines := wrap(text, w)
		for _, l := range lines {
			if width(l) > w {
				t.Errorf("%d cells: %q is too wide", w, l)
			}
		}
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%d cells: %q", w, lines)
		}
	}
}

func TestTheCommandLineIsWhatAShellUnderstands(t *testing.T) {
	drafts := [2]draft{
		{target: probe.Target{Host: "imap.example.org", User: `an'na "$HOME"@example.org`, Mode: probe.Auto,
			TLS: imapdial.TLSPolicy{Pins: "sha256/AAA= sha256/BBB=", ServerName: "other.example"}},
			caFile: "/tmp/my ca.pem", passwordFrom: "cmd:pass show 'mail old'"},
		{target: probe.Target{Host: "2001:db8::1", Port: 1143, User: "b", Mode: probe.ModeInsecure, Mechanism: "PLAIN", AuthzID: "c"}, passwordFrom: "prompt"},
	}
	recommended := [2]*probe.Recommended{{Host: "imap.example.org", Port: 993, Security: "tls"}, nil}
	line := commandLine("sync", drafts, recommended, mailsync.Settings{Flags: mailsync.FlagsMirror, NoSpecialUse: true})
	want := []string{"imapilot", "sync", "--source", `imaps://an%27na%20%22$HOME%22%40example.org@imap.example.org`, "--dest", "imap+insecure://b@[2001:db8::1]:1143",
		"--source-password-from", "cmd:pass show 'mail old'", "--source-ca-file", "/tmp/my ca.pem", "--source-pin", "sha256/AAA=", "--source-pin", "sha256/BBB=",
		"--source-server-name", "other.example", "--dest-auth", "PLAIN", "--dest-authzid", "c", "--allow-plaintext", "--flags", "mirror", "--no-special-use"}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the shell sees\n%q, want\n%q", got, want)
	}
	for side, word := range []string{want[3], want[5]} {
		target, err := probe.ParseTarget(word)
		if err != nil || target.User != drafts[side].target.User || target.Host != drafts[side].target.Host {
			t.Errorf("%s is read as %+v, %v", word, target, err)
		}
	}
}
