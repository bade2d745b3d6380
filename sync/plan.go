package mailsync

import (
	"context"
	"fmt"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A Plan is what a run would do. It is printable and holds no connection.
type Plan struct {
	Schema      string       `json:"schema"` // "imapilot.plan/1"
	Folders     []FolderPlan `json:"folders"`
	Messages    int64        `json:"messages"`
	ToCopy      int64        `json:"to_copy"`
	BytesToCopy int64        `json:"bytes_to_copy"`
}

// A FolderPlan is the plan for one mailbox.
type FolderPlan struct {
	Source        string `json:"source"`
	Dest          string `json:"dest"`
	Create        bool   `json:"create"`
	Why           string `json:"why"` // why the name at the destination is what it is, or why nothing can be done
	Messages      int64  `json:"messages"`
	ToCopy        int64  `json:"to_copy"`
	BytesToCopy   int64  `json:"bytes_to_copy"`
	FlagsToUpdate int64  `json:"flags_to_update"`
}

// MakePlan reads both sides and returns what Sync would do. It writes nothing. The error is a *[StopError], a *[CollisionError],
// or a *[Refusal].
func MakePlan(ctx context.Context, source, dest Side, s Settings) (*Plan, error) {
	r := newRun(source, dest, s)
	defer r.close(ctx)
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	plan := &Plan{Schema: "imapilot.plan/1", Folders: []FolderPlan{}}
	for _, f := range r.folders {
		if err := r.planFolder(ctx, f, plan); err != nil {
			return nil, err
		}
	}
	names, why := r.broken()
	for i, m := range names {
		plan.Folders = append(plan.Folders, FolderPlan{Source: wire.Printable(m.Name), Why: "cannot be copied: " + why[i]})
	}
	r.live.change(func(p *Progress) { p.Phase = "done" })
	return plan, nil
}

// planFolder adds a folder to the plan.
func (r *run) planFolder(ctx context.Context, f *folder, plan *Plan) error {
	updates, err := r.examine(ctx, f)
	if err := r.giveUp(f, "select", err); err != nil {
		return err
	}
	for i, b := range f.boxes {
		p := FolderPlan{Source: b.Source.Name, Dest: f.dest, Create: !b.Exists, Why: b.Why, Messages: b.counts.Source, FlagsToUpdate: updates[int32(i)]}
		if b.refused != nil {
			p.Why = fmt.Sprintf("cannot be copied: %v", b.refused)
		} else {
			for _, m := range f.comparison.Missing {
				if m.Box == int32(i) {
					p.ToCopy++
					p.BytesToCopy += f.message(m).Size
				}
			}
		}
		plan.Folders = append(plan.Folders, p)
		plan.Messages += p.Messages
		plan.ToCopy += p.ToCopy
		plan.BytesToCopy += p.BytesToCopy
		b.contents, b.progress.State = &Contents{}, "done"
		r.tally(b, func(*Counts) {})
	}
	f.contents, f.comparison = nil, nil
	return nil
}

// examine compares a folder without touching either side. It returns how many messages of each source mailbox need other flags.
func (r *run) examine(ctx context.Context, f *folder) (updates map[int32]int64, err error) {
	if err := r.read(ctx, f, false); err != nil {
		return nil, err
	}
	if err := r.compare(ctx, f); err != nil {
		return nil, err
	}
	stores := r.flagStores(f)
	if len(stores) > 0 {
		// A mailbox that was examined does not tell which flags it keeps.
		if err := r.learnFlags(ctx, f, true); err != nil {
			return nil, err
		}
		stores = r.flagStores(f)
	}
	return updatesByBox(stores), nil
}
