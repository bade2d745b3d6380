package probe

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// waitingForHeader takes what it gets for a broken header, and waits a second and a bit for one.
func waitingForHeader(c *faulty.Conn) {
	got := make(chan struct{})
	go func() {
		defer close(got)
		c.AwaitData()
	}()
	select {
	case <-got:
	case <-time.After(1200 * time.Millisecond):
		c.NetConn().SetReadDeadline(time.Unix(1, 0))
		<-got
	}
	c.NetConn().Close()
}

func TestListenerBehindABalancer(t *testing.T) {
	for _, to := range []string{"imaps://127.0.0.1", "imap://127.0.0.1", "127.0.0.1:993"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[uint16]faulty.Script{993: waitingForHeader, 143: waitingForHeader})
			o := run(t, w.prober(), withPassword(target(t, to)))
			complete(t, o.Report)
			checkEnding(t, w, o.Report, ending{[]string{"imap.proxy-header-expected block server"}, Blocked, 10, ""})
			if f := o.Report.Findings[0]; f.Certainty != finding.Possible {
				t.Errorf("it is %s", f.Certainty)
			}
		})
	}
}

func TestListenerBehindABalancerBesideAGoodPort(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: waitingForHeader})
	o := run(t, w.prober(), withPassword(target(t, "127.0.0.1")))
	if got := fmt.Sprint(codes(o.Report)); got != "[imap.proxy-header-expected info server]" || o.Report.Verdict != Ready {
		t.Errorf("got %s, %s", got, o.Report.Verdict)
	}
}

// TestDovecotBehindABalancer has listeners with haproxy = yes beside the ordinary ones. Dovecot waits 3 s for the header.
func TestDovecotBehindABalancer(t *testing.T) {
	ports := freePorts(t, 2)
	d := realserver.StartDovecot(t, realserver.Config{Users: map[string]string{"alice": canary}, Extra: fmt.Sprintf(`
haproxy_trusted_networks = 127.0.0.0/8
service imap-login {
  inet_listener imap-behind {
    port = %d
    haproxy = yes
  }
  inet_listener imaps-behind {
    port = %d
    haproxy = yes
    ssl = yes
  }
}
`, ports[0], ports[1])})
	for i, scheme := range []string{"imap+starttls", "imaps"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			to := withPassword(target(t, fmt.Sprintf("%s://%s:%d", scheme, d.Host, ports[i])))
			o := run(t, new(Prober), to)
			complete(t, o.Report)
			if got := fmt.Sprint(codes(o.Report)); got != "[imap.proxy-header-expected block server]" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// freePorts returns ports of 127.0.0.2 on which nothing listened a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
