package mailsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A sent is a message that this run has stored at the destination.
type sent struct {
	ref   Ref
	uid   uint32 // from APPENDUID or found later; 0 when not known
	plain bool   // it went without its keywords
}

// recover goes on after the connection for writing was lost: it waits, reconnects, and looks which messages in doubt arrived.
// An APPEND is never repeated blindly: of the connections that were cut in tests, a third had stored the message.
func (w *writing) recover(ctx context.Context, a *attempt, lost error) error {
	w.writer.Close()
	w.writer, w.limit = nil, 1
	if o := a.list[0]; o.stream != nil && o.stream.err != nil {
		return nil // the source broke off: the destination is not to blame
	}
	err := w.dest.reconnect(ctx, &lostError{side: "dest", command: fmt.Sprintf("append to mailbox %q", w.folder.dest), err: lost})
	if err != nil {
		return err
	}
	if len(a.doubt) > 0 {
		if err := w.look(ctx, a); err != nil {
			return err
		}
	}
	if len(a.tried) == 1 && slices.Contains(a.todo, a.tried[0]) {
		w.blame(a, lost)
	}
	return nil
}

// look counts the messages in doubt that arrived as copied; the others are sent again. It looks until it has seen the same twice, a pause apart: a busy
// server still stores messages of a connection that has ended.
func (w *writing) look(ctx context.Context, a *attempt) error {
	missing, err := w.find(ctx, a, a.doubt)
	for again := true; err == nil && again && len(missing) > 0; {
		if err := w.dest.wait(ctx, w.dest.pause); err != nil {
			return err
		}
		before := len(missing)
		missing, err = w.find(ctx, a, missing)
		again = len(missing) < before
	}
	a.todo = append(a.todo, missing...)
	return err
}

// find reads what is new in the destination's mailbox, counts messages in doubt that are there as copied, and returns the others.
func (w *writing) find(ctx context.Context, a *attempt, doubt []int) (missing []int, err error) {
	f := w.folder
	arrived, _, err := w.dest.read(ctx, f.dest, f.key, true, f.bound)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return nil, stop(exitCannot, "nobody knows which messages arrived: %w", refusal)
	}
	if err != nil {
		return nil, err
	}
	var doubtful []sent
	for _, i := range doubt {
		o := a.list[i]
		doubtful = append(doubtful, sent{ref: o.ref})
		switch {
		case o.stream == nil:
			d := newDigester()
			d.Write(o.data)
			w.note(f, o.ref, d.digest())
		case o.digest != nil:
			w.note(f, o.ref, o.digest.digest())
		}
	}
	used := make([]bool, len(arrived.Messages))
	if _, err := w.locate(ctx, f, f.sent, arrived, used, CompareOptions{Alters: w.alters}); err != nil {
		return nil, err
	}
	where, err := w.locate(ctx, f, doubtful, arrived, used, CompareOptions{Alters: w.alters})
	if err != nil {
		return nil, err
	}
	for k, i := range doubt {
		if where[k] < 0 {
			missing = append(missing, i)
			continue
		}
		w.arrived(a.list[i].ref, arrived.Messages[where[k]].UID)
	}
	return missing, nil
}

// blame notes that the connection was lost while a message was sent alone. After the second time it waits until the others are through. If
// it ends the connection then too, though others arrived, it is given up.
func (w *writing) blame(a *attempt, lost error) {
	ref := a.list[a.tried[0]].ref
	w.losses[ref]++
	drop := func() { a.todo = slices.DeleteFunc(a.todo, func(i int) bool { return i == a.tried[0] }) }
	switch {
	case !w.alone && w.losses[ref] >= 2:
		drop()
		w.aside = append(w.aside, ref)
		w.dest.putAside()
	case w.alone && w.losses[ref] > 2 && w.dest.proven:
		drop()
		w.fail(w.folder, ref, "append", "", wire.Printable(fmt.Sprintf("the connection was lost whenever this message was sent: %v", lost)))
		w.dest.losses = 0
	}
}

// locate finds messages that were sent among those that arrived, and marks those as used. It returns the index of each, -1 for one that
// is not there. First by UID where the server told it, then by what makes messages the same, and last by UID even where key and size say otherwise:
// a destination that alters mail.
func (r *run) locate(ctx context.Context, f *folder, list []sent, arrived *Contents, used []bool, o CompareOptions) ([]int, error) {
	where := make([]int, len(list))
	for k := range where {
		where[k] = -1
	}
	byUID := func(same bool) {
		for k, s := range list {
			if s.uid == 0 || where[k] >= 0 {
				continue
			}
			i, there := arrived.Find(s.uid)
			if !there || used[i] {
				continue
			}
			m, n := f.message(s.ref), &arrived.Messages[i]
			if alike := compareKeys(m, n) == 0; same && !alike {
				continue
			} else if !alike || m.Size != n.Size {
				r.alters = true
			}
			where[k], used[i] = i, true
		}
	}
	byUID(true)
	if err := r.locateAlike(ctx, f, list, where, arrived, used, o); err != nil {
		return nil, err
	}
	byUID(false)
	return where, nil
}

// locateAlike compares what locate has not found yet.
func (r *run) locateAlike(ctx context.Context, f *folder, list []sent, where []int, arrived *Contents, used []bool, o CompareOptions) error {
	sources := make([]*Contents, len(f.boxes))
	places := make([][]int, len(f.boxes)) // of a message in list
	for i, b := range f.boxes {
		sources[i] = b.contents.with(nil)
	}
	for k, s := range list {
		if where[k] < 0 {
			sources[s.ref.Box].Messages = append(sources[s.ref.Box].Messages, *f.message(s.ref))
			places[s.ref.Box] = append(places[s.ref.Box], k)
		}
	}
	rest := arrived.with(nil)
	var indexes []int // of a message of rest in arrived
	for i, m := range arrived.Messages {
		if !used[i] {
			rest.Messages = append(rest.Messages, m)
			indexes = append(indexes, i)
		}
	}
	o.Digests = Digests{Source: map[Key]Digest{}, Dest: map[Key]Digest{}}
	for {
		found, wanted := Compare(sources, rest, o)
		if wanted != nil {
			if err := r.recall(ctx, f, rest, wanted, o.Digests); err != nil {
				return err
			}
			continue
		}
		for _, p := range found.Pairs {
			k, i := places[p.Source.Box][p.Source.Index], indexes[p.Dest]
			where[k], used[i] = i, true
		}
		return nil
	}
}

// recall adds wanted digests: those of the destination are fetched; those of the source were noted when the messages were sent, or are not to be had.
func (r *run) recall(ctx context.Context, f *folder, arrived *Contents, wanted *Wanted, known Digests) error {
	r.mu.Lock()
	for _, key := range wanted.Source {
		known.Source[key] = f.digests.Source[key]
	}
	r.mu.Unlock()
	return addDigests(ctx, r.dest, f.dest, arrived, wanted.Dest, known.Dest)
}
