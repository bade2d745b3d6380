package netpath

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FuzzParseQueued: what the kernel gives must never end the program, whatever it is.
func FuzzParseQueued(f *testing.F) {
	header := func(level, kind int32, data []byte) []byte {
		b := make([]byte, unix.CmsgSpace(len(data)))
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		h.Level, h.Type = level, kind
		h.SetLen(unix.CmsgLen(len(data)))
		copy(b[unix.CmsgLen(0):], data)
		return b
	}
	four := append([]byte{113, 0, 0, 0, unix.SO_EE_ORIGIN_ICMP, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 2, 0, 0, 0, 10, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	f.Add(header(unix.IPPROTO_IP, unix.IP_RECVERR, four))
	f.Add(header(unix.IPPROTO_IP, unix.IP_RECVERR, four[:16]))
	f.Add(header(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, four[:7]))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, control []byte) {
		m, ok := parseQueued(control)
		if !ok && m != (message{}) {
			t.Errorf("%+v without being one", m)
		}
	})
}

func TestParseQueued(t *testing.T) {
	four := append([]byte{113, 0, 0, 0, unix.SO_EE_ORIGIN_ICMP, 3, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 2, 0, 0, 0, 10, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)
	m, ok := parseExtended(four)
	if !ok || m.from != router2 || m.kind != 3 || m.code != 13 || m.six || m.outcome() != Unreachable {
		t.Errorf("got %+v, %v", m, ok)
	}
	if _, ok := parseExtended(append([]byte{113, 0, 0, 0, unix.SO_EE_ORIGIN_LOCAL}, four[5:]...)); ok {
		t.Error("an error of this computer was taken for an ICMP message")
	}
	if m, ok := parseExtended(four[:16]); !ok || m.from.IsValid() {
		t.Errorf("got %+v, %v of a message without its sender", m, ok)
	}
}

// TestOnLoopback looks at ports of this computer: connections come about, are refused, and their sockets are closed.
func TestOnLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := netip.MustParseAddrPort(l.Addr().String())
	if try := alone(t.Context(), open, 1, 0, nearAnswer); try.Outcome != Connected || try.TTL != 1 {
		t.Errorf("got %+v of an open port", try)
	}
	l.Close()
	if try := alone(t.Context(), open, 0, 0, nearAnswer); try.Outcome != Refused {
		t.Errorf("got %+v of a closed port", try)
	}
	plain := &Survey{Question: Question{To: open}}
	plain.lookPlainly(t.Context())
	if given, ok := plain.cell(open); !ok || given.Outcome != Refused || plain.Err != ErrUnavailable || plain.Judge().Act != Refuses {
		t.Errorf("got %+v without the means of Linux", plain)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s := Look(ctx, Question{To: open}); s.Took > Limit {
		t.Errorf("a survey of a context that has ended took %v", s.Took)
	}
	if !IsOwn(open.Addr()) || IsOwn(netip.MustParseAddr("192.0.2.1")) {
		t.Error("127.0.0.1 is this computer's, 192.0.2.1 is nobody's")
	}
}
