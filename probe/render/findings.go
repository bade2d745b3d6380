package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// A group is a finding, with all ports of a target that have it for the same reason.
type group struct {
	finding.Finding
	ports     []string
	summaries []string
	remedies  []finding.Remedy
	reproduce []string
	decides   bool // it is why the verdict is blocked
}

// findings writes what was found, the worst first; what is for the record in one line each.
func (v *view) findings() {
	groups := groupFindings(v.report)
	for i, g := range groups {
		note := g.Severity == finding.Info && !v.verbose
		if !note || i == 0 || groups[i-1].Severity != finding.Info {
			v.Blank()
		}
		if note {
			v.note(g)
		} else {
			v.finding(g)
		}
	}
}

// groupFindings puts what is the same on several ports together, and the worst first.
func groupFindings(r *probe.Report) []*group {
	deciding := r.Deciding()
	var groups []*group
	for _, f := range r.Findings {
		i := slices.IndexFunc(groups, func(g *group) bool { return sameCause(g.Finding, f) })
		if i < 0 {
			groups, i = append(groups, &group{Finding: f}), len(groups)
		}
		g := groups[i]
		g.decides = g.decides || decides(deciding, f)
		if f.Endpoint != nil {
			g.ports = addNew(g.ports, portOf(*f.Endpoint))
		}
		g.summaries = addNew(g.summaries, f.Summary)
		g.reproduce = addNew(g.reproduce, f.Reproduce...)
		for _, m := range f.Remedies {
			if !slices.ContainsFunc(g.remedies, func(x finding.Remedy) bool { return x.Text == m.Text && maps.Equal(x.Apply, m.Apply) }) {
				g.remedies = append(g.remedies, m)
			}
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return rank(a) - rank(b) })
	return groups
}

func sameCause(a, b finding.Finding) bool {
	return a.Code == b.Code && a.Severity == b.Severity && sameTarget(a, b) && a.Cause == b.Cause &&
		a.Responsible == b.Responsible && a.Certainty == b.Certainty
}

func sameTarget(a, b finding.Finding) bool {
	if a.Target == nil || b.Target == nil {
		return a.Target == b.Target
	}
	return *a.Target == *b.Target
}

func addNew(list []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// portOf is the 993 of "host:993/tls".
func portOf(endpoint string) string {
	address, _, _ := strings.Cut(endpoint, "/")
	return address[strings.LastIndexByte(address, ':')+1:]
}

// severities in the order of badness.
var severities = []finding.Severity{finding.Block, finding.High, finding.Warn, finding.Info}

func rank(g *group) int {
	n := slices.Index(severities, g.Severity)
	if !g.decides {
		n += len(severities)
	}
	return n
}

// mark and word say what the finding means for the verdict: a port that is out of order is a warning as long as another one works.
func (g *group) mark() (layout.Mark, string) {
	switch {
	case g.decides:
		return layout.Problem, "problem"
	case g.Severity == finding.Info:
		return layout.Note, "note"
	case g.Severity == finding.Block && len(g.ports) > 0:
		return layout.Warning, "warning: blocks this port"
	case g.Severity == finding.Warn:
		return layout.Warning, "warning"
	}
	return layout.Warning, "warning: " + string(g.Severity)
}

// place is where it was found: "source, port 993".
func (v *view) place(g *group) string {
	where := "both together"
	if g.Target != nil && *g.Target < len(v.report.Targets) {
		where = side(v.report.Targets[*g.Target])
	}
	switch len(g.ports) {
	case 0:
		return where
	case 1:
		return where + ", port " + g.ports[0]
	}
	return where + ", ports " + sentence(g.ports)
}

func (v *view) note(g *group) {
	mark := v.Mark(layout.Note)
	mark.Text += "  "
	v.Paragraph(mark, string(g.Code)+", "+v.place(g)+": "+strings.Join(g.summaries, "; "))
}

// finding writes one in full.
func (v *view) finding(g *group) {
	mark, word := g.mark()
	head := "  " + string(g.Code) + "  "
	left := v.Columns() - layout.Width(v.Mark(mark).Text) - layout.Width(head) - layout.Width(word) - 2
	place := layout.Pad(v.Cut(v.place(g), left), left) + "  "
	v.Line(v.Mark(mark), layout.Span{Text: head, Tone: mark.Tone()}, layout.Plain(place), layout.Span{Text: word, Tone: mark.Tone()})
	for _, s := range g.summaries {
		v.Paragraph(layout.Plain("   "), s)
	}
	v.item("Why", g.Cause)
	for i, m := range g.remedies {
		title := ""
		if i == 0 {
			title = "Fix"
		}
		v.remedy(title, i+1, m)
	}
	v.item("Who", who(g))
	for i, command := range g.reproduce {
		title := ""
		if i == 0 {
			title = "Show"
		}
		for _, l := range layout.Command(command, v.Columns()-itemWidth) {
			v.Line(itemHead(title), layout.Plain(l))
			title = ""
		}
	}
	v.item("More", layout.Join("; ", "imapilot explain "+string(g.Code), g.Ref))
	if v.verbose {
		v.evidence(g.Evidence)
	}
}

// who says who can act, and how sure that is.
func who(g *group) string {
	if g.Responsible == finding.Unknown {
		return "cannot be told from here"
	}
	return responsibleWords[g.Responsible] + " (" + string(g.Certainty) + ")"
}

// itemWidth is where the text of an item begins.
const itemWidth = 9

func itemHead(title string) layout.Span {
	return layout.Span{Text: "   " + layout.Pad(title, itemWidth-3), Tone: layout.Muted}
}

func (v *view) item(title, text string) {
	if text != "" {
		v.Paragraph(itemHead(title), text)
	}
}

func (v *view) remedy(title string, number int, m finding.Remedy) {
	head := itemHead(title)
	head.Text += fmt.Sprintf("%d  ", number)
	letter := LetterOf(m.Text)
	text := letter.Head
	if len(m.Apply) > 0 {
		text += ":"
	}
	v.Paragraph(head, text)
	indent := layout.Plain(strings.Repeat(" ", layout.Width(head.Text)))
	for _, flag := range flagsOf(m) {
		v.Line(indent, layout.Span{Text: flag, Tone: layout.Accent})
	}
	v.letter(letter)
}

// letter writes what is ready to be sent at the margin, set apart by blank lines, so that it can be copied as it is.
func (v *view) letter(l Letter) {
	if len(l.Body) == 0 {
		return
	}
	v.Blank()
	for _, line := range l.Wrapped(v.Columns()) {
		v.Line(layout.Plain(line))
	}
	v.Blank()
}

// flagsOf are the flags that put a remedy into effect, as they are typed.
func flagsOf(m finding.Remedy) []string {
	var list []string
	for _, flag := range slices.Sorted(maps.Keys(m.Apply)) {
		list = append(list, "--"+flag+" "+shellQuote(m.Apply[flag]))
	}
	return list
}

// evidence writes what was seen, as it stands in the JSON.
func (v *view) evidence(evidence map[string]any) {
	title := "Seen"
	for _, e := range EvidenceOf(evidence) {
		v.Paragraph(itemHead(title), e.Name+": "+e.Value)
		title = ""
	}
}

// Evidence is a piece of what was seen.
type Evidence struct{ Name, Value string }

// EvidenceOf returns pieces of evidence by name, each value in JSON, with blanks between the items of a list so that a line can break there.
func EvidenceOf(evidence map[string]any) []Evidence {
	var list []Evidence
	for _, name := range slices.Sorted(maps.Keys(evidence)) {
		list = append(list, Evidence{name, jsonText(evidence[name])})
	}
	return list
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil || len(items) < 2 {
		return string(data)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = string(item)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// responsibleWords say who can remove the cause.
var responsibleWords = map[finding.Responsible]string{
	finding.You:                  "you",
	finding.ThisComputer:         "whoever administers this computer",
	finding.LocalNetwork:         "whoever administers this network",
	finding.Path:                 "whoever is on the way between here and the server",
	finding.Server:               "the server's administrator",
	finding.DNS:                  "whoever keeps the domain's DNS",
	finding.CertificateAuthority: "the certificate authority",
	finding.AccountHolder:        "the owner of the account, or its provider",
}
