package tui

import (
	"context"
	"slices"
	"strings"
	"unicode"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// A passwordField edits a secret, or shows the reference that leads to one. What was typed stands nowhere but in a
// secret.Secret: it is in no value that could be printed.
type passwordField struct {
	typed  secret.Secret
	count  int               // runes in typed
	pos    int               // rune before which the next one goes
	from   *secret.Reference // used as long as nothing was typed; nil when there is none
	reveal bool              // only while the field has the focus
}

// maxPassword bounds a password in characters; no server takes more.
const maxPassword = 16 << 10

// newPasswordField takes the reference a command was given. One that holds what a person typed fills the field; other prompts leave it
// empty.
func newPasswordField(from *secret.Reference) *passwordField {
	f := &passwordField{}
	if from == nil {
		return f
	}
	if from.String() != "prompt" {
		f.from = from
		return f
	}
	// Without somebody to ask this only looks into the reference.
	if s, err := from.Resolve(context.Background(), "", nil); err == nil {
		f.store([]rune(string(s.Reveal())))
		f.pos = f.count
	}
	return f
}

// reference returns what the engines are given: they resolve it where a connection needs it. It is nil when there is no password.
func (f *passwordField) reference() *secret.Reference {
	if f.count > 0 {
		return secret.Given(f.typed)
	}
	return f.from
}

// spec is the reference's text, for a command line.
func (f *passwordField) spec() string {
	if f.count > 0 || f.from == nil {
		return "prompt"
	}
	return f.from.String()
}

func (f *passwordField) empty() bool { return f.count == 0 && f.from == nil }

func (f *passwordField) runes() []rune { return []rune(string(f.typed.Reveal())) }

func (f *passwordField) store(runes []rune) {
	f.typed = secret.New([]byte(string(runes)))
	f.count = len(runes)
}

func (f *passwordField) press(msg tea.KeyMsg) (changed bool, problem string) {
	if f.count == 0 && f.from != nil {
		// The reference is one thing: it stays or goes.
		if msg.Type == tea.KeyBackspace || msg.Type == tea.KeyDelete || msg.Type == tea.KeyCtrlU {
			f.from = nil
			return true, ""
		}
	}
	switch {
	case msg.Alt:
		return false, ""
	case msg.Type == tea.KeyRunes || msg.Type == tea.KeySpace:
		return f.insert(msg.Runes, msg.Paste)
	case msg.Type == tea.KeyCtrlR:
		f.reveal = !f.reveal
		return false, ""
	}
	return f.edit(msg.Type), ""
}

// insert takes typed or pasted runes. Of a paste one line end is no part of the password: it came along from where it was copied.
func (f *passwordField) insert(runes []rune, pasted bool) (bool, string) {
	if pasted {
		text := strings.TrimSuffix(strings.TrimSuffix(string(runes), "\n"), "\r")
		if strings.ContainsAny(text, "\r\n") {
			return false, severalLines
		}
		runes = []rune(text)
	}
	if len(runes) == 0 {
		return false, ""
	}
	all := slices.Insert(f.runes(), f.pos, runes...)
	if len(all) > maxPassword {
		return false, "a password can have at most " + layout.Count(maxPassword) + " characters here"
	}
	f.pos += len(runes)
	f.store(all)
	return true, ""
}

func (f *passwordField) edit(t tea.KeyType) (changed bool) {
	switch t {
	case tea.KeyLeft:
		f.pos = max(f.pos-1, 0)
	case tea.KeyRight:
		f.pos = min(f.pos+1, f.count)
	case tea.KeyHome:
		f.pos = 0
	case tea.KeyEnd, tea.KeyCtrlE:
		f.pos = f.count
	case tea.KeyBackspace:
		return f.remove(f.pos-1, f.pos)
	case tea.KeyDelete, tea.KeyCtrlD:
		return f.remove(f.pos, f.pos+1)
	case tea.KeyCtrlU:
		return f.remove(0, f.pos)
	case tea.KeyCtrlK:
		return f.remove(f.pos, f.count)
	}
	return false
}

// remove takes the runes of [from, to) out.
func (f *passwordField) remove(from, to int) bool {
	from, to = max(from, 0), min(to, f.count)
	if from >= to {
		return false
	}
	f.store(slices.Delete(f.runes(), from, to))
	f.pos = from
	return true
}

func (f *passwordField) view(t *theme, w int, focused bool) string {
	switch {
	case f.count == 0 && f.from != nil:
		return t.edited("", 0, "from "+f.from.String(), w, focused)
	case f.count == 0:
		return t.edited("", 0, "", w, focused)
	case f.reveal && focused:
		return t.edited(string(f.runes()), f.pos, "", w, true)
	}
	return t.edited(strings.Repeat(t.mask, f.count), f.pos, "", w, focused)
}

func (f *passwordField) blur() { f.reveal = false }

// remark tells of the typed password what can be said: a blind paste leaves people in doubt.
func (f *passwordField) remark() string {
	if f.count == 0 {
		return ""
	}
	runes := f.runes()
	said := layout.Counted(int64(f.count), "character", "characters")
	switch first, last := unicode.IsSpace(runes[0]), unicode.IsSpace(runes[len(runes)-1]); {
	case first && last:
		said += ", with a space at both ends"
	case first:
		said += ", with a space at the beginning"
	case last:
		said += ", with a space at the end"
	}
	return said
}
