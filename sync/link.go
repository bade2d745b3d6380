package mailsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A link is a run's way to one of the two accounts: the control connection, what is selected on it, and the patience with it. One goroutine
// uses it at a time.
type link struct {
	side    string // source or dest
	account imapdial.Account
	open    func(ctx context.Context) (*imapdial.Session, error)
	live    *Live
	ids     bool          // listings keep Message-Ids, for reports
	pause   time.Duration // the first wait before a reconnect
	retries int
	settled func() // of the Side

	control  *imapdial.Control
	selected string // name of the selected mailbox, "" for none
	writable bool   // it was selected, not examined
	mailbox  *imap.SelectData
	validity map[string]uint32 // UIDVALIDITY seen in this run
	known    bool              // the endpoint was told to the front end

	losses   int  // connections lost since the last progress
	refusals int  // temporary refusals since the last progress
	proven   bool // messages got through in this run
	aside    int  // messages put aside since one got through
}

const (
	defaultRetries = 3
	// firstPause is the wait before the first reconnect, and each later one is four times as long: 1, 4, 16 s. That outlasts the
	// restart of a server, and leaves time for octets of the lost connection to arrive before anybody looks.
	firstPause   = time.Second
	longestPause = time.Minute
	// throttleTries bounds the waits for a server that says "later": 1, 2, 4, 8, 16, 30 s.
	throttleTries   = 6
	longestThrottle = 30 * time.Second
)

func newLink(side string, s Side, settings Settings) *link {
	l := &link{
		side: side, account: s.Account, open: s.Open, control: s.Control, live: settings.Live, settled: s.settled,
		ids: side == "source", pause: settings.pause, retries: settings.Retries, validity: map[string]uint32{},
	}
	if l.pause == 0 {
		l.pause = firstPause
	}
	if l.retries == 0 {
		l.retries = defaultRetries
	}
	return l
}

// progress renews the patience, after a message got through.
func (l *link) progress() { l.losses, l.refusals, l.proven, l.aside = 0, 0, true, 0 }

// maxAside is how many messages in a row may be put aside before it is the connection that is to blame.
const maxAside = 3

// putAside renews the patience after a message was put aside at which the connection ended again and again, as long as it is more likely
// the message than the connection.
func (l *link) putAside() {
	if l.aside++; l.proven && l.aside <= maxAside {
		l.losses = 0
	}
}

// renewal returns a func that renews the patience to what it is now. It is for steps within a larger one: to find out after a lost connection what arrived is no
// progress of what the connection was for.
func (l *link) renewal() func() {
	losses, refusals := l.losses, l.refusals
	return func() { l.losses, l.refusals = losses, refusals }
}

// connect opens the control connection if there is none. The error is a *lostError when another try may help.
func (l *link) connect(ctx context.Context) error {
	if l.control != nil && !l.control.Alive() {
		l.drop()
	}
	if l.control == nil {
		s, err := l.session(ctx)
		if err != nil {
			return err
		}
		if l.control, err = s.Control(imapdial.ControlOptions{}); err != nil {
			s.Close()
			return &lostError{side: l.side, command: "open a connection", err: err}
		}
	}
	if !l.known {
		l.known = true
		ep := l.account.Endpoint
		l.live.emit("endpoint", Endpoint{l.side, ep.Host, int(ep.EffectivePort()), ep.Security.String(), l.control.Account().Mechanism})
	}
	return nil
}

// session opens one more session. The error is a *lostError when another try may help.
func (l *link) session(ctx context.Context) (*imapdial.Session, error) {
	s, err := l.open(ctx)
	if err == nil {
		return s, nil
	}
	switch again, code := opening(err); {
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case again:
		lost := &lostError{side: l.side, command: "open a connection", err: err}
		if code == exitLater {
			lost.code = code
		}
		return nil, lost
	default:
		return nil, &StopError{code, fmt.Errorf("%s: open a connection: %w", l.side, err)}
	}
}

// drop closes the control connection without a word.
func (l *link) drop() {
	if l.control != nil {
		l.control.Close()
	}
	l.control, l.selected, l.mailbox = nil, "", nil
}

// close ends the control connection in good order.
func (l *link) close(ctx context.Context) {
	if l.control != nil {
		l.control.Logout(ctx)
	}
	l.control = nil
}

// do runs f on the control connection, which is opened if need be. The error is a *Refusal, a *lostError (the connection is
// gone), or a *StopError.
func (l *link) do(ctx context.Context, command string, f func(c *imapclient.Client) error) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	end := l.control.Begin(ctx)
	err := judge(l.side, command, end(f(l.control.Client)))
	if ctx.Err() != nil {
		l.drop()
		return ended(ctx)
	}
	if isLost(err) {
		l.drop()
	}
	return err
}

// persist runs f until it succeeds or fails for good: after a lost connection and after a temporary refusal it waits and runs f again, as often as
// the patience lasts. f must be safe to repeat.
func (l *link) persist(ctx context.Context, f func() error) error {
	for {
		err := f()
		var refusal *Refusal
		switch {
		case isLost(err):
			if err := l.reconnect(ctx, err); err != nil {
				return err
			}
		case errors.As(err, &refusal) && temporary(refusal.Code):
			again, werr := l.throttle(ctx, refusal.Code, refusal.Text)
			if werr != nil {
				return werr
			}
			if !again && hopeless(refusal.Code) {
				return comeBack(l.side, refusal.Text)
			}
			if !again {
				return err
			}
		default:
			return err
		}
	}
}

// reconnect waits and opens the control connection again, after a connection was lost with err. The error is a
// *StopError when the patience is at its end.
func (l *link) reconnect(ctx context.Context, err error) error {
	for isLost(err) {
		l.losses++
		if l.losses > l.retries {
			code := exitLost
			if lost, ok := errors.AsType[*lostError](err); ok && lost.code != 0 {
				code = lost.code
			}
			return stop(code, "connection lost, and %d reconnects brought nothing: %w", l.retries, err)
		}
		if err := l.wait(ctx, min(l.pause<<(2*(l.losses-1)), longestPause)); err != nil {
			return err
		}
		reason := err
		if err = l.connect(ctx); err == nil {
			l.live.reconnected(Reconnected{l.side, l.losses, wire.Printable(reason.Error())})
		}
	}
	return err
}

// throttle waits after a temporary refusal. It reports whether another try makes sense; the error is that of the context.
func (l *link) throttle(ctx context.Context, code, text string) (again bool, err error) {
	if l.refusals++; l.refusals > throttleTries {
		return false, nil
	}
	wait := min(l.pause<<(l.refusals-1), longestThrottle)
	l.live.emit("throttled", Throttled{l.side, code, text, wait.Milliseconds()})
	return true, l.wait(ctx, wait)
}

func (l *link) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		if l.settled != nil {
			l.settled()
		}
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// choose selects a mailbox, or examines it when it shall not be changed (RFC 9051 sections 6.3.2 and 6.3.3). A mailbox that is
// selected already stays so, unless its state shall be fresh. A UIDVALIDITY that changed within the run is a *StopError.
func (l *link) choose(ctx context.Context, name string, writable, fresh bool) (*imap.SelectData, error) {
	if l.control != nil && l.control.Alive() && l.selected == name && l.writable == writable && !fresh {
		return l.mailbox, nil
	}
	if err := wire.CheckMailbox(name); err != nil {
		return nil, &Refusal{l.side, fmt.Sprintf("open mailbox %q", name), "", err.Error()}
	}
	var data *imap.SelectData
	l.selected = ""
	err := l.do(ctx, fmt.Sprintf("open mailbox %q", name), func(c *imapclient.Client) (err error) {
		data, err = c.Select(name, &imap.SelectOptions{ReadOnly: !writable}).Wait()
		return err
	})
	if err != nil {
		return nil, err
	}
	if before, ok := l.validity[name]; ok && before != data.UIDValidity {
		return nil, changedValidity(l.side, name, before, data.UIDValidity)
	}
	l.validity[name] = data.UIDValidity
	l.selected, l.writable, l.mailbox = name, writable, data
	return data, nil
}
