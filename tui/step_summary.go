package tui

import (
	"errors"
	"fmt"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/render"
)

// summaryStep says what a run has come to.
type summaryStep struct {
	summary *mailsync.Summary // nil before the first run has ended
	err     error
	offset  int // of the first line that is shown
}

func (s *summaryStep) show(w *wizard, out synced) {
	*s = summaryStep{summary: out.summary, err: out.err}
	if s.summary == nil {
		s.summary = &mailsync.Summary{Verdict: "failed", ExitCode: 1}
	}
	w.result = s
}

// exitCode is the run's.
func (s *summaryStep) exitCode() int {
	if s.summary.ExitCode == 0 && s.err != nil {
		return 1 // an engine that says so of an error has a bug
	}
	return s.summary.ExitCode
}

// complete tells that nothing is left to be done.
func (s *summaryStep) complete() bool { return s.exitCode() == 0 }

func (s *summaryStep) bindings(*wizard) []key.Binding {
	out := []key.Binding{bind("q", fmt.Sprintf("leave (exit code %d)", s.exitCode()), "q")}
	if !s.complete() {
		out = append(out, keyRetry)
	}
	return append(out, keyUp, keyPageUp, keyCommand, keyHelp)
}

func (s *summaryStep) press(w *wizard, msg tea.KeyMsg) tea.Cmd {
	switch {
	case key.Matches(msg, keyLeave):
		return w.quit(s.exitCode(), nil)
	case key.Matches(msg, keyCommand):
		w.showCommand = "sync"
	case key.Matches(msg, keyRetry) && !s.complete():
		return w.copying.start(w)
	}
	s.offset = scrolled(s.offset, msg)
	return nil
}

func (s *summaryStep) observe(*wizard, *snapshot) {}

func (s *summaryStep) finished(*wizard, any) tea.Cmd { return nil }

// state is what the run's mark shows.
func (s *summaryStep) state() state {
	switch {
	case s.complete():
		return stateOK
	case s.summary.Verdict == "failed":
		return stateProblem
	}
	return stateWarn
}

// ending is how the run ended, in a word.
func (s *summaryStep) ending() string {
	switch s.summary.Verdict {
	case "complete", "partial":
		return "finished"
	case "stopped":
		return "stopped"
	}
	return "ended early"
}

func (s *summaryStep) status(w *wizard) string {
	lines := s.text(w.theme, maxReview)
	text := w.theme.mark(s.state(), w.now) + " " + lines[len(lines)-1]
	if s.complete() {
		return text + "; run it again at any time: only what is new is copied"
	}
	return text + "; r runs it again: only what is missing is copied"
}

// isStop tells that a run ended because somebody stopped it.
func isStop(err error) bool {
	_, stopped := errors.AsType[*interrupt](err)
	return stopped
}

// text is the summary as every front end words it.
func (s *summaryStep) text(t *theme, wide int) []string {
	var b strings.Builder
	if s.err != nil && !isStop(s.err) {
		b.WriteString(strings.Join(wrap(wire.Printable(s.err.Error()), wide), "\n") + "\n\n")
	}
	// A strings.Builder takes everything.
	_ = render.Summary(&b, s.summary, render.Options{Color: t.colour, ASCII: t.ascii, Width: wide})
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

func (s *summaryStep) body(w *wizard, wide, high int) []string {
	t := w.theme
	across := min(wide, maxReview)
	lines := s.text(t, across-4)
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	command := layout.Command(w.command("sync"), across-4)
	h := min(len(lines)+2, high)
	if h+len(command)+2 > high {
		command = nil
	}
	s.offset = min(s.offset, max(len(lines)-(h-2), 0))
	b := box{title: "Result", focused: true}
	if below := len(lines) - s.offset - (h - 2); below > 0 {
		b.bottom = fmt.Sprintf("%d more below", below)
	}
	out := t.draw(b, lines[s.offset:], across, h)
	if command != nil {
		out = append(out, "", " "+t.muted.Render("The same again"))
		for _, l := range command {
			out = append(out, "   "+l)
		}
	}
	return indent(out, (wide-across)/2)
}

func (s *summaryStep) compact(w *wizard, wide, high int) []string {
	lines := s.text(w.theme, wide)
	return lines[min(s.offset, len(lines)-1):]
}

// farewell is the summary for the terminal's normal screen.
func (s *summaryStep) farewell(t *theme, wide int) string {
	return strings.Join(s.text(t, wide), "\n") + "\n"
}
