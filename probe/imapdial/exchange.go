package imapdial

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// An Exchange is what became of commands and answers that went back and forth before sign-in.
type Exchange struct {
	Octets int     // of the commands that were sent and the answers that came, TLS not counted
	Froze  bool    // there was something to come, and nothing came any more
	Err    error   // why it ended before all was carried; nil as well where the server asked us to stop
	TCP    TCPInfo // what the kernel knew at the end
	Took   time.Duration
}

// exchangeBatch is how many commands go out in one packet: an answer to CAPABILITY has 100 to 400 octets, so that some packets come back at a time.
const exchangeBatch = 32

// longTag makes a command, and its answer, larger than a packet of Ethernet.
const longTag = 1600

// Exchange asks for the capabilities again and again, and a NOOP each time, until commands and answers have the given number of octets together. In the
// end comes a NOOP that needs large packets both ways, since its tag is long.
// It stops when the server says BYE, refuses a command or ends the connection, when nothing comes for as long as quiet, or when ctx ends. Nothing can
// sign in on the connection afterwards; the caller closes it.
func (c *Conn) Exchange(ctx context.Context, octets int, quiet time.Duration) *Exchange {
	x := new(Exchange)
	begin := time.Now()
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	on := true
	for on && x.Err == nil && x.Octets < octets && ctx.Err() == nil {
		var batch strings.Builder
		for range exchangeBatch - 1 {
			batch.WriteString(c.raw.NextTag() + " CAPABILITY\r\n")
		}
		last := c.raw.NextTag()
		batch.WriteString(last + " NOOP\r\n")
		on, x.Err = c.exchange(ctx, x, batch.String(), last, quiet)
	}
	if on && x.Err == nil && ctx.Err() == nil {
		tag := c.raw.NextTag() + strings.Repeat("x", longTag)
		_, x.Err = c.exchange(ctx, x, tag+" NOOP\r\n", tag, quiet)
	}
	x.Froze = errors.Is(x.Err, os.ErrDeadlineExceeded) && ctx.Err() == nil
	if ctx.Err() != nil {
		x.Err = context.Cause(ctx)
	}
	x.TCP, x.Took = c.TCP(), time.Since(begin)
	return x
}

// exchange sends commands and reads up to the answer to the last. It reports whether the server takes more.
func (c *Conn) exchange(ctx context.Context, x *Exchange, commands, last string, quiet time.Duration) (on bool, err error) {
	wait := func(set func(time.Time) error) {
		if ctx.Err() == nil { // else the deadline that ended with it stays
			set(time.Now().Add(quiet))
		}
	}
	wait(c.conn.SetDeadline)
	x.Octets += len(commands)
	w := c.raw.Writer()
	w.WriteString(commands)
	if err := w.Flush(); err != nil {
		return false, err
	}
	for range 4 * exchangeBatch { // two responses to each command, and what the server tells besides
		resp, err := c.raw.ReadResponse()
		switch {
		case err != nil:
			return false, err
		case resp.Status == "BYE", resp.Status == "NO", resp.Status == "BAD":
			return false, nil
		}
		x.Octets += len(resp.Raw) + len("\r\n")
		if resp.Tag == last {
			return true, nil
		}
		wait(c.conn.SetReadDeadline)
	}
	return false, wire.ErrTooManyResponses
}
