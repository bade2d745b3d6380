package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/netpath"
)

// A freeze is a connection that carried something and then carried nothing any more, and did not end.
type freeze struct {
	when   string // it stopped, as in: it stops …
	early  bool   // during the handshake
	once   bool   // and not when the same was tried again
	octets int64  // that had come in by then
	waited time.Duration
	tcp    imapdial.TCPInfo
	hole   *mtuHole // smaller packets are carried: that is the reason; nil: not so
}

// freezeWait is how long nothing has to come for a connection to be taken as frozen: time for the kernel to send what got lost again, several times.
const freezeWait = 5 * time.Second

// frozeInHandshake takes note of a handshake in which octets came, and then no more, though the rest was waited for. heard is how many came after the
// ClientHello.
func (s *subject) frozeInHandshake(heard int64) {
	if heard == 0 || s.hole != nil || s.shookHands() || !isTimeout(s.facts.Err) || s.facts.Err.Stage != imapdial.StageHandshake {
		return
	}
	s.freeze = &freeze{when: "in the middle of the TLS handshake", early: true, octets: heard, waited: s.facts.Took[imapdial.StageHandshake], tcp: s.facts.TCP}
}

// exchangeOctets is how much goes over a connection to see whether the path carries that: filters that stop connections do so after some 16 KiB.
const exchangeOctets = 64 << 10

// exchangeAll sends some kilobytes back and forth at every endpoint that works so far, on a connection of its own (--path).
func (t *targetRun) exchangeAll(ctx context.Context) {
	if t.prober.Path != PathAlways || t.proxied() {
		return
	}
	var running sync.WaitGroup
	for _, s := range t.subjects {
		if s.conn == nil {
			continue
		}
		running.Go(func() {
			if f := t.exchange(ctx, s); f != nil {
				t.live.change(func() { s.freeze = f })
			}
		})
	}
	running.Wait()
}

// exchange sends octets back and forth before the sign-in. It returns nil unless the connection froze.
func (t *targetRun) exchange(ctx context.Context, s *subject) *freeze {
	wait := t.prober.wait(freezeWait)
	x := t.exchangeOver(ctx, s.ep, t.dialer(), exchangeOctets, wait)
	if x == nil || !x.Froze {
		return nil
	}
	f := &freeze{when: "while capabilities are asked for again and again", octets: int64(x.Octets), waited: wait, tcp: x.TCP}
	if x.TCP.Known {
		f.octets = int64(x.TCP.Received)
	}
	t.trySegments(ctx, s, f, min(exchangeOctets, 2*x.Octets+exchangeOctets/8))
	return f
}

// exchangeOver makes an exchange on a connection of its own. It returns nil when the connection does not come about.
func (t *targetRun) exchangeOver(ctx context.Context, ep imapdial.Endpoint, dial dialFunc, octets int, quiet time.Duration) *imapdial.Exchange {
	conn, err := imapdial.Dial(ctx, ep, t.prober.options(dial, t.prober.timeout()))
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.Exchange(ctx, octets, quiet)
}

// trySegments tries whether the same exchange is carried in small segments, and up to which size.
func (t *targetRun) trySegments(ctx context.Context, s *subject, f *freeze, octets int) {
	dial, err := netpath.DialMSS(safeMSS)
	if err != nil {
		return
	}
	wait := t.laneWait(4 * f.tcp.RTT)
	lane := func(ctx context.Context, dial dialFunc) (passes, known bool) {
		x := t.exchangeOver(ctx, s.ep, dial, octets, wait)
		if x == nil {
			return false, false
		}
		passes = x.Octets >= octets && !x.Froze
		return passes, passes || x.Froze
	}
	if passes, _ := lane(ctx, t.watch.dial(dial)); !passes {
		return
	}
	if passes, _ := lane(ctx, t.dialer()); passes {
		f.once = true // whatever it was, it was not the size
		return
	}
	if f.hole = t.narrow(ctx, s, f.tcp.OfferedMSS, 0, lane); f.hole != nil {
		f.hole.direction, f.hole.stuck = directionOf(f.tcp), f.tcp
	}
}

// explainFreeze looks whether a connection that stopped after the sign-in stops before it too, and for the size of packets.
func (t *targetRun) explainFreeze(ctx context.Context, s *subject, f *freeze) {
	if t.proxied() {
		return
	}
	if before := t.exchange(ctx, s); before != nil {
		f.hole = before.hole
	}
}

// frozeAfterSignIn takes note of a session that stopped while it was asked for something.
func frozeAfterSignIn(session *imapdial.Session, err error, begin time.Time) *freeze {
	tcp, waited := session.TCP(), time.Since(begin)
	if !isTimeout(err) || !tcp.Known || tcp.Quiet < waited/2 {
		return nil // a slow line still carries something
	}
	return &freeze{when: "while messages are read", octets: int64(tcp.Received), waited: tcp.Quiet, tcp: tcp}
}

// stops is the finding of a connection that froze.
func (s *subject) stops(f *freeze) finding.Finding {
	if f.hole != nil {
		return s.mtuBlackHole(f.hole)
	}
	found := s.finding("net.freezes", fmt.Sprintf("the connection to %s stops %s: %s came, and then nothing for %s", s.hostPort(), f.when,
		count(int(f.octets), "octet", "octets"), seconds(f.waited)),
		"a device on the way, or the server, stops carrying the connection after some kilobytes and does not end it: a filter that looks into connections, "+
			"an overloaded router or proxy, or a server that hangs")
	found.Responsible, found.Certainty = finding.Unknown, finding.Likely
	if f.once {
		found.Certainty = finding.Possible
		found.Cause += "; when the same was tried again, it went through"
	}
	found.Evidence["octets_received"], found.Evidence["seconds"] = f.octets, f.waited.Seconds()
	if f.tcp.Known && !s.proxied {
		found.Evidence["octets_sent"], found.Evidence["retransmits"] = int64(f.tcp.Acked), int(f.tcp.Retransmits)
		found.Evidence["unacknowledged"], found.Evidence["out_of_order"] = int(f.tcp.InFlight), int(f.tcp.OutOfOrder)
		switch {
		case f.tcp.Pending && f.tcp.Retransmits > 0:
			found.Responsible = finding.Path
			found.Cause += "; what this computer sends is not acknowledged any more, so that the way is cut, and not only the server's program silent"
		case f.tcp.OutOfOrder > 0:
			found.Cause += "; packets came after the one that is missing, so that some get lost on the way, such as all that are large"
		}
	}
	found.Remedies = advice("try from another network, such as a phone's hotspot: if it works there, a device of this network stops the connection",
		fmt.Sprintf("send this to the administrators of this network and of the server:\nTCP connections to %s port %d come about and stop after %d octets received: "+
			"nothing more arrives, and the connection is not closed (seen on %s UTC). Please look for a device that inspects or limits connections to this port.",
			s.address.Addr(), s.address.Port(), f.octets, s.facts.Started.UTC().Format(time.DateTime)),
		s.elsewhere())
	found.Reproduce = []string{s.session() + "   # then type, many times: a1 CAPABILITY", "ss -tino dst " + s.address.Addr().String() + "   # meanwhile, in another terminal"}
	return found
}
