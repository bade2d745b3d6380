package mailsync

import (
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// BenchmarkSync copies 1,000 messages between embedded servers, at some distance; "again" finds nothing to do.
func BenchmarkSync(b *testing.B) {
	for _, rtt := range []time.Duration{0, 20 * time.Millisecond} {
		b.Run(fmt.Sprintf("first/rtt=%v", rtt), func(b *testing.B) {
			source := startAccount(b, imaptest.Config{})
			fill(b, source, inbox(mails(1000)...))
			remote(b, source, rtt)
			for b.Loop() {
				b.StopTimer()
				dest := startAccount(b, imaptest.Config{})
				remote(b, dest, rtt)
				b.StartTimer()
				if s := runSync(b, source, dest); s.Messages.Copied != 1000 {
					b.Fatalf("got %+v", s)
				}
			}
		})
		b.Run(fmt.Sprintf("again/rtt=%v", rtt), func(b *testing.B) {
			source, dest := startAccount(b, imaptest.Config{}), startAccount(b, imaptest.Config{})
			fill(b, source, inbox(mails(1000)...))
			runSync(b, source, dest)
			remote(b, source, rtt)
			remote(b, dest, rtt)
			for b.Loop() {
				if s := runSync(b, source, dest); s.Messages.Present != 1000 {
					b.Fatalf("got %+v", s)
				}
			}
		})
	}
}

// remote puts a distance before a server.
func remote(b *testing.B, a *testAccount, rtt time.Duration) {
	if rtt == 0 {
		return
	}
	delay := faulty.Damage{Delay: rtt / 2}
	proxy, err := faulty.NewProxy(a.server.Address(), func(int) faulty.Fault { return faulty.Fault{Up: delay, Down: delay} })
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { proxy.Close() })
	a.port = proxy.Port()
}

// TestMessageIsSmall keeps what is held of a message from growing without anybody noticing: it is held a million times.
func TestMessageIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Message{}); size > 48 {
		t.Errorf("a Message has %d octets", size)
	}
}
