package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/netpath/netlab"
)

// forgets has router 1 forget connections on which nothing happens for so many seconds, and do this with what comes of them later. It takes no packet for
// the first of a connection but SYN.
func forgets(seconds, do string) func(*site) {
	return func(s *site) {
		s.tracking(netlab.Router1, seconds, "tcp_timeout_established", "tcp_timeout_unacknowledged")
		s.Filter(netlab.Router1, "forward", imaps+"ct state new tcp flags & (fin | syn | rst | ack) != syn "+do, "tcp sport 993 ct state new drop")
	}
}

// tracking sets parameters of the kernel's memory of connections at a node.
func (s *site) tracking(n netlab.Node, value string, parameters ...string) {
	s.t.Helper()
	for _, p := range parameters {
		if err := s.At(n, func() error { return os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_"+p, []byte(value), 0) }); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestIdleConnections(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		name   string
		to     string
		build  func(*site)
		idle   string
		answer string // of net.idle-cut; "": nothing is found
		says   string // audit.idle
	}{
		{name: "a router forgets and drops", to: "imaps://" + server, build: forgets("1", "drop"), idle: "3s", answer: "none", says: "the next command gets no answer"},
		{name: "a router forgets and drops, IPv6", to: "imaps://[" + serverSix + "]", build: forgets("1", "drop"), idle: "3", answer: "none", says: "the next command gets no answer"},
		{name: "a router forgets and resets", to: "imaps://" + server, build: forgets("1", "reject with tcp reset"), idle: "3s", answer: "reset", says: "is answered with a reset"},
		{name: "nobody forgets", to: "imaps://" + server, build: func(*site) {}, idle: "3s", says: "still works after 3s of idling before the sign-in"},
		{name: "it is asked sooner than the router forgets", to: "imaps://" + server, build: forgets("60", "drop"), idle: "100ms", says: "still works"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, b)
			s.serveAll()
			tt.build(s)
			r := s.run("probe", "-o", "json", "--ca-file", b.roots, "--timeout", connectLimit.String(), "--idle", tt.idle, tt.to)
			if !strings.Contains(r.text, tt.says) || r.ExitCode != 0 || r.Targets[0].Recommended == nil {
				t.Errorf("exit code %d, nothing says %q", r.ExitCode, tt.says)
			}
			if limit := 3*time.Second + connectLimit + 2*time.Second; r.DurationMS > int(limit.Milliseconds()) {
				t.Errorf("it took %d ms", r.DurationMS)
			}
			f := r.finding("net.idle-cut", 0)
			switch {
			case tt.answer == "":
				if len(r.Findings) != 0 || r.Verdict != "ready" {
					t.Errorf("got %v, %s", r.codes(), r.Verdict)
				}
			case f == nil || len(r.Findings) != 1 || r.Verdict != "warning":
				t.Errorf("got %v, %s", r.codes(), r.Verdict)
			default:
				retransmits, _ := f.Evidence["retransmits"].(float64)
				if f.Severity != "warn" || f.Responsible != "unknown" || f.Certainty != "likely" || f.Evidence["answer"] != tt.answer || (retransmits > 0) != (tt.answer == "none") {
					t.Errorf("got %s, %s, %s, %v", f.Severity, f.Responsible, f.Certainty, f.Evidence)
				}
				if !f.hasLetter("RFC 5382", "port 993", " UTC") {
					t.Errorf("nothing can be sent to the administrator: %v", f.Remedies)
				}
			}
			if t.Failed() {
				t.Log(r.text)
			}
		})
	}
}
