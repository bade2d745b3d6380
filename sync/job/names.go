package job

import (
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// names finds out where every source mailbox goes, before anything is written.
func (j *Job) names() outcome {
	if j.collision != nil {
		return outcome{summary: "two folders would become one", findings: []finding.Finding{nameCollision(j.collision)}}
	}
	changed := map[string]any{}
	var examples []string
	var create int
	for _, p := range j.pairings {
		if p.Changed {
			source, dest := wire.Printable(p.Source.Name), wire.Printable(p.Dest)
			changed[source] = dest
			examples = append(examples, fmt.Sprintf("%s → %s", short(source), short(dest)))
		}
		if !p.Exists {
			create++
		}
	}
	out := outcome{
		facts:   map[string]any{"folders": len(j.pairings), "create": create, "changed": changed},
		summary: fmt.Sprintf("%d folders, %d to be created", len(j.pairings), create),
	}
	if len(examples) > 0 {
		out.findings = append(out.findings, nameChanged(changed, examples))
	}
	if refused := j.refusedNames(); len(refused) > 0 {
		out.facts["refused"] = len(refused)
		out.summary += fmt.Sprintf(", %d of them probably refused", len(refused))
		out.findings = append(out.findings, nameRefused(refused))
	}
	return out
}

func nameChanged(changed map[string]any, examples []string) finding.Finding {
	what := "one folder name changes"
	if n := len(examples); n > 1 {
		what = fmt.Sprintf("%d folder names change", n)
	}
	f := finding.New("pair.name-changed", fmt.Sprintf("%s at the destination: %s", what, firstOf(examples)),
		"the destination cannot hold these names as they are; its delimiter or its special folders differ")
	f.Evidence["names"] = changed
	advise(&f, "nothing needs to be done; look at the new names with imapilot plan")
	return f
}

func nameCollision(e *mailsync.CollisionError) finding.Finding {
	var sources []string
	for _, s := range e.Sources {
		sources = append(sources, wire.Printable(s))
	}
	dest := wire.Printable(e.Dest)
	f := finding.New("pair.name-collision",
		fmt.Sprintf("%s would become one folder at the destination: %s", strings.Join(sources, " and "), dest),
		"the names differ only in characters that the destination cannot hold")
	f.Evidence["sources"], f.Evidence["dest"] = list(sources), dest
	advise(&f, fmt.Sprintf("rename one of %s at the source, then run again", strings.Join(sources, ", ")))
	return f
}

// A refusedName is one that the destination will refuse, by what is known of it.
type refusedName struct {
	source, dest string // printable
	why          string
	certainty    finding.Certainty
}

// refusedNames judges the names of mailboxes that have to be made, by the rules of the destination's product. What a mailbox that is there
// already shows to be possible is not held against a new one.
func (j *Job) refusedNames() []refusedName {
	dest := &j.sides[1]
	var refused []refusedName
	for _, p := range j.pairings {
		if p.Exists {
			continue
		}
		n := newName(p.Dest, dest.listing)
		for _, rule := range nameRules {
			certainty := rule.certainty(dest.product)
			if certainty == "" || !rule.breaks(n) || dest.proves(rule) {
				continue
			}
			refused = append(refused, refusedName{wire.Printable(p.Source.Name), wire.Printable(p.Dest), rule.why(n), certainty})
			break
		}
	}
	return refused
}

// proves reports whether the side has a mailbox whose name breaks the rule.
func (s *side) proves(rule nameRule) bool {
	for _, m := range s.listing.Mailboxes {
		if m.Broken == "" && rule.breaks(newName(m.Name, s.listing)) {
			return true
		}
	}
	return false
}

func nameRefused(refused []refusedName) finding.Finding {
	var texts []string
	names := []any{}
	certainty := finding.Certain
	for _, r := range refused {
		texts = append(texts, fmt.Sprintf("%s (%s)", short(r.dest), r.why))
		names = append(names, map[string]any{"source": r.source, "dest": r.dest, "why": r.why})
		if r.certainty == finding.Possible || certainty == finding.Certain {
			certainty = r.certainty
		}
	}
	can := map[finding.Certainty]string{finding.Certain: "cannot", finding.Likely: "can probably not", finding.Possible: "can possibly not"}[certainty]
	f := finding.New("pair.name-refused",
		fmt.Sprintf("the destination %s hold %s: %s", can, counted(int64(len(refused)), "folder name"), firstOf(texts)),
		"each server has limits of its own for the names of folders; those that it refuses are reported by the sync, and all others are copied")
	f.Certainty = certainty
	f.Evidence["names"] = names
	advise(&f, "rename these folders at the source, then run again")
	return f
}
