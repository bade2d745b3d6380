package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// An audit is what the intrusive checks showed of an endpoint (--audit).
type audit struct {
	asked     bool
	injected  bool // the trial has ended, or will not be made
	injection imapdial.Injection
	took      time.Duration // of that trial
	err       error         // why it could not be made
	ramping   bool          // the ramp is still to come, or runs
	ramp      *ramp
}

// A ramp is what became of opening one connection after the other.
type ramp struct {
	held     int  // open at the same time, signed in if signedIn
	signedIn bool // they were signed in
	took     time.Duration
	stop     error // why there were no more; nil when a bound of ours was reached
}

// The bounds of the ramp: no job opens as many connections, and no server is kept busy for longer.
const (
	rampConnections = 25
	rampTime        = time.Minute
)

// auditInjections tries command injection on every endpoint that did STARTTLS, at the same time.
func (t *targetRun) auditInjections(ctx context.Context) {
	var running sync.WaitGroup
	for _, s := range t.subjects {
		running.Go(func() {
			a := audit{asked: true, injected: true}
			if s.facts != nil && s.facts.StartTLS.Outcome == imapdial.StartTLSAccepted {
				begin := time.Now()
				a.injection, a.err = imapdial.InjectCommand(ctx, s.ep, t.prober.options(t.dialer(), t.prober.timeout()))
				a.took = time.Since(begin)
			}
			t.live.change(func() { s.audit = a })
		})
	}
	running.Wait()
}

// auditConnections opens connections to the endpoint that will be recommended until one is refused. Each is signed in where the sign-in has
// worked, with the password that is known to be right; the first refusal ends it.
func (t *targetRun) auditConnections(ctx context.Context, s *subject) {
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, rampTime)
	defer cancel()
	r := &ramp{signedIn: t.session != nil}
	var open []func(context.Context) error
	if r.signedIn {
		r.held = 1 // the session of the probe itself
	}
	for r.held < rampConnections && r.stop == nil {
		conn, err := imapdial.Dial(limited, s.ep, t.prober.options(t.unwatched(), t.prober.timeout()))
		if err != nil {
			r.stop = err
			break
		}
		logout := conn.Logout
		if r.signedIn {
			session, err := conn.SignIn(limited, t.settings(s, s.signIn.mechanism), *t.secret)
			if err != nil {
				r.stop = err
				break
			}
			logout = session.Logout
		}
		open = append(open, logout)
		r.held++
	}
	r.held = max(r.held, 1) // the probe's own had been taken, too
	if limited.Err() != nil {
		r.stop = nil // ours
	}
	var ending sync.WaitGroup
	for _, logout := range open {
		ending.Go(func() { logout(ctx) })
	}
	ending.Wait()
	r.took = time.Since(begin)
	t.live.change(func() { s.audit.ramp, s.audit.ramping = r, false })
}

// injectionGate decides whether there is a trial to judge.
func injectionGate(s *subject) (Result, bool) {
	if !s.audit.asked {
		return notAsked("--audit")(s)
	}
	if r, decided := onlySTARTTLS(s); decided {
		return r, true
	}
	return Result{}, !s.audit.injected
}

// auditInjection judges whether commands from before TLS are carried out inside it.
func auditInjection(s *subject) outcome {
	a := &s.audit
	out := outcome{took: a.took, facts: map[string]any{}}
	switch a.injection {
	case imapdial.InjectionExecuted:
		f := s.startTLSFinding("starttls.command-injection", s.hostPort()+" carries out inside TLS what was sent in the clear before it",
			"the server does not throw away what stands behind STARTTLS when TLS starts (CVE-2011-0411 and its relatives)")
		f.Remedies = advice("use port 993 with TLS if the server has it: imaps://"+s.ep.Host,
			"the server's administrator has to upgrade the mail server, or the proxy that does STARTTLS for it")
		f.Reproduce = []string{"imapilot probe --audit imap+starttls://" + s.hostPort()}
		out.summary, out.findings = f.Summary, []finding.Finding{f}
	case imapdial.InjectionIgnored:
		out.summary = "a command behind STARTTLS is thrown away"
	case imapdial.InjectionInClear:
		out.summary = "a command behind STARTTLS is answered in the clear, not inside TLS"
	case imapdial.InjectionRejected:
		out.summary = "a command behind STARTTLS ends the connection"
	default:
		out.status, out.summary = Errored, "the trial could not be made: "+errorText(a.err)
	}
	return out
}

// connectionsGate decides whether there is a ramp to judge. It is made where the sign-in is, or would be.
func connectionsGate(s *subject) (Result, bool) {
	switch {
	case !s.audit.asked:
		return notAsked("--audit")(s)
	case s.signIn.phase == signInElsewhere:
		return Result{Status: Skip, Summary: "not applicable: the connections are counted on the recommended endpoint"}, true
	case s.audit.ramping, s.signIn.phase == signInUndecided:
		return Result{}, true
	case s.audit.ramp == nil && s.signIn.phase == signInTried && s.signIn.err != nil:
		return Result{Status: Held, BlockedBy: "auth.login", Summary: "not reached: the sign-in comes first"}, true
	case s.audit.ramp == nil && s.signIn.phase == signInTried:
		return Result{Status: Held, BlockedBy: "account.access", Summary: "not reached: the account comes first"}, true
	}
	return Result{}, false
}

// auditConnections judges how many connections the server takes at a time.
func auditConnections(s *subject) outcome {
	r := s.audit.ramp
	if r == nil {
		return outcome{status: Errored, summary: "internal error: the connections were not counted"}
	}
	held := count(r.held, "connection", "connections")
	out := outcome{took: r.took, facts: map[string]any{"connections": r.held, "signed_in": r.signedIn, "bound": rampConnections}}
	var e *imapdial.Error
	switch {
	case !errors.As(r.stop, &e):
		out.summary = held + " at a time are taken, and no more were tried"
		return out
	case e.Stage == imapdial.StageSignIn:
		f := s.accountLimit(r, held)
		out.summary, out.findings = f.Summary, []finding.Finding{f}
		return out
	}
	f := s.finding("net.connection-limit", fmt.Sprintf("%s takes %s from here at a time and turns the next one away: %s", s.hostPort(), held, turnedAway(e)),
		"the server, or a firewall in front of it, limits the connections of an address; other programs behind the same address count too")
	f.Responsible, f.Certainty = finding.Server, finding.Likely
	f.Evidence["connections"] = r.held
	f.Remedies = advice("nothing is needed for this job: the settings stay below the limit", "the server's administrator can raise the limit (Courier: MAXPERIP)")
	f.Reproduce = []string{s.session() + "   # that many times at once"}
	out.summary, out.findings = f.Summary, []finding.Finding{f}
	return out
}

// turnedAway says how a connection was refused.
func turnedAway(e *imapdial.Error) string {
	var greeting *imapdial.GreetingError
	switch {
	case errors.As(e, &greeting):
		return "the server said: " + serverWords(greeting.Greeting)
	case isClosed(e):
		return "it was closed without a word"
	case isTimeout(e):
		return "there was no answer"
	}
	return errorText(e.Err)
}

// accountLimit is the finding of a sign-in that was refused although the same one had worked.
func (s *subject) accountLimit(r *ramp, held string) finding.Finding {
	said := errorText(r.stop)
	var refused *imapdial.SignInError
	code := ""
	if errors.As(r.stop, &refused) && refused.Response.Raw != "" {
		said, code = "the server said: "+serverWords(refused.Response), refused.Response.Code
	}
	f := s.finding("account.connection-limit", fmt.Sprintf("%s takes %s at a time; at the next one %s", s.account(), held, said),
		"the server limits the connections of an account; other mail programs that are signed in count too")
	if code != "LIMIT" && !strings.Contains(strings.ToLower(said), "connection") {
		f.Certainty = finding.Likely
	}
	f.Evidence["connections"], f.Evidence["code"] = r.held, code
	f.Remedies = advice("nothing is needed for this job: the settings stay below the limit", "close other mail programs that use the account if the job is to have more",
		"the server's administrator can raise the limit (Dovecot: mail_max_userip_connections)")
	f.Reproduce = []string{s.session() + "   # that many times at once, each with: a1 LOGIN USER PASSWORD"}
	return f
}

// connections is how many a job may open: the default, unless the ramp showed that the server takes fewer.
func (s *subject) connections() int {
	if r := s.audit.ramp; r != nil && r.stop != nil {
		return max(1, min(defaultConnections, r.held))
	}
	return defaultConnections
}
