package render

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

//go:embed page.html
var pageHTML string

// pages are the templates "summary" and "verification". html/template escapes; show also takes out what could reorder the text.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"show": layout.Clean,
	"dash": dash,
	"day":  day,
	"size": layout.Size,
}).Parse(pageHTML))

// SummaryHTML writes what [Summary] writes as one HTML file that needs no other.
func SummaryHTML(w io.Writer, s *mailsync.Summary) error {
	return pages.ExecuteTemplate(w, "summary", newAccount(s))
}

// VerificationHTML writes what [Verification] writes as one HTML file that needs no other, with every message that differs.
func VerificationHTML(w io.Writer, v *mailsync.Verification) error {
	return pages.ExecuteTemplate(w, "verification", newComparison(v))
}

// state is the class of a row or a verdict: ok, warning, problem, note, or none.
func state(m layout.Mark) string {
	if m == layout.NoMark {
		return "none"
	}
	return m.Word()
}

// Class is state for the template.
func (a account) Class() string { return state(a.mark) }

// Class is state for the template.
func (r row) Class() string { return state(r.mark) }

// Class is state for the template.
func (c comparison) Class() string { return state(c.mark) }

// Class is state for the template.
func (f folderLine) Class() string { return state(f.mark) }
