package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/netpath/netlab"
)

// someoneElseAnswers has devices that open connections in the server's name, or lead them elsewhere.
func someoneElseAnswers() []firewallCase {
	intercepting := func(s *site) {
		s.serveWith(netlab.Router1, router1+":1993", imaptest.NewCA("someone else").Issue(leaf()))
		s.NAT(netlab.Router1, imaps+"redirect to :1993")
	}
	portal := func(script faulty.Script) func(*site) {
		return func(s *site) {
			s.script(netlab.Router1, router1+":8080", script)
			s.NAT(netlab.Router1, `iifname "near" meta l4proto tcp redirect to :8080`)
		}
	}
	path := []string{"--path"}
	return []firewallCase{
		{name: "router 1 answers for the server, with a certificate of its own", build: intercepting,
			code: "net.intercepted", severity: "high", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1,
			with: []string{"cert.unknown-ca"}, exit: 10},
		{name: "router 1 answers at port 993, and the server has nothing at 143", bare: true, args: []string{server}, build: intercepting,
			code: "net.intercepted", severity: "high", responsible: "local-network", certainty: "likely", actsAt: "3 " + server,
			with: []string{"cert.unknown-ca", "net.refused"}, exit: 10},
		{name: "router 1 leads to another server", flags: path, build: func(s *site) {
			s.NAT(netlab.Router1, "ip daddr "+server+" "+imaps+"dnat ip to "+server2)
		}, code: "net.redirected", severity: "warn", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1},
		{name: "a portal takes every connection and speaks HTTP", build: portal(faulty.HTTP),
			code: "net.captive-portal", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "a portal takes every connection and says nothing", build: portal(faulty.Silent),
			code: "net.captive-portal", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "nobody is in the way", flags: path, hops: router1 + " " + router2 + " " + server},
		{name: "nobody is in the way over IPv6", flags: path, args: []string{"imaps://[" + serverSix + "]"}, hops: router1Six + " " + router2Six + " " + serverSix},
		{name: "the routers hide", flags: path, hops: "* * " + server, build: hide},
		{name: "the server takes few new connections a second", flags: path, build: forward(netlab.Router2,
			imaps+"tcp flags & (syn | ack) == syn limit rate over 1/second burst 2 packets drop"),
			code: "net.flaky", severity: "warn", responsible: "server", certainty: "likely"},
		{name: "the first connection gets lost and the later ones come about", timeout: 2 * time.Second, build: forward(netlab.Router2,
			imaps+"tcp flags & (syn | ack) == syn quota until 130 bytes drop"),
			code: "net.flaky", severity: "warn", responsible: "server", certainty: "likely"},
	}
}

// openConnectionsLoseTheirData has devices that let TCP open and act on what it carries.
func openConnectionsLoseTheirData() []firewallCase {
	const (
		hello         = imaps + "@ih,0,16 0x1603 "
		startTLSHello = "tcp dport 143 @ih,0,16 0x1603 "
	)
	return []firewallCase{
		{name: "router 1 answers the ClientHello with a reset", build: forward(netlab.Router1, hello+"reject with tcp reset"),
			code: "net.hello-reset", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "router 2 answers the ClientHello with a reset, as the server might", build: forward(netlab.Router2, hello+"reject with tcp reset"),
			code: "net.hello-reset", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2, exit: 10},
		{name: "router 1 drops the ClientHello", build: forward(netlab.Router1, hello+"drop"),
			code: "net.hello-dropped", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "router 2 drops the ClientHello", build: forward(netlab.Router2, hello+"drop"),
			code: "net.hello-dropped", responsible: "unknown", certainty: "possible", actsAt: "2 " + router2, exit: 10},
		{name: "router 1 drops the ClientHello over IPv6", args: []string{"imaps://[" + serverSix + "]"}, build: forward(netlab.Router1, hello+"drop"),
			code: "net.hello-dropped", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1Six, exit: 10},
		{name: "router 1 drops the ClientHello after STARTTLS", args: []string{"imap+starttls://" + server}, build: forward(netlab.Router1, startTLSHello+"drop"),
			code: "net.hello-dropped", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "router 1 answers the ClientHello after STARTTLS with a reset", args: []string{"imap+starttls://" + server},
			build: forward(netlab.Router1, startTLSHello+"reject with tcp reset"),
			code:  "net.hello-reset", responsible: "local-network", certainty: "likely", actsAt: "1 " + router1, exit: 10},
		{name: "router 1 drops a large ClientHello", build: forward(netlab.Router1, hello+"meta length > 520 drop"),
			code: "net.large-hello-dropped", severity: "high", responsible: "unknown", certainty: "likely"},
		{name: "the server takes the ClientHello and says nothing", bare: true, build: func(s *site) { s.script(netlab.Server, server+":993", faulty.Silent) },
			code: "imap.silent", responsible: "server", certainty: "certain", actsAt: "-", exit: 10,
			check: func(t *testing.T, r *siteReport) {
				if at := r.actsAt(0); at != "" && !strings.HasSuffix(at, " "+server) {
					t.Errorf("the server is silent, and the path says that %s acts", at)
				}
			}},
	}
}

// largePackets has paths that carry no large packets, with and without telling so.
func largePackets() []firewallCase {
	narrow := func(s *site) {
		for _, end := range []struct {
			node netlab.Node
			link string
		}{{netlab.Router1, "far"}, {netlab.Router2, "near"}} {
			s.IP(end.node, "link", "set", end.link, "mtu", "1400")
		}
	}
	quiet := func(s *site) {
		for _, r := range []netlab.Node{netlab.Router1, netlab.Router2} {
			s.Filter(r, "output", "icmp type destination-unreachable icmp code 4 drop", "icmpv6 type packet-too-big drop")
		}
	}
	// A chain that takes more than a packet, so that what is lost on the way back is missed with every kind of hello.
	large := func(s *site) {
		l := leaf()
		for i := range 60 {
			l.DNSNames = append(l.DNSNames, fmt.Sprintf("host-%d.of.the.large.certificate.lab.test", i))
		}
		s.serveWith(netlab.Server, server+":993", s.bench.ca.Issue(l))
		s.serveWith(netlab.Server, "["+serverSix+"]:993", s.bench.ca.Issue(l))
	}
	hole := firewallCase{bare: true, search: 8 * time.Second, code: "net.mtu-black-hole", responsible: "path", certainty: "certain", actsAt: "-",
		evidence: map[string]any{"mtu": 1400.0}, exit: 10}
	both, out, back, six := hole, hole, hole, hole
	both.name, both.build = "a narrow link, and nobody tells", all(large, narrow, quiet)
	out.name, out.build = "large packets to the server vanish", all(large, forward(netlab.Router1, `iifname "near" meta length > 1400 drop`))
	back.name, back.build = "large packets from the server vanish", all(large, forward(netlab.Router2, `iifname "far" meta length > 1400 drop`))
	six.name, six.build = "a narrow link over IPv6, and nobody tells", all(large, narrow, quiet)
	six.args = []string{"imaps://[" + serverSix + "]"}
	return []firewallCase{both, out, back, six,
		{name: "a narrow link, and the routers tell", bare: true, build: all(large, narrow)},
	}
}
