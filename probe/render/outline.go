package render

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// An outline is a report cut into the pieces that Markdown and HTML show, all of it text that is not escaped yet. What it says is what
// the text output says.
type outline struct {
	Kind, Made string // "preflight"; version, date and duration
	Verdict    string
	Class      string // ok, warning or problem
	Aspects    []aspect
	Sides      []outlineSide
	Pair       *outlinePair
	Findings   []outlineFinding
	Settings   []outlineSettings
	Codes      []outlineCode
}

// An aspect is one line of the table that shows all targets side by side.
type aspect struct {
	Name  string
	Cells []cell // one for each target
}

// A cell is a mark and what it is about.
type cell struct{ Class, Text string }

// An outlineSide is one target.
type outlineSide struct {
	Name, Host string // "source", or "" where there are only servers
	Checks     []outlineCheck
	Ports      []outlinePort
	Path       *outlinePath // nil without one
}

type outlineCheck struct{ Class, Word, Label, Fact, Took string }

type outlinePort struct {
	Title, Short string // "port 993, TLS from the first byte, 192.0.2.1"; "port 993"
	Checks       []outlineCheck
	TLS          string
	SameAs       string // "the same as on port 993": then there are no certificates here
	Certificates []outlineCertificate
	Lists        []outlineList // capabilities, and what else is listed
}

type outlineCertificate struct {
	Number                            int
	Subject, Issuer, Names, From, To  string
	Key, Signature                    string
	Serial, SHA256, Pin, Left, Status string
}

type outlineList struct {
	Title string
	Names []string
}

type outlinePair struct {
	Extent string
	Checks []outlineCheck
}

type outlineFinding struct {
	Code, Title, Class, Word, Place string
	Summaries                       []string
	Cause, Who, Ref                 string
	Path                            *outlinePath // what it was made of; nil without one
	Remedies                        []outlineRemedy
	Reproduce                       []string
	Evidence                        []Evidence
}

type outlineRemedy struct {
	Letter
	Flags []string
}

type outlineSettings struct {
	Name  string
	Lines []string
	Limit string
}

// An outlineCode is the long text of a code that was found.
type outlineCode struct{ Code, Title, Text string }

func newOutline(r *probe.Report, o Options) *outline {
	v := &view{Page: &layout.Page{Style: layout.Style{Width: 1 << 20}}, report: r, verbose: true, given: o.Given}
	verdict, tone := verdictLine(r)
	out := &outline{Kind: kindOf(r), Made: madeBy(r), Verdict: verdict, Class: toneClass(tone)}
	for i, t := range r.Targets {
		out.Sides = append(out.Sides, v.outlineSide(i, t))
	}
	out.Aspects = v.aspects()
	if r.Pair != nil {
		out.Pair = &outlinePair{Extent: extent(r.Pair), Checks: outlineChecks(v.lines(examined(v.pairRows(r.Pair))))}
	}
	for _, g := range groupFindings(r) {
		out.Findings = append(out.Findings, v.outlineFinding(g))
		out.addCode(g.Code)
	}
	out.addPaths(v)
	for i, t := range r.Targets {
		if t.Recommended == nil {
			continue
		}
		s := outlineSettings{Name: side(t), Lines: settingsOf(t, givenFor(o.Given, i))}
		if n := t.Recommended.Connections; n > 0 && n < 4 {
			s.Limit = "at most " + layout.Counted(int64(n), "connection", "connections") + " at once"
		}
		out.Settings = append(out.Settings, s)
	}
	return out
}

// addPaths gives each target its path, and draws it with the finding that was made of it if there is one.
func (o *outline) addPaths(v *view) {
	groups := groupFindings(v.report)
	for i := range v.report.Targets {
		m := v.pathMap(i)
		if m == nil {
			continue
		}
		o.Sides[i].Path = outlinePathOf(m)
		if at := slices.IndexFunc(groups, func(g *group) bool { return m.Concerns(g.Finding) }); at >= 0 {
			o.Findings[at].Path, o.Sides[i].Path.Drawn = outlinePathOf(m), true
		}
	}
}

func toneClass(t layout.Tone) string {
	switch t {
	case layout.Good:
		return "ok"
	case layout.Warn:
		return "warning"
	}
	return "problem"
}

func (v *view) outlineSide(index int, t *probe.TargetReport) outlineSide {
	s := outlineSide{Host: hostOf(t), Checks: outlineChecks(v.lines(examined(v.targetRows(index, t))))}
	if t.Role != probe.RoleServer && t.Role != "" {
		s.Name = side(t)
	}
	var first *port
	for _, p := range portsOf(t) {
		if rows := examined(v.mergeFamilies(index, p)); len(rows) > 0 {
			s.Ports = append(s.Ports, v.outlinePort(t, p, first, rows))
		}
		if first == nil {
			first = p
		}
	}
	return s
}

// examined leaves out what was not asked for or not applicable.
func examined(rows []row) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.Status == probe.Skip })
}

func outlineChecks(lines []line) []outlineCheck {
	var list []outlineCheck
	for _, l := range lines {
		list = append(list, outlineCheck{Class: l.mark.Word(), Word: l.mark.Word(), Label: l.label, Fact: l.fact, Took: l.took})
	}
	return list
}

func (v *view) outlinePort(t *probe.TargetReport, p, first *port, rows []row) outlinePort {
	e := p.endpoints[0]
	out := outlinePort{
		Short:  fmt.Sprintf("port %d", e.Port),
		Title:  layout.Join(", ", fmt.Sprintf("port %d", e.Port), securityWords(e.Security), strings.Join(slices.DeleteFunc(p.addresses(), func(a string) bool { return a == t.Host }), ", ")),
		Checks: outlineChecks(v.lines(rows)),
	}
	shown := p.shown()
	if shown.TLS != nil {
		if shown.TLS.Version != "" {
			out.TLS = layout.Join(", ", "TLS "+shown.TLS.Version, shown.TLS.CipherSuite, shown.TLS.Group)
		}
		if first != nil && leaf(p) != "" && leaf(p) == leaf(first) {
			out.SameAs = fmt.Sprintf("the same as on port %d", first.endpoints[0].Port)
		} else {
			for i, c := range shown.TLS.Certificates {
				out.Certificates = append(out.Certificates, outlineCertificateOf(i, c, v.report.Started))
			}
		}
	}
	out.Lists = listsOf(shown)
	return out
}

// shown is the endpoint of a port that showed most: families may have come to different ends.
func (p *port) shown() *probe.EndpointReport {
	best := p.endpoints[0]
	for _, e := range p.endpoints {
		if best.TLS == nil && e.TLS != nil {
			best = e
		}
	}
	return best
}

// listsOf are the capabilities of an endpoint, and what --full found of its TLS.
func listsOf(e *probe.EndpointReport) []outlineList {
	lists := tlsLists(e.TLS)
	for _, l := range []outlineList{
		{"capabilities before TLS", e.Capabilities.BeforeTLS},
		{"capabilities after TLS", e.Capabilities.AfterTLS},
		{"capabilities after sign-in", e.Capabilities.AfterLogin},
	} {
		if len(l.Names) > 0 {
			lists = append(lists, l)
		}
	}
	return lists
}

func outlineCertificateOf(index int, c probe.CertificateReport, now time.Time) outlineCertificate {
	out := outlineCertificate{
		Number: index, Subject: c.Subject, Issuer: c.Issuer,
		Names: strings.Join(slices.Concat(c.DNSNames, c.IPAddresses), ", "),
		From:  c.NotBefore.UTC().Format(time.DateOnly), To: c.NotAfter.UTC().Format(time.DateOnly),
		Key: fmt.Sprintf("%s %d", strings.ToUpper(c.KeyType), c.KeyBits), Signature: c.SignatureAlgorithm,
		Serial: c.Serial, SHA256: c.SHA256,
	}
	days := int64(c.NotAfter.Sub(now).Hours() / 24)
	switch {
	case now.After(c.NotAfter):
		out.Left, out.Status = layout.Counted(-days, "day", "days")+" ago", "problem"
	case now.Before(c.NotBefore):
		out.Left, out.Status = "not valid yet", "problem"
	default:
		out.Left, out.Status = layout.Counted(days, "day", "days")+" left", "ok"
	}
	if spki, err := hex.DecodeString(c.SPKISHA256); err == nil && len(spki) > 0 {
		out.Pin = "sha256/" + base64.StdEncoding.EncodeToString(spki)
	}
	return out
}

func (v *view) outlineFinding(g *group) outlineFinding {
	mark, word := g.mark()
	f := outlineFinding{
		Code: string(g.Code), Title: string(g.Code), Class: mark.Word(), Word: word, Place: v.place(g),
		Summaries: g.summaries, Cause: g.Cause, Who: who(g), Ref: g.Ref, Reproduce: g.reproduce, Evidence: EvidenceOf(g.Evidence),
	}
	if e, ok := finding.Lookup(g.Code); ok {
		f.Title = e.Title
	}
	for _, m := range g.remedies {
		f.Remedies = append(f.Remedies, outlineRemedy{LetterOf(m.Text), flagsOf(m)})
	}
	return f
}

func (o *outline) addCode(code finding.Code) {
	if slices.ContainsFunc(o.Codes, func(c outlineCode) bool { return c.Code == string(code) }) {
		return
	}
	e, ok := finding.Lookup(code)
	text, found := finding.Explain(code)
	if ok && found {
		o.Codes = append(o.Codes, outlineCode{Code: string(code), Title: e.Title, Text: text})
	}
}
