package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// An attempt is one try to open a TCP connection.
type attempt struct {
	address netip.AddrPort
	took    time.Duration
	err     error
}

// minAttempt is the least time an address gets when several share the time of the step: below it, a far server would be missed.
const minAttempt = 2 * time.Second

// A walk opens a TCP connection to the first of several addresses that answers.
type walk struct {
	addresses []netip.AddrPort
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	attempts  []attempt
}

// DialContext has the shape that imapdial wants; what it is asked to dial is the first of the addresses.
func (w *walk) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	var first error
	for i, address := range w.addresses {
		conn, err := w.try(ctx, network, address, len(w.addresses)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// try dials one address with its share of the time that left addresses have.
func (w *walk) try(ctx context.Context, network string, address netip.AddrPort, left int) (net.Conn, error) {
	begin := time.Now()
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		share := max(time.Until(deadline)/time.Duration(left), minAttempt)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share)
		defer cancel()
	}
	conn, err := w.dial(ctx, network, address.String())
	w.attempts = append(w.attempts, attempt{address, time.Since(begin), err})
	return conn, err
}

// routed reports whether this computer's own routes lead to address. Connecting a UDP socket asks the kernel and sends nothing.
func routed(address netip.AddrPort) bool {
	conn, err := net.Dial("udp", address.String())
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// connected reports whether TCP opened.
func (s *subject) connected() bool {
	return s.facts != nil && (s.facts.Err == nil || s.facts.Err.Stage != imapdial.StageConnect)
}

// reach judges the TCP connection.
func reach(s *subject) outcome {
	out := outcome{took: s.facts.Took[imapdial.StageConnect], facts: map[string]any{"address": s.address.String(), "tried": s.tried()}}
	if s.banned {
		f := s.bannedNow()
		out.stops, out.summary, out.findings = true, f.Summary, []finding.Finding{f}
		return out
	}
	if s.connected() {
		out.summary = "connected to " + s.address.String()
		s.answeredBy(&out)
		return out
	}
	out.stops = true
	f := s.located(s.unreachable())
	if s.beside.otherFamily {
		f = s.familyDead(f)
	}
	out.summary = f.Summary
	switch {
	case s.beside.summedUp:
		// imap.no-tls speaks for this port (contract 4), and the check fails all the same.
		out.status = Fail
		return out
	case s.beside.usableTLS:
		f.Severity = finding.Info
	}
	out.findings = []finding.Finding{f}
	return out
}

// tried lists the attempts as evidence.
func (s *subject) tried() []any {
	list := []any{}
	for _, a := range s.attempts {
		t := map[string]any{"address": a.address.String(), "ms": milliseconds(a.took), "error": ""}
		if a.err != nil {
			t["error"] = wire.Printable(a.err.Error())
		}
		list = append(list, t)
	}
	return list
}

// connectError is why the first address did not connect.
func (s *subject) connectError() error {
	if len(s.attempts) > 0 && s.attempts[0].err != nil {
		return s.attempts[0].err
	}
	return s.facts.Err
}

// unreachable tells the ways apart in which TCP fails, by the error number of the system.
func (s *subject) unreachable() finding.Finding {
	err := s.connectError()
	var errno syscall.Errno
	errors.As(err, &errno)
	where, port := s.hostPort(), s.address.Port()
	switch {
	case errors.As(err, new(*imapdial.ViaError)):
		return s.viaFailed(err)
	case s.noRoute:
		return s.localRoute(err)
	case errno == syscall.ECONNREFUSED, errno == syscall.ECONNRESET:
		return s.refused()
	case errno == syscall.EHOSTUNREACH:
		return s.net("net.host-unreachable", "no way leads to "+where+": host unreachable",
			"a router, or the last network, says that the host cannot be reached: it is down, or a firewall turns the connection away",
			"check that the host is up and that its address is still right",
			fmt.Sprintf("ask the administrators of the server and of this network whether a firewall turns TCP port %d away", port))
	case errno == syscall.ENETUNREACH:
		return s.net("net.network-unreachable", "no way leads to "+where+": network unreachable",
			"a router on the way has no route to the server's network, or a firewall says so",
			"check this computer's network connection with another server",
			"ask the administrator of this network for a route to "+s.address.Addr().String())
	case errno == syscall.EACCES && s.family == ipv6:
		// ICMPv6 type 1 code 1 arrives as EACCES (RFC 4443 section 3.1); a rule of this computer shows as noRoute.
		f := s.net("net.admin-prohibited", "connections to "+where+" are forbidden on the way",
			"a firewall answered that its policy forbids this connection",
			fmt.Sprintf("ask the administrators of this network and of the server to permit TCP port %d", port))
		f.Certainty = finding.Likely
		return f
	case errno == syscall.EPERM:
		return s.net("net.local-firewall", "this computer does not let connections to "+where+" out",
			"a firewall or security module of this computer refused to open the connection",
			fmt.Sprintf("permit outgoing TCP port %d in this computer's firewall", port))
	case errno == syscall.EACCES, errno == syscall.EINVAL, errno == syscall.EADDRNOTAVAIL:
		return s.localRoute(err)
	case isTimeout(err):
		return s.dropped()
	}
	f := s.net("net.network-unreachable", "connecting to "+where+" failed: "+errorText(err),
		"the connection could not be opened, and the error does not tell where that failed",
		"check this computer's network connection, and the proxy if there is one")
	f.Responsible, f.Certainty = finding.Unknown, finding.Possible
	return f
}

// viaFailed says that the way through a proxy did not lead to the server; which of the two is at fault, its words tell.
func (s *subject) viaFailed(err error) finding.Finding {
	f := s.net("net.network-unreachable", s.hostPort()+" was not reached "+errorText(err),
		"the proxy cannot be used, or it could not reach the server from where it is",
		"check that the proxy runs, and that it permits connections to TCP port "+portText(s.ep),
		"leave --via out to see whether the server can be reached from here")
	f.Responsible, f.Certainty = finding.Unknown, finding.Possible
	return f
}

// net starts a finding about reachability.
func (s *subject) net(code finding.Code, summary, cause string, remedies ...string) finding.Finding {
	f := s.finding(code, summary, cause)
	f.Remedies = advice(remedies...)
	f.Evidence["tried"] = s.tried()
	f.Reproduce = []string{s.ncat()}
	return f
}

func (s *subject) refused() finding.Finding {
	f := s.net("net.refused", s.hostPort()+" refuses connections",
		"the host answers, and nothing listens on this port; a firewall that imitates a closed port looks the same",
		"ask the administrator of the server to start the IMAP service on this port, or to say which port it is on")
	if port := s.address.Port(); port != imapdial.TLS.DefaultPort() && port != imapdial.STARTTLS.DefaultPort() {
		f.Remedies = append(advice(fmt.Sprintf("check the port: IMAP with TLS is at 993, IMAP with STARTTLS at 143, and %d was tried", port)), f.Remedies...)
	}
	f.Certainty = finding.Likely
	return f
}

func (s *subject) dropped() finding.Finding {
	f := s.net("net.dropped", s.hostPort()+" does not answer within "+seconds(s.facts.Took[imapdial.StageConnect]),
		"the packets vanish: a firewall on the way or at the server drops them, or the host is down",
		fmt.Sprintf("ask the administrator of this network whether outgoing TCP port %d is permitted", s.address.Port()),
		"ask the administrator of the server whether the host is up and lets this address in",
		"try from another network, such as a mobile phone's: if it works there, this network drops the packets")
	f.Certainty = finding.Likely
	return f
}

func (s *subject) localRoute(err error) finding.Finding {
	return s.net("net.local-route", "this computer has no route to "+s.address.Addr().String()+": "+errorText(err),
		"the system refused to open the connection before it sent a packet: there is no "+s.family.String()+" route there, or a rule forbids it",
		"check this computer's network connection", "look at the routing table with ip route get "+s.address.Addr().String())
}

// familyDead takes the place of a family's other net codes when the port was reached over the other one.
func (s *subject) familyDead(why finding.Finding) finding.Finding {
	code := finding.Code("net.ipv6-dead")
	if s.family == ipv4 {
		code = "net.ipv4-dead"
	}
	f := s.net(code, fmt.Sprintf("%s answers over %s and not over %s", s.hostPort(), s.family.other(), s.family),
		why.Summary+"; clients that try this family first wait for it",
		fmt.Sprintf("ask the administrator of the server to make %s work over %s, or to take that address out of the DNS", s.hostPort(), s.family),
		"nothing is needed for this job: the settings use the address that works")
	f.Evidence["code"] = string(why.Code)
	f.Responsible, f.Certainty = why.Responsible, finding.Likely
	f.Reproduce = why.Reproduce
	return f
}

// isTimeout reports whether err says that time was up.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) ||
		errors.As(err, &t) && t.Timeout()
}

// errorText is the innermost reason of err, printable: the layers above repeat the address.
func errorText(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	if err == nil {
		return "unknown reason"
	}
	return wire.Printable(err.Error())
}
