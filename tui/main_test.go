package tui

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/tui/termguard"
)

// appVariable makes the test binary act as a command that shows the wizard. Its value says what the engines do.
const appVariable = "IMAPILOT_TUI_TEST_APP"

func TestMain(m *testing.M) {
	termguard.Restore()
	if kind := os.Getenv(appVariable); kind != "" {
		os.Exit(runApp(kind))
	}
	os.Exit(m.Run())
}

// runApp is the command: the wizard on the sample's servers, with engines that behave as kind says.
func runApp(kind string) int {
	cfg := Config{NewJob: func(_, _ probe.Target) *Backend { return appBackend(kind) }}
	cfg.Source, cfg.Dest = sampleSides()
	code, err := Run(context.Background(), cfg)
	if kind != "silent" { // where a write would not come back
		fmt.Printf("the wizard ended: code %d, error %v\n", code, err)
	}
	return code
}

// appBackend goes through the sample's migration in about two seconds. It is made for a person, or tmux, to watch.
func appBackend(kind string) *Backend {
	e := newFakeEngine(probe.Target{}, probe.Target{})
	b := e.backend()
	b.Preflight = func(ctx context.Context) (*probe.Report, error) {
		if kind == "panic" {
			panic("a bug in a check")
		}
		e.change(func() { e.checks = halfway() })
		if kind == "endless-check" || kind == "silent" {
			return nil, pass(ctx, time.Hour)
		}
		return sampleReport(), pass(ctx, 300*time.Millisecond)
	}
	b.Plan = func(ctx context.Context) (*mailsync.Plan, error) {
		return samplePlan(), pass(ctx, 200*time.Millisecond)
	}
	b.Sync = func(ctx context.Context) (*mailsync.Summary, error) {
		e.change(func() { e.progress, e.events = sampleProgress(), sampleEvents() })
		last := time.Second
		switch kind {
		case "endless-sync":
			last = time.Hour
		case "deaf-sync":
			ctx, last = context.Background(), time.Hour
		}
		if err := pass(ctx, last); err != nil {
			_ = pass(context.Background(), 200*time.Millisecond) // what is on its way
			s := sampleSummary()
			s.Verdict, s.Failures, s.Verified = "stopped", nil, nil
			s.Messages.Failed, s.Messages.Remaining = 0, 5003
			return s, err
		}
		return completeSummary(), nil
	}
	return b
}

// pass waits for d or the end of ctx.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
