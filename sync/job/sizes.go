package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// limits are the largest messages in octets that mailboxes take, by name. One that is not there takes any.
type limits map[string]int64

// askLimit takes the limit that holds for all mailboxes from the capabilities: APPENDLIMIT=N (RFC 7889 section 2).
func (s *side) askLimit(context.Context) error {
	for _, c := range s.session.Capabilities() {
		name, value, ok := strings.Cut(c, "=")
		if !ok || !strings.EqualFold(name, "APPENDLIMIT") {
			continue
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
			s.limit = n
		}
	}
	return nil
}

// limitWindow is how many STATUS commands are under way at once, as many as the engine has.
const limitWindow = 32

// readLimits asks for the limit of each mailbox, where the server says that they differ (RFC 7889 section 3.1).
func readLimits(ctx context.Context, c *imapdial.Control, l *mailsync.Listing) (limits, error) {
	found := limits{}
	var names []string
	for _, m := range l.Mailboxes {
		if m.Selectable {
			names = append(names, m.Name)
		}
	}
	end := c.Begin(ctx)
	for window := range slices.Chunk(names, limitWindow) {
		commands := make([]*imapclient.StatusCommand, len(window))
		for i, name := range window {
			commands[i] = c.Client.Status(name, &imap.StatusOptions{AppendLimit: true})
		}
		for i, name := range window {
			data, err := commands[i].Wait()
			if err != nil && !refused(err) {
				return nil, end(err)
			}
			if err == nil && data.AppendLimit != nil { // NIL means that there is none
				found[name] = int64(*data.AppendLimit)
			}
		}
	}
	return found, end(nil)
}

// limitFor is the largest message that the destination takes for a pairing, -1 when it told none. A mailbox that will be made is expected to be
// like INBOX.
func (j *Job) limitFor(p *mailsync.Pairing) int64 {
	dest := &j.sides[1]
	if dest.limits == nil {
		return dest.limit
	}
	name := p.Dest
	if !p.Exists {
		name = "INBOX"
	}
	if limit, ok := dest.limits[name]; ok {
		return limit
	}
	return -1
}

// sizes compares the largest messages of the source with what the destination takes.
func (j *Job) sizes() outcome {
	dest, seen := &j.sides[1], &j.seen
	facts := map[string]any{"limit": nil, "too_big": seen.bigCount, "not_examined": len(seen.left)}
	if dest.limit < 0 && len(dest.limits) == 0 {
		return outcome{status: probe.Skip, summary: "the destination tells no limit for the size of a message", facts: facts}
	}
	least := dest.limit
	for _, l := range dest.limits {
		if least < 0 || l < least {
			least = l
		}
	}
	facts["limit"] = least
	out := outcome{facts: facts, summary: fmt.Sprintf("no message is larger than %s, the most that the destination takes", size(least))}
	if n := len(seen.left); n > 0 {
		out.summary = fmt.Sprintf("none found above %s; %s were left out for time", size(least), counted(int64(n), "folder"))
	}
	if seen.bigCount > 0 {
		out.summary = fmt.Sprintf("%s too large for the destination", messages(seen.bigCount))
		out.findings = []finding.Finding{messageTooBig(seen)}
	}
	return out
}

func messageTooBig(seen *look) finding.Finding {
	var texts []string
	list := []any{}
	slices.SortStableFunc(seen.big, func(a, b bigMessage) int { return cmp.Compare(b.octets, a.octets) })
	for _, m := range seen.big {
		texts = append(texts, fmt.Sprintf("%s UID %d with %s", short(m.mailbox), m.uid, size(m.octets)))
		list = append(list, map[string]any{"folder": m.mailbox, "uid": m.uid, "size": m.octets, "limit": m.limit})
	}
	verb := "is"
	if seen.bigCount != 1 {
		verb = "are"
	}
	summary := fmt.Sprintf("%s %s larger than the destination takes", messages(seen.bigCount), verb)
	if len(texts) > 0 {
		summary += ": " + firstOf(texts)
	}
	f := finding.New("pair.message-too-big", summary,
		"the destination announces with APPENDLIMIT the largest message that it accepts; it will refuse these, and the others are copied")
	f.Evidence["messages"], f.Evidence["count"], f.Evidence["not_examined"] = list, seen.bigCount, len(seen.left)
	advise(&f, "save these messages or their attachments by other means; they stay at the source")
	advise(&f, "ask the destination's administrator to raise the limit")
	return f
}
