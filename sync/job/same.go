package job

import (
	"context"
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// sameMailbox judges whether both sides are one mailbox: a copy onto itself would at best do nothing.
func (j *Job) sameMailbox(context.Context) (string, map[string]any, []finding.Finding, error) {
	source, dest := &j.sides[0], &j.sides[1]
	a, b := source.account, dest.account
	facts := map[string]any{}
	switch {
	case identity(a) == identity(b):
		return "one mailbox", facts, []finding.Finding{sameMailboxFinding(finding.Block, finding.Certain,
			fmt.Sprintf("source and destination are the same mailbox: %s at %s", user(a), a.Endpoint.Address()),
			"host, port and user are equal on both sides")}, nil
	case source.mailboxID != "" && source.mailboxID == dest.mailboxID:
		facts["mailbox_id"] = source.mailboxID
		return "one mailbox", facts, []finding.Finding{sameMailboxFinding(finding.Block, finding.Certain,
			"source and destination are the same mailbox under two names",
			"both servers give INBOX the same MAILBOXID, "+source.mailboxID)}, nil
	case strings.EqualFold(user(a), user(b)) && resemble(source.listing, dest.listing):
		return "look like one mailbox", facts, []finding.Finding{sameMailboxFinding(finding.High, finding.Possible,
			fmt.Sprintf("source and destination look like the same mailbox: user %s on both, and every folder has equal numbers", user(a)),
			"UIDVALIDITY, UIDNEXT and the number of messages are equal in every folder, which two servers hardly ever have in common")}, nil
	}
	return "two mailboxes", facts, nil, nil
}

func sameMailboxFinding(s finding.Severity, c finding.Certainty, summary, cause string) finding.Finding {
	f := finding.New("pair.same-mailbox", summary, cause)
	f.Severity, f.Certainty = s, c
	f.Ref = "RFC 8474 section 4.1"
	f.Remedies = append(f.Remedies, finding.Remedy{Text: "check host and user of both sides; give the destination that the mail shall go to"})
	return f
}

// user returns whose mailbox an account opens.
func user(a *imapdial.Account) string {
	if a.AuthzID != "" {
		return a.AuthzID
	}
	return a.User
}

// identity is what two accounts of one mailbox have in common when they are written alike.
func identity(a *imapdial.Account) string {
	return strings.ToLower(fmt.Sprintf("%s %d %s", strings.TrimSuffix(a.Endpoint.Host, "."), a.Endpoint.EffectivePort(), user(a)))
}

// resemble reports whether two listings have the same mailboxes with the same numbers, and any mail at all: servers that were set up in
// the same second give empty mailboxes equal numbers.
func resemble(a, b *mailsync.Listing) bool {
	numbers := map[string]mailsync.MailboxStatus{}
	var messages uint32
	for _, m := range a.Mailboxes {
		if m.Selectable && m.Status != nil {
			numbers[m.Name] = *m.Status
			messages += m.Status.Messages
		}
	}
	count := 0
	for _, m := range b.Mailboxes {
		if !m.Selectable || m.Status == nil {
			continue
		}
		n, ok := numbers[m.Name]
		if !ok || n.UIDValidity != m.Status.UIDValidity || n.UIDNext != m.Status.UIDNext || n.Messages != m.Status.Messages {
			return false
		}
		count++
	}
	return count == len(numbers) && messages > 0
}

// readMailboxIDs asks both servers for the identity of INBOX, where they know such a thing (RFC 8474 section 4.3). It is a hint: one that
// does not come changes nothing.
func (j *Job) readMailboxIDs(ctx context.Context) {
	for i := range j.sides {
		if !j.sides[i].session.Has("OBJECTID") {
			return
		}
	}
	for i := range j.sides {
		s := &j.sides[i]
		untagged, _, err := s.session.Do(ctx, "STATUS INBOX (MAILBOXID)")
		if err != nil {
			return
		}
		for _, r := range untagged {
			if args, ok := r.Data("STATUS"); ok {
				s.mailboxID = between(args, "MAILBOXID (", ")")
			}
		}
	}
}

// between returns what stands in s between before and after, or "".
func between(s, before, after string) string {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return ""
	}
	id, _, ok := strings.Cut(rest, after)
	if !ok {
		return ""
	}
	return id
}
