package probe

import (
	"context"
	"strings"
	"sync"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// defaultConnections is how many connections a job may open unless something showed that it must be fewer.
const defaultConnections = 4

// settle chooses the endpoint to recommend, signs in there, once, and keeps its settings if they work. The other connections are
// ended meanwhile. It needs every endpoint to be decided.
func (t *targetRun) settle(ctx context.Context) {
	chosen := t.choose()
	if chosen != nil {
		chosen.audit.ramping, chosen.idle.waiting = t.prober.Audit, t.prober.Idle > 0
	}
	t.placeSignIn(chosen)
	var ending sync.WaitGroup
	for _, s := range t.subjects {
		if s.conn != nil && (s != chosen || t.secret == nil) {
			ending.Go(func() { s.conn.Logout(ctx) })
		}
	}
	defer ending.Wait()
	if chosen == nil {
		return
	}
	// A job measures for itself, and nothing that it can do without shall cost it the session.
	in := signIn{sampling: !t.prober.KeepSessions}
	if t.secret != nil {
		t.session = in.attempt(ctx, chosen.conn, t.settings(chosen, t.target.Mechanism), *t.secret, t.target.Role)
		if f := in.account.freeze; f != nil {
			t.explainFreeze(ctx, chosen, f)
		}
		t.live.change(func() { chosen.signIn = in })
	}
	if _, findings := chosen.judge(); blocks(findings) {
		t.live.change(func() { chosen.audit.ramping, chosen.idle.waiting = false, false })
		t.close()
		return
	}
	if t.prober.Audit {
		t.auditConnections(ctx, chosen)
	}
	t.leaveIdle(ctx, chosen)
	mechanism := in.mechanism
	if mechanism == "" {
		mechanism = t.target.Mechanism
	}
	account := t.settings(chosen, mechanism)
	t.account = &account
	t.live.change(func() { t.report.Recommended = chosen.recommended() })
	t.keepSession(ctx, &in)
}

// choose returns the first usable endpoint in the order of the report, 993 before 143, or nil.
func (t *targetRun) choose() *subject {
	for _, s := range t.subjects {
		if _, findings := s.judge(); s.usable(findings) {
			return s
		}
	}
	return nil
}

// placeSignIn says at every endpoint where the sign-in belongs. At the chosen one it stays undecided while there is a secret to try.
func (t *targetRun) placeSignIn(chosen *subject) {
	t.live.change(func() {
		for _, s := range t.subjects {
			switch {
			case chosen != nil && s != chosen:
				s.signIn.phase = signInElsewhere
			case t.secret == nil:
				s.signIn.phase = signInNoSecret
			case chosen == nil:
				s.signIn.phase = signInPrevented
			}
		}
	})
}

// settings are those of a job on the endpoint.
func (t *targetRun) settings(s *subject, mechanism string) imapdial.Account {
	ep := s.ep
	ep.Via = t.target.Via
	return imapdial.Account{Endpoint: ep, User: t.target.User, AuthzID: t.target.AuthzID, Mechanism: mechanism, Secret: t.target.Secret}
}

// keepSession leaves the session to the caller where that was asked for and it is of use; else it ends it.
func (t *targetRun) keepSession(ctx context.Context, in *signIn) {
	switch {
	case t.session == nil:
	case in.account.err != nil:
		t.session.Close()
		t.session = nil
	case !t.prober.KeepSessions:
		t.session.Logout(ctx)
		t.session = nil
	}
}

// blocks reports whether the findings leave a target without settings (contract 2.1). What stands against writing alone does not.
func blocks(findings []finding.Finding) bool {
	for _, f := range findings {
		if f.Severity == finding.Block && f.Code != "account.over-quota" && f.Code != "account.read-only" {
			return true
		}
	}
	return false
}

// recommended are the settings in the report's terms (contract 2).
func (s *subject) recommended() *Recommended {
	r := &Recommended{
		Host: s.ep.Host, Port: int(s.ep.EffectivePort()), Security: s.ep.Security.String(), Address: s.address.String(),
		ServerName: s.ep.ServerName(), MinTLS: "1.2", Auth: s.signIn.mechanism, Connections: s.connections(),
	}
	if s.ep.TLS.Groups != "" {
		r.Groups = strings.Fields(s.ep.TLS.Groups)
	}
	if v := s.ep.TLS.MinVersion; v != 0 {
		r.MinTLS = versionName(v)
	}
	if s.ep.Security == imapdial.Cleartext {
		r.MinTLS = ""
	}
	if pin := s.facts.Pin; pin != "" {
		r.Pin = &pin
	}
	if r.Auth == "" {
		// An error means that no sign-in is possible; auth.login says so once there is a password to try.
		r.Auth, _ = imapdial.Mechanism(s.facts.Capabilities, s.target.Mechanism, s.ep.Security != imapdial.Cleartext, s.target.AuthzID != "")
	}
	return r
}
