package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/netpath"
)

// An mtuHole is a path on which packets over some size get lost, and nobody reports it (RFC 2923 section 2.1).
type mtuHole struct {
	mssSearch
	direction string // in which they get lost: outbound, inbound, both; "" where the system does not tell
	stuck     imapdial.TCPInfo
	local     netip.Addr
	behind    netpath.Hop // the last that large packets come to; TTL 0: not known
}

// leastMTU is what every IPv6 link carries (RFC 8200 section 5), and IPv4 links are not smaller today: what stops smaller packets goes by their size or
// what they hold.
const leastMTU = 1280

// sizeTrials are those beside, or after, a handshake that goes without an answer (contract 4.1). One that was not made is nil.
type sizeTrials struct {
	small    *retrial // a small hello
	segments *retrial // the usual hello in small segments
	both     *retrial // a small hello in small segments
}

// passing is the trial that shows that small segments are what is needed, or nil.
func (tr *sizeTrials) passing() *retrial {
	if tr.segments.answered() {
		return tr.segments
	}
	if tr.both.answered() && !tr.small.works() {
		return tr.both
	}
	return nil
}

// help reports whether a trial got what the usual handshake did not.
func (tr *sizeTrials) help() bool {
	return tr != nil && (tr.small.works() || tr.passing() != nil)
}

func (tr *sizeTrials) end() {
	if tr == nil {
		return
	}
	for _, r := range []*retrial{tr.small, tr.segments, tr.both} {
		r.end()
	}
}

// laneFloor is how long a trial gets at least to show that it passes: time for a segment that was lost by chance, and for a machine that has much to do.
const laneFloor = 1200 * time.Millisecond

// laneWait is how long a handshake is waited for when another form of it took so long.
func (t *targetRun) laneWait(took time.Duration) time.Duration {
	return min(max(laneFloor, 4*took), t.prober.timeout())
}

// trySizes makes the trials at once: all of them, or only that of the usual hello in small segments. When one of them is answered, the others get some
// time more.
func (t *targetRun) trySizes(ctx context.Context, ep imapdial.Endpoint, all bool) *sizeTrials {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	small := ep
	small.TLS.Groups = smallGroups
	all = all && ep.TLS.Groups == "" // else the hello may be small as it is
	tr := new(sizeTrials)
	tries := map[**retrial]func() *retrial{}
	if all {
		tries[&tr.small] = func() *retrial { return t.trySmall(ctx, ep) }
	}
	if dial, err := netpath.DialMSS(safeMSS); err == nil && !t.proxied() {
		tries[&tr.segments] = func() *retrial { return t.tryHandshake(ctx, ep, t.watch.dial(dial)) }
		if all {
			tries[&tr.both] = func() *retrial { return t.tryHandshake(ctx, small, t.watch.dial(dial)) }
		}
	}
	ended := make(chan *retrial)
	for place, try := range tries {
		go func() {
			*place = try()
			ended <- *place
		}()
	}
	var enough <-chan time.Time
	for left := len(tries); left > 0; {
		select {
		case r := <-ended:
			left--
			if r.answered() && enough == nil {
				timer := time.NewTimer(t.laneWait(r.facts.Took[imapdial.StageHandshake]))
				defer timer.Stop()
				enough = timer.C
			}
		case <-enough:
			cancel()
		}
	}
	return tr
}

// judgeSizes concludes from the trials what the path, or the server, does not take.
func (t *targetRun) judgeSizes(ctx context.Context, s *subject, tr *sizeTrials) {
	if tr == nil {
		return
	}
	passing := tr.passing()
	tr.segments.end()
	tr.both.end()
	if passing == nil {
		s.useSmall(tr.small)
		return
	}
	least := 0
	if tr.small.works() {
		least = leastMTU
	}
	hole := t.measure(ctx, s, passing, least)
	if hole != nil && hole.mtu() < least {
		s.useSmall(tr.small) // no link is like that: a device goes by the size of the first packet
		return
	}
	tr.small.end()
	if hole == nil { // by now the usual handshake passes too
		if r := t.tryHandshake(ctx, s.ep, t.dialer()); r.works() {
			s.facts, s.conn = &r.facts, r.conn
		}
		return
	}
	hole.direction, hole.stuck = direction(s.facts, tr), s.facts.TCP
	s.hole = hole
}

// direction tells from what the kernel saw in which direction large packets get lost. The usual hello is one.
func direction(usual *imapdial.Facts, tr *sizeTrials) string {
	d := directionOf(usual.TCP)
	if d != outbound {
		return d
	}
	// A small hello that arrives shows what becomes of the server's answer.
	if r := tr.small; r != nil && !r.answered() && r.facts.TCP.Known && !r.facts.TCP.Pending && r.facts.Err.Stage == imapdial.StageHandshake {
		return bothWays
	}
	return outbound
}

// directionOf tells from a connection that got stuck what got lost: what this side sent, or the answer to it.
func directionOf(tcp imapdial.TCPInfo) string {
	switch {
	case !tcp.Known:
		return ""
	case tcp.Pending:
		return outbound
	}
	return inbound
}

const outbound, inbound, bothWays = "outbound", "inbound", "both"

// An mssCache holds what was found out about the paths of a target, whose ports share them.
type mssCache struct {
	mu    sync.Mutex // guards found
	found map[netip.Addr]*knownMSS
}

// A knownMSS is for one search of a path at a time.
type knownMSS struct {
	mu  sync.Mutex // held during a search
	mss int        // 0: none was found yet
}

// of returns the entry of an address.
func (c *mssCache) of(a netip.Addr) *knownMSS {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		c.found = map[netip.Addr]*knownMSS{}
	}
	if c.found[a] == nil {
		c.found[a] = new(knownMSS)
	}
	return c.found[a]
}

// measure finds the largest segments with which the handshake passes that passed with small ones. It returns nil if it passes with all.
// Below the MTU least it does not go on.
func (t *targetRun) measure(ctx context.Context, s *subject, passing *retrial, least int) *mtuHole {
	limit := s.facts.TCP.OfferedMSS
	if s.facts.TCP.Pending && s.helloSize > 0 && passing.ep.TLS.Groups == s.ep.TLS.Groups {
		limit = min(limit, s.helloSize+timestamps) // it would be in one packet, as the one that got lost
	}
	wait := t.laneWait(passing.facts.Took[imapdial.StageHandshake])
	return t.narrow(ctx, s, limit, least, func(ctx context.Context, dial dialFunc) (passes, known bool) {
		return t.tryLane(ctx, passing.ep, dial, wait)
	})
}

// timestamps is how many octets of options TCP puts into every segment (RFC 7323 section 3.2); an MSS includes them.
const timestamps = 12

// maxSegment is the largest MSS that can be asked for.
const maxSegment = 32767

// narrow searches the largest MSS with which lane passes, where safeMSS does and limit did not; 0 for limit is that of Ethernet. When the MTU must be
// below least, it leaves it at that. It returns nil if lane passes with limit too: what happened before was something else, and is over.
func (t *targetRun) narrow(ctx context.Context, s *subject, limit, least int, lane func(context.Context, dialFunc) (passes, known bool)) *mtuHole {
	known := t.holes.of(s.address.Addr())
	known.mu.Lock()
	defer known.mu.Unlock()
	header := 40
	if s.family == ipv6 {
		header = 60
	}
	if limit <= safeMSS {
		limit = 1500 - header
	}
	limit = min(limit, maxSegment)
	hole := &mtuHole{mssSearch: mssSearch{works: safeMSS, fails: limit, limit: limit, header: header, guess: known.mss}, local: sourceOf(s.address)}
	for values := hole.next(); len(values) > 0 && ctx.Err() == nil && hole.fails+header > least; values = hole.next() {
		passed, failed := t.tryMSS(ctx, values, lane)
		hole.saw(passed, failed)
		if len(passed)+len(failed) == 0 {
			break // nothing can be learned any more
		}
	}
	if hole.fails == hole.limit { // nobody has seen that fail but whoever asked for the search
		if passed, _ := t.tryMSS(ctx, []int{limit}, lane); len(passed) > 0 {
			return nil
		}
	}
	if hole.exact() {
		known.mss = hole.works
	}
	return hole
}

// tryMSS tries the values at once.
func (t *targetRun) tryMSS(ctx context.Context, values []int, lane func(context.Context, dialFunc) (passes, known bool)) (passed, failed []int) {
	var mu sync.Mutex // guards passed and failed
	var running sync.WaitGroup
	for _, mss := range values {
		dial, err := netpath.DialMSS(mss)
		if err != nil {
			return nil, nil
		}
		running.Go(func() {
			passes, known := lane(ctx, t.watch.dial(dial))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case passes:
				passed = append(passed, mss)
			case known:
				failed = append(failed, mss)
			}
		})
	}
	running.Wait()
	return passed, failed
}

// tryLane tries whether the handshake gets an answer within wait. What comes before it has the usual time, and an end there tells nothing.
func (t *targetRun) tryLane(ctx context.Context, ep imapdial.Endpoint, dial dialFunc, wait time.Duration) (passes, known bool) {
	errLate := errors.New("no answer in time")
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newHelloWatch(dial)
	var running sync.WaitGroup
	ended := make(chan struct{})
	running.Go(func() {
		select {
		case <-ended:
			return
		case <-watch.sent:
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
			cancel(errLate)
		}
	})
	facts, conn := imapdial.Observe(ctx, ep, t.prober.options(watch.DialContext, t.prober.timeout()))
	close(ended)
	running.Wait()
	if conn != nil {
		conn.Close()
	}
	passes = speaksTLS(&facts)
	return passes, passes || errors.Is(facts.Err, errLate) || isTimeout(facts.Err) && facts.Err.Stage == imapdial.StageHandshake
}

// mtuBlackHole is the finding of a path on which large packets get lost.
func (s *subject) mtuBlackHole(hole *mtuHole) finding.Finding {
	size := fmt.Sprintf("packets of more than %d octets", hole.mtu())
	if !hole.exact() {
		size = fmt.Sprintf("packets of more than about %d octets", hole.mtu())
	}
	way := "on the way to " + s.hostPort()
	switch hole.direction {
	case inbound:
		way = "on the way from " + s.hostPort()
	case bothWays:
		way = "on the way to " + s.hostPort() + " and back"
	}
	f := s.tlsFinding("net.mtu-black-hole", size+" get lost "+way,
		"a link on the way, often of a tunnel, VPN or PPPoE line, takes no larger ones, and the ICMP message that would say so does not arrive, so that the sender does not learn of it")
	f.Certainty = finding.Likely
	if hole.exact() {
		f.Certainty = finding.Certain
	}
	f.Remedies = advice(s.mtuLetter(hole),
		fmt.Sprintf("until that is settled, make this computer's packets smaller for the time of the job: an MTU of %d for its network interface or its VPN "+
			"(Linux, as root: ip link set dev INTERFACE mtu %d)", hole.mtu(), hole.mtu()), s.elsewhere())
	f.Evidence["mtu"], f.Evidence["mss"], f.Evidence["exact"] = hole.mtu(), hole.works, hole.exact()
	if hole.behind.TTL != 0 {
		f.Cause += fmt.Sprintf("; too large a packet still comes to %s, and gets lost there or behind it", hopWithTTL(hole.behind))
		f.Evidence["behind"] = hole.behind.Address.String()
	}
	if hole.direction != "" {
		f.Evidence["direction"], f.Evidence["retransmits"] = hole.direction, int(hole.stuck.Retransmits)
	}
	f.Evidence["connections"] = hole.trials
	f.Evidence["error"] = "no answer"
	f.Reproduce = []string{s.ping(hole.mtu()), s.ping(hole.mtu() + 1), s.openssl()}
	return f
}

// mtuLetter is a paragraph for the administrators of the links on the way, ready to be sent.
func (s *subject) mtuLetter(hole *mtuHole) string {
	icmp := "ICMP type 3 code 4 (fragmentation needed)"
	if s.family == ipv6 {
		icmp = "ICMPv6 type 2 (packet too big)"
	}
	from := "this computer"
	if hole.local.IsValid() {
		from = hole.local.String()
	}
	behind := ""
	if hole.behind.TTL != 0 {
		behind = fmt.Sprintf(" They still come to %s, and get lost there or behind it.", hopWithTTL(hole.behind))
	}
	back := map[string]string{inbound: " in the direction from the server", bothWays: " in both directions"}[hole.direction]
	return fmt.Sprintf("send this to the administrator of this network, and of the VPN or tunnel if there is one:\nTCP from %s to %s port %d: packets of up to %d octets pass, "+
		"larger ones get lost%s, and no ICMP message reports it.%s With a maximum segment size of %d connections work, with a larger one they hang. This was seen on %s UTC. "+
		"Please let %s through in both directions, and clamp the MSS on the router where the tunnel, VPN or PPPoE line begins "+
		"(nftables: tcp flags syn tcp option maxseg size set rt mtu). Of these the first gets an answer and the second does not:\n  %s\n  %s",
		from, s.address.Addr(), s.address.Port(), hole.mtu(), back, behind, hole.works, s.facts.Started.UTC().Format(time.DateTime), icmp, s.ping(hole.mtu()), s.ping(hole.mtu()+1))
}

// ping is the line that sends a packet of so many octets, which must not be cut into fragments.
func (s *subject) ping(octets int) string {
	headers := 20 + 8 // of IPv4 and ICMP
	if s.family == ipv6 {
		headers = 40 + 8
	}
	return fmt.Sprintf("ping -c 3 -M do -s %d %s", octets-headers, s.address.Addr())
}
