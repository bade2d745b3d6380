package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// openLog starts the diagnostic log: in --log-file, or on stderr when only a level was asked for. Engines do not log; what they
// return is written down here, and secrets are in none of it.
func (a *app) openLog(levelGiven bool) error {
	g := &a.global
	if g.logFile == "" && !levelGiven {
		return nil
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.logLevel)); err != nil {
		panic("internal error: " + err.Error())
	}
	out := a.stderr
	if g.logFile != "" {
		f, err := os.OpenFile(g.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return &fileError{fmt.Errorf("--log-file %s: %w", g.logFile, withoutPath(err))}
		}
		a.closers = append(a.closers, f)
		out = f
	}
	a.log = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	return nil
}

// logsToScreen reports whether the log goes where a wizard would be drawn.
func (a *app) logsToScreen() bool {
	return a.global.logFile == "" && a.log.Enabled(context.Background(), slog.LevelError)
}

// dialOptions tell servers the version, and make the log hold what is said on connections up to the end of sign-in, at level debug. Secrets are masked where
// they are written.
func (a *app) dialOptions() *imapdial.Options {
	if !a.log.Enabled(context.Background(), slog.LevelDebug) {
		return &imapdial.Options{Version: version()}
	}
	return &imapdial.Options{Version: version(), Log: func(ep imapdial.Endpoint, l wire.Line) {
		a.log.Debug("line", "at", ep.String(), "when", l.Time, "sent", l.Sent, "text", l.Text)
	}}
}

// logReport writes down what a probe found.
func (a *app) logReport(r *probe.Report) {
	for _, t := range r.Targets {
		a.logChecks(string(t.Role), t.Host, t.Checks)
		for _, e := range t.Endpoints {
			a.logChecks(string(t.Role), e.Address+"/"+e.Security, e.Checks)
		}
	}
	if r.Pair != nil {
		a.logChecks("pair", "", r.Pair.Checks)
	}
	for _, f := range r.Findings {
		level := slog.LevelWarn
		if f.Severity == finding.Info {
			level = slog.LevelInfo
		}
		a.log.Log(context.Background(), level, "finding", "code", f.Code, "severity", f.Severity, "endpoint", endpointOf(f), "summary", f.Summary)
	}
	a.log.Info("checked", "verdict", r.Verdict, "exit_code", r.ExitCode, "ms", r.DurationMS)
}

func (a *app) logChecks(role, at string, checks []probe.Result) {
	for _, c := range checks {
		a.log.Debug("check", "of", role, "at", at, "id", c.ID, "status", c.Status, "ms", c.DurationMS, "summary", c.Summary)
	}
}

func endpointOf(f finding.Finding) string {
	if f.Endpoint == nil {
		return ""
	}
	return *f.Endpoint
}
