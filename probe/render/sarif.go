package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// The objects of SARIF 2.1.0 (OASIS standard, 2020), as far as a diagnosis of servers needs them. Servers are no files: a result has a
// logical location.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
		Properties  sarifVerdict      `json:"properties"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string             `json:"id"`
		ShortDescription sarifText          `json:"shortDescription"`
		FullDescription  sarifText          `json:"fullDescription"`
		Help             sarifText          `json:"help"`
		Default          sarifConfiguration `json:"defaultConfiguration"`
		Properties       sarifRuleFacts     `json:"properties"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifRuleFacts struct {
		Tags        []string `json:"tags"`
		Responsible string   `json:"responsible"`
		Ref         string   `json:"ref,omitempty"`
	}
	sarifInvocation struct {
		Successful bool   `json:"executionSuccessful"`
		Start      string `json:"startTimeUtc"`
		End        string `json:"endTimeUtc"`
		ExitCode   int    `json:"exitCode"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   sarifFacts        `json:"properties"`
	}
	sarifLocation struct {
		Logical []sarifLogical `json:"logicalLocations"`
	}
	sarifLogical struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifFacts struct {
		Severity    string   `json:"severity"`
		Check       string   `json:"check"`
		Responsible string   `json:"responsible"`
		Certainty   string   `json:"certainty"`
		Remedies    []string `json:"remedies"`
		Reproduce   []string `json:"reproduce"`
	}
	sarifVerdict struct {
		Verdict string `json:"verdict"`
	}
)

// SARIF writes the findings of r as a SARIF 2.1.0 log with a rule for each code that was found.
func SARIF(w io.Writer, r *probe.Report) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "imapilot", Version: layout.Clean(r.Version), Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{
			Successful: true,
			Start:      sarifTime(r.Started),
			End:        sarifTime(r.Started.Add(time.Duration(r.DurationMS) * time.Millisecond)),
			ExitCode:   r.ExitCode,
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
		Properties: sarifVerdict{string(r.Verdict)},
	}
	for _, f := range r.Findings {
		index := slices.IndexFunc(run.Tool.Driver.Rules, func(rule sarifRule) bool { return rule.ID == string(f.Code) })
		if index < 0 {
			index = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(f))
		}
		run.Results = append(run.Results, sarifResultOf(r, f, index))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func sarifTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func sarifRuleOf(f finding.Finding) sarifRule {
	rule := sarifRule{ID: string(f.Code), Default: sarifConfiguration{sarifLevel(f.Severity)}}
	area, _, _ := strings.Cut(string(f.Code), ".")
	rule.Properties.Tags = []string{"imap", area}
	title, text := string(f.Code), ""
	if e, ok := finding.Lookup(f.Code); ok {
		title = e.Title
		text, _ = finding.Explain(f.Code)
		rule.Default.Level = sarifLevel(e.Severity)
		rule.Properties.Responsible, rule.Properties.Ref = string(e.Responsible), e.Ref
	}
	rule.ShortDescription.Text, rule.FullDescription.Text = title, title
	sections := sectionsOf(text)
	if len(sections) > 0 && len(sections[0].Parts) > 0 {
		rule.FullDescription.Text = sections[0].Parts[0].Text
	}
	rule.Help = sarifText{Text: layout.Join("\n\n", title, text), Markdown: sarifMarkdown(title, sections)}
	return rule
}

// sarifMarkdown is a long text in the Markdown that viewers show. Texts of the catalogue hold nothing from a server.
func sarifMarkdown(title string, sections []section) string {
	var b strings.Builder
	b.WriteString("# " + md(title) + "\n")
	for _, s := range sections {
		b.WriteString("\n## " + md(s.Heading) + "\n")
		for _, p := range s.Parts {
			if p.Command != "" {
				b.WriteString("\n```sh\n" + p.Command + "\n```\n")
			} else {
				b.WriteString("\n" + md(p.Text) + "\n")
			}
		}
	}
	return b.String()
}

func sarifLevel(s finding.Severity) string {
	switch s {
	case finding.Block, finding.High:
		return "error"
	case finding.Warn:
		return "warning"
	}
	return "note"
}

func sarifResultOf(r *probe.Report, f finding.Finding, rule int) sarifResult {
	place := sarifPlace(r, f)
	digest := sha256.Sum256([]byte(string(f.Code) + "\x00" + place.FullyQualifiedName))
	remedies := []string{}
	for _, m := range f.Remedies {
		letter := LetterOf(m.Text)
		letter.Head = layout.Clean(layout.Join(" ", letter.Head, strings.Join(flagsOf(m), " ")))
		remedies = append(remedies, letter.Text(letterWidth))
	}
	return sarifResult{
		RuleID: string(f.Code), RuleIndex: rule, Level: sarifLevel(f.Severity),
		Message:      sarifText{Text: sarifMessage(layout.Join(": ", f.Summary, f.Cause))},
		Locations:    []sarifLocation{{[]sarifLogical{place}}},
		Fingerprints: map[string]string{"imapilotFinding/v1": hex.EncodeToString(digest[:])},
		Properties: sarifFacts{
			Severity: string(f.Severity), Check: f.Check, Responsible: string(f.Responsible), Certainty: string(f.Certainty),
			Remedies: remedies, Reproduce: cleaned(append([]string{}, f.Reproduce...)),
		},
	}
}

// sarifPlace is the endpoint, the target or the pair that a finding is about.
func sarifPlace(r *probe.Report, f finding.Finding) sarifLogical {
	if f.Target == nil || *f.Target >= len(r.Targets) {
		return sarifLogical{Name: "both together", FullyQualifiedName: "pair", Kind: "resource"}
	}
	t := r.Targets[*f.Target]
	name := hostOf(t)
	if f.Endpoint != nil {
		name = *f.Endpoint
	}
	name = layout.Clean(name)
	return sarifLogical{Name: name, FullyQualifiedName: layout.Join("/", roleWord(t), name), Kind: "resource"}
}

// sarifMessage is text in which nothing is a placeholder or a link (SARIF 2.1.0 sections 3.11.5 and 3.11.6).
func sarifMessage(text string) string {
	return strings.NewReplacer("{", "{{", "}", "}}", "](", "] (").Replace(layout.Clean(text))
}
