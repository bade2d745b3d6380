package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// verdictLine is the last line of the text.
func verdictLine(r *probe.Report) (string, layout.Tone) {
	switch r.Verdict {
	case probe.Ready:
		return "ready", layout.Good
	case probe.Warning:
		var warnings []string
		for _, f := range r.Findings {
			if f.Severity != finding.Info {
				warnings = addNew(warnings, problemWords(r, f))
			}
		}
		return "ready, " + layout.Counted(int64(len(warnings)), "warning", "warnings"), layout.Warn
	}
	var problems []string
	for _, f := range r.Deciding() {
		problems = addNew(problems, problemWords(r, f))
	}
	if len(problems) == 0 {
		return "not ready", layout.Bad
	}
	return fmt.Sprintf("not ready: %s (%s)", layout.Counted(int64(len(problems)), "problem", "problems"), strings.Join(problems, ", ")), layout.Bad
}

// problemWords is a code and where it was found: "cert.expired on source".
func problemWords(r *probe.Report, f finding.Finding) string {
	if f.Target == nil || *f.Target >= len(r.Targets) {
		return string(f.Code)
	}
	t := r.Targets[*f.Target]
	if t.Role == probe.RoleServer || t.Role == "" {
		return string(f.Code) + " on " + hostOf(t)
	}
	return string(f.Code) + " on " + string(t.Role)
}

// decides reports whether f is among the deciding findings.
func decides(deciding []finding.Finding, f finding.Finding) bool {
	return slices.ContainsFunc(deciding, func(d finding.Finding) bool {
		return d.Code == f.Code && sameTarget(d, f) && d.Severity == f.Severity
	})
}
