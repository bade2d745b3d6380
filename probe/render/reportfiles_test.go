package render

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe"
	"golang.org/x/net/html"
)

// formats are those that a report can be kept in besides text and JSON.
var formats = map[string]func(io.Writer, *probe.Report, Options) error{
	".md":    Markdown,
	".html":  HTML,
	".xml":   func(w io.Writer, r *probe.Report, _ Options) error { return JUnit(w, r) },
	".sarif": func(w io.Writer, r *probe.Report, _ Options) error { return SARIF(w, r) },
}

var reports = map[string]func() *probe.Report{
	"healthy-pair": healthyPair, "healthy-server": healthyServer, "expired": expired, "two-blocked": twoBlocked, "one-port": onePort,
	"no-secret": noSecret, "hostile": hostileServer, "long-names": longNames, "email-as-host": emailAsHost, "pinned": pinned,
	"full": full, "path-dropped": pathDropped, "path-long": pathLong, "path-redirected": pathRedirected,
}

func written(t *testing.T, extension string, r *probe.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := formats[extension](&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGoldenReportFiles(t *testing.T) {
	for name, make := range reports {
		for extension := range formats {
			t.Run(name+extension, func(t *testing.T) { golden(t, name+extension, written(t, extension, make())) })
		}
	}
}

func TestXMLIsWellFormed(t *testing.T) {
	for name, make := range reports {
		b := written(t, ".xml", make())
		for d := xml.NewDecoder(bytes.NewReader(b)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		var got junitSuites
		if err := xml.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var tests, failures, skipped int
		for _, s := range got.Suites {
			for _, c := range s.Cases {
				tests++
				if c.Failure != nil {
					failures++
				}
				if c.Skipped != nil {
					skipped++
				}
			}
		}
		if got.Tests != tests || got.Failures != failures || got.Skipped != skipped || tests == 0 {
			t.Errorf("%s says %d tests, %d failures, %d skipped; there are %d, %d, %d", name, got.Tests, got.Failures, got.Skipped, tests, failures, skipped)
		}
		if blocked := make().Verdict == probe.Blocked && name != "hostile"; blocked && failures == 0 {
			t.Errorf("%s is blocked, and nothing failed", name)
		}
	}
}

// TestSARIFHasWhatTheSchemaRequires holds the log against the required properties and closed sets of the SARIF 2.1.0 schema.
func TestSARIFHasWhatTheSchemaRequires(t *testing.T) {
	for name, make := range reports {
		r := make()
		var log sarifLog
		d := json.NewDecoder(bytes.NewReader(written(t, ".sarif", r)))
		d.DisallowUnknownFields()
		if err := d.Decode(&log); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if log.Version != "2.1.0" || log.Schema == "" || len(log.Runs) != 1 {
			t.Fatalf("%s: version %q, schema %q, %d runs", name, log.Version, log.Schema, len(log.Runs))
		}
		run := log.Runs[0]
		if run.Tool.Driver.Name == "" || len(run.Results) != len(r.Findings) {
			t.Errorf("%s: driver %q, %d results of %d findings", name, run.Tool.Driver.Name, len(run.Results), len(r.Findings))
		}
		for _, rule := range run.Tool.Driver.Rules {
			if rule.ID == "" || rule.ShortDescription.Text == "" || len(rule.Help.Text) < 200 || !strings.Contains(rule.Help.Markdown, "## What it means") {
				t.Errorf("%s: rule %q lacks a text", name, rule.ID)
			}
		}
		for _, result := range run.Results {
			rule := run.Tool.Driver.Rules[result.RuleIndex]
			if rule.ID != result.RuleID || result.Message.Text == "" {
				t.Errorf("%s: %s has rule %s and message %q", name, result.RuleID, rule.ID, result.Message.Text)
			}
			if !strings.Contains("error warning note", result.Level) || result.Level == "" {
				t.Errorf("%s: level %q", name, result.Level)
			}
			if len(result.Locations) != 1 || result.Locations[0].Logical[0].FullyQualifiedName == "" {
				t.Errorf("%s: %s has no location", name, result.RuleID)
			}
		}
	}
}

func TestSARIFMessagesHoldNoPlaceholderOrLink(t *testing.T) {
	if got, want := sarifMessage("said {0} and [click](http://evil.example)"), "said {{0}} and [click] (http://evil.example)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// voidElements have no end tag (HTML Living Standard, section 13.1.2).
var voidElements = map[string]bool{"meta": true, "br": true}

// checkHTML finds tags that do not match, anything that would load or run, and returns the text of the page.
func checkHTML(t *testing.T, name string, page []byte) string {
	t.Helper()
	var open []string
	var text strings.Builder
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		kind := z.Next()
		token := z.Token()
		switch kind {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) || len(open) > 0 {
				t.Errorf("%s: %v, open: %q", name, z.Err(), open)
			}
			return text.String()
		case html.TextToken:
			text.WriteString(token.Data)
		case html.StartTagToken:
			switch token.Data {
			case "script", "link", "img", "iframe", "object", "base", "form", "svg":
				t.Errorf("%s: there is a %s", name, token.Data)
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s: %s has %s=%q", name, token.Data, a.Key, a.Val)
				}
			}
			if !voidElements[token.Data] {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("%s: </%s> where %q are open", name, token.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestHTMLIsWellFormedAndNeedsNothing(t *testing.T) {
	for name, make := range reports {
		b := written(t, ".html", make())
		checkHTML(t, name, b)
		if bytes.Contains(b, []byte("url(")) || bytes.Contains(b, []byte("@import")) || bytes.Contains(b, []byte("ZgotmplZ")) {
			t.Errorf("%s loads something, or holds what the template refused", name)
		}
	}
}

// nasty is what a server might say to break out of each format.
var nasty = "</td></pre><script>alert(1)</script><img src=x onerror=alert(1)>\"' | ``` [a](http://evil.example) {0} ]]> &amp; \x00\ufffe" + hostile

// poison puts nasty into every text of a report that a server can have a hand in.
func poison(r *probe.Report) *probe.Report {
	checks := func(list []probe.Result) {
		for i := range list {
			list[i].Summary = nasty
			list[i].Facts = map[string]any{nasty: nasty}
		}
	}
	for _, t := range r.Targets {
		t.Input, t.Host = nasty, nasty
		checks(t.Checks)
		for _, e := range t.Endpoints {
			e.Host = nasty
			checks(e.Checks)
			e.Capabilities = probe.Capabilities{BeforeTLS: []string{nasty}, AfterTLS: []string{nasty}, AfterLogin: []string{nasty}}
			if e.TLS == nil {
				continue
			}
			e.TLS.Version, e.TLS.CipherSuite, e.TLS.Group = nasty, nasty, nasty
			for i := range e.TLS.Certificates {
				c := &e.TLS.Certificates[i]
				c.Subject, c.Issuer, c.DNSNames, c.Serial, c.KeyType, c.SignatureAlgorithm = nasty, nasty, []string{nasty}, nasty, nasty, nasty
			}
		}
		if t.Path != nil {
			for i := range t.Path.Hops {
				t.Path.Hops[i].Address, t.Path.Hops[i].How = nasty, nasty
			}
			if a := t.Path.ActsAt; a != nil {
				t.Path.ActsAt = &probe.Hop{TTL: a.TTL, Address: nasty, How: nasty}
			}
		}
		if t.Recommended != nil {
			t.Recommended.Host, t.Recommended.ServerName, t.Recommended.Auth = nasty, nasty, nasty
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Summary, f.Cause, f.Ref, f.Reproduce = nasty, nasty, nasty, []string{nasty}
		f.Evidence = map[string]any{nasty: nasty}
		for j := range f.Remedies {
			f.Remedies[j].Text, f.Remedies[j].Apply = nasty, map[string]string{"server-name": nasty}
		}
	}
	if r.Pair != nil {
		checks(r.Pair.Checks)
	}
	return r
}

func TestHostileTextBreaksOutOfNoFormat(t *testing.T) {
	for name, make := range reports {
		r := poison(make())
		checkHTML(t, name, written(t, ".html", r))
		if err := xml.Unmarshal(written(t, ".xml", r), new(junitSuites)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := json.Unmarshal(written(t, ".sarif", r), new(sarifLog)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for extension := range formats {
			checkPrintable(t, string(written(t, extension, r)), false)
		}
		checkPrintable(t, text(t, r, Options{Verbose: true}), false)
		fenced := false
		for _, line := range strings.Split(string(written(t, ".md", r)), "\n") {
			if strings.HasPrefix(line, "````") { // longer than what nasty holds
				fenced = !fenced
			}
			if fenced {
				continue
			}
			if strings.HasPrefix(line, "<") || strings.HasPrefix(line, "|") && strings.Contains(line, "<script") && !strings.Contains(line, `\<script`) {
				t.Errorf("%s: markup in Markdown: %s", name, line)
			}
		}
	}
}

func TestMarkdownSaysWhatItSays(t *testing.T) {
	for in, want := range map[string]string{
		"a|b":                 `a\|b`,
		"<b> *x* _y_ `z`":     "\\<b\\> \\*x\\* \\_y\\_ \\`z\\`",
		"- item":              `\- item`,
		"1. first":            `1\. first`,
		"+1":                  `\+1`,
		"https://evil.test/x": `https:\//evil.test/x`,
		"two\nlines":          "two lines",
		"2026 is fine":        "2026 is fine",
	} {
		if got := md(in); got != want {
			t.Errorf("md(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := code("a``b`"), "``` a``b` ```"; got != want {
		t.Errorf("code gives %q, want %q", got, want)
	}
}

func TestSectionsOfLongTexts(t *testing.T) {
	got := sectionsOf("What it means\n  One\n  paragraph.\n\n  Another:\n    openssl a \\\n      | openssl b\n\nHow to see it\n    ncat")
	want := []section{
		{"What it means", []part{{Text: "One paragraph."}, {Text: "Another:"}, {Command: "openssl a \\\n  | openssl b"}}},
		{"How to see it", []part{{Command: "ncat"}}},
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestGivenFlagsAreAmongTheSettings(t *testing.T) {
	given := []map[string]string{{"ca-file": "old ca.pem"}, {"ca-file": "new.pem"}}
	for name, write := range map[string]func(io.Writer, *probe.Report, Options) error{"text": Text, "markdown": Markdown, "html": HTML} {
		var b bytes.Buffer
		if err := write(&b, healthyPair(), Options{Given: given}); err != nil {
			t.Fatal(err)
		}
		got := html.UnescapeString(b.String())
		for _, want := range []string{"--source-ca-file 'old ca.pem'", "--dest-ca-file new.pem"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s has no %s in\n%s", name, want, got)
			}
		}
	}
}
