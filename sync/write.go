package mailsync

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A writing is the writer's side of copying one folder. It gives every message to the destination once, and sends one again only
// after it has looked whether it arrived.
type writing struct {
	*run
	folder  *folder
	created bool // after [TRYCREATE]
	alone   bool // messages that were put aside come one by one

	aside  []Ref
	limit  int          // messages of the next APPEND: one after a lost connection, then twice as many each time
	losses map[Ref]int  // connections lost while a message was sent alone
	plain  map[Ref]bool // messages that go without keywords
}

// An attempt is what one APPEND of a batch left to do.
type attempt struct {
	*batch
	tried  []int
	todo   []int         // indexes of messages that have to be sent
	doubt  []int         // sent, and no answer came
	later  []int         // refused for now
	create []int         // refused because there is no mailbox
	reason wire.Response // of the refusal in later
	end    *StopError    // why the run must end: the destination is full, or its UIDs have changed
}

// write gives the messages of a batch to the destination, until what became of each is known. The error is a *StopError.
func (w *writing) write(ctx context.Context, b *batch) error {
	todo := make([]int, len(b.list))
	for i := range todo {
		todo[i] = i
	}
	for len(todo) > 0 {
		if err := w.open(ctx); err != nil {
			return err
		}
		now := todo[:min(len(todo), w.limit)]
		outcomes, lost := w.deliver(ctx, b, now)
		w.limit = min(2*w.limit, batchMessages)
		a := &attempt{batch: b, tried: now, todo: todo[len(now):]}
		w.sort(a, outcomes)
		if err := w.proceed(ctx, a, lost); err != nil {
			return err
		}
		slices.Sort(a.todo)
		if todo = a.todo; len(todo) > 0 && b.done != nil {
			b.done <- false // the octets are gone: the message is needed again
			return nil
		}
	}
	if b.done != nil {
		b.done <- true
	}
	return nil
}

// grace is what an APPEND gets that is under way when the run is stopped: what was sent is then known to have arrived. Cut off, it could arrive
// while the next run is comparing already.
const grace = 5 * time.Second

// deliver gives messages to the destination.
func (w *writing) deliver(ctx context.Context, b *batch, indexes []int) ([]imapdial.Outcome, error) {
	list := make([]imapdial.Message, len(indexes))
	for k, i := range indexes {
		list[k] = w.message(b.list[i])
	}
	patient, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel(context.Cause(ctx))
		case <-patient.Done():
		}
	})
	defer stop()
	return w.writer.Append(patient, w.folder.dest, list)
}

// proceed does what the outcomes of one APPEND call for.
func (w *writing) proceed(ctx context.Context, a *attempt, lost error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if lost != nil {
		if err := w.recover(ctx, a, lost); err != nil {
			return err
		}
	}
	if a.end != nil {
		return a.end
	}
	if len(a.create) > 0 {
		if err := w.createAgain(ctx, a); err != nil {
			return err
		}
	}
	if len(a.later) > 0 {
		return w.wait(ctx, a)
	}
	return nil
}

// open opens the connection for writing if there is none.
func (w *writing) open(ctx context.Context) error {
	for w.writer == nil {
		s, err := w.dest.session(ctx)
		if err == nil {
			w.writer, err = s.Writer()
		}
		if isLost(err) {
			err = w.dest.reconnect(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// message returns what the destination is given.
func (w *writing) message(o outgoing) imapdial.Message {
	b := w.folder.boxes[o.ref.Box]
	m := imapdial.Message{
		Flags:        w.folder.keep.kept(b.contents.Flags(int(o.ref.Index))),
		InternalDate: w.folder.message(o.ref).Time(),
		Size:         o.size,
		Body:         bytes.NewReader(o.data),
	}
	if o.stream != nil {
		m.Body = o.stream
	}
	if w.plain[o.ref] {
		m = plainer(m)
	}
	return m
}

// plainer returns a message without keywords, and without a date that some servers refuse (Cyrus 3.6: before 1970): better the message without
// them than none.
func plainer(m imapdial.Message) imapdial.Message {
	m.Flags = slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return !strings.HasPrefix(f, `\`) })
	if y := m.InternalDate.Year(); y < 1971 || y > 2037 {
		m.InternalDate = time.Time{}
	}
	return m
}

// sort takes the outcomes of one APPEND in.
func (w *writing) sort(a *attempt, outcomes []imapdial.Outcome) {
	for k, o := range outcomes {
		i := a.tried[k]
		switch o.State {
		case imapdial.Stored:
			w.arrived(a.list[i].ref, o.UID)
			if known := w.dest.validity[w.folder.dest]; o.UIDValidity != 0 && known != 0 && o.UIDValidity != known {
				a.end = changedValidity("dest", w.folder.dest, known, o.UIDValidity)
			}
		case imapdial.Rejected:
			w.rejected(a, i, o.Response)
		case imapdial.InDoubt:
			a.doubt = append(a.doubt, i)
		default: // NotSent, Incomplete: the destination cannot have it
			a.todo = append(a.todo, i)
		}
	}
}

// arrived counts a message as copied.
func (w *writing) arrived(ref Ref, uid uint32) {
	w.folder.sent = append(w.folder.sent, sent{ref, uid, w.plain[ref]})
	w.settle(w.folder, copied, ref)
	w.dest.progress()
}

// rejected decides on a message that the destination refused.
func (w *writing) rejected(a *attempt, i int, resp wire.Response) {
	ref := a.list[i].ref
	switch {
	case resp.Code == "TRYCREATE" && !w.created: // RFC 9051 section 6.3.12
		a.create = append(a.create, i)
	case overQuota(resp.Code, resp.Text):
		if a.end == nil { // the messages after the first remain
			w.fail(w.folder, ref, "append", resp.Code, resp.Text)
			a.end = stop(exitFull, "the destination is full: the server said: %s", resp.Text)
		}
	case temporary(resp.Code):
		a.later, a.reason = append(a.later, i), resp
	case !w.plain[ref] && resp.Code != "TOOBIG" && w.canBePlainer(a.list[i]):
		w.plain[ref] = true
		a.todo = append(a.todo, i)
	default:
		w.fail(w.folder, ref, "append", resp.Code, resp.Text)
	}
}

func (w *writing) canBePlainer(o outgoing) bool {
	m := w.message(o)
	p := plainer(m)
	return len(p.Flags) < len(m.Flags) || !p.InternalDate.Equal(m.InternalDate)
}

// createAgain makes the mailbox that was there when it was selected, once.
func (w *writing) createAgain(ctx context.Context, a *attempt) error {
	w.created = true
	f, before := w.folder, w.dest.validity[w.folder.dest]
	err := w.run.create(ctx, f)
	if err == nil {
		err = w.dest.persist(ctx, func() error {
			data, err := w.dest.choose(ctx, f.dest, true, true)
			if err == nil && data.UIDValidity != before {
				f.bound = 1 // it is another mailbox
			}
			return err
		})
	}
	refusal, refused := errors.AsType[*Refusal](err)
	if err != nil && !refused {
		return err
	}
	for _, i := range a.create {
		if refused {
			w.fail(f, a.list[i].ref, "append", refusal.Code, refusal.Text)
		} else {
			a.todo = append(a.todo, i)
		}
	}
	return nil
}

// wait gives the destination the time it asked for. When that does not help, the messages fail, or the run ends if all others would
// fare no better.
func (w *writing) wait(ctx context.Context, a *attempt) error {
	again, err := w.dest.throttle(ctx, a.reason.Code, a.reason.Text)
	switch {
	case err != nil:
		return err
	case again:
		a.todo = append(a.todo, a.later...)
		return nil
	case hopeless(a.reason.Code):
		return comeBack("dest", a.reason.Text)
	}
	for _, i := range a.later {
		w.fail(w.folder, a.list[i].ref, "append", a.reason.Code, a.reason.Text)
	}
	return nil
}
