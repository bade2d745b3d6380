package probe

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/imapilot-project/imapilot/probe/hello"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/netpath"
)

// A pathSeen is what was seen of the path to an endpoint.
type pathSeen struct {
	survey  *netpath.Survey
	verdict netpath.Verdict
	unheard bool                // an ICMP message was the answer of before, and the look heard none
	own     bool                // the survey is of this endpoint's port, and not of one that came out alike
	also    []uint16            // further ports that it holds for
	hello   *netpath.HelloTrace // where the ClientHello got to; nil: not tried
	onHello netpath.Verdict
	reset   bool       // the hello is answered with a reset, and does not just get lost
	local   netip.Addr // what the packets come from
	when    time.Time
}

// lookAtPaths looks which device acts where an endpoint could not be reached, or where somebody else may answer in its name; with --path
// everywhere. One port of each family is looked at; those that came out alike take over what it showed.
func (t *targetRun) lookAtPaths(ctx context.Context) {
	if t.prober.Path == PathNever || t.proxied() || ctx.Err() != nil {
		return
	}
	var running sync.WaitGroup
	for _, f := range families {
		running.Go(func() {
			surveying, cancel := context.WithTimeout(ctx, netpath.Limit)
			defer cancel()
			var before *netpath.Survey
			for _, s := range t.worthALook(f) {
				before = t.lookAtPath(ctx, surveying, s, before)
			}
		})
	}
	running.Wait()
	t.again(ctx)
}

// worthALook returns the endpoints of a family whose path is looked at: the first that cannot be reached, and the first of which something speaks for
// a look.
func (t *targetRun) worthALook(f family) []*subject {
	var unreached, doubtful *subject
	for _, s := range t.subjects {
		if s.family != f || s.skip != "" || s.facts == nil || s.banned || netpath.IsOwn(s.address.Addr()) || t.sparesSecond(s) {
			continue
		}
		switch {
		case !s.connected():
			unreached = cmp.Or(unreached, s)
		case s.doubtful() || t.prober.Path == PathAlways && unreached == nil:
			doubtful = cmp.Or(doubtful, s)
		}
	}
	return slices.DeleteFunc([]*subject{unreached, doubtful}, func(s *subject) bool { return s == nil })
}

// sparesSecond reports whether s is port 143 of imap+auto beside a 993 where a certificate was seen: it starts no look (contract 1.1).
func (t *targetRun) sparesSecond(s *subject) bool {
	if !t.both || t.prober.Path == PathAlways || s.ep.Security == imapdial.TLS {
		return false
	}
	for _, o := range t.subjects {
		if o.ep.Security == imapdial.TLS && o.facts != nil && o.facts.Acceptable() {
			return true
		}
	}
	return false
}

// slowConnect is from when on a connection must have lost its first SYN: the kernel sends it again after a second.
const slowConnect = 950 * time.Millisecond

// doubtful reports whether TCP opened and what came then makes it doubtful who answered, or whether all packets arrive.
func (s *subject) doubtful() bool {
	switch {
	case s.facts.Took[imapdial.StageConnect] >= slowConnect:
		return true
	case s.facts.Err != nil:
		return s.ep.Security == imapdial.Cleartext || !s.shookHands()
	}
	for _, f := range s.facts.Faults {
		switch f.Kind {
		case imapdial.FaultUnknownCA, imapdial.FaultSelfSigned, imapdial.FaultIncompleteChain, imapdial.FaultImitatedIssuer, imapdial.FaultNameMismatch:
			return true
		}
	}
	return len(s.inspection()) > 0
}

// lookAtPath surveys the path of s, after another port of the host if before is not nil and as long as surveying lasts, and gives the result to those that
// it holds for.
func (t *targetRun) lookAtPath(ctx, surveying context.Context, s *subject, before *netpath.Survey) *netpath.Survey {
	survey := netpath.Look(surveying, netpath.Question{
		To:      s.address,
		Others:  t.otherHosts(s.family),
		Control: t.control(ctx, s.family),
		Repeat:  t.prober.Path == PathAlways || s.connected() && s.facts.Took[imapdial.StageConnect] >= slowConnect,
		After:   before,
		Patient: !s.connected() && !isTimeout(s.connectError()) && s.facts.Took[imapdial.StageConnect] >= slowConnect,
	})
	seen := &pathSeen{survey: survey, verdict: survey.Judge(), own: true, local: sourceOf(s.address), when: time.Now().UTC()}
	switch v := &seen.verdict; {
	case v.Act == netpath.Answers && v.Place == netpath.OnPath && s.facts.Acceptable():
		v.Act = netpath.Passes // with the server's own certificate it is the provider's balancer
	case v.Act == netpath.Passes && !s.connected():
		v.Act = netpath.Loses // it was not reached, and is now
	case v.Act == netpath.Drops && saidUnreachable(s.connectError()):
		seen.unheard = true
		*v = unheardVerdict(v.Hop)
	}
	if seen.verdict.Act == netpath.Passes && s.lostHello() && survey.Trace != nil {
		t.lookAtHello(ctx, s, seen)
	}
	behind, located := t.locateHole(ctx, s, survey)
	t.live.change(func() {
		for _, o := range t.subjects {
			if o.family != s.family || o.facts == nil {
				continue
			}
			if o.hole != nil && located {
				o.hole.behind = behind
			}
			switch {
			case o == s:
				o.path = seen
			case o.path == nil && survey.Holds(o.address) && o.connected() == s.connected():
				copied := *seen
				copied.own, copied.hello = false, nil
				o.path = &copied
				seen.also = append(seen.also, o.address.Port())
			}
		}
	})
	return survey
}

// unheardVerdict is for an answer that came to the connection and not to the survey: it weighs more than the silence, and is most likely from the last
// router that shows itself.
func unheardVerdict(last netpath.Hop) netpath.Verdict {
	v := netpath.Verdict{Act: netpath.Rejects, Hop: last, Sure: netpath.Likely}
	switch {
	case last.TTL == 1:
		v.Place = netpath.FirstHop
	case last.TTL > 1:
		v.Place = netpath.OnPath
	}
	return v
}

// saidUnreachable reports whether an error of a connection comes from an ICMP message: this computer has a route, and somebody has none.
func saidUnreachable(err error) bool {
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EACCES)
}

// lostHello reports whether the ClientHello was reset, or was never acknowledged.
func (s *subject) lostHello() bool {
	return s.connected() && s.saidHello() && !s.shookHands() && s.facts.Err != nil && len(s.facts.FirstBytes) == 0 &&
		(isTimeout(s.facts.Err) && s.facts.TCP.Pending || errors.Is(s.facts.Err, syscall.ECONNRESET)) && !s.closedWithoutHello() && s.hole == nil && s.freeze == nil
}

// lookAtHello sends a small ClientHello, which fits into one packet, as far as each hop.
func (t *targetRun) lookAtHello(ctx context.Context, s *subject, seen *pathSeen) {
	end, ok := seen.survey.Trace.End()
	if !ok || end.Outcome != netpath.Connected {
		return
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		return imapdial.BeforeTLS(ctx, s.ep, t.prober.options(t.unwatched(), t.prober.timeout()))
	}
	offer := hello.Offer{Version: hello.TLS12, Suites: hello.GoSuites, Groups: hello.GoGroups[3:], Schemes: hello.GoSchemes, ServerName: s.ep.ServerName()}
	if s.askedByAddress() {
		offer.ServerName = ""
	}
	trace, err := netpath.TraceHello(ctx, dial, offer.Marshal(), end.TTL)
	if err != nil {
		return
	}
	seen.hello, seen.onHello, seen.reset = trace, trace.Judge(seen.survey), isClosed(s.facts.Err)
}

// again examines endpoints once more that were not reached though some of their connections come about.
func (t *targetRun) again(ctx context.Context) {
	for _, s := range t.subjects {
		if s.path == nil || s.path.verdict.Act != netpath.Loses || s.connected() {
			continue
		}
		fresh := *s
		fresh.facts, fresh.attempts = nil, nil
		seen := t.examine(ctx, &fresh)
		if seen.connected() {
			t.live.change(func() { *s = *seen })
		} else if seen.conn != nil {
			seen.conn.Close()
		}
	}
}

// otherHosts are addresses of the run's other targets.
func (t *targetRun) otherHosts(f family) []netip.Addr {
	var hosts []netip.Addr
	for _, o := range t.peers {
		if found := o.reached.Load(); o != t && found != nil && len(found.addresses[f]) > 0 && o.target.Via == "" {
			hosts = append(hosts, found.addresses[f][0])
		}
	}
	return hosts
}

// control looks up the server that paths are compared with; the zero value when there is none in this family.
func (t *targetRun) control(ctx context.Context, f family) netip.AddrPort {
	host, portText, err := net.SplitHostPort(t.prober.Control)
	if err != nil {
		return netip.AddrPort{}
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return netip.AddrPort{}
	}
	found := t.addressesOf(ctx, host)
	if len(found.addresses[f]) == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(found.addresses[f][0], uint16(port))
}

// sourceOf is the address that packets to another one come from; connecting a UDP socket asks the kernel and sends nothing.
func sourceOf(to netip.AddrPort) netip.Addr {
	conn, err := net.Dial("udp", to.String())
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	local, _ := netip.ParseAddrPort(conn.LocalAddr().String())
	return local.Addr().Unmap()
}

// pathReport is the path of the first endpoint that could not be reached, else the first that was looked at; nil without one.
func (t *targetRun) pathReport() *Path {
	var shown *subject
	for _, s := range t.subjects {
		if s.path == nil || !s.path.own || s.path.survey.Trace == nil {
			continue
		}
		if shown == nil || shown.connected() && !s.connected() {
			shown = s
		}
	}
	if shown == nil {
		return nil
	}
	return shown.path.report()
}

func (p *pathSeen) report() *Path {
	r := &Path{Hops: []Hop{}}
	v, how := p.acts()
	for _, h := range p.survey.Trace.Hops() {
		if name, ok := p.survey.Names[h.TTL]; ok {
			h.Address = name
		}
		if h.Address == p.survey.To.Addr() && p.imitated(v, how) {
			if how != "redirect" {
				break // somebody nearer answered
			}
			if h.TTL != v.Try.TTL {
				h.Address = netip.Addr{} // a router whose report was translated
			}
		}
		r.Hops = append(r.Hops, hopReport(h))
	}
	if how != "" && (v.Hop.TTL != 0 || v.Place == netpath.Here) {
		h := hopReport(v.Hop)
		h.How = how
		r.ActsAt = &h
	}
	return r
}

// imitated reports whether what came in the host's name need not be from it.
func (p *pathSeen) imitated(v netpath.Verdict, how string) bool {
	return how != "" && p.hello == nil && v.Place != netpath.AtHost
}

func hopReport(h netpath.Hop) Hop {
	r := Hop{TTL: h.TTL, RTTMS: milliseconds(h.RTT)}
	if h.Address.IsValid() {
		r.Address = h.Address.String()
	}
	return r
}

// acts returns the verdict that counts and how the device acts, "" when nothing does.
func (p *pathSeen) acts() (v netpath.Verdict, how string) {
	if p.hello != nil {
		how = "hello-drop"
		if p.reset {
			how = "hello-reset"
		}
		return p.onHello, how
	}
	switch v = p.verdict; v.Act {
	case netpath.NoRoute, netpath.FiltersHere, netpath.Drops:
		how = "drop"
		if v.Try.Outcome == netpath.Refused {
			how = "reset"
		}
		if icmp := v.Try.ICMP(); icmp != "" && v.Try.Outcome == netpath.Unreachable {
			how = icmp
		}
	case netpath.Refuses:
		how = "reset"
	case netpath.Rejects:
		if how = v.Try.ICMP(); how == "" {
			how = "icmp"
		}
	case netpath.Answers, netpath.AnswersForAll:
		how = "answer"
	case netpath.Redirects:
		how = "redirect"
	}
	return v, how
}
