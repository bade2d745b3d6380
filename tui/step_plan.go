package tui

import (
	"context"
	"fmt"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// planStep shows what would be copied, mailbox by mailbox.
type planStep struct {
	plan     *mailsync.Plan // nil until both sides were read
	err      error
	progress mailsync.Progress // while they are read
	list     scroll
}

// planned is the outcome of making a plan.
type planned struct {
	plan *mailsync.Plan
	err  error
}

// enter shows the plan of this session, which is made if it is not there yet.
func (p *planStep) enter(w *wizard) tea.Cmd {
	w.at = stepPlan
	if p.plan != nil {
		return nil
	}
	*p = planStep{}
	s := w.session
	return w.begin(func(ctx context.Context) any {
		var out planned
		s.drive(func(b *Backend) { out.plan, out.err = b.Plan(ctx) })
		return out
	})
}

func (p *planStep) observe(_ *wizard, s *snapshot) {
	if s != nil {
		p.progress = s.progress
	}
}

func (p *planStep) finished(_ *wizard, result any) tea.Cmd {
	out := result.(planned)
	p.plan, p.err = out.plan, out.err
	if p.err != nil {
		p.plan = nil
	}
	return nil
}

func (p *planStep) bindings(w *wizard) []key.Binding {
	switch {
	case w.op != nil:
		return []key.Binding{bind("esc", "stop and go back", "esc"), keyHelp}
	case p.plan == nil:
		return []key.Binding{keyReread, keyBack, keyQuit, keyHelp}
	}
	return []key.Binding{bind("n", "review", "n"), keyUp, keyPageUp, keyHome, keyReread, keyCommand, keyBack, keyQuit, keyHelp}
}

func (p *planStep) press(w *wizard, msg tea.KeyMsg) tea.Cmd {
	switch {
	case key.Matches(msg, keyBack):
		w.abandon()
		w.at = stepCheck
	case w.op != nil:
	case key.Matches(msg, keyReread):
		p.plan = nil
		return p.enter(w)
	case key.Matches(msg, keyQuit):
		return w.quit(0, p.err)
	case key.Matches(msg, keyCommand):
		w.showCommand = "plan"
	case p.plan != nil && key.Matches(msg, keyNext):
		w.at = stepReview
	case p.plan != nil:
		p.list.press(msg, len(p.plan.Folders))
	}
	return nil
}

// press moves the cursor of a list of total rows.
func (s *scroll) press(msg tea.KeyMsg, total int) {
	switch {
	case key.Matches(msg, keyUp):
		s.move(-1, total)
	case key.Matches(msg, keyDown):
		s.move(1, total)
	case key.Matches(msg, keyPageUp):
		s.move(-10, total)
	case key.Matches(msg, keyPageDn):
		s.move(10, total)
	case key.Matches(msg, keyHome):
		s.move(-total, total)
	case key.Matches(msg, keyEnd):
		s.move(total, total)
	}
}

func (p *planStep) status(w *wizard) string {
	t := w.theme
	switch {
	case w.op != nil:
		return t.spin(w.now) + " reading both sides " + t.ellipsis + w.sinceBegan()
	case p.err != nil:
		return t.problem.Render(t.markProblem) + " no plan could be made; r tries again, esc goes back to the check"
	case p.plan == nil:
		return ""
	case p.plan.ToCopy == 0:
		return t.ok.Render(t.markOK) + " every message is there already; n goes on, to compare flags and count again"
	}
	return t.ok.Render(t.markOK) + " " + layout.Counted(p.plan.ToCopy, "message", "messages") + " to copy, " + layout.Size(p.plan.BytesToCopy) + p.estimate(w) + "; n reviews"
}

// estimate is the preflight's, where it has one.
func (p *planStep) estimate(w *wizard) string {
	if r := w.check.report; r != nil && r.Pair != nil && r.Pair.EstimateSeconds >= 1 {
		return ", about " + layout.Duration(seconds(r.Pair.EstimateSeconds))
	}
	return ""
}

func (p *planStep) body(w *wizard, wide, high int) []string {
	t := w.theme
	below := 0
	if high >= roomyHeight-4 {
		below = 4
	}
	b := box{title: "Folders", focused: true}
	lines := []string{}
	switch {
	case p.plan != nil:
		b.right = fmt.Sprintf("%s %s %s %s %s to copy", layout.Counted(int64(len(p.plan.Folders)), "folder", "folders"), t.dot,
			layout.Counted(p.plan.Messages, "message", "messages"), t.dot, layout.Count(p.plan.ToCopy))
		from, to := p.list.window(len(p.plan.Folders), high-below-3)
		lines = append(lines, p.table(t, wide-2, from, to)...)
		if rest := len(p.plan.Folders) - to; rest > 0 {
			b.bottom = fmt.Sprintf("%d more below", rest)
		}
	case p.err != nil:
		for _, l := range wrap(wire.Printable(p.err.Error()), wide-4) {
			lines = append(lines, " "+l)
		}
	default:
		lines = p.reading(t, wide-2)
	}
	out := t.draw(b, lines, wide, high-below)
	return append(out, p.selected(t, wide, below)...)
}

// reading shows what has been listed while the plan is made.
func (p *planStep) reading(t *theme, wide int) []string {
	if len(p.progress.Folders) == 0 {
		return []string{" " + t.muted.Render("listing the folders of both sides, then comparing their messages")}
	}
	var out []string
	for _, f := range p.progress.Folders {
		out = append(out, " "+t.fit(t.middle(wire.Printable(f.Source), wide-24), wide-24)+t.fitRight(layout.Counted(f.Messages, "message", "messages"), 20))
	}
	return out
}

// table is the head and the rows [from, to).
func (p *planStep) table(t *theme, wide, from, to int) []string {
	messages, copies, octets, note := 10, 10, 10, 5
	if wide >= 100 {
		note = 30
	}
	names := wide - 3 - messages - copies - octets - note
	// Where the names get scarce, the columns give way, least important first.
	for _, column := range []*int{&note, &octets, &messages} {
		if names < 30 {
			names += *column
			*column = 0
		}
	}
	left := names / 2
	row := func(cursor, source, dest, m, c, o, n string) string {
		return cursor + t.fit(t.middle(source, left), left) + " " + t.fit(t.middle(dest, names-left), names-left) +
			t.fitRight(m, messages) + t.fitRight(c, copies) + t.fitRight(o, octets) + t.fit("  "+n, note) + " "
	}
	out := []string{t.muted.Render(row(" ", "Source", "Destination", "Messages", "To copy", "Size", ""))}
	for i, f := range p.plan.Folders[from:to] {
		cursor := " "
		if from+i == p.list.cursor {
			cursor = t.accent.Render(t.selected)
		}
		note := ""
		switch {
		case f.Create:
			note = "new"
		case f.Why != "" && wide >= 100:
			note = wire.Printable(f.Why)
		}
		octets := "-"
		if f.ToCopy > 0 {
			octets = layout.Size(f.BytesToCopy)
		}
		out = append(out, row(cursor, wire.Printable(f.Source), wire.Printable(f.Dest), layout.Count(f.Messages), layout.Count(f.ToCopy), octets, note))
	}
	return out
}

// selected tells of the folder under the cursor what has no room in the table.
func (p *planStep) selected(t *theme, wide, rows int) []string {
	out := make([]string, rows)
	if p.plan == nil || p.list.cursor >= len(p.plan.Folders) || rows == 0 {
		return out
	}
	f := p.plan.Folders[p.list.cursor]
	text := wire.Printable(f.Source) + " " + t.arrow + " " + wire.Printable(f.Dest)
	if f.Why != "" {
		text += ": " + wire.Printable(f.Why)
	}
	if f.Create {
		text += "; it will be created"
	}
	if f.FlagsToUpdate > 0 {
		text += "; flags of " + layout.Counted(f.FlagsToUpdate, "message", "messages") + " change"
	}
	for i, l := range wrap(text, wide-4) {
		if i+1 < rows {
			out[i+1] = " " + l
		}
	}
	return out
}

func (p *planStep) compact(w *wizard, wide, high int) []string {
	t := w.theme
	out := []string{p.status(w)}
	if p.err != nil {
		return append(out, wrap(wire.Printable(p.err.Error()), wide)...)
	}
	if p.plan == nil {
		return out
	}
	from, to := p.list.window(len(p.plan.Folders), high-1)
	for i, f := range p.plan.Folders[from:to] {
		cursor := " "
		if from+i == p.list.cursor {
			cursor = t.selected
		}
		out = append(out, t.sides(cursor+t.middle(wire.Printable(f.Dest), wide-12), layout.Count(f.ToCopy)+"/"+layout.Count(f.Messages), wide))
	}
	return out
}
