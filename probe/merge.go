package probe

import (
	"slices"

	"github.com/imapilot-project/imapilot/probe/finding"
)

// mergeFamilies makes one finding of those that differ in nothing but the family, or the certificate they are about: there is one for each
// target, port, security and code (contract 2). The worse severity stays; the addresses are evidence.
func mergeFamilies(findings []finding.Finding) []finding.Finding {
	var merged []finding.Finding
	for _, f := range findings {
		i := slices.IndexFunc(merged, func(m finding.Finding) bool {
			return m.Code == f.Code && m.Endpoint != nil && f.Endpoint != nil && *m.Endpoint == *f.Endpoint
		})
		if i < 0 {
			merged = append(merged, f)
			continue
		}
		kept, other := merged[i], f
		if severityRank(other.Severity) < severityRank(kept.Severity) {
			kept, other = other, kept
		}
		kept.Evidence["addresses"] = union(kept.Evidence["addresses"], other.Evidence["addresses"])
		merged[i] = kept
	}
	return merged
}

// union is the list a with what b has besides.
func union(a, b any) []any {
	list, _ := a.([]any)
	more, _ := b.([]any)
	for _, v := range more {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

// severityRank is 0 for the worst.
func severityRank(s finding.Severity) int {
	return slices.Index([]finding.Severity{finding.Block, finding.High, finding.Warn, finding.Info}, s)
}
