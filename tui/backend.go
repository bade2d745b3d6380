package tui

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/imapilot-project/imapilot/probe"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
)

// A Backend is what the wizard drives: one job, as functions. [ForJob] makes one of a job; tests bring their own.
//
// Preflight, Plan, Sync and Close are called from one goroutine at a time, outside of the user interface's. The others return a copy of a
// state at once and may be called at any time.
type Backend struct {
	Settings mailsync.Settings // for the review and the equivalent command

	Preflight func(ctx context.Context) (*probe.Report, error)
	Plan      func(ctx context.Context) (*mailsync.Plan, error)
	Sync      func(ctx context.Context) (*mailsync.Summary, error)
	Close     func()

	Version  func() uint64 // changes whenever one of the following does
	Checks   func() []*probe.TargetReport
	Progress func() mailsync.Progress
	Events   func(after uint64) []mailsync.Event
}

// ForJob returns the Backend that drives j. It gives every run of an engine a fresh Live, in place of those that j has. The
// Backend's Close closes j.
func ForJob(j *job.Job) *Backend {
	var (
		checks   atomic.Pointer[probe.Live]
		progress atomic.Pointer[mailsync.Live]
	)
	checks.Store(new(probe.Live))
	progress.Store(new(mailsync.Live))
	watch := func() {
		live := new(mailsync.Live)
		progress.Store(live)
		j.Settings.Live = live
	}
	return &Backend{
		Settings: j.Settings,
		Preflight: func(ctx context.Context) (*probe.Report, error) {
			live := new(probe.Live)
			checks.Store(live)
			j.Prober.Live = live
			return j.Preflight(ctx)
		},
		Plan:     func(ctx context.Context) (*mailsync.Plan, error) { watch(); return j.Plan(ctx) },
		Sync:     func(ctx context.Context) (*mailsync.Summary, error) { watch(); return j.Sync(ctx) },
		Close:    j.Close,
		Version:  func() uint64 { return checks.Load().Version() + progress.Load().Version() },
		Checks:   func() []*probe.TargetReport { return checks.Load().Snapshot() },
		Progress: func() mailsync.Progress { return progress.Load().Snapshot() },
		Events:   func(after uint64) []mailsync.Event { return progress.Load().Events(after) },
	}
}

// A session is one job in the wizard: it begins with a check and ends when another takes its place.
type session struct {
	open    func() *Backend // Config.NewJob with this session's targets
	calls   sync.Mutex      // held while an engine works: a cancelled call must have ended before the next begins
	backend atomic.Pointer[Backend]
}

// drive runs f on the session's backend, which it opens if need be.
func (s *session) drive(f func(b *Backend)) {
	s.calls.Lock()
	defer s.calls.Unlock()
	b := s.backend.Load()
	if b == nil {
		b = s.open()
		s.backend.Store(b)
	}
	f(b)
}

// close ends the job, once the call that is at work has ended.
func (s *session) close() {
	s.calls.Lock()
	defer s.calls.Unlock()
	if b := s.backend.Swap(nil); b != nil {
		b.Close()
	}
}

// A snapshot is the state of the engine that is at work.
type snapshot struct {
	checks   []*probe.TargetReport
	progress mailsync.Progress
	events   []mailsync.Event // those that are new
}

// look takes a snapshot unless nothing has changed since version, and returns the version it is of.
func (s *session) look(version, lastEvent uint64) (*snapshot, uint64) {
	b := s.backend.Load()
	if b == nil {
		return nil, version
	}
	now := b.Version()
	if now == version {
		return nil, version
	}
	return &snapshot{checks: b.Checks(), progress: b.Progress(), events: b.Events(lastEvent)}, now
}
