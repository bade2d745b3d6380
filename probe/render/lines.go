package render

import (
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// quiet are the checks that say nothing a person needs when they pass.
var quiet = []string{
	"imap.capability", "starttls.offer", "cert.key", "cert.revocation", "account.capability", "account.namespace", "account.quota", "account.access",
	"pair.mailbox", "pair.sizes", "pair.flags", "pair.capability", "pair.estimate",
}

// lines makes lines of rows. What was not applicable, and what only confirms, is left out unless all is asked for; what waits for the same
// thing is one line, so that one cause looks like one.
func (v *view) lines(rows []row) []line {
	if !v.verbose {
		rows = slices.DeleteFunc(slices.Clone(rows), silent)
	}
	var lines []line
	for i := 0; i < len(rows); {
		n := 1
		for i+n < len(rows) && sameHold(rows[i], rows[i+n]) {
			n++
		}
		switch {
		case rows[i].Status != probe.Held:
			lines = append(lines, resultLine(rows[i]))
		case rows[i].ID == "auth.login":
			lines = append(lines, signInHeld(rows[i]))
		default:
			lines = append(lines, heldLine(rows[i:i+n]))
		}
		i += n
	}
	return lines
}

// silent tells of the rows that say nothing a person needs.
func silent(r row) bool {
	switch r.Status {
	case probe.Skip:
		return true
	case probe.Held:
		return strings.HasPrefix(r.ID, "account.") // as the sign-in does
	}
	return r.good() && slices.Contains(quiet, r.ID)
}

// sameHold reports whether both rows wait for the same thing. The sign-in stands alone: where a password went matters.
func sameHold(a, b row) bool {
	return a.Status == probe.Held && b.Status == probe.Held && a.BlockedBy == b.BlockedBy && a.ID != "auth.login" && b.ID != "auth.login"
}

func heldLine(rows []row) line {
	label := titleOf(rows[0].ID)
	if len(rows) > 1 {
		label = layout.Counted(int64(len(rows)), "check", "checks")
	}
	return line{mark: layout.Waiting, label: label, fact: "held: " + waitsFor(rows[0])}
}

func signInHeld(r row) line {
	l := line{mark: layout.Waiting, label: titleOf(r.ID), fact: "held: " + waitsFor(r)}
	if r.BlockedBy != "input.secret" {
		l.fact += "; no password was sent"
	}
	return l
}

// waitsFor names what a held row waits for.
func waitsFor(r row) string {
	switch r.BlockedBy {
	case "":
		return r.Summary
	case "input.secret":
		return "no password was given"
	}
	return titleOf(r.BlockedBy)
}

// resultLine is the line of a check that was carried out, or left out for a reason.
func resultLine(r row) line {
	l := line{mark: markOf(r), label: titleOf(r.ID), fact: r.Summary}
	if len(r.findings) > 0 {
		l.fact = findingFact(r.findings)
	}
	if r.family != "" {
		l.fact = r.family + ": " + l.fact
	}
	if r.DurationMS > 0 {
		l.took = layout.Milliseconds(r.DurationMS)
	}
	return l
}

func markOf(r row) layout.Mark {
	switch r.Status {
	case probe.Pass:
		if len(r.findings) > 0 {
			return layout.Note
		}
		return layout.OK
	case probe.Warned, probe.Errored:
		return layout.Warning
	case probe.Fail:
		return layout.Problem
	case probe.Held:
		return layout.Waiting
	}
	return layout.Unused
}

// findingFact names the findings of a check: the text of each follows below the checks.
func findingFact(findings []finding.Finding) string {
	if len(findings) == 1 {
		if e, ok := finding.Lookup(findings[0].Code); ok {
			return e.Title + " (" + string(e.Code) + ")"
		}
	}
	var codes []string
	for _, f := range findings {
		codes = append(codes, string(f.Code))
	}
	return strings.Join(codes, ", ")
}
