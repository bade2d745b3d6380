package job

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A quota is one resource of a quota root (RFC 9208 section 3.1), in octets or messages.
type quota struct {
	root, resource string // printable; the resource in upper case
	used, limit    int64
}

func (q quota) free() int64 { return max(q.limit-q.used, 0) }

// askQuota asks how much room INBOX's quota root has. A server that does not tell limits nothing that could be known.
func (s *side) askQuota(ctx context.Context) error {
	if !s.session.Has("QUOTA") {
		return nil
	}
	untagged, tagged, err := s.do(ctx, "GETQUOTAROOT INBOX")
	if err != nil || tagged.Status != "OK" {
		return err
	}
	for _, r := range untagged {
		if args, ok := r.Data("QUOTA"); ok && len(s.quotas) < maxQuotas {
			s.quotas = append(s.quotas, parseQuota(args)...)
		}
	}
	return nil
}

// maxQuotas bounds what a server can make us keep.
const maxQuotas = 50

// parseQuota reads what follows QUOTA: a root, and a list of resources with their use and limit. What cannot be read is left out.
func parseQuota(args string) (list []quota) {
	// The root is an astring and may hold parentheses; the list is the last thing on the line.
	open := strings.LastIndexByte(args, '(')
	if open < 0 {
		return nil
	}
	root := strings.Trim(strings.TrimSpace(args[:open]), `"`)
	words := strings.Fields(strings.TrimSuffix(strings.TrimSpace(args[open+1:]), ")"))
	for ; len(words) >= 3; words = words[3:] {
		used, err1 := strconv.ParseInt(words[1], 10, 64)
		limit, err2 := strconv.ParseInt(words[2], 10, 64)
		q := quota{root: wire.Printable(root), resource: strings.ToUpper(words[0]), used: used, limit: limit}
		if err1 != nil || err2 != nil || used < 0 || limit < 0 {
			continue
		}
		if q.resource == "STORAGE" { // in units of 1024 octets (RFC 9208 section 5.1)
			if used > maxOctets>>10 || limit > maxOctets>>10 {
				continue // as good as none
			}
			q.used, q.limit = used<<10, limit<<10
		}
		list = append(list, q)
	}
	return list
}

// maxOctets is more than any account holds, and far from where sums overflow.
const maxOctets = 1 << 60

// space compares what the destination has room for with what is to be added there at least.
func (j *Job) space() outcome {
	dest := &j.sides[1]
	need := j.missing()
	facts := map[string]any{"missing_messages": need.messages, "missing_bytes": need.octets, "exact": need.exact}
	if len(dest.quotas) == 0 {
		return outcome{summary: fmt.Sprintf("the destination tells no quota; %s to copy", size(need.octets)), facts: facts}
	}
	var list []any
	out := outcome{facts: facts}
	free := ""
	for _, q := range dest.quotas {
		list = append(list, map[string]any{"root": q.root, "resource": q.resource, "used": q.used, "limit": q.limit})
		short, has := false, ""
		switch q.resource {
		case "STORAGE":
			short, has = need.surely() > q.free(), size(q.free())
		case "MESSAGE":
			short, has = need.messages > q.free(), messages(q.free())
		default:
			continue
		}
		if free == "" || short {
			free = has
		}
		if short && len(out.findings) == 0 && !j.found("account.over-quota", 1) {
			out.findings = append(out.findings, quotaTooSmall(q, need))
		}
	}
	facts["quota"] = list
	if out.summary = fmt.Sprintf("%s free at the destination, %s to copy", free, size(need.octets)); free == "" {
		out.summary = fmt.Sprintf("the destination limits neither octets nor messages; %s to copy", size(need.octets))
	}
	return out
}

func quotaTooSmall(q quota, need amount) finding.Finding {
	free, wanted, used, limit := size(q.free()), size(need.octets), size(q.used), size(q.limit)
	if q.resource == "MESSAGE" {
		free, wanted, used, limit = messages(q.free()), messages(need.messages), fmt.Sprint(q.used), messages(q.limit)
	}
	f := finding.New("pair.quota-too-small",
		fmt.Sprintf("the destination has room for %s, and at least %s are to be copied", free, wanted),
		fmt.Sprintf("the quota %q of the destination account has %s of %s in use", q.root, used, limit))
	if !need.exact && q.resource == "STORAGE" {
		f.Certainty = finding.Likely
		f.Cause += "; the source does not tell its size, which was estimated from some of its messages"
	}
	f.Evidence["root"], f.Evidence["resource"], f.Evidence["used"], f.Evidence["limit"] = q.root, q.resource, q.used, q.limit
	f.Evidence["missing_messages"], f.Evidence["missing_bytes"] = need.messages, need.octets
	advise(&f, "have the quota of the destination account raised, or make room there")
	advise(&f, "delete at the source what is not needed any more, such as what is in its trash, then run again")
	return f
}
