package mailsync

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A run is one call of MakePlan, Sync or Verify.
type run struct {
	source, dest *link
	settings     Settings
	live         *Live
	started      time.Time

	sourceList, destList *Listing
	folders              []*folder
	madeUses             map[string]bool // special uses of mailboxes that this run made

	writer  *imapdial.Writer // nil until there is something to write
	batches [batches]batch
	alters  bool // the destination was seen to alter mail

	mu       sync.Mutex // guards what follows, and the states and counts of boxes
	total    Counts
	octets   int64 // copied
	failures []Failure
}

func newRun(source, dest Side, s Settings) *run {
	return &run{
		source: newLink("source", source, s), dest: newLink("dest", dest, s),
		settings: s, live: s.Live, started: time.Now(), madeUses: map[string]bool{}, failures: []Failure{},
	}
}

// begin connects both sides, lists both accounts, and decides where every mailbox goes. It writes nothing.
func (r *run) begin(ctx context.Context) error {
	r.live.emit("run.start", RunStart{r.source.account.Endpoint.String(), r.dest.account.Endpoint.String()})
	r.live.change(func(p *Progress) { p.Phase = "listing" })
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { r.sourceList, err = r.source.list(gctx); return err })
	group.Go(func() (err error) { r.destList, err = r.dest.list(gctx); return err })
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		return err
	}
	pairings, err := PairMailboxes(r.sourceList, r.destList, r.settings)
	if err != nil {
		return err
	}
	r.folders = fold(pairings, r.sourceList, r.destList)
	r.live.change(func(p *Progress) {
		p.Folders = make([]FolderProgress, len(pairings))
		for _, f := range r.folders {
			for _, b := range f.boxes {
				p.Folders[b.place] = b.progress
			}
		}
	})
	return nil
}

// broken returns the source mailboxes with broken names, and why each cannot be copied.
func (r *run) broken() (list []Mailbox, why []string) {
	if r.sourceList == nil {
		return nil, nil
	}
	for _, m := range r.sourceList.Mailboxes {
		if m.Broken != "" {
			list = append(list, m)
			why = append(why, fmt.Sprintf("the name %q is no modified UTF-7, so no command can open the mailbox", wire.Printable(m.Broken)))
		}
	}
	return list, why
}

// list reads the account's listing.
func (l *link) list(ctx context.Context) (out *Listing, err error) {
	err = l.persist(ctx, func() error {
		if err := l.connect(ctx); err != nil {
			return err
		}
		var err error
		if out, err = List(ctx, l.control); ctx.Err() != nil {
			l.drop()
			return ended(ctx)
		}
		if err = judge(l.side, "list the mailboxes", err); isLost(err) {
			l.drop()
		}
		return err
	})
	return out, err
}

// closeWait bounds the good-byes.
const closeWait = 2 * time.Second

// close ends all connections. It works after ctx has ended, too.
func (r *run) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { r.source.close(ctx) })
	wg.Go(func() { r.dest.close(ctx) })
	if r.writer != nil {
		wg.Go(func() { r.writer.Logout(ctx) })
	}
	wg.Wait()
}

// listed takes in what a source mailbox holds. unreadable are messages that the server cannot tell of.
func (r *run) listed(b *box, c *Contents, unreadable []uint32) {
	b.contents, b.state, b.unreadable = c, make([]state, len(c.Messages)), unreadable
	r.tally(b, func(counts *Counts) {
		counts.Source += int64(len(c.Messages) + len(unreadable))
		counts.Remaining += int64(len(c.Messages))
		counts.Failed += int64(len(unreadable))
	})
	for _, uid := range unreadable {
		r.report(Failure{Folder: b.Source.Name, UID: uid, Step: "fetch", ServerText: "the server did not tell of this message"})
	}
}

// tally changes the counts of a source mailbox, and with them those of the run.
func (r *run) tally(b *box, f func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(b, f)
	r.publish(b)
}

func (r *run) count(b *box, f func(*Counts)) {
	f(&b.counts)
	f(&r.total)
}

// publish shows the state of a source mailbox to the front end.
func (r *run) publish(b *box) {
	b.progress.Messages, b.progress.Done = b.counts.Source, b.counts.done()
	b.progress.Copied, b.progress.Failed = b.counts.Copied, b.counts.Failed
	r.live.change(func(p *Progress) {
		p.Messages, p.Bytes = r.total, r.octets
		if b.place < len(p.Folders) {
			p.Folders[b.place] = b.progress
		}
	})
}

// settle notes what became of source messages.
func (r *run) settle(f *folder, to state, refs ...Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ref := range refs {
		b := f.boxes[ref.Box]
		at := &b.state[ref.Index]
		if *at == to {
			continue
		}
		from := *at
		*at = to
		r.count(b, func(c *Counts) { *c.count(from)--; *c.count(to)++ })
		if size := f.message(ref).Size; to == copied {
			r.octets += size
			b.progress.Bytes += size
		} else if from == copied {
			r.octets -= size
			b.progress.Bytes -= size
		}
	}
	for _, b := range f.boxes {
		r.publish(b)
	}
}

// fail notes that a message could not be copied.
func (r *run) fail(f *folder, ref Ref, step, code, text string) {
	r.settle(f, failed, ref)
	r.report(r.failure(f, ref, step, code, text))
}

func (r *run) failure(f *folder, ref Ref, step, code, text string) Failure {
	b := f.boxes[ref.Box]
	m := f.message(ref)
	return Failure{
		Folder: b.Source.Name, UID: m.UID, Size: m.Size, MessageID: wire.Printable(b.contents.MessageID(int(ref.Index))),
		Step: step, Code: code, ServerText: text,
	}
}

// failBox notes that a whole source mailbox could not be copied.
func (r *run) failBox(b *box, step string, refusal *Refusal) {
	n := int64(len(b.contents.Messages))
	unlisted := b.state == nil
	if unlisted && b.Source.Status != nil {
		n = int64(b.Source.Status.Messages)
	}
	b.contents, b.state, b.refused = &Contents{}, []state{}, refusal
	b.progress.State = "failed"
	r.tally(b, func(c *Counts) {
		if unlisted {
			c.Source += n
		} else {
			c.Remaining -= n
		}
		c.Failed += n
	})
	r.report(Failure{Folder: b.Source.Name, Step: step, Code: refusal.Code, ServerText: refusal.Text})
}

func (r *run) report(f Failure) {
	f.Folder = wire.Printable(f.Folder)
	r.mu.Lock()
	r.failures = append(r.failures, f)
	r.mu.Unlock()
	r.live.failed(f)
}
