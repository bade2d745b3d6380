package job

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/sync/profile"
)

// TargetOf returns the target that leads to an account, as a person would have given it.
func TargetOf(role probe.Role, a imapdial.Account) probe.Target {
	mode, scheme := probe.ModeTLS, "imaps"
	switch a.Endpoint.Security {
	case imapdial.STARTTLS:
		mode, scheme = probe.ModeSTARTTLS, "imap+starttls"
	case imapdial.Cleartext:
		mode, scheme = probe.ModeInsecure, "imap+insecure"
	}
	return probe.Target{
		Role: role, Input: scheme + "://" + a.Endpoint.Address(), Host: a.Endpoint.Host, Port: a.Endpoint.EffectivePort(), Mode: mode,
		Connect: a.Endpoint.Connect, Via: a.Endpoint.Via, TLS: a.Endpoint.TLS, User: a.User, AuthzID: a.AuthzID, Mechanism: a.Mechanism, Secret: a.Secret,
	}
}

// Begin makes the job ready for Plan, Sync or Verify. While [Job.Known] is fresh, and both targets are what it says, it signs in with these settings
// and makes only those checks of the pair that can forbid to go on. Else, and when a server cannot be reached like that any more,
// it is Preflight. Errors are those of Preflight, and *[imapdial.Error] for a sign-in that was refused: it is not tried a second time.
func (j *Job) Begin(ctx context.Context) (*probe.Report, error) {
	if !j.knows(time.Now()) {
		return j.Preflight(ctx)
	}
	j.Close()
	err := j.signIn(ctx)
	if err != nil {
		j.Close()
	}
	var refused *imapdial.SignInError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &refused):
		return nil, fmt.Errorf("with the settings of the profile: %w", err)
	case err != nil:
		return j.Preflight(ctx) // it says what has changed
	}
	j.saved = j.Known.Saved
	j.report = &probe.Report{Version: j.Prober.Version, Started: time.Now().UTC(), Findings: []finding.Finding{}}
	for i, given := range []probe.Target{j.Source, j.Dest} {
		j.report.Targets = append(j.report.Targets, j.sides[i].known(given.Input))
	}
	if err := j.checkPair(ctx, true); err != nil {
		j.Close()
		return nil, err
	}
	j.report.Judge()
	return j.report, nil
}

// knows reports whether the profile is fresh and about the job's targets. Where a secret is does not matter.
func (j *Job) knows(now time.Time) bool {
	if j.Known == nil || !j.Known.IsFresh(now) {
		return false
	}
	for _, c := range []struct {
		given probe.Target
		known profile.Side
	}{{j.Source, j.Known.Source}, {j.Dest, j.Known.Dest}} {
		want := TargetOf(c.given.Role, c.known.Account)
		want.Input, want.Secret = c.given.Input, c.given.Secret
		cleartext := want.Mode == probe.ModeInsecure && !j.Prober.AllowPlaintext
		if want != c.given || want.Secret == nil || want.User == "" || cleartext {
			return false
		}
	}
	return true
}

// signIn opens both sides at once with the settings of the profile.
func (j *Job) signIn(ctx context.Context) error {
	for i, c := range []struct {
		role   probe.Role
		target probe.Target
		known  profile.Side
	}{{probe.RoleSource, j.Source, j.Known.Source}, {probe.RoleDest, j.Dest, j.Known.Dest}} {
		account := c.known.Pinned()
		account.Secret = c.target.Secret
		j.sides[i] = side{role: c.role, account: &account}
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range j.sides {
		group.Go(func() error {
			session, err := j.open(ctx, i)
			j.sides[i].session = session
			if err != nil {
				return fmt.Errorf("%s: %w", sideName(&j.sides[i]), err)
			}
			return nil
		})
	}
	return group.Wait()
}

// known is what a report says of a side whose settings were found good before: nothing was examined.
func (s *side) known(input string) *probe.TargetReport {
	ep := s.account.Endpoint
	t := &probe.TargetReport{Role: s.role, Input: input, Host: ep.Host, Endpoints: []*probe.EndpointReport{}}
	for _, id := range []string{"dns.lookup", "dns.srv", "dns.tlsa"} {
		t.Checks = append(t.Checks, probe.Result{ID: id, Status: probe.Skip, Summary: "the settings come from a profile that is fresh", Facts: map[string]any{}})
	}
	t.Recommended = &probe.Recommended{
		Host: ep.Host, Port: int(ep.EffectivePort()), Security: ep.Security.String(), Address: s.session.Facts().Remote.String(),
		ServerName: ep.ServerName(), Auth: s.session.Account().Mechanism, Connections: 4, // as where nothing showed that it must be fewer
	}
	if ep.Security != imapdial.Cleartext {
		t.Recommended.MinTLS = strings.TrimPrefix(tls.VersionName(max(ep.TLS.MinVersion, tls.VersionTLS12)), "TLS ")
	}
	if ep.TLS.Groups != "" {
		t.Recommended.Groups = strings.Fields(ep.TLS.Groups)
	}
	if pin := s.session.Facts().Pin; pin != "" {
		t.Recommended.Pin = &pin
	}
	return t
}

// Validated returns the settings that were found good, for a file; nil when those of a side were not, or the pair must not be copied.
func (j *Job) Validated() *profile.Profile {
	if j.blocked() != nil {
		return nil
	}
	p := &profile.Profile{Saved: j.saved}
	for i, c := range []struct {
		given *probe.Target
		out   *profile.Side
	}{{&j.Source, &p.Source}, {&j.Dest, &p.Dest}} {
		c.out.Account = *j.sides[i].account
		if _, err := netip.ParseAddrPort(c.out.Account.Endpoint.Connect); err == nil {
			c.out.Address = c.out.Account.Endpoint.Connect
		}
		c.out.Account.Endpoint.Connect = c.given.Connect
	}
	return p
}
