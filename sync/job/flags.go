package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// keepsAll reports whether any flag can be kept: nothing else was said, or any keyword is allowed and every system flag listed.
func (in *inbox) keepsAll() bool {
	return !in.told || in.keeps("keyword") && !slices.ContainsFunc(systemFlags, func(f string) bool { return !in.keeps(f) })
}

// systemFlags are those that a client can set (RFC 9051 section 2.3.2).
var systemFlags = []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`}

// keeps reports whether the mailbox keeps a flag from one session to the next (RFC 9051 section 7.1, PERMANENTFLAGS).
func (in *inbox) keeps(flag string) bool {
	if !in.told || isKeyword(flag) && slices.Contains(in.permanent, `\*`) {
		return true
	}
	return slices.ContainsFunc(in.permanent, func(p string) bool { return strings.EqualFold(p, flag) })
}

// flags compares the flags in use at the source with those that the destination's INBOX keeps.
func (j *Job) flags() outcome {
	in := &j.sides[1].inbox
	facts := map[string]any{"permanent": list(in.permanent), "folders_examined": j.seen.opened}
	switch {
	case in.refusal != "":
		return outcome{status: probe.Errored, summary: "the destination's INBOX could not be opened; the server said: " + in.refusal, facts: facts}
	case !in.told:
		return outcome{summary: "the destination names no flag that it would not keep", facts: facts}
	case in.keepsAll():
		return outcome{summary: "the destination keeps every flag", facts: facts}
	}
	used := map[string]bool{} // \Recent is the server's, and no flag to copy
	for f := range j.seen.keywords {
		if isKeyword(f) || slices.ContainsFunc(systemFlags, func(s string) bool { return strings.EqualFold(s, f) }) {
			used[f] = true
		}
	}
	var lost []string
	for _, f := range slices.Sorted(maps.Keys(used)) {
		if !in.keeps(f) {
			lost = append(lost, f)
		}
	}
	facts["lost"] = list(lost)
	if len(lost) == 0 {
		return outcome{summary: "the destination keeps every flag that the source uses", facts: facts}
	}
	f := finding.New("pair.flags-lost",
		fmt.Sprintf("the destination does not keep %s: %s", counted(int64(len(lost)), "flag"), firstOf(lost)),
		"its INBOX lists in PERMANENTFLAGS what it keeps, and these are not among them; the messages are copied without them")
	f.Evidence["lost"], f.Evidence["permanent"] = list(lost), list(in.permanent)
	if len(j.seen.left) > 0 {
		f.Evidence["not_examined"] = len(j.seen.left)
	}
	advise(&f, "nothing needs to be done for the mail itself; what the flags mean to your mail program is lost with them")
	return outcome{summary: fmt.Sprintf("%s will be lost", counted(int64(len(lost)), "flag")), facts: facts, findings: []finding.Finding{f}}
}

// list makes a JSON list of strings, which is never null.
func list(values []string) []any {
	out := make([]any, 0, len(values))
	for _, v := range values {
		out = append(out, v)
	}
	return out
}
