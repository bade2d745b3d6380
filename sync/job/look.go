package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A look is what opening some of the source's mailboxes showed. They are examined, never selected, and bodies are peeked at: nothing changes.
type look struct {
	opened   int
	left     []string           // mailboxes that would have been opened, had there been time
	keywords map[string]bool    // in use, of the mailboxes that were opened
	average  map[string]float64 // octets of a message, by mailbox
	big      []bigMessage       // larger than the destination takes
	bigCount int64              // of these, also those that are not in big
	octets   int64              // that were read to measure the throughput
	took     time.Duration      // that took
}

// A bigMessage is larger than the destination takes.
type bigMessage struct {
	mailbox string // printable
	uid     uint32
	octets  int64
	limit   int64
}

const (
	// maxOpened and lookTime bound a look: accounts with hundreds of mailboxes exist, and a preflight is to be quick. After lookLimit
	// the connection is given up, if a single answer takes that long.
	maxOpened = 40
	lookTime  = 3 * time.Second
	lookLimit = 20 * time.Second
	// sampled is how many messages of a mailbox are asked for their size where the server does not tell the whole.
	sampled = 100
	// maxBig is how many large messages are listed.
	maxBig = 100
	// throughput is measured on the beginning of a few messages.
	measured       = 8
	measuredOctets = 16 << 10
)

// look opens those mailboxes of the source that have an answer to what is still open, the largest first.
func (j *Job) look(ctx context.Context) error {
	j.seen = look{keywords: map[string]bool{}, average: map[string]float64{}}
	for _, f := range j.sides[0].inbox.flags {
		j.seen.keywords[f] = true
	}
	source := &j.sides[0]
	limited, cancel := context.WithTimeoutCause(ctx, lookLimit, errTooSlow)
	defer cancel()
	end := source.control.Begin(limited)
	err := j.lookInto(source.control, j.worthALook(), time.Now().Add(lookTime))
	if err := end(err); err != nil {
		return fmt.Errorf("source: look into the mailboxes: %w", err)
	}
	return nil
}

var errTooSlow = fmt.Errorf("the server takes more than %d seconds for an answer", lookLimit/time.Second)

// A glance is what is to be found out about one mailbox.
type glance struct {
	mailbox *mailsync.Mailbox
	size    bool  // its octets are not known
	limit   int64 // messages above this are wanted, -1 for none
}

// worthALook says which mailboxes are worth opening, the largest first. The largest always is: the throughput is measured there.
func (j *Job) worthALook() []glance {
	flags := !j.sides[1].inbox.keepsAll()
	var list []glance
	for i := range j.pairings {
		p := &j.pairings[i]
		if p.Source.Status == nil || p.Source.Status.Messages == 0 {
			continue
		}
		g := glance{mailbox: &p.Source, size: p.Source.Status.Size < 0, limit: j.limitFor(p)}
		if g.limit >= 0 && !g.size && p.Source.Status.Size <= g.limit {
			g.limit = -1 // all of it together is not too large
		}
		list = append(list, g)
	}
	slices.SortStableFunc(list, func(a, b glance) int {
		s, t := a.mailbox.Status, b.mailbox.Status
		return cmp.Or(cmp.Compare(t.Size, s.Size), cmp.Compare(t.Messages, s.Messages))
	})
	for i := len(list) - 1; i > 0; i-- {
		if g := list[i]; !g.size && g.limit < 0 && !flags {
			list = slices.Delete(list, i, i+1)
		}
	}
	return list
}

// lookInto opens mailboxes as long as there is time. A mailbox that the server refuses to open is the engine's to report.
func (j *Job) lookInto(c *imapdial.Control, list []glance, deadline time.Time) error {
	for i, g := range list {
		if i == maxOpened || i > 0 && time.Now().After(deadline) {
			for _, g := range list[i:] {
				j.seen.left = append(j.seen.left, g.mailbox.Name)
			}
			break
		}
		if err := j.glanceAt(c.Client, g, i == 0); err != nil && !refused(err) {
			return err
		}
	}
	return nil
}

func (j *Job) glanceAt(c *imapclient.Client, g glance, measure bool) error {
	data, err := c.Select(g.mailbox.Name, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return err
	}
	j.seen.opened++
	for _, f := range data.Flags {
		j.seen.keywords[wire.Printable(string(f))] = true
	}
	if data.NumMessages == 0 {
		return nil
	}
	if measure {
		if err := j.seen.measure(c, data.NumMessages); err != nil && !refused(err) {
			return err
		}
	}
	if g.size {
		if err := j.seen.sample(c, g.mailbox.Name, data.NumMessages); err != nil && !refused(err) {
			return err
		}
	}
	if g.limit >= 0 {
		return j.seen.findBig(c, g)
	}
	return nil
}

// spread returns at most n numbers from 1 to total, evenly apart.
func spread(n, total uint32) imap.SeqSet {
	var set imap.SeqSet
	n = min(n, total)
	for i := range n {
		set.AddNum(1 + uint32(uint64(i)*uint64(total)/uint64(n)))
	}
	return set
}

// sample asks some messages for their size.
func (l *look) sample(c *imapclient.Client, mailbox string, total uint32) error {
	list, err := c.Fetch(spread(sampled, total), &imap.FetchOptions{RFC822Size: true}).Collect()
	if err != nil || len(list) == 0 {
		return err
	}
	var sum float64
	for _, m := range list {
		sum += float64(m.RFC822Size)
	}
	l.average[mailbox] = sum / float64(len(list))
	return nil
}

// estimated is how many octets a mailbox holds by its sample, or by those of the others.
func (l *look) estimated(m *mailsync.Mailbox) int64 {
	average, ok := l.average[m.Name]
	if !ok && len(l.average) > 0 {
		for _, a := range l.average {
			average += a / float64(len(l.average))
		}
	}
	return int64(average * float64(m.Status.Messages))
}

// findBig finds the messages above a limit.
func (l *look) findBig(c *imapclient.Client, g glance) error {
	found, err := c.UIDSearch(&imap.SearchCriteria{Larger: g.limit}, nil).Wait()
	if err != nil {
		return err
	}
	uids := found.AllUIDs()
	l.bigCount += int64(len(uids))
	uids = uids[:min(len(uids), maxBig-len(l.big))]
	if len(uids) == 0 {
		return nil
	}
	list, err := c.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, RFC822Size: true}).Collect()
	for _, m := range list {
		l.big = append(l.big, bigMessage{wire.Printable(g.mailbox.Name), uint32(m.UID), m.RFC822Size, g.limit})
	}
	return err
}

// measure reads the beginnings of some messages, and takes the time.
func (l *look) measure(c *imapclient.Client, total uint32) error {
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: measuredOctets}}
	begin := time.Now()
	list, err := c.Fetch(spread(measured, total), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	l.took = time.Since(begin)
	for _, m := range list {
		for _, s := range m.BodySection {
			l.octets += int64(len(s.Bytes))
		}
	}
	return err
}

// refused reports whether a server said NO or BAD.
func refused(err error) bool {
	e, ok := errors.AsType[*imap.Error](err)
	return ok && (e.Type == imap.StatusResponseTypeNo || e.Type == imap.StatusResponseTypeBad)
}

// isKeyword tells keywords from system flags (RFC 9051 section 2.3.2).
func isKeyword(flag string) bool { return !strings.HasPrefix(flag, `\`) }
