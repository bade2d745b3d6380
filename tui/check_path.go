package tui

import (
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// pathMap is the map of the path to the side under the cursor, nil if none was looked at.
func (c *checkStep) pathMap() *render.PathMap {
	return render.NewPathMap(c.targets[c.side], c.findingsOf(c.side))
}

// pathLines draw the path with the finding that was made of it. With all, the times of the hops stand below, and what it says.
func (c *checkStep) pathLines(t *theme, f *finding.Finding, wide int, all bool) []string {
	if m := c.pathMap(); m != nil && f.Target != nil && *f.Target == c.side && m.Concerns(*f) {
		return drawnPath(t, m, wide, all)
	}
	return nil
}

// loosePathLines draw a path of which nothing was found, below what the port has shown.
func (c *checkStep) loosePathLines(t *theme, wide int) []string {
	m := c.pathMap()
	if m == nil || c.row != rowTLSPort && c.row != rowPlainPort {
		return nil
	}
	for _, f := range c.findingsOf(c.side) {
		if m.Concerns(f) {
			return nil
		}
	}
	return drawnPath(t, m, wide, true)
}

// drawnPath is a map with its label, as [labelled] sets it.
func drawnPath(t *theme, m *render.PathMap, wide int, all bool) []string {
	const column = 6
	style := layout.Style{ASCII: t.ascii, Width: max(wide-column-2, 1)}
	var out []string
	label := "Path"
	for _, spans := range m.Lines(style, all) {
		line := " " + t.muted.Render(t.fit(label, column))
		for _, s := range spans {
			line += t.tone(s.Tone).Render(layout.Clean(s.Text))
		}
		out, label = append(out, line), ""
	}
	if all {
		out = append(out, labelled(t, "", strings.Join(m.Words(style), "; "), wide)...)
	}
	return out
}

// tone is the style for a tone of a text output.
func (t *theme) tone(tone layout.Tone) lipgloss.Style {
	switch tone {
	case layout.Good:
		return t.ok
	case layout.Warn:
		return t.warn
	case layout.Bad:
		return t.problem
	case layout.Muted:
		return t.muted
	case layout.Accent:
		return t.accent
	case layout.Strong:
		return t.bold
	}
	return lipgloss.NewStyle()
}
