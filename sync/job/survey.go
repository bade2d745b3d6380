package job

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A surveyed is what a survey showed of a side.
type surveyed struct {
	inbox     inbox
	quotas    []quota       // of the root that INBOX belongs to
	limit     int64         // APPENDLIMIT of INBOX or of all, -1 when none was told
	limits    limits        // by mailbox, where they differ
	roundTrip time.Duration // the shortest time from a command to its answer
	product   product
	ends      time.Time // of the leaf certificate, zero without TLS or with a pin that stands in for it
}

// survey turns the sessions into controls and learns of both sides, at once, what the checks of the pair need. That takes a
// handful of round trips beside the listing, however many mailboxes there are.
func (j *Job) survey(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range j.sides {
		s := &j.sides[i]
		group.Go(func() error {
			if err := s.survey(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.role, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *side) survey(ctx context.Context) error {
	session := s.session
	facts := session.Facts()
	s.product = productOf(facts.Greeting.Raw, session.Capabilities())
	if facts.TLS != nil && len(facts.TLS.Chain) > 0 && facts.Pin == "" {
		s.ends = facts.TLS.Chain[0].NotAfter
	}
	s.limit = -1
	asks := []func(context.Context) error{s.openInbox}
	if s.role == probe.RoleDest {
		asks = append(asks, s.askQuota, s.askLimit)
	}
	for _, ask := range asks {
		if err := ask(ctx); err != nil {
			return err
		}
	}
	s.session, s.renew = nil, true
	control, err := session.Control(imapdial.ControlOptions{})
	if err != nil {
		return err
	}
	s.control = control
	if s.listing, err = mailsync.List(ctx, control); err != nil {
		return fmt.Errorf("list the mailboxes: %w", err)
	}
	if s.role == probe.RoleDest && s.limit < 0 && control.Has("APPENDLIMIT") {
		if s.limits, err = readLimits(ctx, control, s.listing); err != nil {
			return fmt.Errorf("ask for the limits of mailboxes: %w", err)
		}
	}
	return nil
}

// do sends a command on the session, and takes the time. The error is that of a connection that is of no use any more.
func (s *side) do(ctx context.Context, command string) ([]wire.Response, wire.Response, error) {
	begin := time.Now()
	untagged, tagged, err := s.session.Do(ctx, command)
	if err != nil {
		name, _, _ := strings.Cut(command, " ")
		return nil, tagged, fmt.Errorf("%s: %w", name, err)
	}
	if took := time.Since(begin); s.roundTrip == 0 || took < s.roundTrip {
		s.roundTrip = took
	}
	return untagged, tagged, nil
}

// An inbox is what a server tells when INBOX is opened. Zero values are what was not told.
type inbox struct {
	refusal   string   // why it could not be opened, in the server's words
	validity  uint32   // UIDVALIDITY
	next      uint32   // UIDNEXT
	flags     []string // in use
	permanent []string // what the mailbox keeps, see told
	told      bool     // PERMANENTFLAGS was told
	notSticky bool     // UIDs do not last (RFC 4315 section 2)
}

// openInbox opens INBOX and leaves it. The source's is only examined. The destination's is selected, since a mailbox that is examined does not
// tell what flags it keeps (RFC 9051 section 6.3.3).
func (s *side) openInbox(ctx context.Context) error {
	command := "EXAMINE INBOX"
	if s.role == probe.RoleDest {
		command = "SELECT INBOX"
	}
	untagged, tagged, err := s.do(ctx, command)
	if err != nil {
		return err
	}
	if tagged.Status != "OK" {
		s.inbox.refusal = tagged.Text
		return nil
	}
	for _, r := range untagged {
		s.takeInbox(r)
	}
	// CLOSE removes messages from a mailbox that is selected, and none from one that is examined (RFC 9051 section 6.4.1).
	leave := []string{"CLOSE"}
	switch {
	case s.session.Has("UNSELECT"): // RFC 3691
		leave = []string{"UNSELECT"}
	case s.role == probe.RoleDest:
		leave = []string{"EXAMINE INBOX", "CLOSE"}
	}
	for _, command := range leave {
		_, tagged, err := s.do(ctx, command)
		if err != nil {
			return err
		}
		if tagged.Status != "OK" {
			break // never CLOSE what could not be examined
		}
	}
	return nil
}

// takeInbox takes in one response to SELECT or EXAMINE.
func (s *side) takeInbox(r wire.Response) {
	if flags, ok := r.Data("FLAGS"); ok {
		s.inbox.flags = strings.Fields(between(flags, "(", ")"))
	}
	switch r.Code {
	case "UIDVALIDITY":
		s.inbox.validity = number(r.Arg)
	case "UIDNEXT":
		s.inbox.next = number(r.Arg)
	case "UIDNOTSTICKY":
		s.inbox.notSticky = true
	case "PERMANENTFLAGS":
		s.inbox.told = true
		s.inbox.permanent = strings.Fields(between(r.Raw, "(", ")")) // a keyword may hold the ] that ends a code
	case "MAILBOXID": // RFC 8474 section 4.2
		s.mailboxID = between(r.Arg, "(", ")")
	}
}

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

// between returns what stands in s between before and after, or "".
func between(s, before, after string) string {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return ""
	}
	inside, _, ok := strings.Cut(rest, after)
	if !ok {
		return ""
	}
	return inside
}
