package probe

import (
	"slices"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A check is a row of the table: it judges one endpoint on what is known of it. It reads facts and returns findings; it does
// not print, retry or decide what comes next. That is judge's part, and the table's.
type check struct {
	id    string // as in the contract
	title string
	// needs are the checks that this one cannot do without, as far as they precede it in the order of the connection.
	needs []string
	// gate, if not nil, is asked first: with decided, r says what becomes of the check without running it.
	gate func(s *subject) (r Result, decided bool)
	run  func(s *subject) outcome
}

// An outcome is what a check has to say.
type outcome struct {
	summary  string
	facts    map[string]any
	took     time.Duration
	findings []finding.Finding
	// stops tells that the connection got no further here. It is implied by a finding that makes the check fail.
	stops bool
	// status, if not "", stands in place of what the findings say.
	status Status
}

// table holds every endpoint check. A check is added as a row here, a place in the orders below, and a func.
var table = []check{
	{id: "tcp.connect", title: "connection", run: reach},
	{id: "imap.greeting", title: "greeting", needs: []string{"tcp.connect", "tls.handshake"}, run: greeting},
	{id: "imap.capability", title: "capabilities", needs: []string{"tcp.connect", "imap.greeting", "starttls.upgrade", "tls.handshake"}, run: capability},
	{id: "starttls.offer", title: "STARTTLS offered", needs: []string{"imap.greeting", "imap.capability"}, gate: onlySTARTTLS, run: startTLSOffer},
	{id: "starttls.upgrade", title: "STARTTLS upgrade", needs: []string{"imap.greeting", "imap.capability", "starttls.offer"},
		gate: onlySTARTTLS, run: startTLSUpgrade},
	{id: "tls.handshake", title: "TLS handshake", needs: beforeHello, gate: onlyTLS, run: handshake},
	{id: "tls.versions", title: "TLS versions", needs: beforeHello, gate: fullGate, run: tlsVersions},
	{id: "tls.suites", title: "cipher suites", needs: beforeHello, gate: fullGate, run: tlsSuites},
	{id: "tls.groups", title: "key exchange groups", needs: beforeHello, gate: fullGate, run: tlsGroups},
	{id: "cert.dates", title: "certificate dates", needs: []string{"tls.handshake"}, gate: onlyTLS, run: certDates},
	{id: "cert.name", title: "certificate name", needs: []string{"tls.handshake"}, gate: onlyTLS, run: certName},
	{id: "cert.chain", title: "certificate chain", needs: []string{"tls.handshake"}, gate: onlyTLS, run: certChain},
	{id: "cert.key", title: "certificate key", needs: []string{"tls.handshake"}, gate: onlyTLS, run: certKey},
	{id: "cert.revocation", title: "revocation", needs: []string{"tls.handshake"}, gate: onlyTLS, run: certRevocation},
	{id: "auth.login", title: "sign-in", needs: beforeLogin, gate: signInGate, run: login},
	{id: "account.capability", title: "capabilities after sign-in", needs: []string{"auth.login"}, gate: accountGate, run: accountCapability},
	{id: "account.namespace", title: "namespaces", needs: []string{"auth.login"}, gate: accountDataGate, run: accountNamespace},
	{id: "account.quota", title: "quota", needs: []string{"auth.login"}, gate: accountDataGate, run: accountQuota},
	{id: "account.access", title: "access", needs: []string{"auth.login"}, gate: accountGate, run: accountAccess},
	{id: "audit.injection", title: "command injection", needs: startTLSNeeds, gate: injectionGate, run: auditInjection},
	{id: "audit.connections", title: "connection limit", needs: beforeLogin, gate: connectionsGate, run: auditConnections},
	{id: "audit.idle", title: "idle connections", needs: beforeLogin, gate: idleGate, run: auditIdle},
}

// beforeHello is what must have gone well for a ClientHello to be sent.
var beforeHello = []string{"tcp.connect", "imap.greeting", "imap.capability", "starttls.offer", "starttls.upgrade"}

// startTLSNeeds is what must have gone well for STARTTLS to be tried once more.
var startTLSNeeds = []string{"tcp.connect", "imap.greeting", "imap.capability", "starttls.offer", "starttls.upgrade"}

// beforeLogin is everything that must be decided before a password goes anywhere.
var beforeLogin = []string{"tcp.connect", "imap.greeting", "imap.capability", "starttls.offer", "starttls.upgrade", "tls.handshake",
	"cert.dates", "cert.name", "cert.chain", "cert.key", "cert.revocation"}

// The parts of a connection, in which the orders below consist.
var (
	tlsPart      = []string{"tls.handshake", "tls.versions", "tls.suites", "tls.groups", "cert.dates", "cert.name", "cert.chain", "cert.key", "cert.revocation"}
	startTLSPart = []string{"starttls.offer", "starttls.upgrade"}
	accountPart  = []string{"auth.login", "account.capability", "account.namespace", "account.quota", "account.access",
		"audit.injection", "audit.connections", "audit.idle"}
)

// order is that of the connection (contract 2): with TLS from the first byte the handshake precedes the greeting, with STARTTLS it follows.
// imap.capability stands where it was last read: inside TLS, or before it if TLS was not reached.
func order(sec imapdial.Security, readBeforeTLS bool) []string {
	connect := []string{"tcp.connect"}
	switch {
	case sec == imapdial.TLS:
		return slices.Concat(connect, tlsPart, []string{"imap.greeting", "imap.capability"}, startTLSPart, accountPart)
	case sec == imapdial.Cleartext || readBeforeTLS:
		return slices.Concat(connect, []string{"imap.greeting", "imap.capability"}, startTLSPart, tlsPart, accountPart)
	default:
		return slices.Concat(connect, []string{"imap.greeting"}, startTLSPart, tlsPart, []string{"imap.capability"}, accountPart)
	}
}

// titles are those of the checks, of what precedes an address too.
var titles = func() map[string]string {
	m := map[string]string{"input.secret": "a password", "dns.lookup": "name look-up", "dns.srv": "SRV records", "dns.tlsa": "TLSA records"}
	for _, c := range table {
		m[c.id] = c.title
	}
	return m
}()

// CheckTitle returns a short title for a check id, for a person; the id itself when it is none of this package's.
func CheckTitle(id string) string {
	if title, ok := titles[id]; ok {
		return title
	}
	return id
}

// judge runs the table over s. It is a pure function of the subject: it is called again when more is known.
func (s *subject) judge() ([]Result, []finding.Finding) {
	ids := order(s.ep.Security, s.readBeforeTLS())
	results := make([]Result, 0, len(ids))
	var findings []finding.Finding
	stopped := map[string]bool{}
	for _, id := range ids {
		i := slices.IndexFunc(table, func(c check) bool { return c.id == id })
		c := &table[i]
		r, decided := s.prevented(c, results, stopped)
		if !decided {
			out := c.run(s)
			r = out.result()
			stopped[id] = out.stops || r.Status == Fail || r.Status == Errored
			for _, f := range out.findings {
				f.Check = id
				findings = append(findings, f)
			}
		}
		r.ID = id
		if r.Facts == nil {
			r.Facts = map[string]any{}
		}
		results = append(results, r)
	}
	return results, findings
}

// prevented says what becomes of c when it is not to run after the results so far.
func (s *subject) prevented(c *check, before []Result, stopped map[string]bool) (r Result, decided bool) {
	if s.skip != "" {
		return Result{Status: Skip, Summary: s.skip}, true
	}
	if c.gate != nil {
		if r, decided = c.gate(s); decided {
			return r, true
		}
	}
	if s.facts == nil {
		return Result{}, true
	}
	if cause := earliestCause(c.needs, before, stopped); cause != "" {
		return Result{Status: Held, BlockedBy: cause, Summary: "not reached: " + titles[cause] + " comes first"}, true
	}
	return Result{}, false
}

// result is the outcome in the report's terms.
func (out outcome) result() Result {
	return Result{Status: statusOf(out), Summary: out.summary, DurationMS: milliseconds(out.took), Facts: out.facts}
}

// earliestCause returns the check that keeps those away that need needs, or "": the first in the order of the connection, because
// what came later was held for its sake.
func earliestCause(needs []string, before []Result, stopped map[string]bool) string {
	for _, r := range before {
		switch {
		case !slices.Contains(needs, r.ID):
		case r.Status == Held:
			return r.BlockedBy
		case stopped[r.ID]:
			return r.ID
		}
	}
	return ""
}

// statusOf follows the worst finding (contract 2).
func statusOf(out outcome) Status {
	if out.status != "" {
		return out.status
	}
	status := Pass
	for _, f := range out.findings {
		switch {
		case f.Severity == finding.Block || rulesOut(f.Code):
			return Fail
		case f.Severity == finding.High || f.Severity == finding.Warn:
			status = Warned
		}
	}
	return status
}

// rulesOut tells of the codes that make an endpoint unusable although they are not of severity block (contract 2.1).
func rulesOut(c finding.Code) bool {
	return c == "starttls.stripped" || c == "starttls.injection" || c == "imap.preauth"
}

// notAsked is the gate of a check that runs only when a flag asks for it; "" when no flag of this version does.
func notAsked(flag string) func(*subject) (Result, bool) {
	summary := "not asked for"
	if flag != "" {
		summary += ": " + flag
	}
	return func(*subject) (Result, bool) { return Result{Status: Skip, Summary: summary}, true }
}

func onlySTARTTLS(s *subject) (Result, bool) {
	switch s.ep.Security {
	case imapdial.STARTTLS:
		return Result{}, false
	case imapdial.TLS:
		return Result{Status: Skip, Summary: "not applicable: TLS starts with the first byte"}, true
	}
	return Result{Status: Skip, Summary: "not applicable: TLS was declined with imap+insecure"}, true
}

func onlyTLS(s *subject) (Result, bool) {
	if s.ep.Security == imapdial.Cleartext {
		return Result{Status: Skip, Summary: "not applicable: TLS was declined with imap+insecure"}, true
	}
	return Result{}, false
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
