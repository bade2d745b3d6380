package probe

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
)

// Judge sets the verdict, the exit code and the duration from the findings (contract 2.1 and 3). Package job calls it again after it
// has added the pair's.
func (r *Report) Judge() {
	if r.Pair != nil {
		r.Schema = schemaPreflight
	}
	r.DurationMS = time.Since(r.Started).Milliseconds()
	r.Verdict, r.ExitCode = Ready, 0
	for _, f := range r.Findings {
		if f.Severity != finding.Info {
			r.Verdict = Warning
		}
	}
	deciding := r.Deciding()
	noSettings := slices.ContainsFunc(r.Targets, func(t *TargetReport) bool { return t.Recommended == nil })
	if noSettings || len(deciding) > 0 {
		r.Verdict, r.ExitCode = Blocked, exitCode(deciding)
	}
}

// Deciding returns the findings for which the verdict is blocked, on which the exit code rests too: those that leave a target
// without settings, and those for which going on would do harm. It is nil when nothing blocks.
func (r *Report) Deciding() []finding.Finding {
	var findings []finding.Finding
	for i, t := range r.Targets {
		if t.Recommended == nil {
			findings = append(findings, r.ofTarget(i, t)...)
		}
	}
	for _, f := range r.Findings {
		if r.harmful(f) {
			findings = append(findings, f)
		}
	}
	return findings
}

// ofTarget returns the block and high findings of a target without settings: those of the endpoint that got furthest, and those of the
// target as a whole.
func (r *Report) ofTarget(index int, t *TargetReport) []finding.Finding {
	furthest, best := "", -1
	for _, e := range t.Endpoints {
		if p := e.progress(); p > best {
			furthest, best = e.name(), p
		}
	}
	var all, chosen []finding.Finding
	for _, f := range r.Findings {
		if f.Target == nil || *f.Target != index || f.Severity != finding.Block && f.Severity != finding.High {
			continue
		}
		all = append(all, f)
		if f.Endpoint == nil || *f.Endpoint == furthest {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return all
	}
	return chosen
}

// harmful reports whether going on in spite of f would harm (contract 2.1).
func (r *Report) harmful(f finding.Finding) bool {
	if f.Severity != finding.Block {
		return false
	}
	switch f.Code {
	case "pair.same-mailbox", "pair.name-collision", "pair.quota-too-small":
		return true
	case "account.over-quota", "account.read-only":
		if f.Target == nil || *f.Target >= len(r.Targets) {
			return false
		}
		t := r.Targets[*f.Target]
		return t.Role == RoleDest && t.Recommended != nil // without settings the target is blocked as it is
	}
	return false
}

// name is how findings name the endpoint.
func (e *EndpointReport) name() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) + "/" + e.Security
}

// progress tells how far the connection got: the stage of the first check that failed or was held. The stages are those that both kinds
// of TLS have in common, so that ports can be compared.
func (e *EndpointReport) progress() int {
	for _, c := range e.Checks {
		id := c.ID
		switch c.Status {
		case Held:
			id = c.BlockedBy
		case Fail, Errored:
		case Skip:
			switch id {
			case "tcp.connect":
				return -1 // not examined
			case "auth.login":
				return e.stage(id) // it was tried at another endpoint, which got as far, or further
			}
			continue
		default:
			continue
		}
		return e.stage(id)
	}
	return 7
}

func (e *EndpointReport) stage(id string) int {
	implicit := e.Security == "tls"
	switch {
	case id == "tcp.connect":
		return 0
	case id == "imap.greeting" && !implicit, id == "tls.handshake" && implicit, id == "imap.capability" && e.TLS == nil:
		return 1
	case strings.HasPrefix(id, "starttls."), id == "tls.handshake":
		return 2
	case strings.HasPrefix(id, "cert."):
		return 3
	case strings.HasPrefix(id, "imap."):
		return 4
	case strings.HasPrefix(id, "auth."), id == "input.secret":
		return 5
	}
	return 6
}

// exitCode is that of the earliest stage among the findings. Within it, one that asks to come back later counts only if there is nothing else:
// waiting would not mend the rest. Without a finding the block is unexplained, which is a bug.
func exitCode(findings []finding.Finding) int {
	code, earliest := 1, exitStages
	for _, f := range findings {
		stage, exit := exitOf(f)
		if stage < earliest || stage == earliest && code == exitLater {
			code, earliest = exit, stage
		}
	}
	return code
}

// exitLater is the code for a server that asks to come back later (EX_TEMPFAIL of sysexits.h).
const exitLater = 75

// exitStages is one more than the last stage of exitOf.
const exitStages = 6

// exitOf returns the stage of a finding, in the order of contract 3, and its exit code.
func exitOf(f finding.Finding) (stage, code int) {
	area, _, _ := strings.Cut(string(f.Code), ".")
	switch {
	case area == "input":
		return 0, 2
	case f.Code == "dns.tlsa-mismatch":
		return 3, 12
	case area == "starttls", area == "tls", f.Code == "imap.preauth", f.Code == "imap.no-tls":
		return 2, 11
	case area == "cert", area == "local":
		return 3, 12
	case area == "auth":
		if f.Code == "auth.limit" || f.Code == "auth.unavailable" {
			return 4, exitLater
		}
		return 4, 13
	case area == "account", area == "pair":
		return 5, accountExit(f.Code)
	}
	if said, _ := f.Evidence["code"].(string); f.Code == "imap.bye" && slices.Contains([]string{"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"}, said) {
		return 1, exitLater
	}
	return 1, 10
}

func accountExit(code finding.Code) int {
	switch code {
	case "account.over-quota", "pair.quota-too-small":
		return 22
	case "account.traffic-limit":
		return exitLater
	case "pair.same-mailbox":
		return 2
	}
	return 14
}
