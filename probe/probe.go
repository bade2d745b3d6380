// Package probe diagnoses IMAP servers: it turns a [Target] into endpoints, lets imapdial connect to all of them at once,
// judges the facts by a table of checks, and tells which settings work. What it finds is a [Report]; a bad server is a
// finding, an error means that the probe itself could not be done.
//
// A check is added as a row of the table in table.go. What a finding means in general stands in package finding, how a report
// looks in package render.
//
// Not guaranteed: that a server that was found good is good a minute later, nor that what one address or family shows holds for
// the others of the same name.
package probe

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// A Prober holds the settings of a probe. The zero value is usable. It is safe for concurrent use, apart from what Live shows.
type Prober struct {
	Version         string            // of the program, for the report
	Timeout         time.Duration     // each step; 0 means 10 s
	SignInTimeout   time.Duration     // 0 means 30 s
	AllowPlaintext  bool              // imap+insecure targets may be used
	Ask             secret.Ask        // for prompt references; nil: there is no terminal
	Dial            *imapdial.Options // nil: the system's dialer; its time-outs are those above
	Resolver        *net.Resolver     // nil: the system's
	DNS             *dns.Client       // whom own questions go to; nil: the servers of resolv.conf, or nobody where Resolver is set
	NamesFromDNS    bool              // look-ups go to DNS alone, not to Resolver (--resolver)
	HTTP            http.RoundTripper // asks for the configuration that a domain publishes; nil: one that dials like the probe
	Live            *Live             // nil: nobody watches
	Audit           bool              // make the intrusive checks too (--audit): command injection, and connections until one is refused
	Idle            time.Duration     // leave a connection idle for so long and see whether it still works (--idle); 0: do not
	Path            PathMode          // when to look which device on the way acts; 0: where a server cannot be reached, or someone else may answer
	Control         string            // HOST:PORT of a server that is known to work, to compare paths with (--control); "" for none
	Full            bool              // enumerate TLS versions, cipher suites and groups (--full): up to 60 connections a port
	FetchAIA        bool              // fetch the issuers that a server does not send, to name them (--fetch-aia)
	FetchRevocation bool              // ask authorities whether a certificate is revoked, by OCSP or CRL (--fetch-revocation)
	KeepSessions    bool              // hand the signed-in sessions to the caller, who closes them
}

// PathMode says when the path to a server is looked at.
type PathMode uint8

// The modes of --path and --no-path.
const (
	PathInDoubt PathMode = iota // where a server cannot be reached, or something speaks for another answering in its name
	PathAlways                  // everywhere (--path)
	PathNever                   // nowhere (--no-path)
)

// An Outcome is a report and, for each target, what a job goes on with.
type Outcome struct {
	Report   *Report
	Accounts []*imapdial.Account // the validated settings; nil for a target without
	Sessions []*imapdial.Session // nil without KeepSessions or a sign-in
}

// Run probes all targets at once. Secrets are resolved first, in the order of the targets. An error means that the probe could not be
// done: a *[UsageError], the context's cause, or that of a secret reference; then no session is left open.
func (p *Prober) Run(ctx context.Context, targets ...Target) (*Outcome, error) {
	started := time.Now().UTC()
	runs, err := p.prepare(ctx, targets)
	if err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	for _, t := range runs {
		running.Go(func() { t.run(ctx) })
	}
	running.Wait()
	if ctx.Err() != nil {
		for _, t := range runs {
			t.close()
		}
		return nil, context.Cause(ctx)
	}
	p.blameClock(runs)
	return p.outcome(started, runs), nil
}

// prepare checks the targets and resolves their secrets, before anything goes over the network.
func (p *Prober) prepare(ctx context.Context, targets []Target) ([]*targetRun, error) {
	live := p.Live
	if live == nil {
		live = new(Live)
	}
	runs := make([]*targetRun, len(targets))
	reports := make([]*TargetReport, len(targets))
	for i, target := range targets {
		if err := target.prepare(p.AllowPlaintext); err != nil {
			return nil, err
		}
		runs[i] = newTargetRun(p, live, i, target)
		reports[i] = runs[i].report
	}
	for _, t := range runs {
		t.peers = runs
		if t.target.User == "" || t.target.Secret == nil {
			continue
		}
		s, err := t.target.Secret.Resolve(ctx, secretLabel(t.target.Role), p.Ask)
		if err != nil {
			return nil, err
		}
		t.secret = &s
	}
	live.begin(reports)
	return runs, nil
}

// secretLabel names a target's secret in questions and errors.
func secretLabel(r Role) string {
	switch r {
	case RoleSource:
		return "source password"
	case RoleDest:
		return "destination password"
	}
	return "password"
}

// outcome puts together what the targets' runs found.
func (p *Prober) outcome(started time.Time, runs []*targetRun) *Outcome {
	o := &Outcome{Report: &Report{Schema: schemaProbe, Version: p.Version, Started: started, Findings: []finding.Finding{}}}
	for _, t := range runs {
		// A copy, so that what the caller does with the report does not show in Live.
		o.Report.Targets = append(o.Report.Targets, t.report.clone())
		o.Report.Findings = append(o.Report.Findings, t.findings()...)
		o.Accounts = append(o.Accounts, t.account)
		o.Sessions = append(o.Sessions, t.session)
	}
	o.Report.Judge()
	return o
}

// nameServers is the client for own questions. A caller that replaced the system's resolver does not mean the system's name servers.
func (p *Prober) nameServers() *dns.Client {
	switch {
	case p.DNS != nil:
		return p.DNS
	case p.Resolver != nil:
		return &dns.Client{}
	}
	return dns.System()
}

// timeout is that of a step before the sign-in.
func (p *Prober) timeout() time.Duration {
	if p.Timeout == 0 {
		return 10 * time.Second
	}
	return p.Timeout
}

// options are those for one connection that dials with dial and gives each step the time limit.
func (p *Prober) options(dial dialFunc, limit time.Duration) *imapdial.Options {
	var o imapdial.Options
	if p.Dial != nil {
		o = *p.Dial
	}
	o.DialContext, o.Timeout, o.SignIn = dial, limit, p.SignInTimeout
	o.Version = p.Version
	return &o
}

type dialFunc = imapdial.DialFunc

// dialer is what opens TCP connections.
func (p *Prober) dialer() dialFunc {
	if p.Dial != nil && p.Dial.DialContext != nil {
		return p.Dial.DialContext
	}
	return new(net.Dialer).DialContext
}

// proxied reports whether connections do not follow this computer's routes.
func (p *Prober) proxied() bool { return p.Dial != nil && p.Dial.DialContext != nil }
