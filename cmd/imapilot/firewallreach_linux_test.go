package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/netpath/netlab"
)

// here is where a path says that this computer acts: before the first hop.
const here = "0 "

// forward has a router apply rules to what it forwards.
func forward(n netlab.Node, rules ...string) func(*site) {
	return func(s *site) { s.Filter(n, "forward", rules...) }
}

// output has a node apply rules to what it sends itself.
func output(n netlab.Node, rules ...string) func(*site) {
	return func(s *site) { s.Filter(n, "output", rules...) }
}

// hide keeps the routers from saying that the life of a packet is over.
func hide(s *site) {
	for _, r := range []netlab.Node{netlab.Router1, netlab.Router2} {
		s.Filter(r, "output", "icmp type time-exceeded drop", "icmpv6 type time-exceeded drop")
	}
}

// all does one after the other.
func all(builds ...func(*site)) func(*site) {
	return func(s *site) {
		for _, b := range builds {
			b(s)
		}
	}
}

// imaps is what of the packets a firewall of the cases is about.
const imaps = "tcp dport 993 "

// reachabilityOverIPv4 has what makes a connection fail before it is open, and where that happens.
func reachabilityOverIPv4() []firewallCase {
	return []firewallCase{
		{name: "nothing listens on the port", bare: true, build: func(s *site) { s.serve(netlab.Server, server+":143") },
			code: "net.refused", responsible: "server", certainty: "likely", actsAt: "3 " + server, hops: router1 + " " + router2 + " " + server, exit: 10},
		{name: "router 1 answers with a reset", build: forward(netlab.Router1, imaps+"reject with tcp reset"),
			code: "net.refused-by-hop", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "router 2 answers with a reset, as the server would", build: forward(netlab.Router2, imaps+"reject with tcp reset"),
			code: "net.refused", responsible: "server", certainty: "likely", actsAt: "3 " + server, exit: 10},

		{name: "router 2 says port unreachable", build: forward(netlab.Router2, imaps+"reject with icmp port-unreachable"),
			code: "net.port-unreachable", responsible: "path", certainty: "certain", actsAt: "2 " + router2, hops: router1 + " " + router2, exit: 10},
		{name: "router 1 says port unreachable", build: forward(netlab.Router1, imaps+"reject with icmp port-unreachable"),
			code: "net.port-unreachable", responsible: "local-network", certainty: "certain", actsAt: "1 " + router1, exit: 10},
		{name: "router 2 says prohibited by administration", build: forward(netlab.Router2, imaps+"reject with icmp admin-prohibited"),
			code: "net.admin-prohibited", responsible: "path", certainty: "certain", actsAt: "2 " + router2, exit: 10},
		{name: "router 2 says host prohibited", build: forward(netlab.Router2, imaps+"reject with icmp host-prohibited"),
			code: "net.admin-prohibited", responsible: "path", certainty: "certain", actsAt: "2 " + router2, exit: 10},
		{name: "router 2 says network prohibited", build: forward(netlab.Router2, imaps+"reject with icmp net-prohibited"),
			code: "net.admin-prohibited", responsible: "path", certainty: "certain", actsAt: "2 " + router2, exit: 10},
		{name: "router 1 says prohibited by administration", build: forward(netlab.Router1, imaps+"reject with icmp admin-prohibited"),
			code: "net.admin-prohibited", responsible: "local-network", certainty: "certain", actsAt: "1 " + router1, exit: 10},
		{name: "router 2 says network unreachable", build: forward(netlab.Router2, imaps+"reject with icmp net-unreachable"),
			code: "net.network-unreachable", responsible: "path", certainty: "certain", actsAt: "2 " + router2, exit: 10},
		{name: "router 2 says host unreachable", build: forward(netlab.Router2, imaps+"reject with icmp host-unreachable"),
			code: "net.host-unreachable", responsible: "path", certainty: "certain", actsAt: "2 " + router2, exit: 10},
		// The kernel of a router that looks for a host in vain for a second time does not always say so again.
		{name: "router 2 does not find the host in its network", args: []string{"imaps://" + deadHost}, timeout: 5 * time.Second,
			code: "net.host-unreachable", responsible: "path", certainty: "certain|likely", actsAt: "2 " + router2, exit: 10},

		{name: "router 1 drops", build: forward(netlab.Router1, imaps+"drop"),
			code: "net.dropped", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "router 2 drops", build: forward(netlab.Router2, imaps+"drop"),
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2, hops: router1 + " " + router2, exit: 10},
		{name: "the server drops what comes in", build: func(s *site) { s.Filter(netlab.Server, "input", imaps+"drop") },
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2, exit: 10},
		{name: "the server drops its own answers", build: output(netlab.Server, "tcp sport 993 drop"),
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2, exit: 10},
		{name: "router 2 drops the answers", build: forward(netlab.Router2, "tcp sport 993 drop"),
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2, exit: 10},

		{name: "router 1 answers with a reset and does not show itself", build: all(hide, forward(netlab.Router1, imaps+"reject with tcp reset")),
			code: "net.refused-by-hop", responsible: "local-network", certainty: "likely", actsAt: "1 ", exit: 10},
		{name: "router 1 drops, and no router shows itself", build: all(hide, forward(netlab.Router1, imaps+"drop")),
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "", exit: 10},

		{name: "this computer drops", build: output(netlab.Client, imaps+"drop"),
			code: "net.local-firewall", responsible: "this-computer", certainty: "likely", actsAt: here, exit: 10},
		{name: "this computer rejects with ICMP", build: output(netlab.Client, imaps+"reject with icmp host-unreachable"),
			code: "net.local-firewall", responsible: "this-computer", certainty: "certain", actsAt: here, exit: 10},
		{name: "this computer rejects with a reset", build: output(netlab.Client, imaps+"reject with tcp reset"),
			code: "net.local-firewall", responsible: "this-computer", certainty: "likely", actsAt: here, exit: 10},
		{name: "there is no default route", build: func(s *site) { s.IP(netlab.Client, "route", "del", "default") },
			code: "net.local-route", responsible: "this-computer", certainty: "certain", actsAt: here, exit: 10},
		{name: "a route prohibits", build: func(s *site) { s.IP(netlab.Client, "route", "add", "prohibit", "10.3.0.0/24") },
			code: "net.local-route", responsible: "this-computer", certainty: "certain", actsAt: here, exit: 10},
		{name: "a route is a black hole", build: func(s *site) { s.IP(netlab.Client, "route", "add", "blackhole", "10.3.0.0/24") },
			code: "net.local-route", responsible: "this-computer", certainty: "certain", actsAt: here, exit: 10},
		{name: "a route says unreachable", build: func(s *site) { s.IP(netlab.Client, "route", "add", "unreachable", "10.3.0.0/24") },
			code: "net.local-route", responsible: "this-computer", certainty: "certain", actsAt: here, exit: 10},
	}
}

// reachabilityOverIPv6 has the same for the other family, where it differs.
func reachabilityOverIPv6() []firewallCase {
	args := []string{"imaps://[" + serverSix + "]"}
	// Linux may overlook the first ICMPv6 message; see package netlab.
	tests := []firewallCase{
		{name: "nothing listens on the port", bare: true,
			code: "net.refused", responsible: "server", certainty: "likely", actsAt: "3 " + serverSix, hops: router1Six + " " + router2Six + " " + serverSix, exit: 10},
		{name: "router 1 answers with a reset", build: forward(netlab.Router1, imaps+"reject with tcp reset"),
			code: "net.refused-by-hop", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1Six, exit: 10},
		{name: "router 2 answers with a reset, as the server would", build: forward(netlab.Router2, imaps+"reject with tcp reset"),
			code: "net.refused", responsible: "server", certainty: "likely", actsAt: "3 " + serverSix, exit: 10},
		{name: "router 2 says port unreachable", build: forward(netlab.Router2, imaps+"reject with icmpv6 port-unreachable"),
			code: "net.port-unreachable", responsible: "path", certainty: "certain", actsAt: "2 " + router2Six, exit: 10},
		{name: "router 2 says prohibited by administration", build: forward(netlab.Router2, imaps+"reject with icmpv6 admin-prohibited"),
			code: "net.admin-prohibited", responsible: "path", certainty: "certain", actsAt: "2 " + router2Six, exit: 10},
		{name: "router 1 says prohibited by administration", build: forward(netlab.Router1, imaps+"reject with icmpv6 admin-prohibited"),
			code: "net.admin-prohibited", responsible: "local-network", certainty: "certain", actsAt: "1 " + router1Six, exit: 10},
		{name: "router 2 says no route", build: forward(netlab.Router2, imaps+"reject with icmpv6 no-route"),
			code: "net.network-unreachable", responsible: "path", certainty: "certain", actsAt: "2 " + router2Six, exit: 10},
		{name: "router 2 says address unreachable", build: forward(netlab.Router2, imaps+"reject with icmpv6 addr-unreachable"),
			code: "net.host-unreachable", responsible: "path", certainty: "certain", actsAt: "2 " + router2Six, exit: 10},
		{name: "router 1 drops", build: forward(netlab.Router1, imaps+"drop"),
			code: "net.dropped", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1Six, exit: 10},
		{name: "router 2 drops", build: forward(netlab.Router2, imaps+"drop"),
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2Six, exit: 10},
		{name: "the server drops its own answers", build: output(netlab.Server, "tcp sport 993 drop"),
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2Six, exit: 10},
	}
	for i := range tests {
		tests[i].args = args
	}
	tests = append(tests, firewallCase{name: "there is no route for one family of a name", args: []string{"imaps://" + serverName},
		build: func(s *site) { s.IP(netlab.Client, "-6", "route", "del", "default") },
	}, firewallCase{name: "one family of a name is rejected, the other works", args: []string{"imaps://" + serverName},
		build: forward(netlab.Router2, imaps+"reject with icmpv6 admin-prohibited"),
		code:  "net.ipv6-dead", severity: "warn", responsible: "path", certainty: "likely", actsAt: "2 " + router2Six,
		check: func(t *testing.T, r *siteReport) {
			if rec := r.Targets[0].Recommended; r.Verdict != "warning" || rec == nil || rec.Address != server+":993" {
				t.Errorf("verdict %s, recommended %v", r.Verdict, rec)
			}
		}})
	return tests
}

// wholePortIsBlocked has what only a comparison with other servers shows.
func wholePortIsBlocked() []firewallCase {
	control := []string{"--control", server2 + ":143"}
	return []firewallCase{
		{name: "this network drops the port for every host", flags: control, build: forward(netlab.Router1, imaps+"drop"),
			code: "net.egress-blocked", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "this network refuses the port for every host", flags: control, build: forward(netlab.Router1, imaps+"reject with tcp reset"),
			code: "net.egress-blocked", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "the other port works", args: []string{server}, flags: control, build: forward(netlab.Router1, imaps+"drop"),
			code: "net.egress-blocked", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1,
			check: func(t *testing.T, r *siteReport) {
				if rec := r.Targets[0].Recommended; r.Verdict != "warning" || rec == nil || rec.Port != 143 || rec.Security != "starttls" {
					t.Errorf("verdict %s, recommended %v", r.Verdict, rec)
				}
			}},
		{name: "this network drops the port for one host alone", flags: control, build: forward(netlab.Router1, "ip daddr "+server+" "+imaps+"drop"),
			code: "net.dropped", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "the server's network drops everything for one host", flags: control, build: forward(netlab.Router2, "ip daddr "+server+" drop"),
			code: "net.dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2, exit: 10},
	}
}

// bothSidesOfAPreflight has one server show what the other's failure means.
func bothSidesOfAPreflight(t *testing.T, s *site) {
	s.serveAll()
	s.Filter(netlab.Router1, "forward", imaps+"drop")
	r := s.run("preflight", "-o", "json", "--timeout", connectLimit.String(), "--source", "imaps://"+server, "--source-ca-file", s.bench.roots,
		"--dest", "imaps://"+server2, "--dest-ca-file", s.bench.roots)
	if got, want := r.codes(), []string{"net.egress-blocked", "net.egress-blocked"}; !slices.Equal(got, want) || r.ExitCode != 10 || r.Verdict != "blocked" {
		t.Fatalf("got %v, exit code %d, %s\n%s", got, r.ExitCode, r.Verdict, r.text)
	}
	for i := range r.Targets {
		if f := r.finding("net.egress-blocked", i); f == nil || f.Responsible != "local-network" || r.actsAt(i) != "1 "+router1 {
			t.Errorf("target %d: got %+v, acts at %s", i, f, r.actsAt(i))
		}
	}
	if limit := connectLimit + pathLimit; r.DurationMS > int(limit.Milliseconds()) {
		t.Errorf("took %d ms, limit %v", r.DurationMS, limit)
	}
}

// locatingTakesFewConnections counts what the search for a silent device sends: a port and a TTL that were not there before are an attempt.
// address and ttl are the words of nft.
func locatingTakesFewConnections(t *testing.T, s *site, target, address, ttl string) {
	s.serveAll()
	s.Filter(netlab.Router1, "forward", imaps+"drop")
	s.Filter(netlab.Client, "output")
	s.Nft(netlab.Client, fmt.Sprintf(`
add set inet lab attempts { typeof tcp sport . tcp dport . %s . %s; flags dynamic; size 4096; }
add rule inet lab filter-output tcp flags & (syn | ack) == syn update @attempts { tcp sport . tcp dport . %[1]s . %[2]s }`, address, ttl))
	r := s.run("probe", "-o", "json", "--ca-file", s.bench.roots, "--timeout", connectLimit.String(), "--control", server2+":143", target)
	if r.actsAt(0) == "" {
		t.Errorf("nothing was located: %s", r.text)
	}
	set := s.List(netlab.Client, "set", "inet", "lab", "attempts")
	_, elements, _ := strings.Cut(set, "elements = {")
	// 30 attempts to locate, 16 to compare, and the one that failed.
	if n := strings.Count(elements, ",") + 1; n < 4 || n > 30+16+1 {
		t.Errorf("%d attempts:\n%s", n, set)
	}
}

// pictureOfThePath reads the text output.
func pictureOfThePath(t *testing.T, s *site) {
	s.serveAll()
	s.Filter(netlab.Router2, "forward", imaps+"reject with icmp admin-prohibited")
	r := s.Run(t.Context(), s.environment(), s.bench.program, "probe", "--timeout", connectLimit.String(), "imaps://"+server)
	if want := "you ─ " + router1 + " ─ " + router2 + " ╳ " + server; !strings.Contains(string(r.Stdout), want) || r.ExitCode != 10 {
		t.Errorf("exit code %d, no %s in\n%s%s", r.ExitCode, want, r.Stdout, r.Stderr)
	}
}
