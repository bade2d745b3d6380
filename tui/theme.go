package tui

import (
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// A theme is how things look: styles named by meaning, and the glyphs. It is built once and not changed.
type theme struct {
	muted, accent, bold   lipgloss.Style
	ok, warn, problem     lipgloss.Style
	border, focusedBorder lipgloss.Style
	cursor                lipgloss.Style
	glyphs

	colour, ascii bool // what it was made for
}

// glyphs are the characters of the screen. All marks of a set have the same width, so that columns hold.
type glyphs struct {
	markOK, markWarn, markProblem, markHeld, markUnused string
	spinner                                             []string

	selected             string // one cell, in the padding column of a box
	stepActive, stepDone string
	open, closed         string
	full, empty          string // of a bar
	mask                 string // for each character of a password
	ellipsis, arrow, dot string
	choiceLeft           string
	choiceRight          string
	frame                [6]string // the corners from the top left clockwise, horizontal, vertical
}

// unicodeGlyphs are all one cell wide with every font that has them, outside East Asian set-ups.
var unicodeGlyphs = glyphs{
	markOK: "✓", markWarn: "!", markProblem: "✗", markHeld: "◌", markUnused: "-",
	spinner:  []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"},
	selected: "▌", stepActive: "▸", stepDone: "✓", open: "▾", closed: "▸",
	full: "█", empty: "░", mask: "•", ellipsis: "…", arrow: "→", dot: "·",
	choiceLeft: "‹", choiceRight: "›",
	frame: [6]string{"╭", "╮", "╯", "╰", "─", "│"},
}

var asciiGlyphs = glyphs{
	markOK: "[ok]  ", markWarn: "[!!]  ", markProblem: "[FAIL]", markHeld: "[wait]", markUnused: "[--]  ",
	spinner:  []string{"[.  ] ", "[.. ] ", "[...] ", "[ ..] ", "[  .] "},
	selected: ">", stepActive: ">", stepDone: "*", open: "v", closed: ">",
	full: "#", empty: ".", mask: "*", ellipsis: "...", arrow: "->", dot: "-",
	choiceLeft: "<", choiceRight: ">",
	frame: [6]string{"+", "+", "+", "+", "-", "|"},
}

// newTheme returns the theme of 16 colours, which are the person's own, or one without any. The profile is set and not asked for:
// lipgloss would query the terminal, and drop bold and reverse together with the colours.
func newTheme(colour, ascii bool) *theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.ANSI)
	r.SetHasDarkBackground(true)
	plain := r.NewStyle()
	t := &theme{
		muted: plain.Faint(true), accent: plain.Bold(true), bold: plain.Bold(true),
		ok: plain, warn: plain.Bold(true), problem: plain.Bold(true).Reverse(true),
		border: plain, focusedBorder: plain.Bold(true),
		cursor: plain.Reverse(true),
		glyphs: unicodeGlyphs,
		colour: colour, ascii: ascii,
	}
	if ascii {
		t.glyphs = asciiGlyphs
	}
	if colour {
		// Not blue, bright black or white: too many palettes make them unreadable.
		const red, green, yellow, cyan = lipgloss.Color("1"), lipgloss.Color("2"), lipgloss.Color("3"), lipgloss.Color("6")
		t.accent = plain.Foreground(cyan)
		t.ok = plain.Foreground(green)
		t.warn = plain.Foreground(yellow).Bold(true)
		t.problem = plain.Foreground(red).Bold(true)
		t.border = plain.Faint(true)
		t.focusedBorder = plain.Foreground(cyan)
	}
	return t
}

// useASCII reports whether the environment cannot show the unicode glyphs one cell wide: its locale is not UTF-8, or East Asian,
// where lines and blocks take two cells.
func useASCII(getenv func(string) string) bool {
	if getenv("RUNEWIDTH_EASTASIAN") == "1" {
		return true
	}
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale = strings.ToLower(getenv(name)); locale != "" {
			break
		}
	}
	for _, language := range []string{"zh", "ja", "ko"} {
		if strings.HasPrefix(locale, language) {
			return true
		}
	}
	return !strings.Contains(strings.ReplaceAll(locale, "-", ""), "utf8")
}

// spin returns the spinner's frame at a moment: it has no tick of its own.
func (t *theme) spin(now time.Time) string {
	frame := now.UnixMilli() / 100 % int64(len(t.spinner))
	return t.accent.Render(t.spinner[frame])
}

// bar draws part of whole over width cells. It is full only when nothing is missing.
func (t *theme) bar(part, whole int64, width int) string {
	if width <= 0 {
		return ""
	}
	done := 0
	if whole > 0 {
		done = int(min(max(part, 0)*int64(width)/whole, int64(width)))
	}
	return t.accent.Render(strings.Repeat(t.full, done)) + t.muted.Render(strings.Repeat(t.empty, width-done))
}

// choice draws one of several values that left and right change.
func (t *theme) choice(value string) string {
	return t.muted.Render(t.choiceLeft) + " " + value + " " + t.muted.Render(t.choiceRight)
}
