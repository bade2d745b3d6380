package render

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

//go:embed report.html
var reportHTML string

// page is the template of a report. html/template escapes; show also takes out what could reorder the text.
var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"show":     layout.Clean,
	"sign":     func(class string) string { return signs[class] },
	"sections": sectionsOf,
	"command":  func(line string) []string { return cleaned(layout.Command(line, 100)) },
}).Parse(reportHTML))

// HTML writes r as one HTML file that needs no other, no script and no network, for the screen in light and dark and for paper.
func HTML(w io.Writer, r *probe.Report, o Options) error {
	return page.Execute(w, newOutline(r, o))
}

func cleaned(lines []string) []string {
	for i, l := range lines {
		lines[i] = layout.Clean(l)
	}
	return lines
}
