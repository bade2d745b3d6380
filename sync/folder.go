package mailsync

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// A folder is one mailbox of the destination with the source mailboxes that go there: one, or several that have the same special use.
type folder struct {
	dest   string // as the destination has it
	key    string // as in a Key
	exists bool   // and can be selected
	boxes  []*box

	contents   *Contents // of the destination, until the comparison is made
	keep       keeper
	comparison *Comparison
	digests    Digests
	bound      uint32 // no message that was there at the comparison has this UID or a higher one

	there []uint32 // UIDs of destination messages that were present
	sent  []sent   // messages that this run has stored
	wrote bool     // something was written: the mailbox is read again at the end
}

// A box is one source mailbox.
type box struct {
	Pairing
	place    int    // in the listing of the front end
	key      string // as in a Key
	contents *Contents
	state    []state
	counts   Counts
	progress FolderProgress
	lost     int64    // messages with flags that the destination cannot keep
	refused  *Refusal // why all its messages failed, or nil

	announced  bool     // by folder.start
	unreadable []uint32 // UIDs of messages that exist and cannot be told of
}

// A state is what has become of a source message.
type state uint8

const (
	remaining state = iota
	present
	copied
	skipped
	failed
)

// count returns the counter of a state.
func (c *Counts) count(s state) *int64 {
	return [...]*int64{remaining: &c.Remaining, present: &c.Present, copied: &c.Copied, skipped: &c.Skipped, failed: &c.Failed}[s]
}

// empty reports whether the server said that there is no message in the source mailboxes.
func (f *folder) empty() bool {
	for _, b := range f.boxes {
		if b.Source.Status == nil || b.Source.Status.Messages > 0 {
			return false
		}
	}
	return true
}

// message returns a source message.
func (f *folder) message(r Ref) *Message { return &f.boxes[r.Box].contents.Messages[r.Index] }

// sources returns the contents of the source mailboxes.
func (f *folder) sources() []*Contents {
	var list []*Contents
	for _, b := range f.boxes {
		list = append(list, b.contents)
	}
	return list
}

// fold puts pairings with one destination into one folder each, in their order.
func fold(pairings []Pairing, source, dest *Listing) []*folder {
	var folders []*folder
	byName := map[string]*folder{}
	for i, p := range pairings {
		f := byName[p.Dest]
		if f == nil {
			f = &folder{dest: p.Dest, key: dest.keyName(p.Dest), exists: p.Exists}
			byName[p.Dest] = f
			folders = append(folders, f)
		}
		b := &box{Pairing: p, place: i, key: source.keyName(p.Source.Name), contents: &Contents{}}
		b.progress = FolderProgress{Source: p.Source.Name, Dest: p.Dest, State: "waiting"}
		if p.Source.Status != nil {
			b.progress.Messages = int64(p.Source.Status.Messages)
		}
		f.boxes = append(f.boxes, b)
	}
	return folders
}

// read finds out what is on both sides of a folder, at once. A source mailbox that cannot be read is a failure of all its messages; that the
// destination's cannot be read is the *Refusal returned.
func (r *run) read(ctx context.Context, f *folder, writable bool) error {
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for _, b := range f.boxes {
			if err := r.readBox(gctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error { return r.readDest(gctx, f, writable) })
	err := group.Wait()
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return err
}

func (r *run) readBox(ctx context.Context, b *box) error {
	contents, unreadable, err := r.source.read(ctx, b.Source.Name, b.key, false, 1)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		r.failBox(b, "select", refusal)
		return nil
	}
	if err != nil {
		return err
	}
	r.listed(b, contents, unreadable)
	return nil
}

func (r *run) readDest(ctx context.Context, f *folder, writable bool) error {
	f.contents = &Contents{Mailbox: f.key}
	f.bound = 1
	if !f.exists {
		return nil
	}
	contents, unreadable, err := r.dest.read(ctx, f.dest, f.key, writable, 1)
	if err != nil {
		return err
	}
	f.contents = contents
	if n := len(contents.Messages); n > 0 {
		f.bound = contents.Messages[n-1].UID + 1
	}
	for _, uid := range unreadable {
		f.bound = max(f.bound, uid+1)
	}
	return r.learnFlags(ctx, f, writable)
}

// learnFlags finds out which flags the destination keeps. A mailbox that was examined does not tell (RFC 9051 section 6.3.3): then all count as kept.
func (r *run) learnFlags(ctx context.Context, f *folder, writable bool) error {
	return r.dest.persist(ctx, func() error {
		data, err := r.dest.choose(ctx, f.dest, writable, false)
		if err == nil {
			f.keep = newKeeper(data.PermanentFlags)
		}
		return err
	})
}

// compare compares both sides of a folder, with as many digests as that takes.
func (r *run) compare(ctx context.Context, f *folder) error {
	f.digests = Digests{Source: map[Key]Digest{}, Dest: map[Key]Digest{}}
	for {
		comparison, wanted := Compare(f.sources(), f.contents, CompareOptions{Digests: f.digests, Alters: r.alters})
		if wanted == nil {
			f.comparison = comparison
			return nil
		}
		if err := r.fetchDigests(ctx, f, wanted); err != nil {
			return err
		}
	}
}

// fetchDigests fetches what a comparison wants, from both sides at once.
func (r *run) fetchDigests(ctx context.Context, f *folder, wanted *Wanted) error {
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for _, b := range f.boxes {
			if err := addDigests(gctx, r.source, b.Source.Name, b.contents, wanted.Source, f.digests.Source); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error {
		return addDigests(gctx, r.dest, f.dest, f.contents, wanted.Dest, f.digests.Dest)
	})
	err := group.Wait()
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return err
}

// addDigests adds the digests of those wanted messages that are in one mailbox. A mailbox that cannot be opened has none.
func addDigests(ctx context.Context, l *link, name string, c *Contents, wanted []Key, known map[Key]Digest) error {
	uids := uidsIn(c, wanted)
	if len(uids) == 0 {
		return nil
	}
	digests, err := l.digests(ctx, name, l.side == "dest" && l.writable, c, uids)
	if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
		return fmt.Errorf("compare mailbox %q: %w", name, err)
	}
	for _, uid := range uids {
		known[Key{c.Mailbox, c.UIDValidity, uid}] = digests[uid]
	}
	return nil
}
