package imapdial_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

func TestExchange(t *testing.T) {
	answer := func(c *faulty.Conn) {
		tag, name, _ := c.Command()
		if name == "CAPABILITY" {
			c.Line("* CAPABILITY IMAP4rev1 " + strings.Repeat("X-SOMETHING ", 10))
		}
		c.Line(tag + " OK done")
	}
	// after answers so many commands before then.
	after := func(commands int, then faulty.Script) faulty.Script {
		return func(c *faulty.Conn) {
			for i := 0; i < commands && c.Err() == nil; i++ {
				answer(c)
			}
			then(c)
		}
	}
	const octets, quiet = 64 << 10, 150 * time.Millisecond
	tests := []struct {
		name  string
		steps faulty.Script
		least int // octets that are carried; no more than twice as many may be
		froze bool
		err   error
	}{
		{name: "all is carried", steps: after(1<<30, (*faulty.Conn).Stall), least: octets + 2*1600},
		{name: "large packets get lost", steps: func(c *faulty.Conn) {
			for c.Err() == nil {
				tag, _, _ := c.Command()
				if len(tag) > 1500 {
					c.Stall()
				}
				c.Line("* CAPABILITY IMAP4rev1 " + strings.Repeat("X-SOMETHING ", 10))
				c.Line(tag + " OK done")
			}
		}, least: octets + 1600, froze: true},
		{name: "the server refuses a long tag", steps: func(c *faulty.Conn) {
			for c.Err() == nil {
				tag, _, _ := c.Command()
				if len(tag) > 100 {
					c.Line("* BAD the tag is too long")
					c.Stall()
				}
				c.Line("* CAPABILITY IMAP4rev1 " + strings.Repeat("X-SOMETHING ", 10))
				c.Line(tag + " OK done")
			}
		}, least: octets},
		{name: "nothing comes", steps: (*faulty.Conn).Stall, least: 1, froze: true},
		{name: "it stops in the middle", steps: after(200, (*faulty.Conn).Stall), least: 200 * 150, froze: true},
		{name: "it stops in the middle of a line", steps: after(200, func(c *faulty.Conn) { c.Send("* CAPABILITY IMAP4"); c.Stall() }), least: 200 * 150, froze: true},
		{name: "the server has enough and says so", steps: after(200, func(c *faulty.Conn) { c.Line("* BYE too many commands"); c.Close() }), least: 200 * 150},
		{name: "the server refuses", steps: after(200, func(c *faulty.Conn) { tag, _, _ := c.Command(); c.Line(tag + " NO enough"); c.Stall() }), least: 200 * 150},
		{name: "the server does not know NOOP", steps: after(31, func(c *faulty.Conn) { tag, _, _ := c.Command(); c.Line(tag + " BAD what"); c.Stall() }), least: 31 * 150},
		{name: "the server goes", steps: after(200, (*faulty.Conn).Cut), least: 200 * 150, err: io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := inClear(t, nil, tt.steps).Exchange(t.Context(), octets, quiet)
			if x.Octets < tt.least || x.Octets > 2*max(tt.least, 500) || x.Froze != tt.froze || !tt.froze && !errors.Is(x.Err, tt.err) {
				t.Errorf("got %+v", x)
			}
			if x.Froze && x.Took < quiet {
				t.Errorf("after %v it froze", x.Took)
			}
		})
	}
}

func TestExchangeEndsWithTheContext(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	x := inClear(t, nil, (*faulty.Conn).Stall).Exchange(ctx, 1<<20, time.Hour)
	if x.Froze || !errors.Is(x.Err, why) {
		t.Errorf("got %+v", x)
	}
}

// TestSlowIsNotFrozen has every answer come within the time, and all of them take longer.
func TestSlowIsNotFrozen(t *testing.T) {
	const quiet = 300 * time.Millisecond
	conn := inClear(t, nil, func(c *faulty.Conn) {
		for c.Err() == nil {
			tag, _, _ := c.Command()
			c.Wait(quiet / 10)
			c.Line(tag + " OK done")
		}
	})
	if x := conn.Exchange(t.Context(), 900, quiet); x.Froze || x.Err != nil || x.Took < quiet {
		t.Errorf("got %+v", x)
	}
}

// TestDovecotTakesAnExchange sees that a real server is not put off by so many commands, nor by a long tag.
func TestDovecotTakesAnExchange(t *testing.T) {
	d := realserver.StartDovecot(t, realserver.Config{})
	for security, port := range map[imapdial.Security]uint16{imapdial.TLS: d.IMAPS, imapdial.STARTTLS: d.IMAP} {
		conn, err := imapdial.Dial(t.Context(), imapdial.Endpoint{Host: d.Host, Port: port, Security: security, TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const octets = 64 << 10
		if x := conn.Exchange(t.Context(), octets, 10*time.Second); x.Froze || x.Err != nil || x.Octets < octets+2*1600 {
			t.Errorf("%s: got %+v", security, x)
		}
	}
}
