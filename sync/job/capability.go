package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A use is a capability that the engine makes use of, and what becomes of a job without it.
type use struct {
	capability string
	side       int // 0 source, 1 dest
	// matters reports whether this job would use it; nil means always.
	matters func(j *Job) bool
	without string
}

var uses = []use{
	{"STATUS=SIZE", 0, nil, "the size of the mail is estimated"},
	{"LIST-STATUS", 0, manyFolders, "each folder is asked for its status"},
	{"NAMESPACE", 0, nil, "which folders are the account's own is told by their names"},
	{"SPECIAL-USE", 0, nil, "the folders for sent mail, drafts and trash are told by their names"},
	{"LITERAL+", 1, nil, "each message waits for the server's consent, a round trip"},
	{"UIDPLUS", 1, nil, "what arrived is told by reading the folder again"},
	{"LIST-STATUS", 1, manyFolders, "each folder is asked for its status"},
	{"NAMESPACE", 1, nil, "the prefix of folder names is told by those that are there"},
	{"SPECIAL-USE", 1, sourceMarksUses, "folders for sent mail, drafts and trash keep the source's names"},
	{"CREATE-SPECIAL-USE", 1, createsUses, "new folders for sent mail, drafts and trash are not marked as such"},
}

func manyFolders(j *Job) bool { return len(j.pairings) > 20 }

func sourceMarksUses(j *Job) bool {
	for _, p := range j.pairings {
		if p.Source.SpecialUse != "" {
			return true
		}
	}
	return false
}

func createsUses(j *Job) bool {
	for _, p := range j.pairings {
		if p.Source.SpecialUse != "" && !p.Exists {
			return true
		}
	}
	return false
}

// offers reports whether a side has a capability, which IMAP4rev2 may bring with it (RFC 9051 appendix E). LITERAL+ and CREATE-SPECIAL-USE
// it does not bring.
func (s *side) offers(capability string) bool {
	brings := !slices.Contains([]string{"LITERAL+", "CREATE-SPECIAL-USE"}, capability)
	return s.control.Has(capability) || brings && s.control.Has("IMAP4rev2")
}

// capability tells what the engine would use and a server does not have.
func (j *Job) capability() outcome {
	facts := map[string]any{"source_product": string(j.sides[0].product), "dest_product": string(j.sides[1].product)}
	var texts []string
	missing := map[string]any{"source_lacks": []any{}, "dest_lacks": []any{}}
	for _, u := range uses {
		s := &j.sides[u.side]
		if s.offers(u.capability) || u.matters != nil && !u.matters(j) {
			continue
		}
		key := string(s.role) + "_lacks"
		missing[key] = append(missing[key].([]any), u.capability)
		texts = append(texts, fmt.Sprintf("%s of the %s: %s", u.capability, sideName(s), u.without))
	}
	maps.Copy(facts, missing)
	out := outcome{facts: facts, summary: "both servers have what the sync makes use of"}
	if len(texts) > 0 {
		out.summary = fmt.Sprintf("%s missing, which costs time only", counted(int64(len(texts)), "capability"))
		if len(texts) > 1 {
			out.summary = fmt.Sprintf("%d capabilities missing; there is another way for each", len(texts))
		}
		out.findings = append(out.findings, capabilityMissing(texts, missing))
	}
	for i := range j.sides {
		if why := j.sides[i].unreliable(); why != "" {
			out.summary = fmt.Sprintf("the message numbers of the %s cannot be relied on", sideName(&j.sides[i]))
			out.findings = append(out.findings, uidsUnreliable(&j.sides[i], why))
		}
	}
	return out
}

func sideName(s *side) string {
	if s.role == probe.RoleDest {
		return "destination"
	}
	return "source"
}

func capabilityMissing(texts []string, missing map[string]any) finding.Finding {
	what := "one capability is missing"
	if len(texts) > 1 {
		what = fmt.Sprintf("%d capabilities are missing", len(texts))
	}
	f := finding.New("pair.capability-missing", fmt.Sprintf("%s: %s", what, firstOf(texts)),
		"the servers do not list these extensions after sign-in; the sync does without them")
	maps.Copy(f.Evidence, missing)
	advise(&f, "nothing needs to be done")
	return f
}

// unreliable says why the numbers of a side's messages cannot be relied on, or returns "". Every other answer about INBOX came before the listing's.
func (s *side) unreliable() string {
	if s.inbox.notSticky {
		return "INBOX is announced with UIDNOTSTICKY: its numbers end with the connection"
	}
	for _, m := range s.listing.Mailboxes {
		if m.Status == nil || !m.Selectable {
			continue
		}
		if m.Status.UIDValidity == 0 {
			return fmt.Sprintf("%s has no UIDVALIDITY", wire.Printable(m.Name))
		}
		if !strings.EqualFold(m.Name, "INBOX") || s.inbox.validity == 0 {
			continue
		}
		if m.Status.UIDValidity != s.inbox.validity {
			return fmt.Sprintf("the UIDVALIDITY of INBOX went from %d to %d within seconds", s.inbox.validity, m.Status.UIDValidity)
		}
		if m.Status.UIDNext != 0 && m.Status.UIDNext < s.inbox.next {
			return fmt.Sprintf("the UIDNEXT of INBOX went back from %d to %d under one UIDVALIDITY", s.inbox.next, m.Status.UIDNext)
		}
	}
	return ""
}

func uidsUnreliable(s *side, why string) finding.Finding {
	f := finding.New("pair.uids-unreliable",
		fmt.Sprintf("the message numbers of the %s cannot be relied on: %s", sideName(s), why),
		"messages are told apart by number (UID) while a sync runs; a server that changes them in between makes it stop for safety, or copy again what is there")
	f.Evidence["side"], f.Evidence["why"] = string(s.role), why
	advise(&f, fmt.Sprintf("ask the administrator of the %s to repair its index, and compare with imapilot verify after the sync", sideName(s)))
	return f
}
