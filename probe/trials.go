package probe

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/hello"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// trials is what raw hellos on connections of their own showed after a handshake that failed (contract 4.1). The zero value says nothing.
type trials struct {
	best        hello.Version // the newest version that the server showed; 0 for none
	key         *hello.Key    // of its certificate, from the flight of TLS 1.2
	certificate bool          // it asks for a client certificate
	cipher      hello.Suite   // a suite that it has, where none of crypto/tls's is among its own
	group       hello.Group   // likewise a group
	scheme      bool          // it has no signature scheme that crypto/tls knows
	name        bool          // it takes the handshake with a name, and was asked without one
	small       bool          // a hello of under 256 octets is answered
}

// explains reports whether a cause was found; oldest is the oldest version that the policy accepts.
func (f trials) explains(oldest hello.Version) bool {
	return f.best != 0 && f.best < oldest || f.key != nil && !f.key.Acceptable() || f.cipher != 0 || f.group != 0 || f.scheme || f.name || f.certificate
}

// trialLimit bounds each trial: what a server can say, it says at once.
const trialLimit = 5 * time.Second

// diagnose finds out by raw hellos why the server ended the handshake. It takes two to nine connections, as many as there is doubt.
func (t *targetRun) diagnose(ctx context.Context, s *subject) {
	if s.facts.Err == nil || !s.saidHello() || s.shookHands() || len(s.facts.FirstBytes) > 0 || s.closedWithoutHello() || ctx.Err() != nil {
		return
	}
	alert, alerted := alertOf(s.facts.Err)
	if !alerted && !isClosed(s.facts.Err) && !strings.Contains(s.facts.Err.Error(), unsupportedVersion) {
		return // silence, or an objection of our own
	}
	d := &diagnosis{run: t, subject: s}
	switch {
	case alert == alertCertificateRequired, s.facts.CertificateRequested:
		return // they say it themselves
	case alert == alertUnrecognizedName:
		d.withoutName(ctx)
		s.trials = d.found
		return
	}
	d.versions(ctx)
	d.key()
	if d.found.best >= hello.TLS12 && (d.found.key == nil || d.found.key.Acceptable()) {
		d.common(ctx)
	}
	if !d.found.explains(s.oldest()) {
		d.withoutName(ctx)
	}
	s.trials = d.found
}

// A diagnosis is a run of raw hellos.
type diagnosis struct {
	run     *targetRun
	subject *subject
	found   trials

	tls12, dhe, tls13, old hello.Reply
}

// ask sends an offer on a connection of its own and reads the server's flight.
func (d *diagnosis) ask(ctx context.Context, o hello.Offer) hello.Reply {
	if o.ServerName == "" {
		o.ServerName = d.subject.ep.ServerName()
	}
	limit := min(d.run.prober.timeout(), trialLimit)
	conn, err := imapdial.BeforeTLS(ctx, d.subject.ep, d.run.prober.options(d.run.dialer(), limit))
	if err != nil {
		return hello.Reply{Err: err}
	}
	defer conn.Close()
	return hello.AskFlight(ctx, conn, o, limit)
}

// askAll asks at once.
func (d *diagnosis) askAll(ctx context.Context, offers map[*hello.Reply]hello.Offer) {
	var running sync.WaitGroup
	for reply, offer := range offers {
		running.Go(func() { *reply = d.ask(ctx, offer) })
	}
	running.Wait()
}

// versions offers everything there is, version by version, so that nothing but the version can be what is missing. DHE goes apart: it
// breaks servers that have no parameters for it.
func (d *diagnosis) versions(ctx context.Context) {
	d.askAll(ctx, map[*hello.Reply]hello.Offer{
		&d.tls12: {Version: hello.TLS12, Suites: hello.AllSuites, Groups: hello.AllGroups},
		&d.dhe:   {Version: hello.TLS12, Suites: hello.DHESuites, Groups: hello.AllGroups},
		&d.tls13: {Version: hello.TLS13, Suites: hello.TLS13Suites, Groups: hello.AllGroups},
		&d.old:   {Version: hello.TLS11, Suites: hello.AllSuites, Groups: hello.AllGroups},
	})
	see := func(replies ...hello.Reply) {
		for _, r := range replies {
			if r.Outcome == hello.Answered {
				d.found.best = max(d.found.best, r.Version)
				d.found.certificate = d.found.certificate || r.CertificateRequested
			}
		}
	}
	if see(d.tls12, d.dhe, d.tls13, d.old); d.found.best != 0 {
		return
	}
	var ssl3, ssl2 hello.Reply
	d.askAll(ctx, map[*hello.Reply]hello.Offer{
		&ssl3: {Version: hello.SSL3, Suites: hello.AllSuites},
		&ssl2: {Version: hello.SSL2},
	})
	see(ssl3, ssl2)
}

// key looks at the certificate that TLS 1.2 shows in the clear.
func (d *diagnosis) key() {
	for _, r := range []hello.Reply{d.tls12, d.dhe} {
		if len(r.Certificates) == 0 {
			continue
		}
		if key, ok := hello.KeyOf(r.Certificates[0]); ok {
			d.found.key = &key
			return
		}
	}
}

// common narrows the offer to what crypto/tls has, one list after the other: the list with which no version is answered any more is the one that
// has nothing in common.
func (d *diagnosis) common(ctx context.Context) {
	if d.tls12.Outcome != hello.Answered && d.tls13.Outcome != hello.Answered {
		d.found.cipher = d.dhe.Suite // it has TLS 1.2 with DHE alone
		return
	}
	var suites12, groups12, schemes12, suites13, groups13 hello.Reply
	offers := map[*hello.Reply]hello.Offer{}
	if d.tls12.Outcome == hello.Answered && d.tls12.Version == hello.TLS12 {
		offers[&suites12] = hello.Offer{Version: hello.TLS12, Suites: hello.GoSuites, Groups: hello.AllGroups}
		offers[&groups12] = hello.Offer{Version: hello.TLS12, Suites: hello.GoSuites, Groups: hello.GoGroups}
		offers[&schemes12] = hello.Offer{Version: hello.TLS12, Suites: hello.GoSuites, Groups: hello.GoGroups, Schemes: hello.GoSchemes}
	}
	if d.tls13.Outcome == hello.Answered {
		offers[&suites13] = hello.Offer{Version: hello.TLS13, Suites: hello.GoTLS13Suites, Groups: hello.AllGroups}
		offers[&groups13] = hello.Offer{Version: hello.TLS13, Suites: hello.GoTLS13Suites, Groups: hello.GoGroups}
	}
	d.askAll(ctx, offers)
	refused := func(a, b hello.Reply) bool { return a.Outcome != hello.Answered && b.Outcome != hello.Answered }
	switch widest := d.widest(); {
	case refused(suites12, suites13):
		d.found.cipher = widest.Suite
	case refused(groups12, groups13):
		d.found.group = widest.Group
	case refused(schemes12, groups13): // with TLS 1.3 the schemes come into play after the HelloRetryRequest
		d.found.scheme = true
	}
}

// widest is the answer to the offer of everything, in the newest version.
func (d *diagnosis) widest() hello.Reply {
	if d.tls13.Outcome == hello.Answered {
		return d.tls13
	}
	return d.tls12
}

// withoutName tries a name where the server was asked by address, and so without one. The name is no one's: a server that needs one, whatever it
// is, takes it.
func (d *diagnosis) withoutName(ctx context.Context) {
	if !d.subject.askedByAddress() {
		return
	}
	named := d.subject.ep
	named.TLS.ServerName = "imap.invalid"
	facts, conn := imapdial.Observe(ctx, named, d.run.prober.options(d.run.dialer(), d.run.prober.timeout()))
	if conn != nil {
		conn.Close()
	}
	d.found.name = facts.TLS != nil
}

// oldest is the oldest version that the endpoint's policy accepts.
func (s *subject) oldest() hello.Version {
	if v := s.ep.TLS.MinVersion; v != 0 {
		return hello.Version(v)
	}
	return hello.TLS12
}

// closedWithoutHello reports whether a connection that sent nothing was ended too: then it was not for the sake of our hello.
func (s *subject) closedWithoutHello() bool {
	return s.ep.Security == imapdial.TLS && s.second != nil && s.second.Err != nil && s.second.Err.Stage == imapdial.StageGreeting && isClosed(s.second.Err)
}
