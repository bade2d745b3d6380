package tui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// checkStep shows the preflight of both servers, side by side, while it runs and after.
type checkStep struct {
	drafts   [2]draft
	revision int                    // of the form that was checked
	targets  [2]*probe.TargetReport // as far as they are
	report   *probe.Report          // nil until the preflight has ended
	err      error                  // why there is no report
	ended    time.Time

	side   int
	row    rowID
	moved  bool // by the person: then the end of the check does not move the cursor
	detail bool // the finding fills the screen
	scroll int
	note   string // what became of the last key, if that must be said
}

// checked is the outcome of a preflight.
type checked struct {
	report *probe.Report
	err    error
}

// holds tells that a report of this revision of the form is there.
func (c *checkStep) holds(revision int) bool { return c.report != nil && c.revision == revision }

// start begins a preflight in a session of its own, in place of the one before.
func (c *checkStep) start(w *wizard, drafts [2]draft, revision int) tea.Cmd {
	*c = checkStep{drafts: drafts, revision: revision}
	w.plan = &planStep{}
	old, s := w.session, &session{}
	w.session = s
	w.at = stepCheck
	newJob := w.cfg.NewJob
	return w.begin(func(ctx context.Context) any {
		if old != nil {
			old.close()
		}
		for side := range drafts {
			if err := drafts[side].read(); err != nil {
				return &badField{side, fieldCAFile, err}
			}
			if ref := drafts[side].target.Secret; ref != nil {
				ref.Forget() // a file or variable may hold another password by now
			}
		}
		var out checked
		s.open = func() *Backend { return newJob(drafts[source].target, drafts[dest].target) }
		s.drive(func(b *Backend) { out.report, out.err = b.Preflight(ctx) })
		return out
	})
}

func (c *checkStep) observe(_ *wizard, s *snapshot) {
	if s == nil {
		return
	}
	for i, t := range s.checks {
		if i < len(c.targets) {
			c.targets[i] = t
		}
	}
}

func (c *checkStep) finished(w *wizard, result any) tea.Cmd {
	if bad, ok := result.(*badField); ok {
		w.at = stepServers
		w.servers.focus(bad.side, bad.field)
		w.servers.form().problems[bad.field] = bad.err.Error()
		return nil
	}
	out := result.(checked)
	c.report, c.err = out.report, out.err
	c.ended = w.now
	if c.report == nil {
		return nil
	}
	for i, t := range c.report.Targets {
		if i < len(c.targets) {
			c.targets[i] = t
		}
	}
	if !c.moved {
		c.selectWorst(w)
	}
	return nil
}

// cells returns the lines of a side.
func (c *checkStep) cells(w *wizard, side int) [numRows]cell {
	return cells(c.targets[side], c.findingsOf(side), w.op == nil, w.now)
}

// findingsOf are the findings of one side; there are none before the report.
func (c *checkStep) findingsOf(side int) []finding.Finding {
	var findings []finding.Finding
	if c.report != nil {
		for _, f := range c.report.Findings {
			if f.Target != nil && *f.Target == side {
				findings = append(findings, f)
			}
		}
	}
	return findings
}

// pairCell sums up the checks of both servers together.
func (c *checkStep) pairCell(w *wizard) cell {
	out := cell{title: rowTitles[rowPair], state: stateWaiting, text: "waiting for both sign-ins"}
	if c.report == nil || c.report.Pair == nil {
		if w.op == nil {
			out.state, out.text = stateHeld, "not compared"
		}
		return out
	}
	out.state = stateUnused
	out.take(c.report.Pair.Checks, "")
	for _, f := range c.report.Findings {
		if f.Target == nil {
			out.findings = append(out.findings, f)
		}
	}
	switch out.state {
	case stateHeld:
		out.text = "held: both sign-ins come first"
	case stateOK:
		out.text = fmt.Sprintf("%s, %s, %s", layout.Counted(int64(c.report.Pair.Folders), "folder", "folders"),
			layout.Counted(c.report.Pair.Messages, "message", "messages"), layout.Size(c.report.Pair.Bytes))
	default:
		if f := worst(out.findings); f != nil {
			out.text = f.Summary
		}
	}
	return out
}

// current is the line under the cursor.
func (c *checkStep) current(w *wizard) cell {
	if c.row == rowPair {
		return c.pairCell(w)
	}
	return c.cells(w, c.side)[c.row]
}

// selectWorst puts the cursor on the line with the gravest finding: of the service in focus before others, the first on a
// tie. Where all is well it is the line of both together.
func (c *checkStep) selectWorst(w *wizard) {
	best := 2 * int(stateRunning)
	for side := range c.targets {
		for row, cell := range c.cells(w, side) {
			rank := 2 * int(cell.state)
			if cell.aside {
				rank--
			}
			if rank > best {
				best, c.side, c.row = rank, side, rowID(row)
			}
		}
	}
	if pair := c.pairCell(w); 2*int(pair.state) > best || best == 2*int(stateRunning) && pair.state == stateOK {
		c.row = rowPair
	}
}

// next puts the cursor on the next line that has a finding.
func (c *checkStep) nextFinding(w *wizard) {
	type place struct {
		side int
		row  rowID
	}
	var all []place
	for side := range c.targets {
		for row, cell := range c.cells(w, side) {
			if len(cell.findings) > 0 {
				all = append(all, place{side, rowID(row)})
			}
		}
	}
	if len(c.pairCell(w).findings) > 0 {
		all = append(all, place{c.side, rowPair})
	}
	if len(all) == 0 {
		return
	}
	at := slices.Index(all, place{c.side, c.row})
	to := all[(at+1)%len(all)]
	c.side, c.row = to.side, to.row
}

func (c *checkStep) bindings(w *wizard) []key.Binding {
	var letter []key.Binding
	if len(c.letters(w)) > 0 {
		letter = append(letter, keyLetter)
	}
	if c.detail {
		return slices.Concat([]key.Binding{keyUp, keyPageUp}, letter, []key.Binding{keyFault, keyApply, keyShut, keyHelp})
	}
	out := []key.Binding{keyUp, keySide, keyOpen}
	if w.op != nil {
		return append(out, bind("esc", "stop and go back", "esc"), keyHelp)
	}
	if c.continues() {
		out = append(out, bind("n", "plan the copy", "n"))
	}
	if len(c.fixes(w)) > 0 {
		out = append(out, keyApply)
	}
	out = append(out, letter...)
	return append(out, keyFault, keyEdit, keyAgain, keyCommand, keyBack, keyQuit, keyHelp)
}

func (c *checkStep) press(w *wizard, msg tea.KeyMsg) tea.Cmd {
	c.note = ""
	switch {
	case c.detail && key.Matches(msg, keyShut):
		c.detail, c.scroll = false, 0
	case c.detail && key.Matches(msg, keyUp, keyDown, keyPageUp, keyPageDn, keyHome, keyEnd):
		c.scroll = scrolled(c.scroll, msg)
	case key.Matches(msg, keyApply) && w.op == nil:
		return c.apply(w, int(msg.Runes[0]-'1'))
	case key.Matches(msg, keyFault):
		c.moved, c.scroll = true, 0
		c.nextFinding(w)
	case key.Matches(msg, keyLetter):
		w.showLetters = c.letters(w)
	case c.detail:
	case key.Matches(msg, keyUp):
		c.move(-1)
	case key.Matches(msg, keyDown):
		c.move(1)
	case key.Matches(msg, keyHome):
		c.move(-int(numRows))
	case key.Matches(msg, keyEnd):
		c.move(int(numRows))
	case key.Matches(msg, keySide):
		c.side, c.moved = 1-c.side, true
	case key.Matches(msg, keyOpen):
		c.detail, c.scroll = true, 0
	case key.Matches(msg, keyEdit) && w.op == nil:
		w.at = stepServers
		w.servers.focus(c.side, c.fieldBehind())
	case key.Matches(msg, keyAgain) && w.op == nil:
		return c.start(w, c.drafts, c.revision)
	case key.Matches(msg, keyBack):
		w.abandon()
		w.at = stepServers
	case key.Matches(msg, keyCommand):
		w.showCommand = "preflight"
	case key.Matches(msg, keyQuit) && w.op == nil:
		return w.quit(c.exitCode(), c.err)
	case key.Matches(msg, keyNext) && w.op == nil && c.continues():
		return w.plan.enter(w)
	}
	return nil
}

func (c *checkStep) move(by int) {
	c.moved = true
	c.row = rowID(min(max(int(c.row)+by, 0), int(rowPair)))
}

// fieldBehind is the field of the form that decides on the line under the cursor.
func (c *checkStep) fieldBehind() fieldID {
	switch c.row {
	case rowTLSPort, rowPlainPort:
		return fieldPort
	case rowTLS, rowSTARTTLS:
		return fieldSecurity
	case rowSignIn, rowMailbox:
		if c.drafts[c.side].target.User == "" {
			return fieldUser
		}
		return fieldPassword
	}
	return fieldHost
}

// fixes are the remedies of the current line's gravest finding, as far as one can be told.
func (c *checkStep) fixes(w *wizard) []finding.Remedy {
	f := worst(c.current(w).findings)
	if f == nil {
		return nil
	}
	var out []finding.Remedy
	for _, r := range f.Remedies {
		if len(r.Apply) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// letters are the texts of the current line's gravest finding that are ready to be sent.
func (c *checkStep) letters(w *wizard) []render.Letter {
	f := worst(c.current(w).findings)
	if f == nil {
		return nil
	}
	var out []render.Letter
	for _, r := range f.Remedies {
		if l := render.LetterOf(r.Text); len(l.Body) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// apply puts the nth remedy of the gravest finding into the form, and checks again.
func (c *checkStep) apply(w *wizard, n int) tea.Cmd {
	f := worst(c.current(w).findings)
	if f == nil || n >= len(f.Remedies) {
		return nil
	}
	flags := f.Remedies[n].Apply
	for side, form := range w.servers.sides {
		if form.takeFlags(flags) {
			w.servers.revision++
			w.servers.focus(side, fieldHost)
			return w.servers.submit(w)
		}
	}
	c.note = fmt.Sprintf("fix %d cannot be applied from here; do what it says, then r checks again", n+1)
	return nil
}

// signedIn tells that a side's sign-in went well.
func (c *checkStep) signedIn(side int) bool {
	t := c.targets[side]
	return t != nil && loginStatus(t, probe.Pass, probe.Warned)
}

// sent tells that a sign-in was tried, so that the password went to the server.
func (c *checkStep) sent(side int) bool {
	t := c.targets[side]
	return t != nil && loginStatus(t, probe.Pass, probe.Warned, probe.Fail, probe.Errored)
}

func loginStatus(t *probe.TargetReport, any ...probe.Status) bool {
	for _, e := range t.Endpoints {
		for _, r := range e.Checks {
			if r.ID == "auth.login" && slices.Contains(any, r.Status) {
				return true
			}
		}
	}
	return false
}

// continues tells that the plan may be made: nothing blocks, and both sides are signed in.
func (c *checkStep) continues() bool {
	return c.report != nil && c.report.Verdict != probe.Blocked && c.signedIn(source) && c.signedIn(dest)
}

// exitCode is that of leaving from here.
func (c *checkStep) exitCode() int {
	if c.report != nil && c.report.Verdict == probe.Blocked {
		return c.report.ExitCode
	}
	return 0
}

// warnings are the findings of a report that do not block and should be seen.
func (c *checkStep) warnings() []finding.Finding {
	var out []finding.Finding
	for _, f := range bySeverity(c.report.Findings) {
		if f.Severity == finding.High || f.Severity == finding.Warn || f.Severity == finding.Block {
			out = append(out, f)
		}
	}
	return out
}

// status is the verdict.
func (c *checkStep) status(w *wizard) string {
	t := w.theme
	switch {
	case w.op != nil:
		return t.spin(w.now) + " checking both servers " + t.ellipsis + w.sinceBegan()
	case c.err != nil:
		return t.problem.Render(t.markProblem) + " the check could not be done: " + c.err.Error()
	case c.report == nil:
		return ""
	case c.note != "":
		return t.warn.Render(t.markWarn) + " " + c.note
	case c.report.Verdict == probe.Blocked:
		return t.problem.Render(t.markProblem) + " " + c.notReady()
	}
	for side := range c.targets {
		if !c.signedIn(side) {
			return t.warn.Render(t.markHeld) + " the servers are in order; to go on, give user and password of the " + sideName[side] + ": press e"
		}
	}
	if n := len(c.warnings()); n > 0 {
		return t.warn.Render(t.markWarn) + " ready, " + layout.Counted(int64(n), "warning", "warnings") + "; n plans the copy"
	}
	return t.ok.Render(t.markOK) + " ready; n plans the copy"
}

// notReady counts the problems of each side, and says where no password went.
func (c *checkStep) notReady() string {
	deciding := c.report.Deciding()
	var problems, unsent []string
	var at []int // the sides with problems
	for side := range c.targets {
		n := 0
		for _, f := range deciding {
			if f.Target != nil && *f.Target == side {
				n++
			}
		}
		if n > 0 {
			problems = append(problems, sideName[side]+" has "+layout.Counted(int64(n), "problem", "problems"))
			at = append(at, side)
		}
		if c.drafts[side].target.Secret != nil && !c.sent(side) {
			unsent = append(unsent, sideName[side])
		}
	}
	text := "not ready"
	switch {
	case len(problems) == 2:
		text += ": both have problems"
	case len(problems) == 1:
		text += ": " + problems[0]
	case c.report.Pair != nil:
		text += ": the two accounts do not go together"
	}
	if len(unsent) == 2 {
		return text + "; no password was sent"
	}
	if len(unsent) == 1 {
		where := "to the " + unsent[0]
		if len(at) == 1 && sideName[at[0]] == unsent[0] {
			where = "there"
		}
		return text + "; your password was not sent " + where
	}
	return text
}

// place names the line under the cursor.
func (c *checkStep) place(cell cell) string {
	switch {
	case c.err != nil:
		return "Check"
	case c.row == rowPair:
		return cell.title
	}
	return cell.title + ", " + sideName[c.side]
}

// number writes a remedy's number as a key when pressing it does something.
func number(t *theme, n int, r finding.Remedy) string {
	text := strconv.Itoa(n + 1)
	if len(r.Apply) > 0 {
		return t.accent.Render(text)
	}
	return t.muted.Render(text)
}
