package render

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// A PathMap is the path to a target as it is drawn: this computer, the devices on the way, the server, and a mark behind the device that
// acts. [NewPathMap] makes one.
type PathMap struct {
	path     *probe.Path
	host     string           // of the target
	own      []string         // the server's addresses
	finding  *finding.Finding // what was found because of this path, or nil
	stations []station        // this computer first, the server last
	mark     pathMark         // behind the station that acts
	arrived  bool             // packets were seen to get to the server
}

// A station is a place on the path.
type station struct {
	kind stationKind
	ttl  int    // the first of its hops; of the server: its distance, 0 if not known
	hops int    // how many hops it stands for
	name string // address, host, or a word
	ms   float64
	acts bool
}

type stationKind uint8

const (
	kindSelf   stationKind = iota // this computer
	kindHop                       // a device on the way
	kindSilent                    // one or more that do not answer, or of which nothing is known
	kindLeft                      // several for which the line has no room
	kindServer
)

// pathMark says what kind of end the packets come to at the station that acts.
type pathMark uint8

const (
	noMark   pathMark = iota
	cut               // they are dropped or refused
	turned            // they are answered in the server's name
	diverted          // they are sent on to another machine
)

// How a device acts, as [probe.Path] has it; an ICMP message has its own name.
const (
	howDrop       = "drop"
	howReset      = "reset"
	howAnswer     = "answer"
	howRedirect   = "redirect"
	howHelloDrop  = "hello-drop"
	howHelloReset = "hello-reset"
)

// NewPathMap returns the map of a target's path, nil if it was not looked at. Of findings those count that concern the target.
func NewPathMap(t *probe.TargetReport, findings []finding.Finding) *PathMap {
	if t == nil || t.Path == nil {
		return nil
	}
	m := &PathMap{path: t.Path, host: hostOf(t), own: addressesOf(t)}
	m.finding = pathFinding(t.Path, findings)
	m.mark = m.markOf()
	server := m.server()
	m.stations = append([]station{{kind: kindSelf, name: "you", acts: m.acting() == 0}}, m.hops(server)...)
	m.stations = append(foldSilent(m.stations), server)
	return m
}

// Concerns reports whether f is the finding that the map illustrates.
func (m *PathMap) Concerns(f finding.Finding) bool {
	return m.finding != nil && m.finding.Code == f.Code && sameTarget(*m.finding, f) && m.finding.Cause == f.Cause && m.finding.Check == f.Check
}

// pathCodes are the codes that a path may explain, by how a device on it acts.
var pathCodes = map[string][]finding.Code{
	howDrop:       {"net.dropped", "net.egress-blocked", "net.local-firewall", "net.local-route", "net.ipv6-dead", "net.ipv4-dead"},
	howReset:      {"net.refused-by-hop", "net.refused", "net.egress-blocked", "net.local-firewall", "net.ipv6-dead", "net.ipv4-dead"},
	howAnswer:     {"net.captive-portal", "net.intercepted", "cert.inspection"},
	howRedirect:   {"net.redirected"},
	howHelloDrop:  {"net.hello-dropped", "net.large-hello-dropped"},
	howHelloReset: {"net.hello-reset", "net.large-hello-dropped"},
	"icmp": {"net.port-unreachable", "net.admin-prohibited", "net.host-unreachable", "net.network-unreachable", "net.egress-blocked",
		"net.local-firewall", "net.local-route", "net.ipv6-dead", "net.ipv4-dead"},
}

// pathFinding returns the finding that was made because of a path, the likeliest code first; nil if nothing acts or nothing was made of it.
func pathFinding(p *probe.Path, findings []finding.Finding) *finding.Finding {
	if p.ActsAt == nil {
		return nil
	}
	how := p.ActsAt.How
	if strings.HasPrefix(how, "icmp") {
		how = "icmp"
	}
	for _, code := range pathCodes[how] {
		if i := slices.IndexFunc(findings, func(f finding.Finding) bool { return f.Code == code }); i >= 0 {
			return &findings[i]
		}
	}
	return nil
}

// addressesOf are the addresses that are the server's own.
func addressesOf(t *probe.TargetReport) []string {
	own := []string{t.Host}
	for _, e := range t.Endpoints {
		if host, _, err := net.SplitHostPort(e.Address); err == nil {
			own = append(own, host)
		}
	}
	return own
}

// acting is the TTL of the device that acts, -1 if none does.
func (m *PathMap) acting() int {
	if m.path.ActsAt == nil {
		return -1
	}
	return m.path.ActsAt.TTL
}

func (m *PathMap) how() string {
	if m.path.ActsAt == nil {
		return ""
	}
	return m.path.ActsAt.How
}

func (m *PathMap) markOf() pathMark {
	switch how := m.how(); {
	case m.path.ActsAt == nil:
		return noMark
	case how == howAnswer:
		return turned
	case how == howRedirect:
		return diverted
	}
	return cut
}

// actsAtServer reports whether what acts has the server's address. One that answers, or sends on, in its name is never the server.
func (m *PathMap) actsAtServer() bool {
	a := m.path.ActsAt
	return a != nil && a.Address != "" && slices.Contains(m.own, a.Address) && m.mark == cut
}

// server is the last station. Packets got to it if it acts, or if it answered and nobody in front of it can have done so in its name.
func (m *PathMap) server() station {
	server := station{kind: kindServer, hops: 1, name: m.host, acts: m.actsAtServer()}
	if server.acts {
		server.ttl, server.ms = m.path.ActsAt.TTL, m.path.ActsAt.RTTMS
	} else if m.mark == noMark || m.mark == diverted || strings.HasPrefix(m.how(), "hello-") {
		for _, h := range m.path.Hops {
			if slices.Contains(m.own, h.Address) && h.TTL > m.acting() {
				server.ttl, server.ms = h.TTL, h.RTTMS
			}
		}
	}
	m.arrived = server.ttl > 0
	return server
}

// hops are the devices on the way. A hop with the server's address is none: it is the server, or speaks in its name.
func (m *PathMap) hops(server station) []station {
	byTTL := map[int]probe.Hop{}
	last := max(0, server.ttl-1)
	for _, h := range m.path.Hops {
		if !slices.Contains(m.own, h.Address) && h.Address != "" {
			byTTL[h.TTL], last = h, max(last, h.TTL)
		}
	}
	acting := m.acting()
	if a := m.path.ActsAt; acting > 0 && !server.acts {
		h := *a
		if seen := byTTL[acting]; h.RTTMS == 0 && seen.Address == h.Address {
			h.RTTMS = seen.RTTMS
		}
		if slices.Contains(m.own, h.Address) {
			h.Address = ""
		}
		byTTL[acting], last = h, max(last, acting)
	}
	var stations []station
	for ttl := 1; ttl <= last; ttl++ {
		stations = append(stations, hopStation(ttl, byTTL[ttl], ttl == acting && !server.acts))
	}
	if m.mark == noMark && !m.arrived {
		stations = append(stations, station{kind: kindSilent, name: "(silent)"})
	}
	return stations
}

func hopStation(ttl int, h probe.Hop, acts bool) station {
	s := station{kind: kindHop, ttl: ttl, hops: 1, name: h.Address, ms: h.RTTMS, acts: acts}
	switch {
	case h.Address != "":
	case acts:
		s.name = fmt.Sprintf("hop %d", ttl)
	default:
		s.kind, s.name = kindSilent, "*"
	}
	return s
}

// mostStars is how many silent hops in a row are shown one by one.
const mostStars = 2

// foldSilent makes one station of a long run of silent hops.
func foldSilent(stations []station) []station {
	var folded []station
	for i := 0; i < len(stations); {
		n := 1
		for stations[i].name == "*" && i+n < len(stations) && stations[i+n].name == "*" {
			n++
		}
		if n > mostStars {
			folded = append(folded, station{kind: kindSilent, ttl: stations[i].ttl, hops: n, name: fmt.Sprintf("(%d silent)", n)})
		} else {
			folded = append(folded, stations[i:i+n]...)
		}
		i += n
	}
	return folded
}

// actor is the station that acts, nil if none does.
func (m *PathMap) actor() *station {
	for i := range m.stations {
		if m.stations[i].acts {
			return &m.stations[i]
		}
	}
	return nil
}
