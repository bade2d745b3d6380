package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe"
)

// pasteGap is how close an enter may follow another key before it is taken for part of a paste: terminals without bracketed paste
// deliver it so, and it must not submit the form.
const pasteGap = 10 * time.Millisecond

// serversStep is the form for both servers.
type serversStep struct {
	sides    [2]*sideForm
	side     int     // that has the focus
	at       fieldID // that has the focus
	revision int     // counts the changes: a check is of one revision
	note     string  // what became of the last key, if that must be said
	lastKey  time.Time
}

func newServersStep(cfg *Config) *serversStep {
	return &serversStep{sides: [2]*sideForm{
		newSideForm(probe.RoleSource, cfg.Source, cfg.AllowPlaintext),
		newSideForm(probe.RoleDest, cfg.Dest, cfg.AllowPlaintext),
	}}
}

func (s *serversStep) form() *sideForm { return s.sides[s.side] }

func (s *serversStep) bindings(*wizard) []key.Binding {
	out := []key.Binding{keyCheckNow, keyNextField, keyPrevField}
	switch s.at {
	case fieldSecurity:
		out = append(out, keyChange)
	case fieldPassword:
		out = append(out, keyReveal)
	case fieldAdvanced:
		out = append(out, bind("enter", "open or close", "enter"))
	}
	return append(out, keyCopySides, bind("ctrl+c", "quit"), keyHelpForm)
}

func (s *serversStep) press(w *wizard, msg tea.KeyMsg) tea.Cmd {
	sinceLast := w.now.Sub(s.lastKey)
	s.lastKey = w.now
	s.note = ""
	f := s.form()
	switch {
	case key.Matches(msg, keyCheckNow):
		return s.submit(w)
	case key.Matches(msg, keyCopySides):
		s.copySides()
		return nil
	case key.Matches(msg, keyEnter) && s.at != fieldAdvanced:
		if s.side == dest && s.at == f.last() {
			if sinceLast < pasteGap {
				return nil
			}
			return s.submit(w)
		}
		s.step(1)
		return nil
	case key.Matches(msg, keyNextField):
		s.step(1)
		return nil
	case key.Matches(msg, keyPrevField):
		s.step(-1)
		return nil
	}
	changed, problem := f.control(s.at).press(msg)
	if changed {
		s.revision++
		f.problems[s.at] = ""
	}
	s.note = problem
	if s.at == fieldHost && msg.Paste && problem == "" {
		f.problems[fieldHost] = f.spread()
	}
	return nil
}

// step moves the focus by one field. Forwards, what was entered is looked at; it never holds the focus back.
func (s *serversStep) step(by int) {
	f := s.form()
	f.control(s.at).blur()
	if by > 0 || s.at == fieldHost {
		f.problems[s.at] = f.check(s.at, false)
	}
	at, side := s.at+fieldID(by), s.side
	switch {
	case at < 0:
		side = 1 - side
		at = s.sides[side].last()
	case at > f.last():
		side = 1 - side
		at = 0
	}
	s.side, s.at = side, at
}

// focus puts the focus on a field, opening the fold above it if need be.
func (s *serversStep) focus(side int, at fieldID) {
	s.form().control(s.at).blur()
	s.side, s.at = side, at
	if at > fieldAdvanced {
		s.form().advanced.open = true
	}
}

// copySides takes the source's server for the destination: for a move within one provider.
func (s *serversStep) copySides() {
	from, to := s.sides[source], s.sides[dest]
	for id := range numFields {
		if a, ok := from.control(id).(*textField); ok && id != fieldUser && id != fieldAuthzID {
			to.control(id).(*textField).set(a.value())
			to.problems[id] = ""
		}
	}
	to.setMode(from.mode())
	to.given = from.given
	s.revision++
	s.note = "the source's server was copied to the destination; user and password were not"
}

// submit checks the whole form. The focus goes to the first field that needs a change; without one the check begins.
func (s *serversStep) submit(w *wizard) tea.Cmd {
	s.form().control(s.at).blur()
	for side, f := range s.sides {
		for id := range numFields {
			f.problems[id] = f.check(id, true)
		}
		for id, problem := range f.problems {
			if problem != "" {
				s.focus(side, fieldID(id))
				return nil
			}
		}
	}
	var drafts [2]draft
	for side, f := range s.sides {
		d, err := f.draft()
		if err != nil {
			f.problems[fieldHost] = err.Error()
			s.focus(side, fieldHost)
			return nil
		}
		drafts[side] = d
	}
	if w.check.holds(s.revision) {
		w.at = stepCheck
		return nil
	}
	return w.check.start(w, drafts, s.revision)
}

func (s *serversStep) observe(*wizard, *snapshot) {}

func (s *serversStep) finished(*wizard, any) tea.Cmd { return nil }

func (s *serversStep) status(w *wizard) string {
	if s.note != "" {
		return w.theme.warn.Render(w.theme.markWarn) + " " + s.note
	}
	return ""
}

func (s *serversStep) body(w *wizard, wide, high int) []string {
	t := w.theme
	var out []string
	if high >= roomyHeight-4 {
		out = append(out, "")
	}
	hints := s.hints(w, wide, high)
	boxes := high - len(out) - len(hints)
	if high >= tallHeight-4 {
		boxes = min(boxes, int(numFields)+6)
	}
	if wide >= pairWidth {
		left := wide / 2
		out = append(out, beside(s.sideBox(t, source, left, boxes), s.sideBox(t, dest, wide-left, boxes))...)
	} else {
		out = append(out, s.tabs(t))
		out = append(out, s.sideBox(t, s.side, wide, boxes-1)...)
	}
	return append(out, hints...)
}

// tabs says which of the sides is shown where there is room for one.
func (s *serversStep) tabs(t *theme) string {
	names := [2]string{"Source", "Destination"}
	names[s.side] = t.bold.Render("[" + names[s.side] + "]")
	return " " + names[source] + "  " + names[dest]
}

func (s *serversStep) sideBox(t *theme, side, w, h int) []string {
	b := box{title: "Source " + t.dot + " copy from", focused: side == s.side}
	if side == dest {
		b.title = "Destination " + t.dot + " copy to"
	}
	lines, at := s.sides[side].lines(t, w-2, s.focusOn(side))
	if over := len(lines) - (h - 2); over > 0 { // the focused field stays in sight
		lines = lines[min(max(at-(h-3), 0), over):]
	}
	return t.draw(b, lines, w, h)
}

// focusOn is the focused field of a side, or -1.
func (s *serversStep) focusOn(side int) fieldID {
	if side == s.side {
		return s.at
	}
	return -1
}

// lines draws the fields; focus is the one that has it, or -1, and at its line.
func (f *sideForm) lines(t *theme, w int, focus fieldID) (lines []string, at int) {
	const label = 10
	f.port.whenEmpty = map[probe.Mode]string{probe.Auto: "automatic", probe.ModeTLS: "993"}[f.mode()]
	if f.port.whenEmpty == "" {
		f.port.whenEmpty = "143"
	}
	room := w - label - 3
	for id := fieldID(0); id <= f.last(); id++ {
		mark := " "
		if id == focus {
			mark = t.accent.Render(t.selected)
			at = len(lines)
		}
		if id == fieldAdvanced {
			lines = append(lines, mark+f.foldLine(t, w-2, id == focus))
			continue
		}
		name := fieldTexts[id].label
		if f.problems[id] != "" {
			name = t.problem.Render(name)
		} else if id != focus {
			name = t.muted.Render(name)
		}
		lines = append(lines, mark+t.fit(name, label)+" "+f.control(id).view(t, room, id == focus))
		if id == fieldPassword {
			lines = append(lines, strings.Repeat(" ", label+2)+t.muted.Render(t.fit(f.password.remark(), room)))
		}
	}
	return lines, at
}

func (f *sideForm) foldLine(t *theme, w int, focused bool) string {
	glyph, text := t.closed, "Advanced"
	if f.advanced.open {
		glyph = t.open
	}
	if focused {
		text = t.bold.Render(text)
	}
	if !f.advanced.open {
		text += "  " + t.muted.Render(f.advancedSummary())
	}
	return t.fit(glyph+" "+text, w)
}

// advancedSummary names the fields under the fold that are set.
func (f *sideForm) advancedSummary() string {
	var set []string
	for id := fieldAdvanced + 1; id < numFields; id++ {
		if f.control(id).(*textField).value() != "" {
			set = append(set, fieldTexts[id].label)
		}
	}
	if f.given.Target.TLS.CAs != "" && f.caFile.value() == "" && f.given.CAFile == "" {
		set = append([]string{"CA given"}, set...)
	}
	if len(set) == 0 {
		return "CA, pin, name, mechanism"
	}
	return strings.Join(set, ", ")
}

// hints explains the focused field below the boxes.
func (s *serversStep) hints(w *wizard, wide, high int) []string {
	t := w.theme
	text := fieldTexts[s.at]
	var lines []string
	if problem := s.form().problems[s.at]; problem != "" {
		for i, l := range wrap(problem, wide-4-width(t.markProblem)) {
			mark := t.problem.Render(t.markProblem)
			if i > 0 {
				mark = strings.Repeat(" ", width(t.markProblem))
			}
			lines = append(lines, mark+" "+l)
		}
	} else {
		lines = wrap(text.hint, wide-4)
	}
	if high >= tallHeight-4 {
		box := box{title: fmt.Sprintf("%s %s %s", text.label, t.dot, sideName[s.side])}
		padded := make([]string, len(lines))
		for i, l := range lines {
			padded[i] = " " + l
		}
		out := t.draw(box, padded, wide, 6)
		return slices.Concat(out, []string{""}, w.commandLines("preflight", wide))
	}
	rows := 4 // a blank one, and three for the text
	if high < roomyHeight-4 {
		rows = 2
	}
	out := make([]string, rows)
	for i, l := range lines {
		if at := i + min(rows-2, 1); at < rows {
			out[at] = " " + l
		}
	}
	return out
}

func (s *serversStep) compact(w *wizard, wide, high int) []string {
	t := w.theme
	out := []string{s.tabs(t)}
	lines, at := s.form().lines(t, wide, s.at)
	if problem := s.form().problems[s.at]; problem != "" {
		out = append(out, t.problem.Render(t.markProblem)+" "+problem)
	}
	from := max(at-max(high-len(out)-1, 0), 0)
	return append(out, lines[min(from, len(lines)):]...)
}
