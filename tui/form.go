package tui

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

// A control is a field of a form that can be edited.
type control interface {
	// press takes a key. problem says why it was not taken, or is "".
	press(msg tea.KeyMsg) (changed bool, problem string)
	// view draws the value in at most w cells.
	view(t *theme, w int, focused bool) string
	// blur tells that the focus has gone elsewhere.
	blur()
}

// severalLines refuses a paste that cannot be meant for one line.
const severalLines = "what was pasted has several lines; this field takes one"

// A textField is one line of text.
type textField struct {
	input     textinput.Model
	whenEmpty string // what an empty field means
}

func newTextField(value, whenEmpty string) *textField {
	in := textinput.New()
	in.Prompt = ""
	in.CharLimit = 1024
	// Tab and the arrows belong to the form, and the widget's own paste runs a program.
	in.KeyMap.Paste.Unbind()
	in.KeyMap.AcceptSuggestion.Unbind()
	in.KeyMap.NextSuggestion.Unbind()
	in.KeyMap.PrevSuggestion.Unbind()
	in.SetValue(value)
	in.CursorEnd()
	in.Focus() // it hears what the form passes on; the returned command would make the cursor blink
	return &textField{input: in, whenEmpty: whenEmpty}
}

func (f *textField) value() string { return strings.TrimSpace(f.input.Value()) }

func (f *textField) set(value string) {
	f.input.SetValue(value)
	f.input.CursorEnd()
}

func (f *textField) press(msg tea.KeyMsg) (bool, string) {
	if msg.Paste {
		text, problem := pastedLine(msg.Runes)
		if problem != "" {
			return false, problem
		}
		msg.Runes = []rune(text)
	}
	before := f.input.Value()
	f.input, _ = f.input.Update(msg)
	return f.input.Value() != before, ""
}

func (f *textField) view(t *theme, w int, focused bool) string {
	if f.input.Value() == "" {
		return t.edited("", 0, f.whenEmpty, w, focused)
	}
	return t.edited(f.input.Value(), f.input.Position(), "", w, focused)
}

func (f *textField) blur() { f.input.SetValue(f.value()) }

// pastedLine is what a paste means in a one-line field: white space around it is no part of a name.
func pastedLine(pasted []rune) (text, problem string) {
	text = strings.TrimSpace(string(pasted))
	if strings.ContainsAny(text, "\r\n") {
		return "", severalLines
	}
	return text, ""
}

// A choiceField is one of a few values.
type choiceField struct {
	choices []string
	at      int
}

func (f *choiceField) press(msg tea.KeyMsg) (bool, string) {
	n := len(f.choices)
	switch {
	case msg.Type == tea.KeyLeft:
		f.at = (f.at + n - 1) % n
	case msg.Type == tea.KeyRight, msg.Type == tea.KeySpace:
		f.at = (f.at + 1) % n
	default:
		return false, ""
	}
	return n > 1, ""
}

func (f *choiceField) view(t *theme, w int, focused bool) string {
	value := f.choices[f.at]
	if focused {
		value = t.bold.Render(value)
	}
	return ansi.Truncate(t.choice(value), w, "")
}

func (f *choiceField) blur() {}

// A foldField opens and closes the fields below it.
type foldField struct{ open bool }

func (f *foldField) press(msg tea.KeyMsg) (bool, string) {
	if key.Matches(msg, keyEnter, keyChange) {
		f.open = !f.open
	}
	return false, ""
}

func (f *foldField) view(*theme, int, bool) string { return "" }

func (f *foldField) blur() {}

// edited draws text with a cursor at rune pos, scrolled so that the cursor is seen, or whenEmpty where there is none.
func (t *theme) edited(text string, pos int, whenEmpty string, w int, focused bool) string {
	if w <= 0 {
		return ""
	}
	if !focused {
		if text == "" {
			return t.muted.Render(ansi.Truncate(whenEmpty, w, t.tail(w)))
		}
		return t.middle(visible(text), w)
	}
	if text == "" {
		return t.cursor.Render(" ") + t.muted.Render(ansi.Truncate(whenEmpty, w-1, t.tail(w-1)))
	}
	runes := []rune(visible(text))
	pos = min(pos, len(runes))
	before, under, after := string(runes[:pos]), " ", ""
	if pos < len(runes) {
		under, after = string(runes[pos]), string(runes[pos+1:])
	}
	if over := width(before) + width(under) - w; over > 0 {
		before = ansi.TruncateLeft(before, over, "")
	}
	return before + t.cursor.Render(under) + ansi.Truncate(after, max(w-width(before)-width(under), 0), "")
}

// visible replaces what must not reach the terminal, one rune for one: the cursor's place holds.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
