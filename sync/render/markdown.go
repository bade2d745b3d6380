package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// SummaryMarkdown writes what [Summary] writes as Markdown, with the tables of GitHub's dialect.
func SummaryMarkdown(w io.Writer, s *mailsync.Summary) error {
	a := newAccount(s)
	var b strings.Builder
	fmt.Fprintf(&b, "# Copy of mail\n\n**%s**\n\n", md(a.Verdict))
	b.WriteString("| | messages | |\n|---|---:|---|\n")
	for _, r := range a.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", md(r.Label), md(r.Count), md(r.Note))
	}
	if len(a.Causes) > 0 {
		b.WriteString("\n## Could not be copied\n\n")
	}
	for _, c := range a.Causes {
		fmt.Fprintf(&b, "- **%s**: %s\n", md(c.Count), md(c.What))
		if c.Said != "" {
			fmt.Fprintf(&b, "  - the server said: %s\n", md(c.Said))
		}
		for _, p := range c.Places {
			fmt.Fprintf(&b, "  - %s: %s\n", md(p.Folder), md(p.UIDs))
		}
	}
	if a.Unnamed > 0 {
		fmt.Fprintf(&b, "- and %d more causes: the JSON output lists them all\n", a.Unnamed)
	}
	b.WriteString("\n## Next\n\n")
	for _, step := range a.Next {
		fmt.Fprintf(&b, "- %s\n", md(step))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// VerificationMarkdown writes what [Verification] writes as Markdown, with every message that differs.
func VerificationMarkdown(w io.Writer, v *mailsync.Verification) error {
	c := newComparison(v)
	var b strings.Builder
	fmt.Fprintf(&b, "# Comparison of mail\n\n**%s**\n\n", md(c.Verdict))
	b.WriteString("| source | destination | in source | in destination | result |\n|---|---|---:|---:|---|\n")
	for _, f := range c.Folders {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", md(dash(f.Source)), md(dash(f.Dest)), md(f.SourceCount), md(f.DestCount), md(f.Result))
	}
	title := ""
	for _, d := range c.Details {
		if d.Title != title {
			fmt.Fprintf(&b, "\n## %s\n", d.Title)
			title = d.Title
		}
		fmt.Fprintf(&b, "\n### %s\n\n| uid | date (UTC) | octets | Message-Id |\n|---:|---|---:|---|\n", md(d.Folder))
		for _, m := range d.Messages {
			fmt.Fprintf(&b, "| %d | %s | %d | %s |\n", m.UID, day(m.Date), m.Size, md(m.MessageID))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mdSpecial are the characters that mean something in Markdown, each with a backslash before it.
var mdSpecial = func() *strings.Replacer {
	var pairs []string
	for _, r := range "\\`*_{}[]<>#|!~&" {
		pairs = append(pairs, string(r), `\`+string(r))
	}
	return strings.NewReplacer(pairs...)
}()

// md makes text one line that says in Markdown what it says as it is.
func md(text string) string { return mdSpecial.Replace(layout.Clean(text)) }
