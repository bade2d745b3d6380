package tui

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/imapilot-project/imapilot/probe"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A fakeEngine stands in for a job: its calls go on until the test says how they end, or their context ends.
type fakeEngine struct {
	source, dest probe.Target // as NewJob was given them

	mu        sync.Mutex // guards what follows
	version   uint64
	calls     []string
	causes    []error // of the contexts of calls that were cut short
	checks    []*probe.TargetReport
	progress  mailsync.Progress
	events    []mailsync.Event
	closed    bool
	preflight chan checked
	plan      chan planned
	sync      chan synced
	lingers   chan struct{} // if not nil, a cancelled call ends only when this is closed
}

func newFakeEngine(source, dest probe.Target) *fakeEngine {
	return &fakeEngine{source: source, dest: dest, preflight: make(chan checked, 1), plan: make(chan planned, 1), sync: make(chan synced, 1)}
}

func (e *fakeEngine) change(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	e.version++
}

// ended notes that a call's context ended, and waits if it is to linger.
func (e *fakeEngine) ended(ctx context.Context) error {
	e.change(func() { e.causes = append(e.causes, context.Cause(ctx)) })
	if e.lingers != nil {
		<-e.lingers
	}
	return context.Cause(ctx)
}

func (e *fakeEngine) called(name string) { e.change(func() { e.calls = append(e.calls, name) }) }

func (e *fakeEngine) backend() *Backend {
	return &Backend{
		Preflight: func(ctx context.Context) (*probe.Report, error) {
			e.called("preflight")
			select {
			case out := <-e.preflight:
				return out.report, out.err
			case <-ctx.Done():
				return nil, e.ended(ctx)
			}
		},
		Plan: func(ctx context.Context) (*mailsync.Plan, error) {
			e.called("plan")
			select {
			case out := <-e.plan:
				return out.plan, out.err
			case <-ctx.Done():
				return nil, e.ended(ctx)
			}
		},
		Sync: func(ctx context.Context) (*mailsync.Summary, error) {
			e.called("sync")
			select {
			case out := <-e.sync:
				return out.summary, out.err
			case <-ctx.Done():
				err := e.ended(ctx)
				s := &mailsync.Summary{Verdict: "stopped", ExitCode: 1, Messages: mailsync.Counts{Source: 9, Copied: 4, Remaining: 5}}
				var c interface{ ExitCode() int }
				if errors.As(err, &c) {
					s.ExitCode = c.ExitCode()
				}
				return s, err
			}
		},
		Close:   func() { e.change(func() { e.closed = true }) },
		Version: func() uint64 { e.mu.Lock(); defer e.mu.Unlock(); return e.version },
		Checks:  func() []*probe.TargetReport { e.mu.Lock(); defer e.mu.Unlock(); return slices.Clone(e.checks) },
		Progress: func() mailsync.Progress {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.progress
		},
		Events: func(after uint64) []mailsync.Event {
			e.mu.Lock()
			defer e.mu.Unlock()
			var out []mailsync.Event
			for _, ev := range e.events {
				if ev.Seq > after {
					out = append(out, ev)
				}
			}
			return out
		},
	}
}
