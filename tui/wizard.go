// Package tui is the wizard: it asks for two servers, shows both being checked side by side, then the plan, a review, the copy and its
// summary. It decides nothing about servers or mail: every step drives a job through a [Backend] and shows what it says.
//
// There is one tea.Model, the wizard; a step is a value with its own file. Update does no I/O: engines run in commands, publish to a state of their
// own, and the wizard takes a snapshot of it every 100 ms. A result carries the generation of the call it belongs to; after the
// step was left it is dropped.
package tui

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// pollEvery is how often a running engine's state is looked at.
const pollEvery = 100 * time.Millisecond

// stepID is a step of the wizard.
type stepID int

const (
	stepServers stepID = iota
	stepCheck
	stepPlan
	stepReview
	stepSync
	stepSummary
)

// stepNames are those that the first line shows; the summary belongs to the copy.
var stepNames = [...]string{"Servers", "Check", "Plan", "Review", "Sync"}

// A step is one screen of the wizard.
type step interface {
	bindings(w *wizard) []key.Binding           // what the keys do now, most important first, help last
	press(w *wizard, msg tea.KeyMsg) tea.Cmd    // takes a key
	observe(w *wizard, s *snapshot)             // takes a look at the engine's state; nil when nothing has changed
	finished(w *wizard, result any) tea.Cmd     // takes what the engine's call returned
	body(w *wizard, wide, high int) []string    // draws the screen between the first line and the verdict
	compact(w *wizard, wide, high int) []string // draws it in words where the terminal is small, most important first
	status(w *wizard) string                    // the verdict line
}

// wizard is the model.
type wizard struct {
	cfg   *Config
	theme *theme
	crew  *crew
	clock func() time.Time

	suspends      bool // ctrl+z is of use
	width, height int
	now           time.Time // of the last message

	at       stepID
	servers  *serversStep
	check    *checkStep
	plan     *planStep
	review   *reviewStep
	copying  *syncStep
	summary  *summaryStep
	showKeys bool
	// showCommand is the subcommand whose equivalent command line fills the screen, without a frame: to be copied with the terminal's own
	// means; "" when it does not.
	showCommand string
	// showLetters are texts to be sent to somebody that fill the screen in the same way, from the line letterTop on.
	showLetters []render.Letter
	letterTop   int

	session    *session   // the job of the last check
	op         *operation // the engine's call that is waited for, or nil
	generation int

	stopping bool // after the first interrupt: as soon as op has ended, the wizard ends
	atOnce   bool // after the second: nobody waits
	exitCode int
	err      error
	result   *summaryStep // of the last run that ended, to be printed after the wizard
}

// An operation is a call of an engine.
type operation struct {
	generation int
	cancel     context.CancelCauseFunc
	began      time.Time
	version    uint64 // of the state that was seen last
	lastEvent  uint64
}

// Messages.
type (
	// doneMsg is the end of an operation.
	doneMsg struct {
		generation int
		result     any
	}
	// lookMsg is a look at the engine's state.
	lookMsg struct {
		generation int
		snapshot   *snapshot // nil when nothing has changed
		version    uint64
	}
	// interruptMsg is a signal, or the end of the context that the wizard was started with.
	interruptMsg struct{ cause *interrupt }
)

// An interrupt is the cause with which engines are stopped.
type interrupt struct {
	code int
	text string
}

func (i *interrupt) Error() string { return i.text }

// ExitCode is the exit code of a run that ends because of it.
func (i *interrupt) ExitCode() int { return i.code }

const exitInterrupted = 130

func newWizard(cfg *Config, t *theme, c *crew, clock func() time.Time) *wizard {
	return &wizard{
		cfg: cfg, theme: t, crew: c, clock: clock, now: clock(),
		servers: newServersStep(cfg), check: &checkStep{}, plan: &planStep{}, review: &reviewStep{}, copying: &syncStep{}, summary: &summaryStep{},
	}
}

func (w *wizard) step() step {
	return [...]step{w.servers, w.check, w.plan, w.review, w.copying, w.summary}[w.at]
}

// Init has nothing to start.
func (w *wizard) Init() tea.Cmd { return nil }

// Update takes a message. A panic in it is kept for Run to print, after the terminal has been given back.
func (w *wizard) Update(msg tea.Msg) (m tea.Model, cmd tea.Cmd) {
	m, cmd = w, tea.Quit // after a panic
	defer w.crew.catch()
	w.now = w.clock()
	return w, w.take(msg)
}

func (w *wizard) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		w.width, w.height = msg.Width, msg.Height
	case lookMsg:
		if w.op == nil || msg.generation != w.op.generation {
			return nil
		}
		w.op.version = msg.version
		if s := msg.snapshot; s != nil && len(s.events) > 0 {
			w.op.lastEvent = s.events[len(s.events)-1].Seq
		}
		w.step().observe(w, msg.snapshot)
		return w.look()
	case doneMsg:
		if w.op == nil || msg.generation != w.op.generation {
			return nil
		}
		w.op = nil
		cmd := w.step().finished(w, msg.result)
		if w.stopping {
			return tea.Quit
		}
		return cmd
	case interruptMsg:
		return w.interrupt(msg.cause)
	case tea.KeyMsg:
		return w.press(msg)
	}
	return nil
}

func (w *wizard) press(msg tea.KeyMsg) tea.Cmd {
	switch {
	case key.Matches(msg, keyInterrupt):
		return w.interrupt(&interrupt{exitInterrupted, "stopped by Ctrl-C"})
	case key.Matches(msg, keySuspend) && w.suspends:
		return tea.Suspend
	case w.stopping:
		return nil
	case len(w.showLetters) > 0 && key.Matches(msg, keyUp, keyDown, keyPageUp, keyPageDn, keyHome, keyEnd):
		w.letterTop = scrolled(w.letterTop, msg)
		return nil
	case w.covered():
		w.uncover()
		return nil
	case w.at == stepServers && key.Matches(msg, keyHelpForm), w.at != stepServers && key.Matches(msg, keyHelp):
		w.showKeys = true
		return nil
	}
	return w.step().press(w, msg)
}

// covered tells that something fills the screen in place of the step.
func (w *wizard) covered() bool { return w.showKeys || w.showCommand != "" || len(w.showLetters) > 0 }

func (w *wizard) uncover() { w.showKeys, w.showCommand, w.showLetters, w.letterTop = false, "", nil, 0 }

// bare is what fills the screen without a frame, to be copied.
func (w *wizard) bare(wide, high int) []string {
	if w.showCommand != "" {
		return layout.Command(w.command(w.showCommand), wide)
	}
	var lines []string
	for i, l := range w.showLetters {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, l.Wrapped(wide)...)
	}
	w.letterTop = min(w.letterTop, max(len(lines)-high, 0))
	return lines[w.letterTop:]
}

// begin starts a call of an engine. It is the only one that is waited for.
func (w *wizard) begin(run func(ctx context.Context) any) tea.Cmd {
	w.abandon()
	w.generation++
	generation := w.generation
	ctx, cancel := context.WithCancelCause(w.crew.ctx)
	w.op = &operation{generation: generation, cancel: cancel, began: w.now, version: math.MaxUint64}
	work := w.crew.command(func() tea.Msg {
		defer cancel(nil)
		return doneMsg{generation, run(ctx)}
	})
	return tea.Batch(work, w.look())
}

// errLeft is the cause with which a step's engine is stopped when the step is left.
var errLeft = fmt.Errorf("the step was left: %w", context.Canceled)

// abandon stops the call that is waited for, if there is one. What it returns is dropped.
func (w *wizard) abandon() {
	if w.op != nil {
		w.op.cancel(errLeft)
		w.op = nil
	}
}

// look takes the next snapshot of the running engine.
func (w *wizard) look() tea.Cmd {
	op, s := *w.op, w.session
	return tea.Tick(pollEvery, func(time.Time) tea.Msg {
		defer w.crew.catch()
		snap, version := s.look(op.version, op.lastEvent)
		return lookMsg{op.generation, snap, version}
	})
}

// interrupt stops the engine, waits for it and then ends the wizard; the second time it ends at once.
func (w *wizard) interrupt(cause *interrupt) tea.Cmd {
	if w.stopping {
		w.atOnce = true
		return tea.Quit
	}
	w.exitCode, w.err = cause.code, nil
	if w.op == nil {
		return tea.Quit
	}
	w.uncover()
	w.stopping, w.copying.asking = true, false
	w.op.cancel(cause)
	return nil
}

// quit ends the wizard when nothing is running.
func (w *wizard) quit(code int, err error) tea.Cmd {
	w.exitCode, w.err = code, err
	return tea.Quit
}

// sinceBegan is how long the engine has been at work, once that is worth telling.
func (w *wizard) sinceBegan() string {
	if d := w.now.Sub(w.op.began); d >= time.Second {
		return " " + w.theme.muted.Render(elapsed(d))
	}
	return ""
}

// settings are those that the copy will use.
func (w *wizard) settings() mailsync.Settings {
	if w.session != nil {
		if b := w.session.backend.Load(); b != nil {
			return b.Settings
		}
	}
	return mailsync.Settings{}
}

// View draws the frame: exactly height lines, each exactly width cells wide.
func (w *wizard) View() (frame string) {
	defer w.crew.catch()
	if w.width <= 0 || w.height <= 0 {
		return ""
	}
	wide := min(w.width, maxWidth)
	lines := w.compactFrame(wide, w.height)
	if w.width >= compactWidth && w.height >= compactHeight {
		lines = w.fullFrame(wide, w.height)
	}
	margin := (w.width - wide) / 2
	for i := range lines {
		lines[i] = w.theme.fit(strings.Repeat(" ", margin)+w.theme.fit(lines[i], wide), w.width)
	}
	return strings.Join(lines, "\n")
}

// fullFrame is the first line, the step's body, the verdict and the help.
func (w *wizard) fullFrame(wide, high int) []string {
	helpLines := 2
	if high < roomyHeight {
		helpLines = 1
	}
	bodyHigh := high - 2 - helpLines
	var body []string
	bindings := w.bindings()
	switch {
	case w.showKeys:
		body = w.keyList(wide, bodyHigh)
	case w.covered():
		body = w.bare(wide, bodyHigh)
	default:
		body = w.step().body(w, wide, bodyHigh)
	}
	lines := make([]string, high)
	lines[0] = w.header(wide)
	copy(lines[1:1+bodyHigh], body)
	lines[1+bodyHigh] = " " + w.status()
	copy(lines[2+bodyHigh:], w.theme.helpRows(bindings, helpLines, wide))
	return lines
}

// compactFrame is for any terminal too small for boxes. Its last line tells how to stop.
func (w *wizard) compactFrame(wide, high int) []string {
	lines := make([]string, high)
	help := 0
	if high >= 4 {
		help = 1
		lines[high-1] = w.theme.helpRows(w.bindings(), 1, wide)[0]
	}
	var body []string
	switch {
	case w.showKeys:
		body = w.theme.helpList(w.allKeys())
	case w.covered():
		body = w.bare(wide, high-help-1)
	case w.stopping:
		body = append([]string{w.status()}, w.step().compact(w, wide, high-help-2)...)
	default:
		body = w.step().compact(w, wide, high-help-1)
	}
	title := "imapilot  " + w.title()
	if high == 1 && len(body) > 0 {
		title = body[0]
	}
	copy(lines[:high-help], append([]string{w.theme.bold.Render(w.theme.fit(title, wide))}, body...))
	return lines
}

// bindings are what the keys do now.
func (w *wizard) bindings() []key.Binding {
	switch {
	case w.stopping:
		return []key.Binding{bind("ctrl+c", "leave at once", "ctrl+c")}
	case len(w.showLetters) > 0:
		return []key.Binding{keyUp, keyClose}
	case w.covered():
		return []key.Binding{keyClose}
	}
	return w.step().bindings(w)
}

func (w *wizard) status() string {
	if w.stopping && w.op != nil {
		return w.theme.warn.Render(w.theme.markWarn) + " stopping: waiting for what is on its way; ctrl+c again leaves at once"
	}
	return w.step().status(w)
}

// title says what the wizard is about: the two accounts, once they are known.
func (w *wizard) title() string {
	if w.at < stepSync {
		return "New migration"
	}
	return w.account(source) + " " + w.theme.arrow + " " + w.account(dest)
}

// account names one side by its user, with the host if the user's name does not tell.
func (w *wizard) account(side int) string {
	t := w.check.drafts[side].target
	if strings.Contains(t.User, "@") {
		return visible(t.User)
	}
	return visible(t.User) + "@" + wire.Printable(t.Host)
}

func (w *wizard) header(wide int) string {
	t := w.theme
	left := " " + t.bold.Render("imapilot") + "  " + w.title()
	switch {
	case w.at == stepSync && w.op != nil:
		return t.sides(left, "running "+elapsed(w.now.Sub(w.op.began))+" ", wide)
	case w.at == stepSummary:
		return t.sides(left, w.summary.ending()+" ", wide)
	}
	return t.sides(left, w.steps(wide), wide)
}

// steps lists the steps and says which are done and which is at hand.
func (w *wizard) steps(wide int) string {
	t := w.theme
	if wide < pairWidth {
		return fmt.Sprintf("step %d of %d: %s ", w.at+1, len(stepNames), stepNames[w.at])
	}
	var parts []string
	for i, name := range stepNames {
		label := fmt.Sprintf("%d %s", i+1, name)
		switch {
		case stepID(i) == w.at:
			parts = append(parts, t.accent.Render(t.stepActive)+t.bold.Render(label))
		case stepID(i) < w.at:
			parts = append(parts, t.ok.Render(t.stepDone)+label)
		default:
			parts = append(parts, t.muted.Render(" "+label))
		}
	}
	return strings.Join(parts, "  ") + " "
}

// allKeys are the step's bindings and those that hold everywhere.
func (w *wizard) allKeys() []key.Binding {
	out := w.step().bindings(w)
	out = append(out[:len(out)-1:len(out)-1], bind("ctrl+c", "stops safely and leaves; pressed again, leaves at once", "ctrl+c"))
	if w.suspends {
		out = append(out, keySuspend)
	}
	return append(out, keyClose)
}

func (w *wizard) keyList(wide, high int) []string {
	return w.theme.draw(box{title: "Keys", right: w.cfg.Version, focused: true}, w.theme.helpList(w.allKeys()), wide, high)
}
