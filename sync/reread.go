package mailsync

import (
	"context"
	"errors"
)

// readAgain reads every mailbox in which something was written once more, and counts. It is what the summary rests on: not what
// servers answered, but what is there. The error is a *StopError.
func (r *run) readAgain(ctx context.Context) (*Verified, error) {
	r.leave()
	r.live.change(func(p *Progress) { p.Phase = "verifying" })
	v := &Verified{}
	for _, f := range r.folders {
		for _, b := range f.boxes {
			v.Missing += b.counts.Failed + b.counts.Remaining
			if !f.wrote {
				v.Messages += b.counts.Present + b.counts.Copied
			}
		}
		if !f.wrote {
			continue
		}
		if err := r.readFolderAgain(ctx, f, v); err != nil {
			return nil, err
		}
		for _, b := range f.boxes {
			b.contents = &Contents{}
		}
		f.sent, f.there = nil, nil
	}
	return v, nil
}

func (r *run) readFolderAgain(ctx context.Context, f *folder, v *Verified) error {
	contents, _, err := r.dest.read(ctx, f.dest, f.key, true, 1)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		v.Missing += int64(len(f.there) + len(f.sent))
		r.report(Failure{Folder: f.boxes[0].Source.Name, Step: "select", Code: refusal.Code, ServerText: refusal.Text})
		return nil
	}
	if err != nil {
		return err
	}
	arrived := contents.since(f.bound)
	used := make([]bool, len(arrived.Messages))
	for _, uid := range f.there {
		if _, there := contents.Find(uid); there {
			v.Messages++
		} else {
			v.Missing++
		}
		if i, there := arrived.Find(uid); there {
			used[i] = true
		}
	}
	where, err := r.locate(ctx, f, f.sent, arrived, used, CompareOptions{SizesSuffice: true, Alters: true})
	if err != nil {
		return err
	}
	looks := map[Message]bool{}
	for k, s := range f.sent {
		if where[k] < 0 {
			v.Missing++
			r.fail(f, s.ref, "append", "", "the server accepted the message, but it is not in the mailbox")
			continue
		}
		v.Messages++
		m, n := f.message(s.ref), &arrived.Messages[where[k]]
		if m.Size != n.Size || compareKeys(m, n) != 0 {
			v.Altered++
		}
		looks[look(m)], looks[look(n)] = true, true
	}
	surplus, err := r.surplus(ctx, f, arrived, used, looks)
	v.Surplus += surplus
	if err != nil {
		return err
	}
	return r.store(ctx, f, r.forgotten(f, arrived, where))
}

// look returns what is left of a message when only key and size count.
func look(m *Message) Message { return Message{By: m.By, Key: m.Key, Size: m.Size} }

// surplus counts messages that arrived beyond what was sent and look like what was sent: an APPEND that was repeated because it seemed lost. A message
// without a key looks like any other of its size; its digest tells.
func (r *run) surplus(ctx context.Context, f *folder, arrived *Contents, used []bool, looks map[Message]bool) (n int64, err error) {
	var keyless []uint32
	for i := range arrived.Messages {
		m := &arrived.Messages[i]
		switch {
		case used[i] || !looks[look(m)]:
		case m.By == ByDigest:
			keyless = append(keyless, m.UID)
		default:
			n++
		}
	}
	if len(keyless) == 0 {
		return n, nil
	}
	ours := map[Digest]bool{}
	for _, d := range f.digests.Source {
		ours[d] = true
	}
	digests, err := r.dest.digests(ctx, f.dest, true, arrived, keyless)
	for _, d := range digests {
		if d != (Digest{}) && ours[d] {
			n++
		}
	}
	return n, err
}

// forgotten finds flags that the destination did not take from APPEND. Those of messages that it only took without keywords are left out.
func (r *run) forgotten(f *folder, arrived *Contents, where []int) []*flagStore {
	stores := &storeList{index: map[string]*flagStore{}}
	differ := newFlagDiffer(FlagsAdd, f.keep)
	for k, s := range f.sent {
		if where[k] >= 0 && !s.plain {
			change := differ.change(f.boxes[s.ref.Box].contents, int(s.ref.Index), arrived, where[k])
			stores.add(change, stored{arrived.Messages[where[k]].UID, s.ref})
		}
	}
	return stores.sorted()
}
