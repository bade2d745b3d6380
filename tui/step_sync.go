package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// maxRecent bounds the events that are kept for the screen.
const maxRecent = 200

// syncStep shows the copy while it runs.
type syncStep struct {
	progress   mailsync.Progress
	recent     []mailsync.Event // all but progress, the oldest first
	meter      meter
	list       scroll
	moved      bool // by the person: then the list does not follow the work
	failures   bool // they are shown in place of the folders
	asking     bool // whether to stop; the dialog is open
	stopChosen bool // in the dialog
	stopping   bool
}

// synced is the outcome of a run.
type synced struct {
	summary *mailsync.Summary
	err     error
}

func (s *syncStep) start(w *wizard) tea.Cmd {
	*s = syncStep{}
	w.at = stepSync
	job := w.session
	return w.begin(func(ctx context.Context) any {
		var out synced
		job.drive(func(b *Backend) { out.summary, out.err = b.Sync(ctx) })
		return out
	})
}

func (s *syncStep) observe(w *wizard, now *snapshot) {
	defer func() { s.meter.add(w.now, s.progress.Bytes, s.progress.Messages.Copied) }()
	if now == nil {
		return
	}
	s.progress = now.progress
	for _, e := range now.events {
		if e.Event != "progress" {
			s.recent = append(s.recent, e)
		}
	}
	if over := len(s.recent) - maxRecent; over > 0 {
		s.recent = slices.Delete(s.recent, 0, over)
	}
	if !s.moved {
		for i, f := range s.progress.Folders {
			if f.State == "active" {
				s.list.cursor = i
				break
			}
		}
	}
}

func (s *syncStep) finished(w *wizard, result any) tea.Cmd {
	out := result.(synced)
	s.asking = false
	w.at = stepSummary
	w.summary.show(w, out)
	return nil
}

func (s *syncStep) bindings(*wizard) []key.Binding {
	switch {
	case s.asking:
		return []key.Binding{keyKeep, bind("up/down", "choose", "up", "down"), keyChoose, keyStopNow, keyHelp}
	case s.stopping:
		return []key.Binding{bind("ctrl+c", "leave at once", "ctrl+c"), keyHelp}
	}
	out := []key.Binding{keyStop, keyUp, keyPageUp}
	if len(s.progress.Failures) > 0 {
		out = append(out, keyFailures)
	}
	return append(out, bind("ctrl+c", "stop and leave", "ctrl+c"), keyHelp)
}

func (s *syncStep) press(w *wizard, msg tea.KeyMsg) tea.Cmd {
	switch {
	case s.asking:
		return s.answer(w, msg)
	case s.stopping:
	case key.Matches(msg, keyStop):
		s.asking, s.stopChosen = true, false
	case key.Matches(msg, keyFailures):
		s.failures = !s.failures && len(s.progress.Failures) > 0
	default:
		before := s.list
		s.list.press(msg, s.entries())
		s.moved = s.moved || s.list != before
	}
	return nil
}

// answer takes a key for the dialog.
func (s *syncStep) answer(w *wizard, msg tea.KeyMsg) tea.Cmd {
	switch {
	case key.Matches(msg, keyKeep), key.Matches(msg, keyChoose) && !s.stopChosen:
		s.asking = false
	case key.Matches(msg, keyUp), key.Matches(msg, keyDown):
		s.stopChosen = !s.stopChosen
	case key.Matches(msg, keyStopNow), key.Matches(msg, keyChoose):
		s.asking, s.stopping = false, true
		if w.op != nil {
			w.op.cancel(&interrupt{exitInterrupted, "stopped in the wizard"})
		}
	}
	return nil
}

func (s *syncStep) entries() int {
	if s.failures {
		return len(s.progress.Failures)
	}
	return len(s.progress.Folders)
}

// copied returns what is done and to do, in octets where there are any to copy, else in messages. The plan knows the whole before the run has
// compared every folder.
func (s *syncStep) copied(w *wizard) (part, whole int64) {
	var planned mailsync.Plan
	if w.plan.plan != nil {
		planned = *w.plan.plan
	}
	if whole = max(planned.BytesToCopy, s.progress.BytesTotal); whole > 0 {
		return min(s.progress.Bytes, whole), whole
	}
	m := s.progress.Messages
	return m.Present + m.Copied + m.Skipped + m.Failed, max(planned.Messages, m.Source)
}

// percent is never 100 while the run goes on.
func (s *syncStep) percent(w *wizard) int {
	part, whole := s.copied(w)
	return min(share(part, whole), 99)
}

// toCopy is how many messages are to be copied in all.
func (s *syncStep) toCopy(w *wizard) int64 {
	var n int64
	for _, f := range s.progress.Folders {
		n += f.ToCopy
	}
	if w.plan.plan != nil {
		n = max(n, w.plan.plan.ToCopy)
	}
	return n
}

// joinFitting joins as many of parts as have room; a part that has none is left out.
func joinFitting(parts []string, gap string, w int) string {
	text := ""
	for i, p := range parts {
		switch {
		case i == 0:
			text = p
		case width(text)+width(gap)+width(p) <= w:
			text += gap + p
		}
	}
	return text
}

// figures are the numbers below the bar, most important first.
func (s *syncStep) figures(w *wizard) []string {
	p := s.progress
	_, whole := s.copied(w)
	out := []string{layout.Count(p.Messages.Copied) + " of " + layout.Counted(s.toCopy(w), "message", "messages")}
	if p.BytesTotal > 0 || p.Bytes > 0 {
		out = append(out, sizeOf(p.Bytes, whole))
	}
	octets, entries, over, ok := s.meter.rates()
	// Messages arrive in batches: shortly after the start nothing has arrived yet, which is no rate.
	if ok && p.Phase == "copying" && (octets > 0 || over >= quietSettles) {
		out = append(out, layout.Size(int64(octets))+"/s")
		if left, ok := s.meter.left(whole-p.Bytes, s.toCopy(w)-p.Messages.Copied); ok {
			out = append(out, "about "+elapsed(left)+" left")
		}
		out = append(out, fmt.Sprintf("%.1f msg/s", entries))
	}
	return out
}

func (s *syncStep) status(w *wizard) string {
	t := w.theme
	if s.stopping {
		return t.warn.Render(t.markWarn) + " stopping: waiting for what is on its way; ctrl+c leaves at once"
	}
	text := map[string]string{
		"": "starting", "listing": "listing the folders of both sides", "copying": "copying",
		"verifying": "reading the destination again, to count what has arrived", "done": "done",
	}[s.progress.Phase]
	if text == "" {
		text = wire.Printable(s.progress.Phase)
	}
	text = t.spin(w.now) + " " + text
	if n := len(s.progress.Failures); n > 0 {
		text = t.warn.Render(t.markWarn) + " " + layout.Counted(int64(n), "failure", "failures") + ", f lists them   " + text
	}
	if n := s.progress.Reconnected; n > 0 {
		text += "   reconnected " + layout.Counted(int64(n), "time", "times")
	}
	return text
}

func (s *syncStep) body(w *wizard, wide, high int) []string {
	t := w.theme
	part, whole := s.copied(w)
	percent := fmt.Sprintf("%4d %%", s.percent(w))
	out := []string{" " + t.bar(part, whole, wide-3-width(percent)) + " " + percent}
	out = append(out, " "+joinFitting(s.figures(w), "  ", wide-2))
	recent := 0
	switch {
	case high >= tallHeight-4:
		recent = 9
	case high >= roomyHeight-4:
		recent = 5
	}
	rest := high - len(out) - recent
	if s.failures {
		out = append(out, s.failureBox(t, wide, rest)...)
	} else {
		out = append(out, s.folderBox(w, wide, rest)...)
	}
	if recent > 0 {
		out = append(out, s.recentBox(t, wide, recent)...)
	}
	if s.asking {
		out = t.over(out, s.dialog(w, wide), wide)
	}
	return out
}

func (s *syncStep) folderBox(w *wizard, wide, high int) []string {
	t := w.theme
	folders := s.progress.Folders
	var n = map[string]int{}
	for _, f := range folders {
		n[f.State]++
	}
	b := box{title: "Folders", focused: true,
		right: fmt.Sprintf("%d active %s %d done %s %d waiting", n["active"], t.dot, n["done"], t.dot, n["waiting"])}
	if n["failed"] > 0 {
		b.right += fmt.Sprintf(" %s %d failed", t.dot, n["failed"])
	}
	from, to := s.list.window(len(folders), high-3)
	lines := []string{t.muted.Render(folderRow(t, wide-2, " ", strings.Repeat(" ", width(t.markOK)), "Folder", "Progress", "", "Messages", ""))}
	for i, f := range folders[from:to] {
		cursor := " "
		if from+i == s.list.cursor && s.moved {
			cursor = t.accent.Render(t.selected)
		}
		lines = append(lines, s.folderLine(w, wide-2, cursor, f))
	}
	if rest := len(folders) - to; rest > 0 {
		b.bottom = fmt.Sprintf("%d more below", rest)
	}
	return t.draw(b, lines, wide, high)
}

const folderBar = 20

func (s *syncStep) folderLine(w *wizard, wide int, cursor string, f mailsync.FolderProgress) string {
	t := w.theme
	state := map[string]state{"waiting": stateWaiting, "active": stateRunning, "done": stateOK, "failed": stateProblem}[f.State]
	if state == stateOK && f.Failed > 0 {
		state = stateWarn
	}
	note := ""
	if f.Failed > 0 {
		note = layout.Counted(f.Failed, "failed", "failed")
	} else if f.Copied > 0 {
		note = "+" + layout.Count(f.Copied)
	}
	percent := share(f.Done-f.Failed, f.Messages)
	switch {
	case f.State != "done":
		percent = min(percent, 99)
	case f.Messages == 0:
		percent = 100
	}
	bar := t.bar(int64(percent), 100, folderBar)
	return folderRow(t, wide, cursor, t.mark(state, w.now), wire.Printable(f.Dest), bar,
		fmt.Sprintf("%3d %%", percent), layout.Count(f.Done)+"/"+layout.Count(f.Messages), note)
}

// folderName is the room for a folder's name. Where it gets scarce the bar and then the counts give way.
func folderName(t *theme, wide int) (name, bar, messages int) {
	bar, messages = folderBar, 17
	name = wide - width(t.markOK) - 4 - 6 - 11
	if name-bar-messages < 14 {
		bar = 0
	}
	if name-bar-messages < 14 {
		messages = 0
	}
	return max(name-bar-messages, 8), bar, messages
}

func folderRow(t *theme, wide int, cursor, mark, name, bar, percent, messages, note string) string {
	nameWide, barWide, messagesWide := folderName(t, wide)
	return cursor + mark + " " + t.fit(t.middle(name, nameWide), nameWide) + " " + t.fit(bar, barWide) + t.fitRight(percent, 6) +
		t.fitRight(messages, messagesWide) + t.fitRight(note, 11) + " "
}

// failureBox lists what could not be copied.
func (s *syncStep) failureBox(t *theme, wide, high int) []string {
	failures := s.progress.Failures
	from, to := s.list.window(len(failures), high-2)
	b := box{title: "Could not be copied", right: layout.Count(int64(len(failures))), focused: true}
	if rest := len(failures) - to; rest > 0 {
		b.bottom = fmt.Sprintf("%d more below", rest)
	}
	var lines []string
	for i, f := range failures[from:to] {
		cursor := " "
		if from+i == s.list.cursor {
			cursor = t.accent.Render(t.selected)
		}
		lines = append(lines, cursor+failureLine(f))
	}
	return t.draw(b, lines, wide, high)
}

func (s *syncStep) recentBox(t *theme, wide, high int) []string {
	var lines []string
	for i := len(s.recent) - 1; i >= 0 && len(lines) < high-2; i-- {
		if text := describe(s.recent[i]); text != "" {
			lines = append(lines, " "+t.muted.Render(s.recent[i].T.Local().Format(time.TimeOnly))+"  "+text)
		}
	}
	return t.draw(box{title: "Recent"}, lines, wide, high)
}

// dialog asks whether to stop.
func (s *syncStep) dialog(w *wizard, wide int) []string {
	t := w.theme
	left := max(s.toCopy(w)-s.progress.Messages.Copied-s.progress.Messages.Failed, 0)
	choices := []string{t.fit("Keep going", 34) + "esc", t.fit("Stop after what is on its way", 34) + "s"}
	lines := []string{"",
		"  " + layout.Counted(left, "message is", "messages are") + " still to be copied.",
		"  What has arrived stays; another run goes on from there.", ""}
	for i, c := range choices {
		cursor := "  "
		if (i == 1) == s.stopChosen {
			cursor, c = t.accent.Render(t.selected)+" ", t.bold.Render(c)
		}
		lines = append(lines, "    "+cursor+c)
	}
	lines = append(lines, "", "  "+t.muted.Render("ctrl+c stops and leaves; pressed again, at once"))
	return t.draw(box{title: "Stop this copy?", focused: true}, lines, min(wide, 62), len(lines)+2)
}

func (s *syncStep) compact(w *wizard, wide, high int) []string {
	t := w.theme
	out := []string{fmt.Sprintf("%d %%  %s", s.percent(w), t.bar(int64(s.percent(w)), 100, max(min(wide-8, 40), 0)))}
	if s.asking {
		mark := [2]string{"  ", "  "}
		if s.stopChosen {
			mark[1] = t.selected + " "
		} else {
			mark[0] = t.selected + " "
		}
		return append(out, "Stop this copy?", mark[0]+"Keep going  esc", mark[1]+"Stop  s")
	}
	out = append(out, s.figures(w)...)
	out = append(out, s.status(w), "")
	for _, f := range s.progress.Folders {
		if f.State == "active" {
			out = append(out, t.sides("now  "+wire.Printable(f.Dest), layout.Count(f.Done)+"/"+layout.Count(f.Messages), wide))
		}
	}
	for i := len(s.recent) - 1; i >= 0 && len(out) < high; i-- {
		if text := describe(s.recent[i]); text != "" {
			out = append(out, s.recent[i].T.Local().Format("15:04")+"  "+text)
		}
	}
	return out
}
