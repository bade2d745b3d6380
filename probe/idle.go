package probe

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// An idleCheck is what became of a connection that was left alone for a while (--idle).
type idleCheck struct {
	asked    time.Duration // 0: not asked for
	waiting  bool          // that is still to come, or goes on
	signedIn bool
	rest     *imapdial.Rest
	when     time.Time // it came to its end
	err      error     // why there was no connection to leave alone
}

// leaveIdle leaves a connection to the endpoint that will be recommended alone for as long as was asked for. That is the session of the sign-in, if it is not
// to be handed over: a password is sent once. Else it is a connection of its own, before the sign-in.
func (t *targetRun) leaveIdle(ctx context.Context, s *subject) {
	if s.idle.asked == 0 {
		return
	}
	c := s.idle
	c.waiting = false
	c.signedIn = t.session != nil && !t.prober.KeepSessions && s.signIn.account.err == nil
	t.publish() // what is known so far: this takes long
	if c.signedIn {
		c.rest = t.session.Rest(ctx, c.asked)
		if c.rest.Err != nil {
			t.session.Close()
			t.session = nil
		}
	} else if conn, err := imapdial.Dial(ctx, s.ep, t.prober.options(t.dialer(), t.prober.timeout())); err != nil {
		c.err = err
	} else {
		c.rest = conn.Rest(ctx, c.asked)
		if c.rest.Err == nil {
			conn.Logout(ctx)
		} else {
			conn.Close()
		}
	}
	c.when = time.Now().UTC()
	t.live.change(func() { s.idle = c })
}

// idleGate decides whether there is an idle connection to judge.
func idleGate(s *subject) (Result, bool) {
	c := &s.idle
	switch {
	case c.asked == 0:
		return notAsked("--idle")(s)
	case s.signIn.phase == signInElsewhere:
		return Result{Status: Skip, Summary: "not applicable: it is the recommended endpoint whose connection is left idle"}, true
	case c.waiting:
		return Result{Summary: "leaves a connection idle for " + c.asked.String()}, true
	case c.rest != nil, c.err != nil:
		return Result{}, false
	case s.signIn.phase == signInUndecided:
		return Result{}, true
	case s.signIn.phase == signInTried && s.signIn.err != nil:
		return Result{Status: Held, BlockedBy: "auth.login", Summary: "not reached: the sign-in comes first"}, true
	case s.signIn.phase == signInTried:
		return Result{Status: Held, BlockedBy: "account.access", Summary: "not reached: the account comes first"}, true
	}
	return Result{}, false
}

// auditIdle judges whether a connection outlives a pause.
func auditIdle(s *subject) outcome {
	c := &s.idle
	if c.rest == nil {
		return outcome{status: Errored, summary: "no connection was left idle: " + errorText(c.err)}
	}
	out := outcome{took: c.rest.Rested, facts: map[string]any{"idle_seconds": c.rest.Rested.Seconds(), "signed_in": c.signedIn}}
	if c.rest.After.Known && !s.proxied {
		out.facts["retransmits"] = c.retransmits()
	}
	switch c.fate(s.proxied) {
	case idleAlive:
		out.summary = "a connection still works after " + c.pause()
	case idleEnded:
		out.summary, out.facts["ended_by_server"] = s.endedIdle(), true
	case idleSilent:
		out.status = Warned
		out.summary = fmt.Sprintf("after %s NOOP arrives at the server's system, and the server does not answer it within %s", c.pause(), seconds(c.rest.Waited))
	case idleFailed:
		out.status, out.summary = Errored, "the idle connection came to an end: "+errorText(c.rest.Err)
	default:
		f := s.idleCut(c.fate(s.proxied))
		out.summary, out.findings = f.Summary, []finding.Finding{f}
	}
	return out
}

// An idleFate is what a pause did to a connection.
type idleFate uint8

const (
	idleAlive   idleFate = iota
	idleEnded            // the server ended it in good order
	idleSilent           // the server's system acknowledges NOOP, the server does not answer it
	idleFailed           // it came to an end in another way, before the time was up
	idleLost             // nothing arrives any more
	idleReset            // it was reset
	idleUnclear          // no answer; what the kernel knows does not tell more
)

// fate tells what became of the connection. With proxied, what the kernel knows is of the way to a proxy.
func (c *idleCheck) fate(proxied bool) idleFate {
	r := c.rest
	switch {
	case r.Err == nil:
		return idleAlive
	case errors.Is(r.Err, syscall.ECONNRESET), errors.Is(r.Err, syscall.EPIPE):
		return idleReset
	case isClosed(r.Err), errors.As(r.Err, new(*imapdial.ByeError)):
		return idleEnded
	case r.Early:
		return idleFailed
	case !isTimeout(r.Err):
		return idleLost // a router says that there is no way any more
	case !r.After.Known || proxied:
		return idleUnclear
	case r.After.Pending:
		return idleLost
	}
	return idleSilent
}

func (c *idleCheck) retransmits() int {
	return int(c.rest.After.Retransmits - c.rest.Before.Retransmits)
}

// pause names the pause in a sentence.
func (c *idleCheck) pause() string {
	where := "before the sign-in"
	if c.signedIn {
		where = "after the sign-in"
	}
	return shortly(c.rest.Rested) + " of idling " + where
}

// shortly writes a pause for a person, as exact as is of use.
func shortly(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// endedIdle says after how long the server itself ends a connection.
func (s *subject) endedIdle() string {
	r := s.idle.rest
	text := "the server itself ends a connection after " + s.idle.pause()
	if !r.Early {
		text += ", at the next command"
	}
	if r.Bye.Status != "" {
		text += "; the server said: " + serverWords(r.Bye)
	}
	return text
}

// idleCut is the finding of a connection that did not outlive the pause, though no side ended it.
func (s *subject) idleCut(fate idleFate) finding.Finding {
	c := &s.idle
	pause := shortly(c.rest.Rested)
	f := s.finding("net.idle-cut", fmt.Sprintf("a connection to %s that is idle for %s is lost: the next command gets no answer", s.hostPort(), pause),
		"a firewall, NAT router or balancer on the way forgets connections on which nothing happens, and then drops what belongs to them")
	f.Certainty, f.Evidence["answer"] = finding.Likely, "none"
	switch {
	case fate == idleReset && c.rest.Early:
		f.Summary = fmt.Sprintf("a connection to %s is reset after %s of idling", s.hostPort(), pause)
		f.Cause = "a firewall, NAT router or balancer on the way ends connections on which nothing happens with a reset; a server would say BYE first"
		f.Evidence["answer"] = "reset"
	case fate == idleReset:
		f.Summary = fmt.Sprintf("a connection to %s that is idle for %s is lost: the next command is answered with a reset", s.hostPort(), pause)
		f.Cause = "a firewall, NAT router or balancer on the way forgets connections on which nothing happens, and resets what belongs to them afterwards"
		f.Evidence["answer"] = "reset"
	case fate == idleUnclear:
		f.Certainty = finding.Possible
		f.Cause += "; the server may have fallen silent as well, which cannot be told apart here"
	case c.retransmits() > 0:
		f.Cause += fmt.Sprintf("; the command was sent %s and never acknowledged", count(1+c.retransmits(), "time", "times"))
	}
	f.Evidence["idle_seconds"], f.Evidence["signed_in"] = c.rest.Rested.Seconds(), c.signedIn
	if c.rest.After.Known && !s.proxied {
		f.Evidence["retransmits"] = c.retransmits()
	}
	f.Remedies = advice("nothing is needed for this job: imapilot's connections send TCP keep-alives every 15 s, which keep the connection in such a device's memory",
		"let mail programs behind the same device send NOOP, renew IDLE, or send TCP keep-alives more often than every "+pause,
		fmt.Sprintf("send this to the administrator of this network:\nTCP connections to %s port %d are cut off when they are idle for %s or less: what is sent afterwards is lost, without an end of the "+
			"connection before (seen on %s UTC). Please raise the time after which firewalls and NAT routers forget established TCP connections; "+
			"RFC 5382 section 5 asks for at least 2 hours and 4 minutes.", s.address.Addr(), s.address.Port(), pause, c.when.Format(time.DateTime)))
	f.Reproduce = []string{fmt.Sprintf("imapilot probe --idle %s %s", pause, s.targetURL())}
	return f
}

// targetURL is the endpoint as a target.
func (s *subject) targetURL() string {
	scheme := map[imapdial.Security]string{imapdial.TLS: "imaps", imapdial.STARTTLS: "imap+starttls", imapdial.Cleartext: "imap+insecure"}[s.ep.Security]
	return scheme + "://" + s.hostPort()
}
