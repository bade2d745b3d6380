// Package job is one migration from end to end: preflight with the checks of the pair, plan, run, verify. It is what every
// front end drives. It carries the validated settings, and the sessions that the probe left open, to the sync engine, which
// has no other way to learn about servers.
//
// It judges nothing about one server (that is package probe) and moves no mail (that is package mailsync).
package job

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/profile"
)

// A Job is one migration. Set the exported fields, then call Preflight or Begin, and after it Plan, Sync or Verify as often as wanted,
// from one goroutine at a time. Close ends it.
type Job struct {
	Source, Dest probe.Target
	Prober       probe.Prober // KeepSessions is set by the job
	Settings     mailsync.Settings
	StateDir     string           // for the lock that Sync takes
	Known        *profile.Profile // settings that were found good before, for Begin; nil: none

	report *probe.Report
	saved  time.Time // when the settings were found good
	sides  [2]side   // source, dest

	// What is known of the two together. It is empty until they were examined.
	pairings  []mailsync.Pairing
	collision *mailsync.CollisionError // two mailboxes of the source would become one, or nil
	seen      look
	took      time.Duration // to examine them
}

// A side is what the preflight validated on one side, and the connection it left open.
type side struct {
	role    probe.Role
	account *imapdial.Account
	session *imapdial.Session // until it becomes the control
	control *imapdial.Control
	listing *mailsync.Listing
	// mailboxID is the server's identity of INBOX, or "".
	mailboxID string
	renew     bool // the secret was used before: a further sign-in asks for it again

	surveyed
}

// ErrNoPreflight means that Plan, Sync or Verify was called without a preflight that signed in on both sides.
var ErrNoPreflight = errors.New("internal error: no preflight has signed in on both sides")

// A BlockedError means that the preflight's verdict does not allow to go on. The report says why.
type BlockedError struct{ Report *probe.Report }

func (e *BlockedError) Error() string {
	return "the preflight found a problem that must be solved first"
}

// Preflight probes both servers at once and then checks the pair. Bad servers are findings in the report; an error means that the
// preflight could not be done, and then there is no report. It closes what an earlier preflight left open.
func (j *Job) Preflight(ctx context.Context) (*probe.Report, error) {
	j.Close()
	prober := j.Prober
	prober.KeepSessions = true
	source, dest := j.Source, j.Dest
	source.Role, dest.Role = probe.RoleSource, probe.RoleDest
	out, err := prober.Run(ctx, source, dest)
	if err != nil {
		return nil, err
	}
	for i, role := range []probe.Role{probe.RoleSource, probe.RoleDest} {
		j.sides[i] = side{role: role, account: out.Accounts[i], session: out.Sessions[i]}
	}
	j.report, j.saved = out.Report, out.Report.Started
	if err := j.checkPair(ctx, false); err != nil {
		j.Close()
		return nil, err
	}
	j.report.Judge()
	return j.report, nil
}

// Plan returns what Sync would do. It writes nothing.
func (j *Job) Plan(ctx context.Context) (*mailsync.Plan, error) {
	source, dest, err := j.ready()
	if err != nil {
		return nil, err
	}
	return mailsync.MakePlan(ctx, source, dest, j.Settings)
}

// Sync copies. It holds the lock of this pair of accounts meanwhile. The summary is nil when the run could not begin: *[BlockedError],
// [mailsync.ErrLocked], or the lock's file could not be made.
func (j *Job) Sync(ctx context.Context) (_ *mailsync.Summary, err error) {
	if err := j.blocked(); err != nil {
		return nil, err
	}
	lock, err := mailsync.TakeLock(j.StateDir, *j.sides[0].account, *j.sides[1].account)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	source, dest, err := j.ready()
	if err != nil {
		return nil, err
	}
	return mailsync.Sync(ctx, source, dest, j.Settings)
}

// Verify compares both sides and changes neither; bodies also compares the content of every message.
func (j *Job) Verify(ctx context.Context, bodies bool) (*mailsync.Verification, error) {
	source, dest, err := j.ready()
	if err != nil {
		return nil, err
	}
	return mailsync.Verify(ctx, source, dest, j.Settings, bodies)
}

// Close closes what the preflight left open. The job can start again with Preflight.
func (j *Job) Close() {
	var wg sync.WaitGroup
	for i := range j.sides {
		s := &j.sides[i]
		wg.Go(func() { s.close(context.Background()) })
	}
	wg.Wait()
	j.sides, j.report = [2]side{}, nil
	j.pairings, j.collision, j.seen, j.took = nil, nil, look{}, 0
}

func (s *side) close(ctx context.Context) {
	if s.session != nil {
		s.session.Logout(ctx)
	}
	if s.control != nil {
		s.control.Logout(ctx)
	}
	s.session, s.control = nil, nil
}

// blocked returns why the engine must not start, or nil.
func (j *Job) blocked() error {
	switch {
	case j.report == nil:
		return ErrNoPreflight
	case j.report.Verdict == probe.Blocked:
		return &BlockedError{Report: j.report}
	case j.sides[0].account == nil || j.sides[1].account == nil:
		return ErrNoPreflight
	}
	return nil
}

// ready returns both sides as the engine takes them. Open connections go over to it; it opens new ones where there are none.
func (j *Job) ready() (source, dest mailsync.Side, err error) {
	if err := j.blocked(); err != nil {
		return mailsync.Side{}, mailsync.Side{}, err
	}
	return j.engineSide(0), j.engineSide(1), nil
}

func (j *Job) engineSide(i int) mailsync.Side {
	s := &j.sides[i]
	control := s.control
	s.control = nil
	return mailsync.Side{
		Account: *s.account,
		Control: control,
		Open:    func(ctx context.Context) (*imapdial.Session, error) { return j.open(ctx, i) },
	}
}

// open opens one more session with the validated settings. The account's secret is asked for again where that is
// possible: a token may have been renewed since.
func (j *Job) open(ctx context.Context, i int) (*imapdial.Session, error) {
	s := &j.sides[i]
	if s.renew {
		s.account.Secret.Forget()
	}
	s.renew = true
	options := imapdial.Options{}
	if j.Prober.Dial != nil {
		options = *j.Prober.Dial
	}
	options.Timeout, options.SignIn = j.Prober.Timeout, j.Prober.SignInTimeout
	return imapdial.Open(ctx, *s.account, string(s.role)+" password", j.Prober.Ask, &options)
}
