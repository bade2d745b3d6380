package main

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/netpath/netlab"
)

// onlyUpTo has both routers drop what is larger, in both directions, without a word.
func onlyUpTo(octets int) func(*site) {
	rule := fmt.Sprintf("meta length > %d drop", octets)
	return all(forward(netlab.Router1, rule), forward(netlab.Router2, rule))
}

// directed has router 1 drop what is larger in one direction.
func directed(octets int, port string) func(*site) {
	return forward(netlab.Router1, fmt.Sprintf("tcp %s { 143, 993 } meta length > %d drop", port, octets))
}

// largeServers start servers whose first flight does not fit into one packet: with TLS and with STARTTLS, over both families.
func largeServers(s *site) {
	l := leaf()
	for i := range 60 {
		l.DNSNames = append(l.DNSNames, fmt.Sprintf("host-%d.of.the.large.certificate.lab.test", i))
	}
	certificate := s.bench.ca.Issue(l)
	for _, port := range []string{"993", "143"} {
		s.serveWith(netlab.Server, server+":"+port, certificate)
		s.serveWith(netlab.Server, "["+serverSix+"]:"+port, certificate)
	}
}

// measuring is added to the --timeout of a case so that it is far above what the search for an MTU takes: some rounds of trials that fail.
const measuring = 50 * time.Second

func TestSizesOfPackets(t *testing.T) {
	hole := func(name, direction string, mtu int, build func(*site), args ...string) firewallCase {
		return firewallCase{name: name, bare: true, build: build, args: args, timeout: connectLimit + measuring, code: "net.mtu-black-hole", responsible: "path", certainty: "certain",
			actsAt: "-", evidence: map[string]any{"mtu": float64(mtu), "direction": direction, "exact": true}, exit: 10}
	}
	toServer, sixServer := "imaps://"+server, "imaps://["+serverSix+"]"
	tests := []firewallCase{
		hole("both directions, IPv4", "both", 1400, all(largeServers, onlyUpTo(1400)), toServer),
		hole("both directions, IPv6", "both", 1280, all(largeServers, onlyUpTo(1280)), sixServer),
		hole("both directions, an odd size over IPv6", "both", 1337, all(largeServers, onlyUpTo(1337)), sixServer),
		hole("both directions, a certificate that fits", "outbound", 1452, all(func(s *site) { s.serveAll() }, onlyUpTo(1452)), toServer),
		hole("outbound, STARTTLS", "outbound", 1492, all(largeServers, directed(1492, "dport")), "imap+starttls://"+server),
		hole("inbound, STARTTLS", "inbound", 1420, all(largeServers, directed(1420, "sport")), "imap+starttls://"+server),
		hole("inbound, an odd size", "inbound", 700, all(largeServers, directed(700, "sport")), toServer),
		{name: "a device that goes by the size of the first packet", bare: true, timeout: connectLimit + measuring, args: []string{toServer},
			build: all(func(s *site) { s.serveAll() }, directed(900, "dport")),
			code:  "net.large-hello-dropped", severity: "high", responsible: "unknown", certainty: "likely", actsAt: "-"},
		{name: "the routers tell", bare: true, build: all(largeServers, func(s *site) {
			s.IP(netlab.Router1, "link", "set", "far", "mtu", "1400")
			s.IP(netlab.Router2, "link", "set", "near", "mtu", "1400")
		}), timeout: connectLimit + measuring, args: []string{toServer}},
	}
	// A hole takes the trials of contract 4.1 and at most 16 connections, and the --timeout is not used up.
	for i := range tests {
		tests[i].check = func(t *testing.T, r *siteReport) {
			if limit := measuring / 2; r.DurationMS > int(limit.Milliseconds()) {
				t.Errorf("it took %d ms", r.DurationMS)
			}
			if f := r.finding("net.mtu-black-hole", 0); f != nil {
				switch at := f.Evidence["behind"]; {
				case f.Evidence["direction"] == "inbound" && at != nil, f.Evidence["direction"] != "inbound" && at != router1 && at != router1Six:
					t.Errorf("large packets are said to get lost behind %v", at)
				}
				if n, ok := f.Evidence["connections"].(float64); !ok || n < 2 || n > 16 {
					t.Errorf("the search took %v connections", f.Evidence["connections"])
				}
				if !f.hasLetter("10.1.0.2", server, "ICMP type 3 code 4", " UTC") && !f.hasLetter("fd01::2", serverSix, "ICMPv6 type 2", " UTC") {
					t.Errorf("nothing can be sent to the administrator: %v", f.Remedies)
				}
			}
		}
	}
	newBench(t).run(t, tests)
}

// TestPortsShareASearch has the second port of a host confirm what was found at the first.
func TestPortsShareASearch(t *testing.T) {
	s := newSite(t, newBench(t))
	largeServers(s)
	onlyUpTo(1437)(s)
	r := s.run("probe", "-o", "json", "--ca-file", s.bench.roots, server)
	if got := r.codes(); !slices.Equal(got, []string{"net.mtu-black-hole", "net.mtu-black-hole"}) || r.ExitCode != 10 {
		t.Fatalf("got %v, exit code %d\n%s", got, r.ExitCode, r.text)
	}
	var connections []float64
	for _, f := range r.Findings {
		if f.Evidence["mtu"] != 1437.0 || f.Evidence["exact"] != true {
			t.Errorf("evidence %v", f.Evidence)
		}
		n, _ := f.Evidence["connections"].(float64)
		connections = append(connections, n)
	}
	if slices.Sort(connections); connections[0] != 2 || connections[1] < 6 {
		t.Errorf("the searches took %v connections", connections)
	}
}

// password is that of the lab's accounts; it must turn up nowhere.
const password = "canary-in-the-lab"

// mailbox starts a server with TLS that has an inbox of some large messages, and returns a command line that signs in. What it sends up to the sign-in
// fits into small packets.
func (s *site) mailbox() []string {
	s.t.Helper()
	l := leaf()
	l.Direct = true
	s.script(netlab.Server, server+":993", faulty.Dialog{
		TLS:         &tls.Config{Certificates: []tls.Certificate{s.bench.ca.Issue(l)}, CurvePreferences: []tls.CurveID{tls.X25519}},
		ImplicitTLS: true,
		On: map[string]func(*faulty.Conn, string, string){
			"EXAMINE": func(c *faulty.Conn, tag, _ string) {
				c.Line("* 8 EXISTS")
				c.Line(tag + " OK [READ-ONLY] done")
			},
			"FETCH": func(c *faulty.Conn, tag, _ string) {
				for i := range 8 {
					c.Line(fmt.Sprintf("* %d FETCH (BODY[]<0> {30000}\r\n%s)", i+1, strings.Repeat("x", 30_000)))
				}
				c.Line(tag + " OK done")
			},
		},
	}.Serve)
	file := filepath.Join(filepath.Dir(s.bench.program), fmt.Sprintf("password-%p", s))
	if err := os.WriteFile(file, []byte(password+"\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return []string{"probe", "-o", "json", "--ca-file", s.bench.roots, "--user", "alice", "--password-from", "file:" + file, "imaps://" + server}
}

// stopsAfter has router 1 drop what belongs to a connection that has carried so many octets.
func stopsAfter(octets int) func(*site) {
	return func(s *site) {
		s.tracking(netlab.Router1, "1", "acct")
		s.Filter(netlab.Router1, "forward", fmt.Sprintf("tcp dport 993 ct bytes > %d drop", octets), fmt.Sprintf("tcp sport 993 ct bytes > %d drop", octets))
	}
}

func TestConnectionsThatFreeze(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		name   string
		build  func(*site)
		flags  []string
		code   string // "": nothing is found
		check  string // that finds it
		octets bool   // it tells how many came
		mtu    float64
	}{
		{name: "it carries little, and mail is read", build: stopsAfter(20_000), code: "net.freezes", check: "account.access", octets: true},
		{name: "it carries little, and the path is tried", build: stopsAfter(20_000), flags: []string{"--path"}, code: "net.freezes", check: "imap.capability", octets: true},
		{name: "large packets from the server vanish, and mail is read", build: directed(1400, "sport"), code: "net.mtu-black-hole", check: "account.access", mtu: 1400},
		{name: "large packets from the server vanish, and the path is tried", build: directed(1400, "sport"), flags: []string{"--path"}, code: "net.mtu-black-hole", check: "imap.capability", mtu: 1400},
		{name: "all is carried", build: func(*site) {}, flags: []string{"--path"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, b)
			args := s.mailbox()
			tt.build(s)
			r := s.run(append(args, append(tt.flags, "--timeout", "4")...)...)
			for _, secret := range []string{password, base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + password))} {
				if strings.Contains(r.text, secret) {
					t.Error("the report shows the password")
				}
			}
			if tt.code == "" {
				if len(r.Findings) != 0 || r.Verdict != "ready" {
					t.Errorf("got %v, %s\n%s", r.codes(), r.Verdict, r.text)
				}
				return
			}
			f := r.finding(tt.code, 0)
			if f == nil || len(r.Findings) != 1 || r.ExitCode != 10 || r.Verdict != "blocked" || r.Targets[0].Recommended != nil {
				t.Fatalf("got %v, exit code %d\n%s", r.codes(), r.ExitCode, r.text)
			}
			if f.Severity != "block" || f.Certainty == "possible" || f.Responsible != "unknown" && f.Responsible != "path" || !strings.Contains(r.text, `"check": "`+tt.check+`"`) {
				t.Errorf("got %s, %s, %s\n%s", f.Severity, f.Certainty, f.Responsible, r.text)
			}
			if n, ok := f.Evidence["octets_received"].(float64); ok != tt.octets || ok && (n < 1000 || n > 60_000) {
				t.Errorf("evidence %v", f.Evidence)
			}
			if n, ok := f.Evidence["mtu"].(float64); ok != (tt.mtu != 0) || n != tt.mtu || ok && f.Evidence["direction"] != "inbound" {
				t.Errorf("evidence %v", f.Evidence)
			}
			if !f.hasLetter(server, "port 993", " UTC") {
				t.Errorf("nothing can be sent to the administrator: %v", f.Remedies)
			}
		})
	}
}
