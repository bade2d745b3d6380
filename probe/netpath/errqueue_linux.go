package netpath

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A message is an entry of a socket's error queue: an ICMP message that a packet of it brought about, and who sent it.
type message struct {
	from netip.Addr // invalid: not told
	kind uint8      // ICMP or ICMPv6 type
	code uint8
	six  bool // ICMPv6
	err  unix.Errno
}

// outcome tells the end of a packet's life from everything else.
func (m message) outcome() Outcome {
	if exceeded(m.six, m.kind, m.code) {
		return Exceeded
	}
	return Unreachable
}

// readQueue takes the newest ICMP message out of a socket's error queue.
func readQueue(fd int) (newest message, ok bool) {
	data, control := make([]byte, 256), make([]byte, 512)
	for {
		_, n, _, _, err := unix.Recvmsg(fd, data, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return newest, ok
		}
		if m, is := parseQueued(control[:n]); is {
			newest, ok = m, true
		}
	}
}

// parseQueued reads the control message of an error queue's entry.
func parseQueued(control []byte) (message, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return message{}, false
	}
	for _, c := range messages {
		switch {
		case c.Header.Level == unix.IPPROTO_IP && c.Header.Type == unix.IP_RECVERR,
			c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_RECVERR:
			return parseExtended(c.Data)
		}
	}
	return message{}, false
}

// sizeofExtended is the size of the kernel's struct sock_extended_err; the sender's address follows it.
const sizeofExtended = int(unsafe.Sizeof(unix.SockExtendedErr{}))

// parseExtended reads struct sock_extended_err and the address behind it (linux/errqueue.h).
func parseExtended(b []byte) (m message, ok bool) {
	if len(b) < sizeofExtended {
		return message{}, false
	}
	switch origin := b[4]; origin {
	case unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6:
		m = message{kind: b[5], code: b[6], six: origin == unix.SO_EE_ORIGIN_ICMP6, err: unix.Errno(binary.NativeEndian.Uint32(b))}
	default: // of this computer
		return message{}, false
	}
	address := b[sizeofExtended:]
	if len(address) < 2 {
		return m, true
	}
	switch family := binary.NativeEndian.Uint16(address); {
	case family == unix.AF_INET && len(address) >= 8:
		m.from = netip.AddrFrom4([4]byte(address[4:8]))
	case family == unix.AF_INET6 && len(address) >= 24:
		m.from = netip.AddrFrom16([16]byte(address[8:24])).Unmap()
	}
	return m, true
}
