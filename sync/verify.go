package mailsync

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A Verification compares both sides.
type Verification struct {
	Schema   string         `json:"schema"`  // "imapilot.verify/1"
	Verdict  string         `json:"verdict"` // equal, superset or different
	ExitCode int            `json:"exit_code"`
	Folders  []FolderVerify `json:"folders"`
}

// A FolderVerify compares one mailbox. Source is nil for one that only the destination has; Dest for a missing one is where it should be.
// Where several source mailboxes go to one, what is extra there stands with the first.
type FolderVerify struct {
	Source         *string      `json:"source"`
	Dest           string       `json:"dest"`
	SourceMessages int64        `json:"source_messages"`
	DestMessages   int64        `json:"dest_messages"`
	Missing        []MessageRef `json:"missing"`
	Extra          []MessageRef `json:"extra"`
	FlagsDiffer    []MessageRef `json:"flags_differ"`
	DatesDiffer    []MessageRef `json:"dates_differ"`
	BodiesDiffer   []MessageRef `json:"bodies_differ"`
}

// A MessageRef names a message to a person: of the source, of the destination for Extra.
type MessageRef struct {
	UID       uint32    `json:"uid"`
	MessageID string    `json:"message_id"`
	Size      int64     `json:"size"`
	Date      time.Time `json:"date"` // UTC; the zero Time when the server gave none
}

// Verify compares both sides and changes neither; bodies also compares the SHA-256 of every message, with line ends normalised. The error is a
// *[StopError], a *[CollisionError], or the *[Refusal] of a mailbox that cannot be read.
func Verify(ctx context.Context, source, dest Side, s Settings, bodies bool) (*Verification, error) {
	r := newRun(source, dest, s)
	r.dest.ids = true
	defer r.close(ctx)
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	v := &verifying{run: r, bodies: bodies, out: &Verification{Schema: "imapilot.verify/1", Folders: []FolderVerify{}}}
	r.live.change(func(p *Progress) { p.Phase = "verifying" })
	for _, f := range r.folders {
		if err := v.folder(ctx, f); err != nil {
			return nil, err
		}
	}
	names, _ := r.broken()
	for _, m := range names {
		name := wire.Printable(m.Name)
		v.out.Folders = append(v.out.Folders, newFolderVerify(&name, ""))
		v.different = true
	}
	if err := v.others(ctx); err != nil {
		return nil, err
	}
	v.judge()
	r.live.change(func(p *Progress) { p.Phase = "done" })
	return v.out, nil
}

// verifying is one call of Verify.
type verifying struct {
	*run
	bodies    bool
	different bool // also by a folder that is missing
	out       *Verification
}

func newFolderVerify(source *string, dest string) FolderVerify {
	return FolderVerify{
		Source: source, Dest: dest,
		Missing: []MessageRef{}, Extra: []MessageRef{}, FlagsDiffer: []MessageRef{}, DatesDiffer: []MessageRef{}, BodiesDiffer: []MessageRef{},
	}
}

// folder compares one folder.
func (v *verifying) folder(ctx context.Context, f *folder) error {
	if err := v.read(ctx, f, false); err != nil {
		return err
	}
	for _, b := range f.boxes {
		if b.refused != nil {
			return b.refused
		}
	}
	if err := v.compare(ctx, f); err != nil {
		return err
	}
	v.different = v.different || !f.exists
	results := make([]FolderVerify, len(f.boxes))
	for i, b := range f.boxes {
		results[i] = newFolderVerify(&b.Source.Name, f.dest)
		results[i].SourceMessages, results[i].DestMessages = b.counts.Source, int64(len(f.contents.Messages))
		for _, uid := range b.unreadable {
			results[i].Missing = append(results[i].Missing, MessageRef{UID: uid})
		}
	}
	for _, m := range f.comparison.Missing {
		r := &results[m.Box]
		r.Missing = append(r.Missing, messageRef(f.boxes[m.Box].contents, int(m.Index)))
	}
	for _, i := range f.comparison.Extra {
		results[0].Extra = append(results[0].Extra, messageRef(f.contents, i))
	}
	if err := v.pairs(ctx, f, results); err != nil {
		return err
	}
	v.out.Folders = append(v.out.Folders, results...)
	for _, b := range f.boxes {
		b.contents, b.progress.State = &Contents{}, "done"
		v.tally(b, func(*Counts) {})
	}
	f.contents, f.comparison, f.digests = nil, nil, Digests{}
	return nil
}

// pairs looks at the messages that are on both sides.
func (v *verifying) pairs(ctx context.Context, f *folder, results []FolderVerify) error {
	stores := v.flagStores(f)
	if len(stores) > 0 { // a mailbox that was examined does not tell which flags it keeps
		if err := v.learnFlags(ctx, f, true); err != nil {
			return err
		}
		stores = v.flagStores(f)
	}
	flags := map[Ref]bool{}
	for _, s := range stores {
		for _, m := range s.list {
			flags[m.ref] = true
		}
	}
	content, err := v.contentDiffers(ctx, f)
	if err != nil {
		return err
	}
	for _, p := range f.comparison.Pairs {
		r, c := &results[p.Source.Box], f.boxes[p.Source.Box].contents
		m, n := f.message(p.Source), &f.contents.Messages[p.Dest]
		ref := messageRef(c, int(p.Source.Index))
		if flags[p.Source] {
			r.FlagsDiffer = append(r.FlagsDiffer, ref)
		}
		if m.Date != NoDate && m.Date != n.Date {
			r.DatesDiffer = append(r.DatesDiffer, ref)
		}
		if content[p.Source] {
			r.BodiesDiffer = append(r.BodiesDiffer, ref)
		}
	}
	return nil
}

// contentDiffers reads both messages of every pair and returns those that differ, or cannot be read.
func (v *verifying) contentDiffers(ctx context.Context, f *folder) (map[Ref]bool, error) {
	differ := map[Ref]bool{}
	if !v.bodies {
		return differ, nil
	}
	ours, theirs := make([]map[uint32]Digest, len(f.boxes)), map[uint32]Digest(nil)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for i, b := range f.boxes {
			var uids []uint32
			for _, p := range f.comparison.Pairs {
				if int(p.Source.Box) == i {
					uids = append(uids, b.contents.Messages[p.Source.Index].UID)
				}
			}
			var err error
			if ours[i], err = v.source.digests(gctx, b.Source.Name, false, b.contents, uids); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() (err error) {
		uids := make([]uint32, len(f.comparison.Pairs))
		for i, p := range f.comparison.Pairs {
			uids[i] = f.contents.Messages[p.Dest].UID
		}
		theirs, err = v.dest.digests(gctx, f.dest, v.dest.writable, f.contents, sorted(uids))
		return err
	})
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		return nil, err
	}
	for _, p := range f.comparison.Pairs {
		a := ours[p.Source.Box][f.message(p.Source).UID]
		b := theirs[f.contents.Messages[p.Dest].UID]
		if a != b || a == (Digest{}) {
			differ[p.Source] = true
		}
	}
	return differ, nil
}

// others lists the mailboxes that only the destination has. An empty one whose name the source has too, though it cannot be selected there, such as
// the parent of another, is none of them.
func (v *verifying) others(ctx context.Context) error {
	ours := map[string]bool{}
	for _, f := range v.folders {
		ours[f.dest] = true
	}
	parents := map[string]bool{}
	p := newPairingUp(v.sourceList, v.destList)
	for i := range v.sourceList.Mailboxes {
		name, _, _ := p.translate(&v.sourceList.Mailboxes[i])
		parents[name] = true
	}
	for _, m := range v.destList.Mailboxes {
		if !m.Selectable || ours[m.Name] {
			continue
		}
		contents, _, err := v.dest.read(ctx, m.Name, v.destList.keyName(m.Name), false, 1)
		if err != nil {
			return err
		}
		if len(contents.Messages) == 0 && parents[m.Name] {
			continue
		}
		r := newFolderVerify(nil, m.Name)
		r.DestMessages = int64(len(contents.Messages))
		for i := range contents.Messages {
			r.Extra = append(r.Extra, messageRef(contents, i))
		}
		v.out.Folders = append(v.out.Folders, r)
	}
	return nil
}

func messageRef(c *Contents, i int) MessageRef {
	m := &c.Messages[i]
	return MessageRef{UID: m.UID, MessageID: wire.Printable(c.MessageID(i)), Size: m.Size, Date: m.Time().UTC()}
}

// judge gives the verdict.
func (v *verifying) judge() {
	more := false
	for _, f := range v.out.Folders {
		v.different = v.different || len(f.Missing)+len(f.FlagsDiffer)+len(f.DatesDiffer)+len(f.BodiesDiffer) > 0
		more = more || f.Source == nil || len(f.Extra) > 0
	}
	switch {
	case v.different:
		v.out.Verdict, v.out.ExitCode = "different", exitPartial
	case more:
		v.out.Verdict = "superset"
	default:
		v.out.Verdict = "equal"
	}
}
