package render

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// The elements of a JUnit report, as CI servers read them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitOutcome `xml:"failure"`
		Error     *junitOutcome `xml:"error"`
		Skipped   *junitOutcome `xml:"skipped"`
		Output    *junitText    `xml:"system-out"`
		ms        float64
	}
	junitOutcome struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		junitText
	}
	// junitText is text with its line ends as they are, escaped: the encoder would write them as character references.
	junitText struct {
		XML string `xml:",innerxml"`
	}
)

// JUnit writes r as JUnit XML: a suite for each endpoint, for what precedes the endpoints of a target, and for the pair, and in it a case
// for each check. What failed is a failure, what was held back or skipped is skipped; warnings and notes stand in system-out.
func JUnit(w io.Writer, r *probe.Report) error {
	out := junitSuites{Name: "imapilot " + kindOf(r), Time: seconds(float64(r.DurationMS))}
	for i, t := range r.Targets {
		out.add(junitSuiteOf(r, layout.Join(" ", roleWord(t), hostOf(t)), &i, "", t.Checks))
		for _, e := range t.Endpoints {
			s := junitSuiteOf(r, layout.Join(" ", roleWord(t), nameOf(e), e.Family), &i, nameOf(e), e.Checks)
			s.Properties = append(s.Properties, junitProperty{"address", layout.Clean(e.Address)})
			out.add(s)
		}
	}
	if r.Pair != nil {
		out.add(junitSuiteOf(r, "both together", nil, "", r.Pair.Checks))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuites) add(suite junitSuite) {
	if len(suite.Cases) == 0 {
		return
	}
	s.Suites = append(s.Suites, suite)
	s.Tests += suite.Tests
	s.Failures += suite.Failures
	s.Errors += suite.Errors
	s.Skipped += suite.Skipped
}

// roleWord is the side of a target in a pair, or "".
func roleWord(t *probe.TargetReport) string {
	if t.Role == probe.RoleServer || t.Role == "" {
		return ""
	}
	return side(t)
}

func junitSuiteOf(r *probe.Report, name string, target *int, endpoint string, checks []probe.Result) junitSuite {
	name = layout.Clean(name)
	s := junitSuite{Name: name, Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05")}
	v := &view{report: r}
	known := map[string]bool{}
	for _, c := range checks {
		known[c.ID] = true
		s.add(junitCaseOf(name, c, v.findingsOf(target, endpoint, c)))
	}
	// What was found before any check could run, such as a target that names no host, is a case of its own.
	for _, f := range r.Findings {
		if sameTarget(f, finding.Finding{Target: target}) && !known[f.Check] && endpointOf(f) == endpoint {
			s.add(junitCaseOf(name, probe.Result{ID: string(f.Code), Status: statusOf(f)}, []finding.Finding{f}))
		}
	}
	var total float64
	for _, c := range s.Cases {
		total += c.ms
	}
	s.Time = seconds(total)
	return s
}

func endpointOf(f finding.Finding) string {
	if f.Endpoint == nil {
		return ""
	}
	return *f.Endpoint
}

func statusOf(f finding.Finding) probe.Status {
	switch f.Severity {
	case finding.Block:
		return probe.Fail
	case finding.Info:
		return probe.Pass
	}
	return probe.Warned
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func junitCaseOf(suite string, r probe.Result, findings []finding.Finding) junitCase {
	c := junitCase{Name: r.ID, ClassName: suite, Time: seconds(r.DurationMS), ms: r.DurationMS}
	var codes, texts []string
	for _, f := range findings {
		codes = append(codes, string(f.Code))
		texts = append(texts, findingText(f))
	}
	text := strings.Join(texts, "\n\n")
	outcome := &junitOutcome{Message: layout.Clean(r.Summary), Type: strings.Join(codes, ", "), junitText: xmlText(text)}
	if len(findings) > 0 {
		outcome.Message = layout.Clean(findings[0].Summary)
	}
	switch r.Status {
	case probe.Fail:
		c.Failure = outcome
	case probe.Errored:
		c.Error = outcome
	case probe.Held:
		c.Skipped = &junitOutcome{Message: layout.Clean("held: " + waitsFor(row{Result: r}))}
	case probe.Skip:
		c.Skipped = &junitOutcome{Message: layout.Clean(r.Summary)}
	default:
		if text == "" {
			text = layout.Clean(r.Summary)
		}
		if text != "" {
			output := xmlText(text)
			c.Output = &output
		}
	}
	return c
}

// xmlText escapes lines that are clean.
func xmlText(text string) junitText {
	var b bytes.Buffer
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		xml.EscapeText(&b, []byte(line))
	}
	return junitText{b.String()}
}

// findingText is a finding in full, a line for each part.
func findingText(f finding.Finding) string {
	lines := []string{fmt.Sprintf("%s (%s)", f.Code, f.Severity), f.Summary}
	if f.Cause != "" {
		lines = append(lines, "why: "+f.Cause)
	}
	for _, m := range f.Remedies {
		letter := LetterOf(m.Text)
		lines = append(lines, layout.Join(" ", "fix: "+letter.Head, strings.Join(flagsOf(m), " ")))
		lines = append(lines, letter.Wrapped(letterWidth)...)
	}
	lines = append(lines, "who: "+who(&group{Finding: f}))
	for _, command := range f.Reproduce {
		lines = append(lines, "show: "+command)
	}
	if f.Ref != "" {
		lines = append(lines, "standard: "+f.Ref)
	}
	return strings.Join(cleaned(lines), "\n")
}

func seconds(ms float64) string { return fmt.Sprintf("%.3f", ms/1000) }
