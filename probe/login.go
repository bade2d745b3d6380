package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/provider"
)

// signInPhase is what has become of the one sign-in of a target, seen from one endpoint.
type signInPhase uint8

const (
	signInUndecided signInPhase = iota
	signInElsewhere             // another endpoint is the one that will be recommended
	signInNoSecret              // here it would be
	signInPrevented             // no endpoint of the target can be signed in to
	signInTried
)

// signIn is what the sign-in showed. It holds nothing of the secret but what is wrong with its form.
type signIn struct {
	phase        signInPhase
	sampling     bool // the throughput is to be estimated
	err          error
	mechanism    string // used, in upper case
	took         time.Duration
	capabilities []string // after sign-in
	account      accountAnswers
	provider     *provider.Provider // nil: none of those that are known

	edgeWhitespace bool // the secret begins or ends with white space
	nonASCII       bool // it has letters outside ASCII
	notAppPassword bool // the provider wants an app password, and this does not look like one
}

// signInGate decides whether there is a sign-in to judge.
func signInGate(s *subject) (Result, bool) {
	switch s.signIn.phase {
	case signInUndecided:
		return Result{}, true
	case signInElsewhere:
		return Result{Status: Skip, Summary: "not applicable: the sign-in is tried on the recommended endpoint"}, true
	case signInNoSecret:
		return Result{Status: Held, BlockedBy: "input.secret", Summary: "no password was given"}, true
	}
	return Result{}, false
}

// note looks at the form of the secret.
func (in *signIn) note(s secret.Secret) {
	b := s.Reveal()
	in.edgeWhitespace = len(b) != len(bytes.TrimSpace(b))
	in.nonASCII = slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
	in.notAppPassword = in.provider.WantsAppPassword(b)
	clear(b)
}

// attempt signs in on conn and asks what there is to know of the account. It is called once for each target.
func (in *signIn) attempt(ctx context.Context, conn *imapdial.Conn, acct imapdial.Account, s secret.Secret, role Role) *imapdial.Session {
	facts := conn.Facts()
	in.phase, in.provider = signInTried, provider.Of(acct.Endpoint.Host, facts.Greeting.Text)
	in.note(s)
	begin := time.Now()
	session, err := conn.SignIn(ctx, acct, s)
	in.took, in.err = time.Since(begin), err
	if err != nil {
		return nil
	}
	in.mechanism, in.capabilities = session.Account().Mechanism, session.Capabilities()
	in.account = askAccount(ctx, session, role, in.sampling)
	return session
}

// login judges the sign-in.
func login(s *subject) outcome {
	in := s.signIn
	if in.phase != signInTried {
		// Nothing before it failed, and yet there was no connection to sign in on: that is ours to explain.
		return outcome{status: Errored, summary: "internal error: no connection was left for the sign-in"}
	}
	out := outcome{took: in.took, facts: map[string]any{"user": s.target.User, "mechanism": in.mechanism}}
	if in.err == nil {
		out.summary = fmt.Sprintf("signed in as %s with %s", s.target.User, in.mechanism)
		return out
	}
	var refused *imapdial.SignInError
	if !errors.As(in.err, &refused) {
		refused = &imapdial.SignInError{Reason: imapdial.Interrupted, Err: in.err}
	}
	out.facts["mechanism"] = refused.Mechanism
	f := s.refusedSignIn(refused)
	out.summary = f.Summary
	out.findings = append([]finding.Finding{f}, s.secretFindings(refused)...)
	return out
}
