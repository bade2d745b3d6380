package mailsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// A flagStore is one change of flags, and the messages that need it.
type flagStore struct {
	op    imap.StoreFlagsOp
	flags []string
	list  []stored // ascending by UID
}

// A stored is a message of the destination and its source.
type stored struct {
	uid uint32
	ref Ref
}

// flagStores finds the changes that the messages on both sides of a folder need. It also counts messages with flags
// that the destination does not keep.
func (r *run) flagStores(f *folder) []*flagStore {
	stores := &storeList{index: map[string]*flagStore{}}
	differ := newFlagDiffer(r.settings.Flags, f.keep)
	for _, p := range f.comparison.Pairs {
		change := differ.change(f.boxes[p.Source.Box].contents, int(p.Source.Index), f.contents, int(p.Dest))
		stores.add(change, stored{f.contents.Messages[p.Dest].UID, p.Source})
	}
	for _, b := range f.boxes {
		b.lost = countLost(b.contents, f.keep)
	}
	return stores.sorted()
}

// countLost counts the messages with flags that cannot be kept.
func countLost(c *Contents, keep keeper) (n int64) {
	lost := make([]bool, len(c.flags.lists))
	for i, list := range c.flags.lists {
		lost[i] = len(keep.kept(list)) < len(list)
	}
	for _, m := range c.Messages {
		if int(m.flags) < len(lost) && lost[m.flags] {
			n++
		}
	}
	return n
}

// A storeList groups messages by the change they need.
type storeList struct {
	list  []*flagStore
	index map[string]*flagStore
}

func (l *storeList) add(c flagChange, s stored) {
	for op, flags := range map[imap.StoreFlagsOp][]string{imap.StoreFlagsAdd: c.add, imap.StoreFlagsDel: c.remove} {
		if len(flags) == 0 {
			continue
		}
		key := fmt.Sprint(op, flags)
		if l.index[key] == nil {
			l.index[key] = &flagStore{op: op, flags: flags}
			l.list = append(l.list, l.index[key])
		}
		l.index[key].list = append(l.index[key].list, s)
	}
}

// sorted returns the changes, with their messages in the order of UIDs.
func (l *storeList) sorted() []*flagStore {
	for _, s := range l.list {
		slices.SortFunc(s.list, func(a, b stored) int { return int(int64(a.uid) - int64(b.uid)) })
	}
	return l.list
}

// updatesByBox returns how many messages of each source mailbox a list of changes is about.
func updatesByBox(stores []*flagStore) map[int32]int64 {
	seen, n := map[Ref]bool{}, map[int32]int64{}
	for _, s := range stores {
		for _, m := range s.list {
			if !seen[m.ref] {
				seen[m.ref] = true
				n[m.ref.Box]++
			}
		}
	}
	return n
}

// store changes flags at the destination. A refusal is a failure of the messages concerned; the error is a *StopError.
func (r *run) store(ctx context.Context, f *folder, stores []*flagStore) error {
	refused := map[Ref]bool{}
	for _, s := range stores {
		f.wrote = true
		if err := r.storeSome(ctx, f, s, s.list, refused); err != nil {
			return err
		}
	}
	for _, s := range stores {
		for _, m := range s.list {
			if !refused[m.ref] {
				refused[m.ref] = true // counted
				r.tally(f.boxes[m.ref.Box], func(c *Counts) { c.FlagsUpdated++ })
			}
		}
	}
	return nil
}

// storeSome changes the flags of some messages. What is refused for many is tried for each half.
func (r *run) storeSome(ctx context.Context, f *folder, s *flagStore, list []stored, refused map[Ref]bool) error {
	for len(list) > 0 {
		uids := make([]uint32, len(list))
		for i, m := range list {
			uids[i] = m.uid
		}
		set, rest := cutSet(uids)
		part := list[:len(list)-len(rest)]
		list = list[len(part):]
		err := r.dest.persist(ctx, func() error { return r.storeSet(ctx, f, s, set) })
		refusal, ok := errors.AsType[*Refusal](err)
		switch {
		case err == nil:
			r.dest.progress()
		case !ok:
			return err
		case len(part) > 1:
			half := len(part) / 2
			for _, p := range [][]stored{part[:half], part[half:]} {
				if err := r.storeSome(ctx, f, s, p, refused); err != nil {
					return err
				}
			}
		default:
			refused[part[0].ref] = true
			r.storeFailed(f, s, part[0].ref, refusal)
		}
	}
	return nil
}

// storeFailed reports a refused change of flags, unless the destination says that it cannot keep such a keyword.
func (r *run) storeFailed(f *folder, s *flagStore, ref Ref, refusal *Refusal) {
	keyword := slices.ContainsFunc(s.flags, func(flag string) bool { return !strings.HasPrefix(flag, `\`) })
	if keyword && (refusal.Code == "CANNOT" || refusal.Code == "LIMIT") {
		f.boxes[ref.Box].lost++
		return
	}
	r.report(r.failure(f, ref, "store", refusal.Code, refusal.Text))
}

func (r *run) storeSet(ctx context.Context, f *folder, s *flagStore, set imap.UIDSet) error {
	if _, err := r.dest.choose(ctx, f.dest, true, false); err != nil {
		return err
	}
	return r.dest.do(ctx, fmt.Sprintf("set flags in mailbox %q", f.dest), func(c *imapclient.Client) error {
		flags := make([]imap.Flag, len(s.flags))
		for i, flag := range s.flags {
			flags[i] = imap.Flag(flag)
		}
		return c.Store(set, &imap.StoreFlags{Op: s.op, Silent: true, Flags: flags}, nil).Close()
	})
}
