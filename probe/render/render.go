// Package render writes a probe report as text for people, as JSON, as Markdown and HTML to forward, and as JUnit XML and SARIF for CI
// servers. It judges nothing: what it shows is in the report, so that a stored one can be rendered again.
//
// What a server said is made printable and escaped here for each format, whatever was done before.
package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// Options say how text is drawn. The zero value is plain text of 80 columns.
type Options struct {
	Color   bool
	ASCII   bool // no marks outside ASCII
	Verbose bool // every check, certificate, capability and piece of evidence
	Width   int  // columns; 0 means 80
	// Given are, for each target, flags without their prefix that the settings need and the report does not hold, such as ca-file.
	Given []map[string]string
}

// widest is how wide the text gets at most: in longer lines the eye loses the row.
const widest = 100

// A view writes one report.
type view struct {
	*layout.Page
	report  *probe.Report
	verbose bool
	given   []map[string]string
	label   int // width of the column of check titles
}

// Text writes r for people: the checks of each target, the findings with the worst first, the settings that work, and on the last line the
// verdict: "ready", "ready, 1 warning" or "not ready: 1 problem (cert.expired on source)".
func Text(w io.Writer, r *probe.Report, o Options) error {
	style := layout.Style{Color: o.Color, ASCII: o.ASCII, Width: o.Width}
	style.Width = min(style.Columns(), widest)
	v := &view{
		Page:    &layout.Page{Style: style},
		report:  r,
		verbose: o.Verbose,
		given:   o.Given,
	}
	v.provenance()
	v.checks()
	v.findings()
	v.settings()
	v.Blank()
	verdict, tone := verdictLine(r)
	v.Line(layout.Span{Text: verdict, Tone: tone})
	_, err := v.WriteTo(w)
	return err
}

// provenance says what made the report, and when: it will be forwarded.
func (v *view) provenance() {
	v.Line(layout.Span{Text: madeBy(v.report), Tone: layout.Muted})
}

func madeBy(r *probe.Report) string {
	took := time.Duration(r.DurationMS) * time.Millisecond
	return fmt.Sprintf("imapilot %s %s, %s UTC, took %s", r.Version, kindOf(r), r.Started.UTC().Format("2006-01-02 15:04:05"), layout.Duration(took))
}

func kindOf(r *probe.Report) string {
	if r.Pair != nil {
		return "preflight"
	}
	return "probe"
}

// side names a target in a sentence: by its part in the job, or by its host.
func side(t *probe.TargetReport) string {
	switch t.Role {
	case probe.RoleSource:
		return "source"
	case probe.RoleDest:
		return "destination"
	}
	return hostOf(t)
}

// hostOf is the target's host, or what was given when no host could be made of it.
func hostOf(t *probe.TargetReport) string {
	if t.Host == "" {
		return t.Input
	}
	return t.Host
}

// checks writes the lines of every target and of the pair.
func (v *view) checks() {
	var blocks []block
	for i, t := range v.report.Targets {
		blocks = append(blocks, v.targetBlocks(i, t)...)
	}
	if v.report.Pair != nil {
		blocks = append(blocks, v.pairBlock(v.report.Pair))
	}
	for _, b := range blocks {
		for _, l := range b.lines {
			v.label = max(v.label, layout.Width(l.label))
		}
	}
	for _, b := range blocks {
		if b.target {
			v.Blank()
		}
		v.Line(b.title...)
		for _, spans := range b.drawing {
			v.Line(spans...)
		}
		for _, l := range b.lines {
			v.checkLine(l)
		}
		for _, text := range b.notes {
			v.Paragraph(layout.Plain("     "), text)
		}
	}
}

// A block is a title and what stands below it.
type block struct {
	title   []layout.Span
	target  bool            // a new target begins: a blank line before it
	drawing [][]layout.Span // lines that are drawn as they are
	lines   []line
	notes   []string // paragraphs below the lines
}

// A line is a check, or several in one.
type line struct {
	mark  layout.Mark
	label string
	fact  string
	took  string
}

// checkLine writes mark, title, fact and time, the time set right.
func (v *view) checkLine(l line) {
	const timeWidth = 7
	head := "  " + layout.Pad(l.label, v.label) + "  "
	mark := v.Mark(l.mark)
	room := v.Columns() - 2 - layout.Width(mark.Text) - layout.Width(head)
	if l.took == "" {
		v.Line(layout.Plain("  "), mark, layout.Plain(head), layout.Plain(v.Cut(l.fact, room)))
		return
	}
	room -= timeWidth + 2
	v.Line(layout.Plain("  "), mark, layout.Plain(head), layout.Plain(layout.Pad(v.Cut(l.fact, room), room)+"  "),
		layout.Span{Text: layout.PadLeft(l.took, timeWidth), Tone: layout.Muted})
}

// pairTitles are the titles of the checks of the pair.
var pairTitles = map[string]string{
	"pair.mailbox": "mailboxes", "pair.space": "space", "pair.sizes": "message sizes", "pair.names": "folder names",
	"pair.flags": "flags", "pair.capability": "capabilities", "pair.estimate": "estimate",
}

func titleOf(id string) string {
	if title, ok := pairTitles[id]; ok {
		return title
	}
	return probe.CheckTitle(id)
}

func (v *view) pairBlock(p *probe.Pair) block {
	b := block{title: []layout.Span{{Text: "both together", Tone: layout.Strong}}, target: true}
	switch text := extent(p); {
	case text == "":
	case layout.Width(b.title[0].Text)+2+layout.Width(text) <= v.Columns():
		b.title = append(b.title, layout.Plain("  "+text))
	default:
		b.notes = append(b.notes, text)
	}
	b.lines = v.lines(v.pairRows(p))
	return b
}

func (v *view) pairRows(p *probe.Pair) []row {
	var rows []row
	for _, r := range p.Checks {
		rows = append(rows, row{Result: r, findings: v.findingsOf(nil, "", r)})
	}
	return rows
}

// extent says how much there is to copy, or nothing when that is not known.
func extent(p *probe.Pair) string {
	if p.Folders == 0 {
		return ""
	}
	text := layout.Counted(p.Messages, "message", "messages") + ", " + layout.Size(p.Bytes) + " in " + layout.Counted(int64(p.Folders), "folder", "folders")
	if p.EstimateSeconds > 0 {
		text += ", about " + layout.Duration(time.Duration(p.EstimateSeconds*float64(time.Second)))
	}
	return text
}

// sentence joins words as a person would: "a, b and c".
func sentence(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
