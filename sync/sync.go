package mailsync

import (
	"context"
	"errors"
	"time"
)

// Sync copies. The Summary is never nil: after an error it tells how far the run came and that its exit code is not 0. The error is
// nil when the run came to its end, messages that failed included; else it is a *[StopError], a *[CollisionError], or a *[Refusal]. A run
// that ctx ended has the exit code of the context's cause, if that has a method ExitCode, else 21.
func Sync(ctx context.Context, source, dest Side, s Settings) (*Summary, error) {
	r := newRun(source, dest, s)
	defer r.close(ctx)
	err := r.begin(ctx)
	listed := err == nil
	names, why := r.broken()
	for i, m := range names {
		r.report(Failure{Folder: m.Name, Step: "select", ServerText: why[i]})
	}
	for i := 0; i < len(r.folders) && err == nil; i++ {
		err = r.folder(ctx, r.folders[i])
	}
	var verified *Verified
	if listed && readable(err) {
		r.batches = [batches]batch{} // their memory is needed for the reading
		var rerr error
		if verified, rerr = r.readAgain(ctx); err == nil {
			err = rerr
		}
	}
	return r.summary(err, listed || ctx.Err() != nil, verified), err
}

// readable reports whether the destination can be read again after a run that ended with err.
func readable(err error) bool {
	stopped, ok := errors.AsType[*StopError](err)
	return err == nil || ok && (stopped.Code == exitFull || stopped.Code == exitLater)
}

// folder carries out one folder.
func (r *run) folder(ctx context.Context, f *folder) error {
	r.start(f)
	err := r.carryOut(ctx, f)
	r.end(f, err)
	return err
}

func (r *run) carryOut(ctx context.Context, f *folder) error {
	if err := r.provide(ctx, f); err != nil {
		return r.giveUp(f, "create", err)
	}
	if f.empty() {
		for _, b := range f.boxes {
			r.listed(b, &Contents{Mailbox: b.key}, nil)
		}
		r.compared(f)
		return nil
	}
	if err := r.read(ctx, f, true); err != nil {
		return r.giveUp(f, "select", err)
	}
	if err := r.compare(ctx, f); err != nil {
		return r.giveUp(f, "select", err)
	}
	r.compared(f)
	stores := r.flagStores(f)
	f.contents = nil // a large mailbox needs much memory; what is needed of it is in f.there and f.bound
	if err := r.copy(ctx, f, f.comparison.Missing); err != nil {
		return err
	}
	return r.store(ctx, f, stores)
}

// giveUp makes a refusal a failure of the folder: the others may well be possible. Any other error ends the run.
func (r *run) giveUp(f *folder, step string, err error) error {
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		return err
	}
	for _, b := range f.boxes {
		if b.refused == nil {
			r.failBox(b, step, refusal)
		}
	}
	return nil
}

// start tells the front end that a folder is at work.
func (r *run) start(f *folder) {
	r.live.change(func(p *Progress) { p.Phase = "copying" })
	for _, b := range f.boxes {
		b.progress.State = "active"
		r.tally(b, func(*Counts) {})
	}
}

// compared takes in the comparison: what is present, and what there is to copy.
func (r *run) compared(f *folder) {
	if f.comparison == nil {
		f.comparison = &Comparison{}
	}
	var there []Ref
	for _, p := range f.comparison.Pairs {
		there = append(there, p.Source)
		f.there = append(f.there, f.contents.Messages[p.Dest].UID)
	}
	r.settle(f, present, there...)
	for _, m := range f.comparison.Missing {
		b := f.boxes[m.Box]
		b.progress.ToCopy++
		b.progress.BytesToCopy += f.message(m).Size
	}
	for _, b := range f.boxes {
		r.live.change(func(p *Progress) { p.BytesTotal += b.progress.BytesToCopy })
		r.tally(b, func(*Counts) {})
		r.announce(f, b)
	}
}

// announce tells the front end what there is to do in a source mailbox.
func (r *run) announce(f *folder, b *box) {
	b.announced = true
	r.live.emit("folder.start", FolderStart{
		Source: b.Source.Name, Dest: f.dest, Create: !b.Exists,
		Messages: b.counts.Source, ToCopy: b.progress.ToCopy, BytesToCopy: b.progress.BytesToCopy,
	})
}

// end tells the front end that a folder is through, and frees what will not be needed.
func (r *run) end(f *folder, err error) {
	for _, b := range f.boxes {
		if b.refused == nil && err == nil {
			b.progress.State = "done"
		}
		r.tally(b, func(*Counts) {})
		if !b.announced { // it was refused, or the run ended before the comparison
			r.announce(f, b)
		}
		r.live.emit("folder.end", FolderEnd{b.Source.Name, f.dest, b.counts, b.lost})
		if !f.wrote {
			b.contents = &Contents{}
		}
	}
	f.comparison = nil
	if !f.wrote {
		f.digests = Digests{}
	}
}

// summary makes the summary, and tells the front end that the run has ended.
func (r *run) summary(err error, begun bool, verified *Verified) *Summary {
	r.leave()
	s := &Summary{
		Schema: "imapilot.sync/1", Messages: r.total, BytesCopied: r.octets, Failures: r.failures, Verified: verified,
		DurationMS: time.Since(r.started).Milliseconds(),
	}
	for _, f := range r.folders {
		s.Folders += len(f.boxes)
	}
	flawed := len(s.Failures) > 0 || verified != nil && verified.Missing+verified.Surplus > 0
	switch {
	case err != nil && !begun:
		s.Verdict, s.ExitCode = "failed", exitCode(err)
	case err != nil:
		s.Verdict, s.ExitCode = "stopped", exitCode(err)
	case flawed:
		s.Verdict, s.ExitCode = "partial", exitPartial
	default:
		s.Verdict = "complete"
	}
	r.live.change(func(p *Progress) { p.Phase = "done" })
	r.live.emit("run.end", s)
	return s
}

// leave counts the messages of mailboxes that the run did not come to as remaining, as far as the server told how many there are.
func (r *run) leave() {
	for _, f := range r.folders {
		for _, b := range f.boxes {
			if b.state == nil && b.Source.Status != nil {
				b.state = []state{}
				n := int64(b.Source.Status.Messages)
				r.tally(b, func(c *Counts) { c.Source, c.Remaining = c.Source+n, c.Remaining+n })
			}
		}
	}
}
