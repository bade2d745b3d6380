package probe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// The waits of contract 4.1, for a time-out of 5 s or more. Below it they are half of the time-out.
const (
	closedAtOnce = 300 * time.Millisecond // a connection that ends sooner was not ended for what we said
	silentTrial  = 3 * time.Second        // after which a silent port is offered TLS
)

// wait is one of the waits above, shortened where the time-out is short.
func (p *Prober) wait(d time.Duration) time.Duration {
	if limit := p.timeout(); limit < 5*time.Second {
		return min(d, limit/2)
	}
	return d
}

// examine connects to the endpoint and returns the subject with what it saw; s itself stays as it is. An endpoint of imap+auto with a
// port gets the mode that the port speaks.
func (t *targetRun) examine(ctx context.Context, s *subject) *subject {
	seen := *s
	switch {
	case t.target.Mode == Auto && !t.both:
		t.findMode(ctx, &seen)
	case seen.ep.Security == imapdial.TLS:
		t.examineTLS(ctx, &seen)
	default:
		t.examinePlain(ctx, &seen)
	}
	t.diagnose(ctx, &seen)
	t.adapt(ctx, &seen)
	t.lookFurther(ctx, &seen)
	seen.noRoute = seen.noRoute || !seen.connected() && !t.proxied() && !routed(seen.address)
	return &seen
}

// findMode tries TLS first. A port that speaks IMAP in the clear gets a second connection with STARTTLS; one of which nothing was
// seen is taken for what its number says (contract 1.1).
func (t *targetRun) findMode(ctx context.Context, s *subject) {
	unseen := s.ep.Security
	s.ep.Security = imapdial.TLS
	t.examineTLS(ctx, s)
	switch {
	case !s.connected():
		s.ep.Security = unseen
	case protocolOf(s.facts.FirstBytes) == "IMAP",
		unseen == imapdial.STARTTLS && !speaksTLS(s.facts) && len(s.facts.FirstBytes) == 0:
		s.ep.Security = imapdial.STARTTLS
		s.second = nil
		t.examinePlain(ctx, s)
	}
}

// examineTLS observes with TLS from the first byte. Where the connection is closed at once, another one that sends nothing tells whether
// it was for the sake of our hello.
func (t *targetRun) examineTLS(ctx context.Context, s *subject) {
	t.look(ctx, s)
	if !s.connected() || speaksTLS(s.facts) || !isClosed(s.facts.Err) || s.facts.Took[imapdial.StageHandshake] > closedAtOnce {
		return
	}
	plain := s.ep
	plain.Security = imapdial.Cleartext
	facts, conn := imapdial.Observe(ctx, plain, t.prober.options(t.dialer(), t.prober.wait(headerTrial)))
	if conn != nil {
		conn.Close()
	}
	s.second = &facts
	s.headerSeen()
}

// examinePlain observes a port that speaks first. While it is silent, TLS is tried on a second connection beside it.
func (t *targetRun) examinePlain(ctx context.Context, s *subject) {
	first, stopFirst := context.WithCancel(ctx)
	defer stopFirst()
	beside, stopBeside := context.WithCancel(ctx)
	defer stopBeside()

	tls := s.ep
	tls.Security = imapdial.TLS
	var second *imapdial.Facts
	var running sync.WaitGroup
	running.Go(func() {
		select {
		case <-beside.Done():
			return
		case <-time.After(t.prober.wait(silentTrial)):
		}
		facts, conn := imapdial.Observe(beside, tls, t.prober.options(t.dialer(), t.prober.timeout()))
		if conn != nil {
			conn.Close()
		}
		if speaksTLS(&facts) {
			second = &facts
			stopFirst() // nothing more will come in the clear
		}
	})
	t.look(first, s)
	stopBeside()
	running.Wait()
	s.second = second
	t.awaitsHeader(ctx, s)
}

// look observes the endpoint over the first of its addresses that connects.
func (t *targetRun) look(ctx context.Context, s *subject) {
	w := &walk{addresses: s.addresses, dial: t.dialer()}
	l := t.lookBeside(ctx, s, w)
	s.proxied = t.proxied()
	s.facts, s.conn, s.attempts, s.helloSize = &l.facts, l.conn, w.attempts, l.helloSize
	if last := len(w.attempts) - 1; last >= 0 && w.attempts[last].err == nil {
		s.take(w.attempts[last].address)
		s.addresses = []netip.AddrPort{s.address}
	}
	t.judgeSizes(ctx, s, l.trials)
	s.frozeInHandshake(l.heard)
}

// take makes address the one that the endpoint is examined and reported with.
func (s *subject) take(address netip.AddrPort) {
	s.address = address
	s.ep.Connect = address.String()
}

// speaksTLS reports whether a connection showed a TLS server: a certificate, or an alert.
func speaksTLS(f *imapdial.Facts) bool {
	if f.TLS != nil {
		return true
	}
	_, ok := alertOf(f.Err)
	return ok
}

// isClosed reports whether err says that the peer ended the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// protocolOf names the protocol of a first line, or "" for none that is known.
func protocolOf(first []byte) string {
	starts := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if bytes.HasPrefix(bytes.ToUpper(first), []byte(p)) {
				return true
			}
		}
		return false
	}
	switch {
	case len(first) == 0:
		return ""
	case starts("* OK", "* PREAUTH", "* BYE"):
		return "IMAP"
	case starts("+OK", "-ERR"):
		return "POP3"
	case starts("SSH-"):
		return "SSH"
	case starts("HTTP/", "<!DOCTYPE", "<HTML"):
		return "HTTP"
	case starts("220", "421", "554") && bytes.Contains(bytes.ToUpper(first), []byte("FTP")):
		return "FTP"
	case starts("220", "421", "554"):
		return "SMTP"
	case starts("200 ", "201 "):
		return "NNTP"
	case starts("RFB "):
		return "VNC"
	case starts(`"IMPLEMENTATION"`):
		return "ManageSieve"
	case len(first) >= 3 && (first[0] == 0x15 || first[0] == 0x16) && first[1] == 3 && first[2] <= 4: // alert or handshake record
		return "TLS"
	}
	return ""
}
