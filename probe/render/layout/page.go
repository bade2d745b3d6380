// Package layout writes text for people that lines up: it measures what a
// terminal will show, cuts and wraps by that, and knows the marks, words and
// colours of a status. It knows nothing of servers or mail.
//
// All text goes through [wire.Printable] here, so that what a server sent can
// move no cursor, whoever prints it.
package layout

import (
	"io"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// DefaultWidth is how wide text is when nobody says otherwise, in columns.
const DefaultWidth = 80

// A Style is how text is drawn. The zero value is plain text in Unicode, of [DefaultWidth].
type Style struct {
	Color bool // SGR sequences, of the terminal's own 16 colours
	ASCII bool // no other characters than ASCII of our own
	Width int  // columns; 0 means DefaultWidth
}

// Columns returns how wide lines may be.
func (s Style) Columns() int {
	if s.Width <= 0 {
		return DefaultWidth
	}
	return s.Width
}

// A Tone is what a piece of text means; it decides the colour. Colour never says anything that the words do not say too.
type Tone uint8

// The tones.
const (
	Normal Tone = iota
	Good
	Warn
	Bad
	Muted
	Accent
	Strong
)

// sgr are the parameters of Select Graphic Rendition (ECMA-48 section 8.3.117). Blue, black, white and backgrounds are
// not used: some palettes make them unreadable.
var sgr = [...]string{Normal: "", Good: "32", Warn: "1;33", Bad: "1;31", Muted: "2", Accent: "36", Strong: "1"}

// A Mark is the state of a thing at the beginning of a line.
type Mark uint8

// The marks.
const (
	NoMark Mark = iota
	OK
	Warning
	Problem
	Waiting
	Unused
	Note
)

var marks = [...]struct {
	unicode, ascii, word string
	tone                 Tone
}{
	NoMark:  {" ", "      ", "", Normal},
	OK:      {"✓", "[ok]  ", "ok", Good},
	Warning: {"!", "[!!]  ", "warning", Warn},
	Problem: {"✗", "[FAIL]", "problem", Bad},
	Waiting: {"◌", "[wait]", "held", Muted},
	Unused:  {"-", "[--]  ", "not used", Muted},
	Note:    {"·", "[note]", "note", Normal},
}

// Mark returns m as a piece of text; all marks of a style are equally wide.
func (s Style) Mark(m Mark) Span {
	if s.ASCII {
		return Span{marks[m].ascii, marks[m].tone}
	}
	return Span{marks[m].unicode, marks[m].tone}
}

// Word returns the word for m, such as "problem".
func (m Mark) Word() string { return marks[m].word }

// Tone returns the tone that goes with m.
func (m Mark) Tone() Tone { return marks[m].tone }

// Arrow returns what stands between a name and the one that it becomes.
func (s Style) Arrow() string {
	if s.ASCII {
		return "->"
	}
	return "→"
}

// A Span is a piece of text in one tone.
type Span struct {
	Text string
	Tone Tone
}

// Plain returns text without a tone.
func Plain(text string) Span { return Span{Text: text} }

// A Page collects lines. Nothing but the page itself adds control characters to them.
type Page struct {
	Style
	b strings.Builder
}

// Line adds a line made of spans. Blanks at its end are left out.
func (p *Page) Line(spans ...Span) {
	last := len(spans) - 1
	for last >= 0 && strings.TrimRight(spans[last].Text, " ") == "" {
		last--
	}
	for i, s := range spans[:last+1] {
		text := Clean(s.Text)
		if i == last {
			text = strings.TrimRight(text, " ")
		}
		p.paint(text, s.Tone)
	}
	p.b.WriteByte('\n')
}

func (p *Page) paint(text string, t Tone) {
	// Blanks before and behind stay outside, so that copied text carries no colour.
	body := strings.Trim(text, " ")
	if !p.Color || sgr[t] == "" || body == "" {
		p.b.WriteString(text)
		return
	}
	before, after, _ := strings.Cut(text, body)
	p.b.WriteString(before + "\x1b[" + sgr[t] + "m" + body + "\x1b[0m" + after)
}

// Blank adds an empty line, unless there is one already or nothing precedes it.
func (p *Page) Blank() {
	if s := p.b.String(); s != "" && !strings.HasSuffix(s, "\n\n") {
		p.b.WriteByte('\n')
	}
}

// Paragraph adds text, wrapped: the first line after head, the others as far in.
func (p *Page) Paragraph(head Span, text string) {
	indent := Width(head.Text)
	for i, line := range Wrap(text, p.Columns()-indent) {
		if i > 0 {
			head = Plain(strings.Repeat(" ", indent))
		}
		p.Line(head, Plain(line))
	}
}

// WriteTo writes what was collected, in one piece.
func (p *Page) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, p.b.String())
	return int64(n), err
}

// Clean makes s one printable line. All functions here do that by themselves; it is for text that goes elsewhere.
func Clean(s string) string {
	return wire.Printable(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(s))
}
