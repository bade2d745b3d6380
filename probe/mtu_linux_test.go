package probe

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// TestLargePacketsGetLost has a server whose system gets no packet over some size. What is lost on the way back is tested in networks of their own, with
// the command.
func TestLargePacketsGetLost(t *testing.T) {
	tests := []struct {
		name   string
		scheme string
		server faulty.Script
		mtu    int
	}{
		{"TLS, a usual size", "imaps", inTLS(goodTLS()), 1400},
		{"TLS, an odd size", "imaps", inTLS(goodTLS()), 1333},
		{"TLS, the least that a link may have", "imaps", inTLS(goodTLS()), 1280},
		{"STARTTLS", "imap+starttls", faulty.GoodStartTLS(goodTLS()), 1492},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, err := faulty.Serve(tt.server)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			address := dropping(t, server.Address(), uint32(tt.mtu-20)) // the filter does not see the IP header
			o := run(t, direct(4*time.Second), withPassword(target(t, tt.scheme+"://"+address)))
			complete(t, o.Report)
			checkEnding(t, nil, o.Report, ending{findings: []string{"net.mtu-black-hole block path"}, verdict: Blocked, exit: 10})
			f := one(t, o.Report, "net.mtu-black-hole block path")
			if f.Certainty != finding.Certain || f.Check != "tls.handshake" || o.Report.Targets[0].Recommended != nil || o.Accounts[0] != nil {
				t.Errorf("got %s, %s, recommended %v", f.Certainty, f.Check, o.Report.Targets[0].Recommended)
			}
			if f.Evidence["mtu"] != tt.mtu || f.Evidence["mss"] != tt.mtu-40 || f.Evidence["direction"] != outbound || f.Evidence["exact"] != true {
				t.Errorf("evidence %v, want an MTU of %d", f.Evidence, tt.mtu)
			}
			if n, ok := f.Evidence["connections"].(int); !ok || n < 2 || n > mtuTrials {
				t.Errorf("it took %v connections", f.Evidence["connections"])
			}
			if n, ok := f.Evidence["retransmits"].(int); !ok || n == 0 {
				t.Errorf("%v retransmissions", f.Evidence["retransmits"])
			}
			wantLetter(t, f, "ICMP type 3 code 4", fmt.Sprintf("up to %d octets", tt.mtu), "127.0.0.1", fmt.Sprintf("ping -c 3 -M do -s %d 127.0.0.1", tt.mtu-28))
			e := o.Report.Targets[0].Endpoints[0]
			if status(e, "tls.handshake") != Fail || status(e, "auth.login") != Held || bytes.Contains(server.Received(), []byte(canary)) {
				t.Errorf("got %v", statuses(e))
			}
		})
	}
}

// TestThroughAProxyPacketsAreNotMeasured is a dialer of the caller's: what it opens leads elsewhere.
func TestThroughAProxyPacketsAreNotMeasured(t *testing.T) {
	server, err := faulty.Serve(inTLS(goodTLS()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	address := dropping(t, server.Address(), 1380)
	p := direct(time.Second)
	p.Dial = &imapdial.Options{DialContext: new(net.Dialer).DialContext}
	r := run(t, p, withPassword(target(t, "imaps://"+address))).Report
	complete(t, r)
	checkEnding(t, nil, r, ending{findings: []string{"net.large-hello-dropped high unknown"}, verdict: Warning, signIn: address + "/tls"})
}

// TestTheDirectionIsSeen goes by what the kernel knew at the end of the trials.
func TestTheDirectionIsSeen(t *testing.T) {
	lost, arrived := imapdial.TCPInfo{Known: true, Pending: true}, imapdial.TCPInfo{Known: true}
	silent := func(tcp imapdial.TCPInfo) imapdial.Facts {
		return imapdial.Facts{TCP: tcp, Err: &imapdial.Error{Stage: imapdial.StageHandshake}}
	}
	tests := []struct {
		name  string
		usual imapdial.TCPInfo
		small *retrial
		want  string
	}{
		{"the hello got lost, a small one is answered", lost, &retrial{facts: imapdial.Facts{TLS: new(imapdial.TLSFacts)}}, outbound},
		{"both hellos got lost", lost, &retrial{facts: silent(lost)}, outbound},
		{"the hello got lost, a small one arrives without an answer", lost, &retrial{facts: silent(arrived)}, bothWays},
		{"the hello arrives without an answer", arrived, &retrial{facts: silent(arrived)}, inbound},
		{"the small hello was not tried", lost, nil, outbound},
		{"the kernel does not tell", imapdial.TCPInfo{}, &retrial{facts: silent(imapdial.TCPInfo{})}, ""},
	}
	for _, tt := range tests {
		usual := silent(tt.usual)
		if got := direction(&usual, &sizeTrials{small: tt.small}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAServerThatRecovers hangs on its first connection alone: that is no fault of the path, nor of the hello.
func TestAServerThatRecovers(t *testing.T) {
	for scheme, good := range map[string]faulty.Script{"imaps": inTLS(goodTLS()), "imap+starttls": faulty.GoodStartTLS(goodTLS())} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			hangs := faulty.Script((*faulty.Conn).Stall)
			if scheme != "imaps" {
				hangs = offersTLS(hangs)
			}
			server, err := faulty.Serve(func(c *faulty.Conn) {
				if c.Number() == 1 {
					hangs(c)
					return
				}
				good(c)
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			r := run(t, direct(2*time.Second), withPassword(target(t, scheme+"://"+server.Address()))).Report
			complete(t, r)
			checkEnding(t, nil, r, ending{verdict: Ready, signIn: r.Targets[0].Endpoints[0].name()})
		})
	}
}
