package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// words says in a few words what a line has come to.
func (v *sideView) words(row rowID, c *cell, now time.Time) string {
	switch c.state {
	case stateUnused:
		switch {
		case c.closed:
			return "closed (not used)"
		case len(v.target.Checks) == 0:
			return "not checked"
		}
		return "not used"
	case stateWaiting:
		return "waiting"
	case stateRunning:
		return "running"
	case stateHeld:
		return "held: " + heldBy(c.results)
	case stateWarn, stateProblem, stateError:
		if f := worst(c.findings); f != nil {
			return v.fault(row, f)
		}
		return shortSummary(c.results, c.state)
	}
	return v.success(row, c, now)
}

// fault names a finding in the words of its code.
func (v *sideView) fault(row rowID, f *finding.Finding) string {
	if f.Code == "cert.expires-soon" && v.focus != nil {
		return "ends soon"
	}
	group, name, _ := strings.Cut(string(f.Code), ".")
	name = strings.ReplaceAll(name, "-", " ")
	if row == rowTLSPort || row == rowPlainPort || row == rowSTARTTLS {
		if group == "cert" {
			return "cert " + name
		}
	}
	return name
}

// heldBy names what held checks wait for.
func heldBy(results []probe.Result) string {
	for _, r := range results {
		if r.Status == probe.Held {
			return causeName(r.BlockedBy)
		}
	}
	return "an earlier check"
}

// causeName names the check that holds others back, in the words of the lines.
func causeName(check string) string {
	switch check {
	case "input.secret":
		return "no password"
	case "tcp.connect":
		return "no connection"
	case "":
		return "an earlier check"
	}
	return [numRows]string{"DNS", "port", "port", "TLS", "certificate", "name", "STARTTLS", "greeting", "sign-in", "mailbox"}[rowOfCheck(check)]
}

func shortSummary(results []probe.Result, s state) string {
	for _, r := range results {
		if stateOf(r, "") == s && r.Summary != "" {
			return wire.Printable(r.Summary)
		}
	}
	return ""
}

// success says what a line that went well has shown.
func (v *sideView) success(row rowID, c *cell, now time.Time) string {
	switch row {
	case rowDNS:
		return addresses(c.results)
	case rowTLSPort, rowPlainPort:
		return "open"
	case rowTLS:
		if v.focus != nil && v.focus.TLS != nil {
			return strings.TrimSpace(v.focus.TLS.Version + " " + v.focus.TLS.Group)
		}
	case rowCertificate:
		return v.trust(now)
	case rowName:
		return "matches"
	case rowSTARTTLS:
		return "works"
	case rowMailbox:
		if v.focus != nil && len(v.focus.Capabilities.AfterLogin) > 0 {
			return layout.Counted(int64(len(v.focus.Capabilities.AfterLogin)), "capability", "capabilities")
		}
	case rowSignIn:
		if v.target.Recommended != nil && v.target.Recommended.Auth != "" {
			return v.target.Recommended.Auth
		}
	}
	if len(c.results) > 0 && c.results[0].Summary != "" {
		return strings.TrimPrefix(wire.Printable(c.results[0].Summary), "the server said: ")
	}
	return "ok"
}

// addresses counts what a name led to.
func addresses(results []probe.Result) string {
	var parts []string
	for _, family := range []struct{ fact, record string }{{"ipv4", "A"}, {"ipv6", "AAAA"}} {
		for _, r := range results {
			if list, ok := r.Facts[family.fact].([]string); ok && len(list) > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", len(list), family.record))
			}
		}
	}
	if len(parts) == 0 {
		return "ok"
	}
	return strings.Join(parts, ", ")
}

// trust says of a good certificate how long it lasts.
func (v *sideView) trust(now time.Time) string {
	if v.target.Recommended != nil && v.target.Recommended.Pin != nil {
		return "pinned"
	}
	if v.focus == nil || v.focus.TLS == nil || len(v.focus.TLS.Certificates) == 0 {
		return "trusted"
	}
	days := int(v.focus.TLS.Certificates[0].NotAfter.Sub(now).Hours() / 24)
	if days >= 2*365 {
		return fmt.Sprintf("trusted, %d y", days/365)
	}
	return fmt.Sprintf("trusted, %d d", days)
}
