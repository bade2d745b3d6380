package imapdial_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// inClear serves a server without TLS and dials it. Its steps follow the greeting, which lists the capabilities.
func inClear(t *testing.T, o *imapdial.Options, steps ...faulty.Script) *imapdial.Conn {
	t.Helper()
	s := serve(t, func(c *faulty.Conn) {
		c.Line("* OK [CAPABILITY IMAP4rev1] ready")
		for _, step := range steps {
			step(c)
		}
	})
	conn, err := imapdial.Dial(t.Context(), imapdial.Endpoint{Host: "127.0.0.1", Port: s.Port(), Security: imapdial.Cleartext}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func line(text string) faulty.Script { return func(c *faulty.Conn) { c.Line(text) } }

func TestRest(t *testing.T) {
	noop := func(answer string) faulty.Script {
		return func(c *faulty.Conn) {
			tag := c.Expect("NOOP")
			c.Line(tag + answer)
		}
	}
	const pause = 80 * time.Millisecond
	soon := func(c *faulty.Conn) { c.Wait(pause / 8) }
	tests := []struct {
		name  string
		steps []faulty.Script
		early bool
		err   error // nil: NOOP is answered
		bye   string
	}{
		{name: "still there", steps: []faulty.Script{noop(" OK done"), (*faulty.Conn).Stall}},
		{name: "a refused NOOP is an answer", steps: []faulty.Script{noop(" NO not now"), (*faulty.Conn).Stall}},
		{name: "the server tells something meanwhile", steps: []faulty.Script{soon, line("* 3 EXISTS"), soon, line("* OK still here"), noop(" OK done"), (*faulty.Conn).Stall}},
		{name: "the server logs out", steps: []faulty.Script{soon, line("* BYE idle for too long"), (*faulty.Conn).Close}, early: true, err: io.EOF, bye: "idle for too long"},
		{name: "the server closes without a word", steps: []faulty.Script{soon, (*faulty.Conn).Cut}, early: true, err: io.EOF},
		{name: "a reset meanwhile", steps: []faulty.Script{soon, (*faulty.Conn).Reset}, early: true, err: syscall.ECONNRESET},
		{name: "a reset in answer", steps: []faulty.Script{func(c *faulty.Conn) { c.Expect("NOOP") }, (*faulty.Conn).Reset}, err: syscall.ECONNRESET},
		{name: "a BYE in answer", steps: []faulty.Script{func(c *faulty.Conn) { c.Expect("NOOP") }, line("* BYE gone"), (*faulty.Conn).Close}, err: new(imapdial.ByeError), bye: "gone"},
		{name: "no answer", steps: []faulty.Script{(*faulty.Conn).Stall}, err: os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const limit = 3 * pause
			r := inClear(t, &imapdial.Options{Timeout: limit}, tt.steps...).Rest(t.Context(), pause)
			wrong := !errors.Is(r.Err, tt.err)
			if _, ok := tt.err.(*imapdial.ByeError); ok {
				wrong = !errors.As(r.Err, new(*imapdial.ByeError))
			}
			if wrong || r.Early != tt.early || r.Bye.Text != tt.bye {
				t.Errorf("got %+v", r)
			}
			if !r.Early && r.Rested < pause || (r.Waited == 0) != r.Early {
				t.Errorf("rested for %v, waited for %v", r.Rested, r.Waited)
			}
		})
	}
}

func TestRestOfASession(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	s := serve(t, faulty.Dialog{ImplicitTLS: true, TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}}.Serve)
	session, err := signIn(t, s, ca, imapdial.Account{User: "alice"}, canary)
	if err != nil {
		t.Fatal(err)
	}
	if r := session.Rest(t.Context(), 10*time.Millisecond); r.Err != nil || r.Early {
		t.Errorf("got %+v", r)
	}
	if _, tagged, err := session.Do(t.Context(), "NOOP"); err != nil || tagged.Status != "OK" {
		t.Errorf("afterwards: %v, %v", tagged, err)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Error(err)
	}
	if r := session.Rest(t.Context(), time.Hour); r.Err == nil {
		t.Error("a spent session rested")
	}
}

func TestRestEndsWithTheContext(t *testing.T) {
	conn := inClear(t, nil, (*faulty.Conn).Stall)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if r := conn.Rest(ctx, time.Hour); !errors.Is(r.Err, why) || !r.Early {
		t.Errorf("got %+v", r)
	}
}

// A keeper takes note of what is done to keep-alive.
type keeper struct {
	*net.TCPConn
	mu   sync.Mutex
	sets []bool
}

func (k *keeper) SetKeepAlive(on bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sets = append(k.sets, on)
	return k.TCPConn.SetKeepAlive(on)
}

func TestNoKeepAliveDuringTheRest(t *testing.T) {
	var kept *keeper
	o := &imapdial.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		kept = &keeper{TCPConn: conn.(*net.TCPConn)}
		return kept, nil
	}}
	ca := imaptest.NewCA("Test CA")
	s := serve(t, faulty.Dialog{ImplicitTLS: true, TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}}.Serve)
	conn, err := imapdial.Dial(t.Context(), endpoint(s, imapdial.TLS, ca), o)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r := conn.Rest(t.Context(), time.Millisecond); r.Err != nil {
		t.Fatal(r.Err)
	}
	if !slices.Equal(kept.sets, []bool{false, true}) {
		t.Errorf("keep-alive was set to %v", kept.sets)
	}
}
