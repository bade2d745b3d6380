package job

import (
	"context"
	"errors"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A pairCheck looks at both sides together. It judges what [Job.survey] and [Job.look] found out, and asks nobody.
type pairCheck struct {
	id string
	// harm tells that the check can forbid to go on, so that it is never left out; looks, that it needs what a look showed.
	harm, looks bool
	run         func(j *Job) outcome
}

// An outcome is what a check has to say.
type outcome struct {
	summary  string
	facts    map[string]any
	findings []finding.Finding
	status   probe.Status // if not "", it stands in place of what the findings say
}

// pairChecks are the checks of the pair in the order of the report.
var pairChecks = []pairCheck{
	{id: "pair.mailbox", harm: true, run: (*Job).sameMailbox},
	{id: "pair.space", harm: true, run: (*Job).space},
	{id: "pair.sizes", looks: true, run: (*Job).sizes},
	{id: "pair.names", harm: true, run: (*Job).names},
	{id: "pair.flags", looks: true, run: (*Job).flags},
	{id: "pair.capability", run: (*Job).capability},
	{id: "pair.estimate", looks: true, run: (*Job).estimate},
}

// checkPair adds the pair to the report. With brief only those checks are made that can forbid to go on. The error is that of the context.
func (j *Job) checkPair(ctx context.Context, brief bool) error {
	pair := &probe.Pair{Checks: []probe.Result{}}
	j.report.Pair = pair
	held := j.heldBy()
	var failed, unseen error
	if held == "" {
		begin := time.Now()
		if failed = j.examine(ctx); failed == nil && !brief {
			unseen = j.look(ctx)
		}
		j.took = time.Since(begin)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	for _, c := range pairChecks {
		r := probe.Result{ID: c.id, Facts: map[string]any{}}
		switch {
		case held != "":
			r.Status, r.BlockedBy, r.Summary = probe.Held, held, "waits for a sign-in on both sides"
		case brief && !c.harm:
			r.Status, r.Summary = probe.Skip, "not asked for: the settings come from a profile that is fresh"
		case failed != nil:
			r.Status, r.Summary = probe.Errored, failed.Error()
		case c.looks && unseen != nil:
			r.Status, r.Summary = probe.Errored, unseen.Error()
		default:
			j.runPairCheck(c, &r)
		}
		pair.Checks = append(pair.Checks, r)
	}
	if held == "" && failed == nil {
		all := j.extent()
		pair.Folders, pair.Messages, pair.Bytes = all.folders, all.messages, all.octets
		if !brief && unseen == nil {
			pair.EstimateSeconds = j.forecast().seconds
		}
	}
	return nil
}

// examine finds out what both sides have, and where the source's mailboxes go.
func (j *Job) examine(ctx context.Context) error {
	if err := j.survey(ctx); err != nil {
		return err
	}
	pairings, err := mailsync.PairMailboxes(j.sides[0].listing, j.sides[1].listing, j.Settings)
	j.pairings, j.collision = pairings, nil
	if err != nil && !errors.As(err, &j.collision) {
		return err
	}
	return nil
}

func (j *Job) runPairCheck(c pairCheck, r *probe.Result) {
	begin := time.Now()
	out := c.run(j)
	r.DurationMS = float64(time.Since(begin).Microseconds()) / 1000
	r.Status, r.Summary = probe.Pass, out.summary
	if out.facts != nil {
		r.Facts = out.facts
	}
	for _, f := range out.findings {
		f.Check = c.id
		j.report.Findings = append(j.report.Findings, f)
		switch {
		case f.Severity == finding.Block:
			r.Status = probe.Fail
		case f.Severity != finding.Info && r.Status == probe.Pass:
			r.Status = probe.Warned
		}
	}
	if out.status != "" {
		r.Status = out.status
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

// found reports whether the report has a finding of a code for a target.
func (j *Job) found(code finding.Code, target int) bool {
	for _, f := range j.report.Findings {
		if f.Code == code && f.Target != nil && *f.Target == target {
			return true
		}
	}
	return false
}

// advise adds a remedy that no flag puts into effect.
func advise(f *finding.Finding, text string) {
	f.Remedies = append(f.Remedies, finding.Remedy{Text: text})
}
