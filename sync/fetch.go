package mailsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A body is the content of a message on its way from a server. Reading it ends with io.EOF only after all octets
// that the server announced; the library ends the same way when the connection is gone.
type body struct {
	size, left int64
	r          io.Reader
	err        error // why reading failed
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if errors.Is(err, io.EOF) && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// What the taker of a body can say beside nil, which means that the message is dealt with.
var (
	errAgain  = errors.New("the message is needed again")      // its rest is not read: the connection is given up
	errNotIt  = errors.New("this is not the message's body")   // the server sent something else
	errCutOff = errors.New("the message ended before its end") // the connection is gone
)

// A fetching brings the bodies of many messages of one mailbox. It goes on after a lost connection; it asks alone, once, for a message that did not come
// with the others; and a message at which the connection ends again and again is put aside until all others are through.
type fetching struct {
	*link
	name     string // of the mailbox, as the server has it
	writable bool   // the mailbox is selected, not examined
	size     func(uid uint32) int64

	take   func(uid uint32, b *body) error     // as above; called in the server's order
	failed func(uid uint32, code, text string) // the message exists and cannot be had
	gone   func(uid uint32)                    // the message does not exist any more

	queue  []uint32 // ascending
	alone  []uint32
	limit  int            // messages of the next FETCH: one after a lost connection, then twice as many each time
	losses map[uint32]int // connections lost while a message was asked for alone
	renew  func()         // the patience, when something came
}

// Bounds of one FETCH: large, so that distance to the server does not count, and small enough that a slow destination does not make the server wait
// until it loses patience.
const (
	fetchOctets   = 16 << 20
	fetchMessages = 2000
)

// run fetches uids. The error is a *StopError.
func (f *fetching) run(ctx context.Context, uids []uint32) error {
	f.queue, f.limit, f.losses = slices.Clone(uids), fetchMessages, map[uint32]int{}
	f.renew = f.renewal()
	for {
		var err error
		switch {
		case len(f.queue) > 0:
			err = f.ask(ctx, f.cut(), false)
		case len(f.alone) > 0:
			err = f.ask(ctx, f.alone[:1], true)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// cut returns the first messages of the queue, as many as one FETCH may bring.
func (f *fetching) cut() []uint32 {
	var octets int64
	n := 0
	for n < len(f.queue) && n < f.limit {
		octets += f.size(f.queue[n])
		if n > 0 && octets > fetchOctets {
			break
		}
		n++
	}
	_, rest := cutSet(f.queue[:n])
	return f.queue[:n-len(rest)]
}

// ask sends one FETCH and sorts out what did not come.
func (f *fetching) ask(ctx context.Context, uids []uint32, alone bool) error {
	set, _ := cutSet(uids)
	done, err := f.bodies(ctx, set)
	missing := slices.DeleteFunc(slices.Clone(uids), func(u uint32) bool { return done[u] })
	if len(done) > 0 {
		f.renew()
		f.proven, f.aside = true, 0
		f.forget(func(u uint32) bool { return done[u] })
	}
	var refusal *Refusal
	switch {
	case errors.Is(err, errAgain):
		return nil
	case isLost(err):
		f.limit = 1
		if len(uids) == 1 && len(missing) == 1 {
			f.blame(uids[0], alone, err)
		}
		return f.reconnect(ctx, err)
	case errors.As(err, &refusal) && temporary(refusal.Code):
		again, werr := f.throttle(ctx, refusal.Code, refusal.Text)
		if again || werr != nil {
			return werr
		}
	case err != nil && refusal == nil:
		return err
	}
	f.limit = min(2*f.limit, fetchMessages)
	if len(missing) == 0 {
		return nil
	}
	if !alone {
		f.forget(func(u uint32) bool { return slices.Contains(missing, u) })
		f.alone = append(f.alone, missing...)
		return nil
	}
	return f.giveUp(ctx, missing[0], refusal)
}

// forget takes messages off the lists.
func (f *fetching) forget(which func(uint32) bool) {
	f.queue = slices.DeleteFunc(f.queue, which)
	f.alone = slices.DeleteFunc(f.alone, which)
}

// blame notes that the connection was lost while a message was asked for alone. After the second time it waits until the others
// are through. If it ends the connection then too, though others came, it is given up.
func (f *fetching) blame(uid uint32, alone bool, err error) {
	f.losses[uid]++
	switch {
	case !alone && f.losses[uid] >= 2:
		f.forget(func(u uint32) bool { return u == uid })
		f.alone = append(f.alone, uid)
		f.putAside()
	case alone && f.losses[uid] > 2 && f.proven:
		f.forget(func(u uint32) bool { return u == uid })
		f.failed(uid, "", wire.Printable(err.Error()))
		f.renew()
	}
}

// giveUp decides on a message that did not come even alone.
func (f *fetching) giveUp(ctx context.Context, uid uint32, refusal *Refusal) error {
	var there []uint32
	err := f.persist(ctx, func() (err error) {
		there, err = f.searchIn(ctx, f.name, f.writable, imap.UIDSetNum(imap.UID(uid)))
		return err
	})
	_, refusedToo := errors.AsType[*Refusal](err)
	switch {
	case err != nil && !refusedToo:
		return err
	case err == nil && !slices.Contains(there, uid):
		f.gone(uid)
	case refusal != nil:
		f.failed(uid, refusal.Code, refusal.Text)
	default:
		f.failed(uid, "", "the server did not send the message's body")
	}
	f.forget(func(u uint32) bool { return u == uid })
	return nil
}

var wantBody = &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}

// bodies fetches one set and returns the UIDs that were dealt with.
func (f *fetching) bodies(ctx context.Context, set imap.UIDSet) (done map[uint32]bool, err error) {
	done = map[uint32]bool{}
	if _, err := f.choose(ctx, f.name, f.writable, false); err != nil {
		return done, err
	}
	var said error
	err = f.do(ctx, fmt.Sprintf("fetch messages of mailbox %q", f.name), func(c *imapclient.Client) error {
		cmd := c.Fetch(set, wantBody)
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			uid, err := f.body(msg)
			switch {
			case errors.Is(err, errNotIt), errors.Is(err, errCutOff):
				// It counts as missing, and Close tells whether the connection is gone.
			case err != nil:
				said = err
				return err
			case uid != 0:
				done[uid] = true
			}
		}
		return cmd.Close()
	})
	if said != nil {
		f.drop() // in the middle of a response
		return done, said
	}
	return done, err
}

// body lets the body in a FETCH response be taken, and returns its UID when it was dealt with.
func (f *fetching) body(msg *imapclient.FetchMessageData) (taken uint32, err error) {
	var uid uint32
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = uint32(item.UID)
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil || uid == 0 || taken != 0 {
				continue // NIL: the server has no body to give
			}
			size := item.Literal.Size()
			b := &body{size: size, left: size, r: item.Literal}
			if err := f.take(uid, b); err != nil {
				if b.err != nil {
					return 0, errCutOff
				}
				return 0, err
			}
			taken = uid
		}
	}
	return taken, nil
}

// digests fetches messages of a mailbox and computes their digests. Those that cannot be read have the zero Digest.
func (l *link) digests(ctx context.Context, name string, writable bool, c *Contents, uids []uint32) (map[uint32]Digest, error) {
	out := map[uint32]Digest{}
	f := &fetching{
		link: l, name: name, writable: writable,
		size: func(uid uint32) int64 {
			i, _ := c.Find(uid)
			return c.Messages[i].Size
		},
		take: func(uid uint32, b *body) (err error) {
			out[uid], err = digestOf(b)
			return err
		},
		failed: func(uid uint32, _, _ string) { out[uid] = Digest{} },
		gone:   func(uid uint32) { out[uid] = Digest{} },
	}
	if err := f.run(ctx, uids); err != nil {
		return nil, err
	}
	return out, nil
}
