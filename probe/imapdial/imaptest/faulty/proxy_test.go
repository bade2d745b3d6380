package faulty_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// proxy runs a proxy in front of s until the test ends.
func proxy(t *testing.T, s *faulty.Server, plan func(int) faulty.Fault) *faulty.Proxy {
	t.Helper()
	p, err := faulty.NewProxy(s.Address(), plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func always(f faulty.Fault) func(int) faulty.Fault { return func(int) faulty.Fault { return f } }

// flood sends a million known octets, then closes.
func flood(c *faulty.Conn) { c.Send(strings.Repeat("0123456789", 100_000)) }

func TestProxyCutsAtTheOctet(t *testing.T) {
	s := serve(t, flood)
	for _, kind := range []faulty.Kind{faulty.Close, faulty.Reset} {
		for _, after := range []int64{0, 1, 16<<10 - 1, 16 << 10, 123_457} {
			p := proxy(t, s, always(faulty.Fault{Down: faulty.Damage{Kind: kind, After: after}}))
			heard, err := io.ReadAll(dial(t, p.Address()))
			if int64(len(heard)) != after {
				t.Errorf("kind %d after %d: %d octets came", kind, after, len(heard))
			}
			if errors.Is(err, syscall.ECONNRESET) != (kind == faulty.Reset) {
				t.Errorf("kind %d after %d: ended with %v", kind, after, err)
			}
			if _, received := p.Octets(); received != after || int64(len(p.Received())) != after {
				t.Errorf("kind %d after %d: %d octets counted, %d recorded", kind, after, received, len(p.Received()))
			}
		}
	}
}

func TestProxyCutsWhatTheClientSends(t *testing.T) {
	s := serve(t, faulty.Silent)
	p := proxy(t, s, always(faulty.Fault{Up: faulty.Damage{Kind: faulty.Close, After: 10}}))
	conn := dial(t, p.Address())
	fmt.Fprint(conn, "a LOGIN alice canary\r\n")
	if heard, err := io.ReadAll(conn); err != nil || len(heard) != 0 {
		t.Errorf("%q, %v; want the end", heard, err)
	}
	p.Close()
	s.Close()
	if got := string(s.Received()); got != "a LOGIN al" {
		t.Errorf("the server got %q", got)
	}
	if !bytes.Contains(p.Sent(), []byte("canary")) {
		t.Errorf("the client sent %q, and that is not on record", p.Sent())
	}
}

func TestProxyCarriesAllWithoutDamage(t *testing.T) {
	s := serve(t, flood)
	p := proxy(t, s, func(n int) faulty.Fault { return faulty.Fault{Refuse: n == 2} })
	if heard, err := io.ReadAll(dial(t, p.Address())); err != nil || len(heard) != 1_000_000 {
		t.Errorf("%d octets, %v", len(heard), err)
	}
	if _, err := io.ReadAll(dial(t, p.Address())); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the refused connection ended with %v", err)
	}
	p.SetPlan(always(faulty.Fault{Down: faulty.Damage{Kind: faulty.Close, After: 7}}))
	if heard, err := io.ReadAll(dial(t, p.Address())); err != nil || string(heard) != "0123456" {
		t.Errorf("%q, %v", heard, err)
	}
	if p.Connections() != 3 || s.Connections() != 2 {
		t.Errorf("%d connections to the proxy, %d to the server; want 3 and 2", p.Connections(), s.Connections())
	}
}

func TestProxyKeepsHalfClosedConnections(t *testing.T) {
	s := serve(t, func(c *faulty.Conn) {
		c.Stall()
		c.Send("after your end")
	})
	conn := dial(t, proxy(t, s, nil).Address())
	conn.CloseWrite()
	if heard, err := io.ReadAll(conn); err != nil || string(heard) != "after your end" {
		t.Errorf("%q, %v", heard, err)
	}
}

func TestProxyPassesResetsOn(t *testing.T) {
	s := serve(t, faulty.ResetAfterHello)
	conn := dial(t, proxy(t, s, nil).Address())
	fmt.Fprint(conn, "hello")
	if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v, want a reset", err)
	}
}

func TestProxyStalls(t *testing.T) {
	s := serve(t, flood)
	p := proxy(t, s, always(faulty.Fault{Down: faulty.Damage{Kind: faulty.Stall, After: 100}}))
	conn := dial(t, p.Address())
	if _, err := io.CopyN(io.Discard, conn, 100); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%d octets, %v; want a time-out", n, err)
	}
	conn.Close()
	p.Close() // must not hang
}

func TestProxyDelays(t *testing.T) {
	const delay = 30 * time.Millisecond
	s := serve(t, faulty.Plain)
	p := proxy(t, s, always(faulty.Fault{Up: faulty.Damage{Delay: delay}, Down: faulty.Damage{Delay: delay}}))
	begin := time.Now()
	conn := dial(t, p.Address())
	fmt.Fprint(conn, "a NOOP\r\nb NOOP\r\nc LOGOUT\r\n")
	heard, err := io.ReadAll(conn)
	if took := time.Since(begin); took < 2*delay {
		t.Errorf("took %s, want at least %s", took, 2*delay)
	}
	if err != nil || !bytes.HasSuffix(heard, []byte("a OK done\r\nb OK done\r\n* BYE see you\r\nc OK done\r\n")) {
		t.Errorf("%q, %v", heard, err)
	}
}

func TestProxyInFrontOfNothing(t *testing.T) {
	s := serve(t, faulty.Silent)
	p := proxy(t, s, nil)
	s.Close()
	if _, err := io.ReadAll(dial(t, p.Address())); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v, want a reset", err)
	}
}
