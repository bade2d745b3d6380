package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// The waits for a listener behind a balancer: it keeps a connection that does not send it the PROXY header for some seconds (Dovecot 2.3:
// haproxy_timeout, 3 s), and no longer.
const (
	headerTrial = 4 * time.Second // how long a connection that sends nothing is watched
	headerLeast = time.Second     // one that ends sooner was not waited for
)

// awaitsHeader tells whether a plain port that was silent and then closed does so for TLS too, as a listener does that waits for
// the PROXY header of a balancer.
func (t *targetRun) awaitsHeader(ctx context.Context, s *subject) {
	if !s.silentThenClosed(s.facts, imapdial.StageGreeting) || s.second != nil {
		return
	}
	hello := s.ep
	hello.Security = imapdial.TLS
	facts, conn := imapdial.Observe(ctx, hello, t.prober.options(t.dialer(), t.prober.timeout()))
	if conn != nil {
		conn.Close()
	}
	if !speaksTLS(&facts) && len(facts.FirstBytes) == 0 && isClosed(facts.Err) && facts.Err.Stage == imapdial.StageHandshake {
		s.headerWait = s.facts.Took[imapdial.StageGreeting]
	}
}

// headerSeen takes note of a TLS port that closed at our hello, if the connection that sent nothing was closed after some seconds.
func (s *subject) headerSeen() {
	if s.second != nil && s.silentThenClosed(s.second, imapdial.StageGreeting) {
		s.headerWait = s.second.Took[imapdial.StageGreeting]
	}
}

// silentThenClosed reports whether a connection came to an end at stage without a byte, and not at once.
func (s *subject) silentThenClosed(f *imapdial.Facts, stage imapdial.Stage) bool {
	return f.Err != nil && f.Err.Stage == stage && isClosed(f.Err) && f.Greeting.Raw == "" && len(f.FirstBytes) == 0 && f.Took[stage] >= headerLeast
}

// proxyHeader is the finding of such a listener.
func (s *subject) proxyHeader() finding.Finding {
	f := s.finding("imap.proxy-header-expected", fmt.Sprintf("%s says nothing and closes the connection after %s, with TLS and without", s.hostPort(), seconds(s.headerWait)),
		"a listener that stands behind a balancer waits for the PROXY header, which tells it the client's address, and gives up when none comes; it was not meant to be reached directly")
	f.Certainty = finding.Possible
	f.Evidence["ms"] = milliseconds(s.headerWait)
	if s.beside.usableTLS {
		f.Severity = finding.Info // contract 1.1: a silent port
	}
	f.Remedies = advice("ask the administrator of the server for the address and port that clients use",
		"the server's administrator can let the balancer send the header, or take it off this listener (Dovecot: haproxy = no; HAProxy: bind without accept-proxy)")
	f.Reproduce = []string{s.bareSession()}
	return f
}
