package probe

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A quota is one resource of one quota root (RFC 9208 section 5).
type quota struct {
	resource    string // in upper case: STORAGE, MESSAGE
	used, limit int64  // STORAGE in units of 1024 octets
}

// full reports whether no message can be added. A limit of 0 is how some servers write that there is none.
func (q quota) full() bool {
	return q.limit > 0 && q.used >= q.limit && (q.resource == "STORAGE" || q.resource == "MESSAGE")
}

func (q quota) String() string {
	if q.resource == "STORAGE" {
		return fmt.Sprintf("%d of %d KiB used", q.used, q.limit)
	}
	return fmt.Sprintf("%d of %d used (%s)", q.used, q.limit, q.resource)
}

// accountQuota shows how much space the account has.
func accountQuota(s *subject) outcome {
	a, asked := s.signIn.account.answer("GETQUOTAROOT")
	if !asked {
		return outcome{status: Skip, summary: "not applicable: the server has no QUOTA"}
	}
	if reason := s.unanswered(a); reason != "" {
		return outcome{status: Errored, took: a.Took, summary: "no quota: " + reason}
	}
	quotas := parseQuotas(a)
	out := outcome{took: a.Took, facts: map[string]any{"quotas": quotaFacts(quotas)}, summary: "the account has no limit"}
	var texts []string
	for _, q := range quotas {
		texts = append(texts, q.String())
	}
	if len(texts) > 0 {
		out.summary = strings.Join(texts, ", ")
	}
	for _, q := range quotas {
		if q.full() {
			out.findings = []finding.Finding{s.overQuota(q, quotas)}
			break
		}
	}
	return out
}

func (s *subject) overQuota(q quota, all []quota) finding.Finding {
	f := s.finding("account.over-quota", s.account()+" is full: "+q.String(), "the account has used all that its quota allows; nothing can be added to it")
	f.Evidence["quotas"] = quotaFacts(all)
	f.Remedies = advice("delete mail that is not needed and empty the trash, or have the quota raised",
		"ask the administrator of the account for more space")
	f.Reproduce = []string{s.session() + "   # then type: a1 LOGIN USER PASSWORD, a2 GETQUOTAROOT INBOX"}
	return f
}

// account names the account in a sentence.
func (s *subject) account() string { return "the account " + s.target.User + " at " + s.ep.Host }

func quotaFacts(quotas []quota) []any {
	facts := []any{}
	for _, q := range quotas {
		unit := ""
		if q.resource == "STORAGE" {
			unit = "KiB"
		}
		facts = append(facts, map[string]any{"resource": q.resource, "used": q.used, "limit": q.limit, "unit": unit})
	}
	return facts
}

// maxQuotas bounds what a server can make us keep: a root has two resources, or four.
const maxQuotas = 20

// parseQuotas reads the QUOTA responses to GETQUOTAROOT. What cannot be read is left out.
func parseQuotas(a imapdial.Answer) []quota {
	var quotas []quota
	for _, r := range a.Untagged {
		args, ok := r.Data("QUOTA")
		if !ok {
			continue
		}
		// The list of resources is last; the root before it may be any string.
		_, list, ok := cutLast(args, "(")
		words := strings.Fields(strings.TrimSuffix(strings.TrimRight(list, " "), ")"))
		for i := 0; ok && i+2 < len(words) && len(quotas) < maxQuotas; i += 3 {
			used, err := strconv.ParseUint(words[i+1], 10, 63)
			limit, err2 := strconv.ParseUint(words[i+2], 10, 63)
			if err == nil && err2 == nil && limit < math.MaxInt64 {
				quotas = append(quotas, quota{strings.ToUpper(words[i]), int64(used), int64(limit)})
			}
		}
	}
	return quotas
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
