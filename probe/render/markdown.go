package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// Markdown writes r with the tables of GitHub's dialect: all targets side by side, the findings with the worst first, the settings that
// work, and then every check, certificate and capability.
func Markdown(w io.Writer, r *probe.Report, o Options) error {
	m := &markdown{outline: newOutline(r, o)}
	fmt.Fprintf(m, "# imapilot %s: %s\n\n%s\n", m.Kind, md(m.Verdict), md(m.Made))
	m.sideBySide()
	m.findings()
	m.settings()
	m.details()
	_, err := m.WriteTo(w)
	return err
}

// A markdown is a document that grows.
type markdown struct {
	*outline
	bytes.Buffer
}

func (m *markdown) row(cells ...string) {
	for i, c := range cells {
		cells[i] = md(c)
	}
	fmt.Fprintf(m, "| %s |\n", strings.Join(cells, " | "))
}

func (m *markdown) head(titles ...string) {
	m.row(titles...)
	fmt.Fprintf(m, "|%s\n", strings.Repeat("---|", len(titles)))
}

func (m *markdown) sideBySide() {
	m.WriteByte('\n')
	titles := []string{""}
	for _, s := range m.Sides {
		titles = append(titles, layout.Join(" ", s.Name, map[bool]string{true: s.Host}[s.Name == ""]))
	}
	m.head(titles...)
	for _, a := range m.Aspects {
		cells := []string{a.Name}
		for _, c := range a.Cells {
			cells = append(cells, marked(c.Class, c.Text))
		}
		m.row(cells...)
	}
}

// marked puts the mark of a class before text.
func marked(class, text string) string {
	if sign := signs[class]; sign != "" && text != "" {
		return sign + " " + text
	}
	return text
}

// signs are the marks of the text output by their word.
var signs = func() map[string]string {
	m := map[string]string{}
	for _, mark := range []layout.Mark{layout.OK, layout.Warning, layout.Problem, layout.Waiting, layout.Note} {
		m[mark.Word()] = layout.Style{}.Mark(mark).Text
	}
	return m
}()

func (m *markdown) findings() {
	if len(m.Findings) > 0 {
		m.WriteString("\n## Findings\n")
	}
	for _, f := range m.Findings {
		fmt.Fprintf(m, "\n### %s %s\n\n%s, %s, %s\n\n", md(signs[f.Class]), md(f.Title), code(f.Code), md(f.Word), md(f.Place))
		for _, s := range f.Summaries {
			fmt.Fprintf(m, "%s\n\n", md(s))
		}
		if f.Path != nil {
			m.pathMap(f.Path)
		}
		if f.Cause != "" {
			fmt.Fprintf(m, "- **Why**: %s\n", md(f.Cause))
		}
		for _, r := range f.Remedies {
			text := md(r.Head)
			for _, flag := range r.Flags {
				text += " " + code(flag)
			}
			fmt.Fprintf(m, "- **Fix**: %s\n", text)
			m.letter(r.Letter)
		}
		fmt.Fprintf(m, "- **Who**: %s\n", md(f.Who))
		fmt.Fprintf(m, "- **More**: %s\n", layout.Join("; ", code("imapilot explain "+f.Code), md(f.Ref)))
		if len(f.Reproduce) > 0 {
			m.WriteString("\nTo see it yourself:\n\n")
			m.block("sh", "", f.Reproduce)
		}
	}
}

func (m *markdown) settings() {
	if len(m.Settings) > 0 {
		m.WriteString("\n## Settings that work\n")
	}
	for _, s := range m.Settings {
		m.WriteByte('\n')
		m.block("sh", "", s.Lines)
		if s.Limit != "" {
			fmt.Fprintf(m, "\n%s: %s\n", md(s.Name), s.Limit)
		}
	}
}

func (m *markdown) details() {
	for _, s := range m.Sides {
		fmt.Fprintf(m, "\n## %s\n", md(layout.Join(": ", s.Name, s.Host)))
		m.checks(s.Checks)
		for _, p := range s.Ports {
			fmt.Fprintf(m, "\n### %s\n", md(p.Title))
			m.checks(p.Checks)
			m.certificates(p)
			for _, l := range p.Lists {
				fmt.Fprintf(m, "\n%s: %s\n", md(l.Title), code(strings.Join(l.Names, " ")))
			}
		}
		m.path(s.Path)
	}
	if m.Pair != nil {
		m.WriteString("\n## Both together\n")
		if m.Pair.Extent != "" {
			fmt.Fprintf(m, "\n%s\n", md(m.Pair.Extent))
		}
		m.checks(m.Pair.Checks)
	}
}

func (m *markdown) path(p *outlinePath) {
	if p == nil {
		return
	}
	fmt.Fprintf(m, "\n### the way there: %s\n\n", md(p.Sum))
	if !p.Drawn {
		m.pathMap(p)
	}
	m.head("hop", "address", "", "time")
	for _, h := range p.Hops {
		m.row(fmt.Sprint(h.TTL), h.Address, h.How, h.RTT)
	}
}

// pathMap writes the map with the times of its hops below, and what it says.
func (m *markdown) pathMap(p *outlinePath) {
	var lines []string
	style := layout.Style{Width: letterWidth}
	for _, spans := range p.Lines(style, true) {
		line := ""
		for _, span := range spans {
			line += span.Text
		}
		lines = append(lines, line)
	}
	m.block("text", "", lines)
	m.WriteByte('\n')
	for _, words := range p.Words(style) {
		fmt.Fprintf(m, "%s\n\n", md(words))
	}
}

// letter writes what is ready to be sent, so that it can be copied: a block within the list item before it.
func (m *markdown) letter(l Letter) {
	if len(l.Body) == 0 {
		return
	}
	m.WriteByte('\n')
	m.block("text", "  ", l.Wrapped(letterWidth))
	m.WriteByte('\n')
}

func (m *markdown) checks(checks []outlineCheck) {
	if len(checks) == 0 {
		return
	}
	m.WriteByte('\n')
	m.head("", "check", "result", "time")
	for _, c := range checks {
		m.row(signs[c.Class], c.Label, c.Fact, c.Took)
	}
}

func (m *markdown) certificates(p outlinePort) {
	switch {
	case p.SameAs != "":
		fmt.Fprintf(m, "\ncertificates: %s\n", p.SameAs)
	case len(p.Certificates) > 0:
		m.WriteByte('\n')
		m.head("#", "subject", "issuer", "names", "valid", "key", "signature", "sha256")
		for _, c := range p.Certificates {
			m.row(fmt.Sprint(c.Number), c.Subject, c.Issuer, c.Names, c.From+" to "+c.To+", "+c.Left, c.Key, c.Signature, c.SHA256)
		}
	}
}

// block writes lines as they are, each behind indent, between fences longer than any in them.
func (m *markdown) block(language, indent string, lines []string) {
	fence := strings.Repeat("`", max(3, longestRun(strings.Join(lines, "\n"), '`')+1))
	fmt.Fprintf(m, "%s%s%s\n", indent, fence, language)
	for _, l := range lines {
		fmt.Fprintln(m, strings.TrimRight(indent+layout.Clean(l), " "))
	}
	fmt.Fprintln(m, indent+fence)
}

// code is text as code within a line (CommonMark section 6.1).
func code(text string) string {
	text = layout.Clean(text)
	fence := strings.Repeat("`", longestRun(text, '`')+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

func longestRun(s string, c rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// mdSpecial puts a backslash before what means something within a line.
var mdSpecial = func() *strings.Replacer {
	var pairs []string
	for _, r := range "\\`*_{}[]<>#|~&$" {
		pairs = append(pairs, string(r), `\`+string(r))
	}
	// GitHub makes links of these without any mark.
	return strings.NewReplacer(append(pairs, "://", `:\//`, "www.", `www\.`)...)
}()

// md makes text one line that says in Markdown what it says as it is.
func md(text string) string {
	text = mdSpecial.Replace(strings.TrimSpace(layout.Clean(text)))
	// At the beginning of a line these start a list, a quotation or a heading; a number does with the mark behind it.
	digits := strings.TrimLeft(text, "0123456789")
	if digits != text && (strings.HasPrefix(digits, ".") || strings.HasPrefix(digits, ")")) {
		return text[:len(text)-len(digits)] + `\` + digits
	}
	if text != "" && strings.ContainsRune("-+=", rune(text[0])) {
		return `\` + text
	}
	return text
}
