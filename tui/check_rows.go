package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// rowID is a line of the check screen. The lines are the same on both sides and stay where they are: each sums up the checks that answer
// one question, in the order of the connection.
type rowID int

const (
	rowDNS rowID = iota
	rowTLSPort
	rowPlainPort
	rowTLS
	rowCertificate
	rowName
	rowSTARTTLS
	rowGreeting
	rowSignIn
	rowMailbox
	numRows
	rowPair = numRows // what concerns both servers together; it stands below the two columns
)

var rowTitles = [numRows + 1]string{"DNS", "Port 993", "Port 143", "TLS", "Certificate", "Name", "STARTTLS", "Greeting", "Sign-in", "Mailbox", "Both together"}

// state is what a line of the check screen shows. A line takes the highest of its checks: what needs attention comes first, then what is
// not over. Held ranks below ok: where one address family works, what the other one holds back does not matter.
type state int

const (
	stateUnused state = iota
	stateHeld
	stateOK
	stateWaiting
	stateRunning
	stateWarn
	stateError
	stateProblem
)

// A cell is one line of one side.
type cell struct {
	title    string
	state    state
	text     string // a few words
	took     time.Duration
	closed   bool           // a port that is not needed and not open
	aside    bool           // it speaks of a service that is not the one in focus
	results  []probe.Result // the checks behind it that apply
	skipped  []probe.Result // those that do not
	findings []finding.Finding
}

// A sideView is one target with what is known of it, as the lines see it.
type sideView struct {
	target *probe.TargetReport
	focus  *probe.EndpointReport // the endpoint that the lines from TLS on speak of; nil while there is none
	over   bool                  // the probe has ended
	byRow  [numRows][]finding.Finding
}

// cells sums a target up, line by line. findings are those of the target, over tells that no more will come.
func cells(target *probe.TargetReport, findings []finding.Finding, over bool, now time.Time) [numRows]cell {
	v := sideView{target: target, over: over}
	if target == nil {
		v.target = &probe.TargetReport{}
	}
	v.focus = focusOf(v.target)
	for _, f := range findings {
		row := v.rowOf(f)
		v.byRow[row] = append(v.byRow[row], f)
	}
	var out [numRows]cell
	for row := range numRows {
		out[row] = v.cell(row, now)
	}
	return out
}

// focusOf chooses the endpoint to speak of: the recommended one; else that which got furthest, the first on a tie.
func focusOf(t *probe.TargetReport) *probe.EndpointReport {
	if r := t.Recommended; r != nil {
		for _, e := range t.Endpoints {
			if e.Port == r.Port && e.Security == r.Security && (e.Address == r.Address || r.Address == "") {
				return e
			}
		}
	}
	var best *probe.EndpointReport
	most := -1
	for _, e := range t.Endpoints {
		got := 0
		for _, r := range e.Checks {
			if r.Status == probe.Pass || r.Status == probe.Warned {
				got++
			}
			if r.ID == "auth.login" && got > 0 && (r.Status == probe.Fail || r.Status == probe.Pass || r.Status == probe.Warned) {
				got += len(e.Checks) // the one that was signed in to
			}
		}
		if got > most {
			best, most = e, got
		}
	}
	return best
}

// sameService tells that two endpoints differ at most in the family.
func sameService(a, b *probe.EndpointReport) bool {
	return a != nil && b != nil && a.Port == b.Port && a.Security == b.Security
}

// part says which line a check of an endpoint belongs to. For a service that is not the one in focus the port's line, or that of
// STARTTLS, speaks for all of it: nothing that was found may be out of sight.
func (v *sideView) part(e *probe.EndpointReport, check string) rowID {
	port := rowPlainPort
	if e.Security == "tls" {
		port = rowTLSPort
	}
	switch {
	case check == "tcp.connect":
		return port
	case !sameService(e, v.focus) && e.Security == "starttls":
		return rowSTARTTLS
	case !sameService(e, v.focus):
		return port
	}
	return rowOfCheck(check)
}

// rowOfCheck is the line of a check of the endpoint in focus.
func rowOfCheck(check string) rowID {
	group, _, _ := strings.Cut(check, ".")
	switch {
	case group == "dns" || group == "input":
		return rowDNS
	case check == "cert.name":
		return rowName
	case group == "cert":
		return rowCertificate
	case group == "tls":
		return rowTLS
	case group == "starttls":
		return rowSTARTTLS
	case group == "auth":
		return rowSignIn
	case group == "account" || group == "audit":
		return rowMailbox
	}
	return rowGreeting
}

// rowOf finds the line of a finding.
func (v *sideView) rowOf(f finding.Finding) rowID {
	if f.Endpoint != nil {
		for _, e := range v.target.Endpoints {
			if endpointName(e) == *f.Endpoint {
				return v.part(e, f.Check)
			}
		}
	}
	if strings.HasPrefix(f.Check, "tcp.") {
		return rowTLSPort
	}
	return rowOfCheck(f.Check)
}

// endpointName writes an endpoint as findings do.
func endpointName(e *probe.EndpointReport) string {
	host := e.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d/%s", host, e.Port, e.Security)
}

func (v *sideView) cell(row rowID, now time.Time) cell {
	c := cell{title: rowTitles[row], findings: v.byRow[row], state: stateUnused}
	if v.target.Host == "" && len(v.target.Checks) == 0 && !v.over {
		c.state = stateWaiting
		return c
	}
	if row == rowDNS {
		c.take(v.target.Checks, running(v.target.Checks, v.over))
	}
	for _, e := range v.target.Endpoints {
		if row == rowTLSPort && e.Security == "tls" || row == rowPlainPort && e.Security != "tls" {
			c.title = fmt.Sprintf("Port %d", e.Port)
		}
		var mine []probe.Result
		for _, r := range e.Checks {
			if v.part(e, r.ID) == row {
				mine = append(mine, r)
			}
		}
		c.aside = c.aside || len(mine) > 0 && !sameService(e, v.focus)
		if v.dispensable(e) {
			mine = slices.DeleteFunc(mine, func(r probe.Result) bool { return r.Status == probe.Held })
			c.closed = c.closed || closed(e) && v.part(e, "tcp.connect") == row
		}
		c.take(mine, running(e.Checks, v.over))
	}
	if c.state == stateUnused && len(c.results) == 0 && !v.over && len(v.target.Endpoints) == 0 {
		c.state = stateWaiting
	}
	if c.state == stateOK && (c.closed || row == rowSTARTTLS && worst(c.findings) != nil) {
		c.state = stateUnused // such as no STARTTLS beside a usable TLS port: for the record
	}
	c.text = v.words(row, &c, now)
	return c
}

// dispensable tells that an endpoint is not needed: another one works.
func (v *sideView) dispensable(e *probe.EndpointReport) bool {
	return v.target.Recommended != nil && !sameService(e, v.focus)
}

// closed tells that an endpoint could not be connected to, whatever the check's status says: beside a usable one that may be no fault.
func closed(e *probe.EndpointReport) bool {
	for _, r := range e.Checks {
		if r.Status == probe.Held && r.BlockedBy == "tcp.connect" {
			return true
		}
	}
	return false
}

// running is the check of a connection that is at work: the first that has not ended.
func running(results []probe.Result, over bool) string {
	if over {
		return ""
	}
	for _, r := range results {
		if r.Status == "" {
			return r.ID
		}
	}
	return ""
}

// take adds the results of one endpoint to the line. at is the check that is at work there.
func (c *cell) take(results []probe.Result, at string) {
	for _, r := range results {
		s := stateOf(r, at)
		if s == stateUnused {
			c.skipped = append(c.skipped, r)
			continue
		}
		c.results = append(c.results, r)
		c.took += time.Duration(r.DurationMS * float64(time.Millisecond))
		c.state = max(c.state, s)
	}
}

func stateOf(r probe.Result, at string) state {
	switch r.Status {
	case probe.Pass:
		return stateOK
	case probe.Warned:
		return stateWarn
	case probe.Fail:
		return stateProblem
	case probe.Errored:
		return stateError
	case probe.Held:
		return stateHeld
	case probe.Skip:
		return stateUnused
	}
	if r.ID == at {
		return stateRunning
	}
	return stateWaiting
}

var severityOrder = []finding.Severity{finding.Block, finding.High, finding.Warn, finding.Info}

// worst returns the gravest of findings, the first on a tie, or nil.
func worst(findings []finding.Finding) *finding.Finding {
	sorted := bySeverity(findings)
	if len(sorted) == 0 {
		return nil
	}
	return &sorted[0]
}

// bySeverity returns findings in order, gravest first.
func bySeverity(findings []finding.Finding) []finding.Finding {
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b finding.Finding) int {
		return slices.Index(severityOrder, a.Severity) - slices.Index(severityOrder, b.Severity)
	})
	return out
}
