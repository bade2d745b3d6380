package job

import (
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// sameMailbox judges whether both sides are one mailbox: a copy onto itself would at best do nothing.
func (j *Job) sameMailbox() outcome {
	source, dest := &j.sides[0], &j.sides[1]
	a, b := source.account, dest.account
	facts := map[string]any{}
	switch {
	case identity(a) == identity(b):
		return oneMailbox("one mailbox", facts, finding.Block, finding.Certain,
			fmt.Sprintf("source and destination are the same mailbox: %s at %s", user(a), a.Endpoint.Address()),
			"host, port and user are equal on both sides")
	case source.mailboxID != "" && source.mailboxID == dest.mailboxID:
		facts["mailbox_id"] = source.mailboxID
		return oneMailbox("one mailbox", facts, finding.Block, finding.Certain,
			"source and destination are the same mailbox under two names",
			"both servers give INBOX the same MAILBOXID, "+source.mailboxID)
	case strings.EqualFold(user(a), user(b)) && resemble(source.listing, dest.listing):
		return oneMailbox("look like one mailbox", facts, finding.High, finding.Possible,
			fmt.Sprintf("source and destination look like the same mailbox: user %s on both, and every folder has equal numbers", user(a)),
			"UIDVALIDITY, UIDNEXT and the number of messages are equal in every folder, which two servers hardly ever have in common")
	}
	return outcome{summary: "two mailboxes", facts: facts}
}

// oneMailbox is the outcome when both sides are one mailbox, or look like it.
func oneMailbox(line string, facts map[string]any, s finding.Severity, c finding.Certainty, summary, cause string) outcome {
	f := finding.New("pair.same-mailbox", summary, cause)
	f.Severity, f.Certainty = s, c
	f.Ref = "RFC 8474 section 4.1"
	advise(&f, "check host and user of both sides; give the destination that the mail shall go to")
	return outcome{summary: line, facts: facts, findings: []finding.Finding{f}}
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
