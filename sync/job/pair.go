package job

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A pairCheck looks at both sides together. It may need their sessions, which are signed in, or their listings.
type pairCheck struct {
	id  string
	run func(j *Job, ctx context.Context) (summary string, facts map[string]any, findings []finding.Finding, err error)
}

// pairChecks are the checks of the pair in the order of the report. One without a func is not asked for.
var pairChecks = []pairCheck{
	{"pair.mailbox", (*Job).sameMailbox},
	{"pair.space", nil},
	{"pair.sizes", nil},
	{"pair.names", (*Job).names},
	{"pair.flags", nil},
	{"pair.capability", nil},
	{"pair.estimate", nil},
}

// checkPair adds the pair to the report. The error is that of the context.
func (j *Job) checkPair(ctx context.Context) error {
	j.report.Schema = "imapilot.preflight/1"
	pair := &probe.Pair{Checks: []probe.Result{}}
	j.report.Pair = pair
	held := j.heldBy()
	var failed error
	if held == "" {
		if failed = j.list(ctx); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	for _, c := range pairChecks {
		r := probe.Result{ID: c.id, Facts: map[string]any{}}
		switch {
		case c.run == nil && held != "input.secret":
			r.Status, r.Summary = probe.Skip, "not examined"
		case held != "":
			r.Status, r.BlockedBy, r.Summary = probe.Held, held, "waits for a sign-in on both sides"
		case failed != nil:
			r.Status, r.Summary = probe.Errored, failed.Error()
		default:
			j.runPairCheck(ctx, c, &r)
		}
		pair.Checks = append(pair.Checks, r)
	}
	if held == "" && failed == nil {
		pair.Folders, pair.Messages, pair.Bytes = extent(j.sides[0].listing)
	}
	return nil
}

func (j *Job) runPairCheck(ctx context.Context, c pairCheck, r *probe.Result) {
	begin := time.Now()
	summary, facts, findings, err := c.run(j, ctx)
	r.DurationMS = float64(time.Since(begin).Microseconds()) / 1000
	r.Status, r.Summary = probe.Pass, summary
	if facts != nil {
		r.Facts = facts
	}
	if err != nil {
		r.Status, r.Summary = probe.Errored, err.Error()
	}
	for _, f := range findings {
		f.Check = c.id
		j.report.Findings = append(j.report.Findings, f)
		switch {
		case f.Severity == finding.Block:
			r.Status = probe.Fail
		case f.Severity != finding.Info && r.Status == probe.Pass:
			r.Status = probe.Warned
		}
	}
}

// heldBy returns what keeps the checks of the pair from running: the earliest failed check of the first side that has no
// session, or input.secret; "" when both have one.
func (j *Job) heldBy() string {
	for i, s := range j.sides {
		if s.session != nil {
			continue
		}
		t := j.report.Targets[i]
		results := t.Checks
		for _, ep := range t.Endpoints {
			results = append(results[:len(results):len(results)], ep.Checks...)
		}
		if t.Recommended == nil {
			for _, r := range results {
				if r.Status == probe.Fail {
					return r.ID
				}
			}
		}
		return "input.secret"
	}
	return ""
}

// list turns the sessions into controls and reads both listings at once.
func (j *Job) list(ctx context.Context) error {
	j.readMailboxIDs(ctx)
	group, ctx := errgroup.WithContext(ctx)
	for i := range j.sides {
		s := &j.sides[i]
		group.Go(func() error {
			session := s.session
			s.session, s.renew = nil, true
			control, err := session.Control(imapdial.ControlOptions{})
			if err != nil {
				return fmt.Errorf("%s: %w", s.role, err)
			}
			s.control = control
			if s.listing, err = mailsync.List(ctx, control); err != nil {
				return fmt.Errorf("%s: list the mailboxes: %w", s.role, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// extent counts what there is to copy.
func extent(l *mailsync.Listing) (folders int, messages, octets int64) {
	for _, m := range l.Mailboxes {
		if !m.Selectable {
			continue
		}
		folders++
		if m.Status != nil {
			messages += int64(m.Status.Messages)
			octets += max(m.Status.Size, 0)
		}
	}
	return folders, messages, octets
}

// names finds out where every source mailbox goes, before anything is written.
func (j *Job) names(context.Context) (string, map[string]any, []finding.Finding, error) {
	pairings, err := mailsync.PairMailboxes(j.sides[0].listing, j.sides[1].listing, j.Settings)
	var collision *mailsync.CollisionError
	if errors.As(err, &collision) {
		return "two folders would become one", nil, []finding.Finding{nameCollision(collision)}, nil
	}
	if err != nil {
		return "", nil, nil, err
	}
	changed := map[string]any{}
	var create int
	for _, p := range pairings {
		if p.Changed {
			changed[p.Source.Name] = p.Dest
		}
		if !p.Exists {
			create++
		}
	}
	facts := map[string]any{"folders": len(pairings), "create": create, "changed": changed}
	summary := fmt.Sprintf("%d folders, %d to be created", len(pairings), create)
	if len(changed) == 0 {
		return summary, facts, nil, nil
	}
	f := finding.New("pair.name-changed",
		fmt.Sprintf("%s at the destination: %s", changes(len(changed)), examples(pairings)),
		"the destination cannot hold these names as they are; its delimiter or its special folders differ")
	f.Evidence["names"] = changed
	f.Remedies = append(f.Remedies, finding.Remedy{Text: "nothing needs to be done; look at the new names with imapilot plan"})
	return summary, facts, []finding.Finding{f}, nil
}

func changes(n int) string {
	if n == 1 {
		return "one folder name changes"
	}
	return fmt.Sprintf("%d folder names change", n)
}

func nameCollision(e *mailsync.CollisionError) finding.Finding {
	f := finding.New("pair.name-collision",
		fmt.Sprintf("%s would become one folder at the destination: %s", strings.Join(e.Sources, " and "), e.Dest),
		"the names differ only in characters that the destination cannot hold")
	f.Evidence["sources"], f.Evidence["dest"] = e.Sources, e.Dest
	f.Remedies = append(f.Remedies, finding.Remedy{Text: fmt.Sprintf("rename one of %s at the source, then run again", strings.Join(e.Sources, ", "))})
	return f
}

// examples names the first few changed names.
func examples(pairings []mailsync.Pairing) string {
	var list []string
	for _, p := range pairings {
		if p.Changed {
			list = append(list, fmt.Sprintf("%s → %s", p.Source.Name, p.Dest))
		}
	}
	if more := len(list) - 3; more > 0 {
		list = append(list[:3], fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}
