package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// mark draws a state. A problem and a warning can be told without colour.
func (t *theme) mark(s state, now time.Time) string {
	switch s {
	case stateOK:
		return t.ok.Render(t.markOK)
	case stateWarn:
		return t.warn.Render(t.markWarn)
	case stateProblem, stateError:
		return t.problem.Render(t.markProblem)
	case stateHeld, stateWaiting:
		return t.muted.Render(t.markHeld)
	case stateRunning:
		return t.spin(now)
	}
	return t.muted.Render(t.markUnused)
}

func (c *checkStep) body(w *wizard, wide, high int) []string {
	if c.detail {
		return c.fullDetail(w, wide, high)
	}
	switch {
	case wide >= wideWidth && high >= roomyHeight:
		return c.threeColumns(w, wide, high)
	case wide >= pairWidth:
		return c.twoColumns(w, wide, high)
	}
	return c.oneColumn(w, wide, high)
}

// rows is the height of a side's box with all its lines.
const rows = int(numRows) + 2

func (c *checkStep) twoColumns(w *wizard, wide, high int) []string {
	left := wide / 2
	h := min(rows, high-1)
	out := beside(c.sideBox(w, source, left, h), c.sideBox(w, dest, wide-left, h))
	out = append(out, c.pairLine(w, wide))
	return append(out, c.below(w, wide, high-len(out))...)
}

func (c *checkStep) oneColumn(w *wizard, wide, high int) []string {
	names := [2]string{"Source", "Destination"}
	names[c.side] = w.theme.bold.Render("[" + names[c.side] + "]")
	out := []string{" " + names[source] + "  " + names[dest]}
	out = append(out, c.sideBox(w, c.side, wide, min(rows, high-2))...)
	out = append(out, c.pairLine(w, wide))
	return append(out, c.below(w, wide, high-len(out))...)
}

// threeColumns puts the detail beside the two sides, and both servers together below them.
func (c *checkStep) threeColumns(w *wizard, wide, high int) []string {
	t := w.theme
	column := wide * 32 / 100
	h := rows + 1
	left := beside(c.sideBox(w, source, column, h), c.sideBox(w, dest, column, h))
	pair := box{title: rowTitles[rowPair], focused: c.row == rowPair}
	rest := high - h
	command := w.commandLines("preflight", wide)
	if rest > len(command)+8 {
		rest -= len(command)
	} else {
		command = nil
	}
	left = append(left, t.draw(pair, c.pairLines(w, 2*column-2), 2*column, rest)...)
	cell := c.current(w)
	detail := t.draw(box{title: c.place(cell), right: codeOf(cell)}, c.detailLines(w, wide-2*column-2), wide-2*column, h+rest)
	return append(beside(left, detail), command...)
}

// below is the pane with the current line's finding. Without room for a frame its first line remains.
func (c *checkStep) below(w *wizard, wide, high int) []string {
	t := w.theme
	switch {
	case high <= 0:
		return nil
	case high < 4:
		return c.detailLines(w, wide)[:1]
	}
	cell := c.current(w)
	b := box{title: c.place(cell), right: codeOf(cell)}
	lines := c.detailLines(w, wide-2)
	if hidden := len(lines) - (high - 2); hidden > 0 {
		b.bottom = "enter shows all"
	}
	return t.draw(b, lines, wide, high)
}

// codeOf is the code of a line's gravest finding, and how many more there are.
func codeOf(c cell) string {
	f := worst(c.findings)
	if f == nil {
		return ""
	}
	if n := len(c.findings); n > 1 {
		return fmt.Sprintf("%s, %d more", f.Code, n-1)
	}
	return string(f.Code)
}

func (c *checkStep) sideBox(w *wizard, side, wide, high int) []string {
	t := w.theme
	cells := c.cells(w, side)
	lines := make([]string, 0, len(cells))
	for row, cell := range cells {
		lines = append(lines, c.rowLine(w, cell, wide-2, side == c.side && rowID(row) == c.row))
	}
	if over := len(lines) - (high - 2); over > 0 { // the cursor stays in sight
		lines = lines[min(max(int(c.row)-(high-3), 0), over):]
	}
	name := "Source"
	if side == dest {
		name = "Destination"
	}
	return t.draw(box{
		title:   name + " " + t.dot + " " + t.middle(c.drafts[side].target.Host, max(wide-width(name)-10, 8)),
		bottom:  tally(t, cells),
		focused: side == c.side && c.row != rowPair,
	}, lines, wide, high)
}

// rowLine draws one line: mark, title, a few words, and how long it took.
func (c *checkStep) rowLine(w *wizard, cell cell, wide int, selected bool) string {
	t := w.theme
	took := ""
	if cell.took >= time.Millisecond && cell.state != stateWaiting && cell.state != stateRunning {
		took = layout.Duration(cell.took)
	}
	cursor, title := " ", t.fit(cell.title, max(11, width(cell.title)))
	if selected {
		cursor, title = t.accent.Render(t.selected), t.bold.Render(title)
	}
	left := cursor + t.mark(cell.state, w.now) + " " + title + " "
	text := cell.text
	if cell.state == stateUnused || cell.state == stateHeld || cell.state == stateWaiting {
		text = t.muted.Render(text)
	}
	room := wide - 1 - width(left)
	if took != "" && width(text)+1+width(took) > room {
		took = ""
	}
	return left + t.fit(text, room-width(took)) + t.muted.Render(took)
}

// tally counts a side's lines by what they show.
func tally(t *theme, cells [numRows]cell) string {
	var n [stateProblem + 1]int64
	for _, c := range cells {
		n[c.state]++
	}
	parts := []string{fmt.Sprintf("%d ok", n[stateOK])}
	for _, p := range []struct {
		n         int64
		one, many string
	}{
		{n[stateWarn], "warning", "warnings"},
		{n[stateProblem] + n[stateError], "problem", "problems"},
	} {
		if p.n > 0 {
			parts = append(parts, layout.Counted(p.n, p.one, p.many))
		}
	}
	if n[stateHeld] > 0 {
		parts = append(parts, fmt.Sprintf("%d held", n[stateHeld]))
	}
	if k := n[stateRunning] + n[stateWaiting]; k > 0 {
		parts = append(parts, fmt.Sprintf("%d to come", k))
	}
	return strings.Join(parts, " "+t.dot+" ")
}

func (c *checkStep) pairLine(w *wizard, wide int) string {
	cell := c.pairCell(w)
	cell.took = 0
	return c.rowLine(w, cell, wide, c.row == rowPair)
}

// pairLines is the block of what concerns both servers.
func (c *checkStep) pairLines(w *wizard, wide int) []string {
	cell := c.pairCell(w)
	lines := []string{c.rowLine(w, cell, wide, c.row == rowPair)}
	for _, r := range cell.results {
		text := wire.Printable(r.Summary)
		if r.Status == probe.Held {
			text = "held: " + causeName(r.BlockedBy)
		}
		lines = append(lines, "   "+w.theme.mark(stateOf(r, ""), w.now)+" "+w.theme.muted.Render(text))
	}
	return lines
}

// detailLines tells of the current line: its gravest finding, or what its checks have shown.
func (c *checkStep) detailLines(w *wizard, wide int) []string {
	if c.err != nil {
		return labelled(w.theme, "Why", c.err.Error(), wide)
	}
	cell := c.current(w)
	if f := worst(cell.findings); f != nil {
		return findingLines(w.theme, f, c.pathLines(w.theme, f, wide, false), wide)
	}
	return append(c.resultLines(w, cell, wide), c.loosePathLines(w.theme, wide)...)
}

// labelled wraps text behind a label in the first column.
func labelled(t *theme, label, text string, wide int) []string {
	const column = 6
	var out []string
	for i, l := range wrap(wire.Printable(text), wide-column-2) {
		if i > 0 {
			label = ""
		}
		out = append(out, " "+t.muted.Render(t.fit(label, column))+l)
	}
	return out
}

// findingLines says what was found, where on the path, why that is so, and what can be done.
func findingLines(t *theme, f *finding.Finding, path []string, wide int) []string {
	out := append(labelled(t, "What", f.Summary, wide), path...)
	if f.Cause != "" {
		out = append(out, labelled(t, "Why", f.Cause, wide)...)
	}
	label := "Fix"
	for n, r := range f.Remedies {
		letter := render.LetterOf(r.Text)
		for i, l := range wrap(wire.Printable(letter.Head), wide-11) {
			head := "   "
			if i == 0 {
				head = number(t, n, r) + "  "
			}
			out = append(out, " "+t.muted.Render(t.fit(label, 6))+head+l)
			label = ""
		}
		for _, l := range letter.Wrapped(wide - 11) {
			out = append(out, strings.Repeat(" ", 10)+l)
		}
	}
	return out
}

// resultLines are the summaries of the checks behind a line.
func (c *checkStep) resultLines(w *wizard, cell cell, wide int) []string {
	t := w.theme
	results := cell.results
	if len(results) == 0 {
		results = cell.skipped
	}
	if len(results) == 0 {
		return []string{" " + t.muted.Render(cell.text)}
	}
	var out, told []string
	for _, r := range results {
		text := wire.Printable(r.Summary)
		switch {
		case r.Status == probe.Held:
			text = probe.CheckTitle(r.ID) + ": held, " + probe.CheckTitle(r.BlockedBy) + " comes first"
		case r.Status == "":
			text = probe.CheckTitle(r.ID) + ": waiting"
		case text == "":
			text = probe.CheckTitle(r.ID)
		}
		if slices.Contains(told, text) {
			continue
		}
		told = append(told, text)
		mark := t.mark(stateOf(r, ""), w.now)
		for i, l := range wrap(text, wide-width(mark)-3) {
			if i > 0 {
				mark = strings.Repeat(" ", width(mark))
			}
			out = append(out, " "+mark+" "+l)
		}
	}
	return out
}

// fullDetail is everything about the current line, on the whole screen.
func (c *checkStep) fullDetail(w *wizard, wide, high int) []string {
	t := w.theme
	cell := c.current(w)
	lines := c.everything(w, cell, wide-2)
	c.scroll = min(c.scroll, max(len(lines)-(high-2), 0))
	b := box{title: c.place(cell), right: codeOf(cell), focused: true}
	if below := len(lines) - c.scroll - (high - 2); below > 0 {
		b.bottom = fmt.Sprintf("%d more below", below)
	}
	return t.draw(b, lines[c.scroll:], wide, high)
}

func (c *checkStep) everything(w *wizard, cell cell, wide int) []string {
	t := w.theme
	var out []string
	for _, f := range bySeverity(cell.findings) {
		out = append(out, " "+t.bold.Render(string(f.Code))+t.muted.Render(fmt.Sprintf("  %s, responsible: %s, %s", f.Severity, f.Responsible, f.Certainty)))
		out = append(out, findingLines(t, &f, c.pathLines(t, &f, wide, true), wide)...)
		out = append(out, evidenceLines(t, f.Evidence, wide)...)
		label := "Show"
		for _, line := range f.Reproduce {
			for _, l := range layout.Command(line, wide-8) {
				out = append(out, " "+t.muted.Render(t.fit(label, 6))+l)
				label = ""
			}
		}
		if f.Ref != "" {
			out = append(out, labelled(t, "Ref", f.Ref, wide)...)
		}
		out = append(out, labelled(t, "More", "imapilot explain "+string(f.Code), wide)...)
		out = append(out, "")
	}
	out = append(out, c.resultLines(w, cell, wide)...)
	out = append(out, c.loosePathLines(t, wide)...)
	if c.row == rowTLS || c.row == rowCertificate || c.row == rowName {
		out = append(out, chainLines(t, focusOf(c.targetOf(c.side)))...)
	}
	return out
}

// evidenceLines lists what was seen, as far as there was something.
func evidenceLines(t *theme, evidence map[string]any, wide int) []string {
	var out []string
	label := "Seen"
	for _, e := range render.EvidenceOf(evidence) {
		if e.Value == `""` || e.Value == "[]" || e.Value == "null" {
			continue
		}
		out = append(out, labelled(t, label, e.Name+": "+e.Value, wide)...)
		label = ""
	}
	return out
}

func (c *checkStep) targetOf(side int) *probe.TargetReport {
	if t := c.targets[side]; t != nil {
		return t
	}
	return &probe.TargetReport{}
}

// chainLines lists the certificates that a server sent.
func chainLines(t *theme, e *probe.EndpointReport) []string {
	if e == nil || e.TLS == nil {
		return nil
	}
	out := []string{"", " " + t.muted.Render("Certificates as sent by "+e.Address)}
	for i, cert := range e.TLS.Certificates {
		out = append(out, fmt.Sprintf(" %d  %s", i, t.bold.Render(wire.Printable(cert.Subject))))
		row := func(label, text string) {
			if text != "" {
				out = append(out, "    "+t.muted.Render(t.fit(label, 8))+wire.Printable(text))
			}
		}
		row("names", strings.Join(append(slices.Clone(cert.DNSNames), cert.IPAddresses...), " "))
		row("issuer", cert.Issuer)
		row("valid", cert.NotBefore.Format("2006-01-02")+" to "+cert.NotAfter.Format("2006-01-02"))
		row("key", fmt.Sprintf("%s, %d bits, %s", cert.KeyType, cert.KeyBits, cert.SignatureAlgorithm))
		row("sha256", cert.SHA256)
		row("spki", cert.SPKISHA256)
	}
	return out
}

func (c *checkStep) compact(w *wizard, wide, high int) []string {
	t := w.theme
	out := []string{c.status(w)}
	if c.detail {
		lines := c.everything(w, c.current(w), wide)
		c.scroll = min(c.scroll, max(len(lines)-(high-len(out)), 0))
		return append(out, lines[c.scroll:]...)
	}
	if c.report != nil && high > int(numRows)+4 {
		out = append(out, c.detailLines(w, wide)...)
	}
	names := [2]string{"Source", "Destination"}
	out = append(out, t.bold.Render(names[c.side]+" "+c.drafts[c.side].target.Host))
	var lines []string
	for row, cell := range c.cells(w, c.side) {
		lines = append(lines, c.rowLine(w, cell, wide, rowID(row) == c.row))
	}
	lines = append(lines, c.pairLine(w, wide))
	from := max(int(c.row)-max(high-len(out)-1, 0), 0)
	return append(out, lines[min(from, len(lines)-1):]...)
}
