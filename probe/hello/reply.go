package hello

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// Outcome is how a server reacted to an [Offer].
type Outcome uint8

// The outcomes.
const (
	NotSent  Outcome = iota // the connection did not come to the ClientHello
	Answered                // with a ServerHello or a HelloRetryRequest
	Alerted
	Closed // without an alert
	Reset
	Silent // nothing came within the time
	Junk   // what came is not TLS, or breaks its rules
)

func (o Outcome) String() string {
	return [...]string{"not sent", "answered", "alert", "closed", "reset", "silent", "not TLS"}[o]
}

// A Reply is what a server answered to one [Offer]. Fields that it did not come to are zero.
type Reply struct {
	Outcome Outcome
	Err     error // of the connection: with NotSent, Closed, Reset, Silent and Junk
	Alert   uint8 // with Alerted; also of a warning that came before anything else

	Version Version
	Suite   Suite
	Group   Group // that a HelloRetryRequest or an ECDHE key exchange named
	Retry   bool  // it was a HelloRetryRequest
	// What follows is of TLS 1.2 and older, and only read by AskFlight.
	Scheme               uint16 // that the key exchange is signed with, from TLS 1.2 on
	DHBits               int    // of the finite field of a DHE key exchange
	Certificates         [][]byte
	CertificateRequested bool
}

// What a server may send in one flight, and no more.
const (
	maxRecord    = 1<<14 + 2048 // RFC 5246 section 6.2.3
	maxHandshake = 256 << 10    // octets of handshake messages: a chain of RSA certificates has 10 KiB
	maxWarnings  = 8
)

// Ask writes the offer to conn and reads the answer up to the ServerHello. It takes at most the time given, or ends when ctx does. The caller closes conn.
func Ask(ctx context.Context, conn net.Conn, o Offer, limit time.Duration) Reply {
	return ask(ctx, conn, o, limit, false)
}

// AskFlight is Ask that, of TLS 1.2 and older, reads the server's whole flight.
func AskFlight(ctx context.Context, conn net.Conn, o Offer, limit time.Duration) Reply {
	return ask(ctx, conn, o, limit, true)
}

func ask(ctx context.Context, conn net.Conn, o Offer, limit time.Duration, flight bool) Reply {
	conn.SetDeadline(time.Now().Add(limit))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var r reader
	if _, err := conn.Write(o.Marshal()); err != nil {
		r.end(err)
		return r.Reply
	}
	r.read(conn, flight)
	return r.Reply
}

// A reader puts the handshake messages together and keeps what they say.
type reader struct {
	Reply
	flight   bool
	messages []byte // not parsed yet
	octets   int
	warnings int
	done     bool
}

// read reads records until the answer is complete or the connection ends.
func (r *reader) read(conn io.Reader, flight bool) {
	r.flight = flight
	br := bufio.NewReader(conn)
	if start, _ := br.Peek(1); len(start) == 1 && start[0]&0x80 != 0 {
		r.readSSL2(br)
		return
	}
	for !r.done {
		typ, body, err := record(br)
		switch {
		case err != nil:
			r.end(err)
			return
		case typ == recordAlert:
			r.alert(body)
		case typ == recordHandshake:
			r.handshake(body)
		default:
			r.junk("a record of type %d in place of the server's flight", typ)
		}
	}
}

// readSSL2 reads the start of a SERVER-HELLO.
func (r *reader) readSSL2(br *bufio.Reader) {
	start, err := br.Peek(ssl2Start)
	if !isSSL2(start) {
		if err == nil {
			err = errNotTLS
		}
		r.Outcome, r.Err = Junk, err
		return
	}
	r.Outcome, r.Version = Answered, SSL2
}

var errNotTLS = errors.New("not a TLS record")

// record reads one record (RFC 8446 section 5.1).
func record(br *bufio.Reader) (typ uint8, body []byte, err error) {
	header := make([]byte, recordHeader)
	if _, err := io.ReadFull(br, header); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint16(header[3:])
	if header[0] < 20 || header[0] > 24 || header[1] != 3 || n > maxRecord {
		return 0, nil, errNotTLS
	}
	body = make([]byte, n)
	_, err = io.ReadFull(br, body)
	return header[0], body, err
}

// end records how the connection ended. After the ServerHello the answer stays what it was, without the rest of the flight.
func (r *reader) end(err error) {
	r.done, r.Err = true, err
	if r.Outcome == Answered {
		return
	}
	var timeout net.Error
	switch {
	case errors.Is(err, errNotTLS):
		r.Outcome = Junk
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		r.Outcome = Silent
		if r.warnings > 0 {
			r.Outcome = Alerted // a warning and then nothing: it is all that the server says
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		r.Outcome = Reset
	default:
		r.Outcome = Closed
		if r.warnings > 0 {
			r.Outcome = Alerted
		}
	}
}

func (r *reader) junk(format string, args ...any) {
	r.done, r.Outcome, r.Err = true, Junk, fmt.Errorf(format, args...)
}

// alert reads an alert (RFC 8446 section 6). Warnings are remembered and passed over, as RFC 6066 section 3 wants it of unrecognized_name.
func (r *reader) alert(body []byte) {
	const warning, closeNotify = 1, 0
	switch {
	case len(body) != 2:
		r.junk("an alert of %d octets", len(body))
	case body[0] == warning && body[1] != closeNotify && r.warnings < maxWarnings:
		r.warnings++
		r.Alert = body[1]
	default:
		r.done, r.Alert = true, body[1]
		if r.Outcome != Answered {
			r.Outcome = Alerted
		}
	}
}

// handshake takes a record's share of the handshake messages and parses those that are complete.
func (r *reader) handshake(body []byte) {
	if r.octets += len(body); r.octets > maxHandshake || len(body) == 0 {
		r.junk("handshake messages of more than %d octets, or an empty one", maxHandshake)
		return
	}
	r.messages = append(r.messages, body...)
	for len(r.messages) >= 4 && !r.done {
		n := 4 + int(r.messages[1])<<16 + int(r.messages[2])<<8 + int(r.messages[3])
		if len(r.messages) < n {
			return
		}
		message := r.messages[:n]
		r.messages = r.messages[n:]
		if !r.message(message[0], cryptobyte.String(message[4:])) {
			r.junk("a handshake message of type %d that cannot be read", message[0])
		}
	}
}
