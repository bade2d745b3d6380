package probe

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// A targetRun is the work on one target.
type targetRun struct {
	prober *Prober
	live   *Live
	index  int
	target Target
	secret *secret.Secret // nil: no sign-in
	dns    *dns.Client
	found  *discovery // nil unless the target was given as an address

	report   *TargetReport // changed only through live
	own      []finding.Finding
	subjects []*subject             // in the order of the report
	both     bool                   // 993 and 143 are examined at once, so that they say something about each other
	fetched  fetchCache             // of what authorities serve
	peers    []*targetRun           // those of the same run, this one too
	reached  atomic.Pointer[lookup] // the addresses, for the peers; nil before they are known
	account  *imapdial.Account
	session  *imapdial.Session
	watch    watch
	holes    mssCache
}

func newTargetRun(p *Prober, live *Live, index int, target Target) *targetRun {
	t := &targetRun{prober: p, live: live, index: index, target: target, dns: p.nameServers()}
	t.report = &TargetReport{
		Role: target.Role, Input: target.Input, Host: target.Host,
		Checks: dnsChecks(Result{ID: "dns.lookup", Facts: map[string]any{}}), Endpoints: []*EndpointReport{},
	}
	if target.Discover != "" {
		t.report.Host = target.Discover
	}
	return t
}

// dialer is the prober's, through the target's way if it has one, and watched.
func (t *targetRun) dialer() dialFunc { return t.watch.dial(t.unwatched()) }

// unwatched is the dialer for connections of which some are meant to be turned away. The target's way was checked before the run began.
func (t *targetRun) unwatched() dialFunc {
	if dial, err := imapdial.Via(t.target.Via, t.prober.dialer()); err == nil {
		return dial
	}
	return t.prober.dialer()
}

// proxied reports whether connections start elsewhere, so that this computer's routes say nothing of them.
func (t *targetRun) proxied() bool { return t.target.Via != "" || t.prober.proxied() }

// run goes from the name to the settings. It is done when nothing of it runs any more.
func (t *targetRun) run(ctx context.Context) {
	if t.target.Discover != "" {
		if t.target.Role != RoleServer {
			t.emailAsHost()
			return
		}
		found := t.discover(ctx)
		defer t.found.end()
		if !found {
			return
		}
	}
	name, connectPort := t.target.Host, uint16(0)
	if t.target.Connect != "" {
		name, connectPort, _ = splitHostPort(t.target.Connect) // prepare has seen that it can be read
	}
	found := t.lookUp(ctx, name)
	result, findings := t.lookupCheck(found, t.target.Connect != "")
	t.own = findings
	if len(found.all()) == 0 {
		if t.found != nil {
			t.found.end()
		}
		t.concludeName(result, new(beside))
		return
	}
	t.reached.Store(found)
	t.subjects = t.plan(found, connectPort)
	questions := t.askBeside(ctx, found)
	t.live.change(func() { t.report.Checks = t.nameResults(result, questions) })
	t.publish()
	t.observe(ctx)
	t.lookAtPaths(ctx)
	t.exchangeAll(ctx)
	if t.prober.Full {
		t.scanAll(ctx)
	}
	if t.prober.Audit {
		t.auditInjections(ctx)
	}
	t.darkened()
	t.relate()
	t.publish()
	t.settle(ctx)
	questions.wait()
	t.concludeName(result, questions)
	t.publish()
}

// plan makes the endpoints that are to be examined: one per port, security and family that has an address.
func (t *targetRun) plan(found *lookup, connectPort uint16) []*subject {
	var subjects []*subject
	endpoints := t.endpoints(connectPort)
	t.both = len(endpoints) > 1
	for _, ep := range endpoints {
		for _, f := range families {
			if len(found.addresses[f]) == 0 {
				continue
			}
			port := ep.EffectivePort()
			if connectPort != 0 {
				port = connectPort
			}
			s := &subject{target: &t.target, index: t.index, ep: ep, family: f, full: t.prober.Full, idle: idleCheck{asked: t.prober.Idle}}
			for _, a := range found.addresses[f] {
				s.addresses = append(s.addresses, netip.AddrPortFrom(a, port))
			}
			s.addresses = s.addresses[:min(len(s.addresses), maxAddresses)]
			s.take(s.addresses[0])
			subjects = append(subjects, s)
		}
	}
	if !t.proxied() {
		skipUnrouted(subjects, routed)
	}
	return subjects
}

// maxAddresses bounds the addresses of a family that are tried one after the other; more would have no time left.
const maxAddresses = 4

// endpoints are the ports and modes that the target asks for (contract 1.1). TLS comes first.
func (t *targetRun) endpoints(connectPort uint16) []imapdial.Endpoint {
	ep := imapdial.Endpoint{Host: t.target.Host, Port: t.target.Port, TLS: t.target.TLS}
	with := func(sec imapdial.Security) imapdial.Endpoint {
		e := ep
		e.Security = sec
		e.Port = e.EffectivePort()
		return e
	}
	switch t.target.Mode {
	case ModeTLS:
		return []imapdial.Endpoint{with(imapdial.TLS)}
	case ModeSTARTTLS:
		return []imapdial.Endpoint{with(imapdial.STARTTLS)}
	case ModeInsecure:
		return []imapdial.Endpoint{with(imapdial.Cleartext)}
	}
	if ep.Port == 0 && connectPort == 0 {
		return []imapdial.Endpoint{with(imapdial.TLS), with(imapdial.STARTTLS)}
	}
	if ep.Port == 0 {
		ep.Port = connectPort // only one port can be dialed, whatever it is called
	}
	if ep.Port == 143 {
		return []imapdial.Endpoint{with(imapdial.STARTTLS)}
	}
	return []imapdial.Endpoint{with(imapdial.TLS)}
}

// skipUnrouted leaves a family out that this computer has no route for, if it has one for the other.
func skipUnrouted(subjects []*subject, routed func(netip.AddrPort) bool) {
	has := map[family]bool{}
	for _, s := range subjects {
		has[s.family] = has[s.family] || routed(s.address)
	}
	for _, s := range subjects {
		s.noRoute = !has[s.family]
		if s.noRoute && has[s.family.other()] {
			s.skip = "not applicable: this computer has no " + s.family.String() + " route there"
		}
	}
}

// observe connects to all endpoints at once and judges each as soon as it was seen.
func (t *targetRun) observe(ctx context.Context) {
	var running sync.WaitGroup
	for _, s := range t.subjects {
		if s.skip != "" {
			continue
		}
		running.Go(func() {
			seen := t.examine(ctx, s)
			t.live.change(func() {
				*s = *seen
				t.report.Endpoints = t.endpointReports()
			})
		})
	}
	running.Wait()
}

// publish shows what is known.
func (t *targetRun) publish() {
	t.live.change(func() { t.report.Endpoints, t.report.Path = t.endpointReports(), t.pathReport() })
}

func (t *targetRun) endpointReports() []*EndpointReport {
	reports := make([]*EndpointReport, len(t.subjects))
	for i, s := range t.subjects {
		reports[i] = s.report()
	}
	return reports
}

// relate tells each endpoint what the target's others mean for it.
func (t *targetRun) relate() {
	t.relatePorts()
	tlsReached, tlsUsable := false, false
	for _, s := range t.subjects {
		_, findings := s.judge()
		if s.ep.Security == imapdial.TLS {
			tlsReached = tlsReached || s.connected()
			tlsUsable = tlsUsable || s.usable(findings)
		}
		s.beside.otherFamily = slices.ContainsFunc(t.subjects, func(o *subject) bool {
			return o.family != s.family && o.ep.Port == s.ep.Port && o.connected()
		})
	}
	if !t.both {
		return
	}
	for _, s := range t.subjects {
		if s.ep.Security == imapdial.STARTTLS {
			s.beside.usableTLS, s.beside.noTLSPort = tlsUsable, !tlsReached
		}
	}
	noTLS := slices.ContainsFunc(t.findings(), func(f finding.Finding) bool { return f.Code == "imap.no-tls" })
	for _, s := range t.subjects {
		s.beside.summedUp = noTLS && s.ep.Security == imapdial.TLS
	}
}

// findings are those of the target so far, in the order of the report.
func (t *targetRun) findings() []finding.Finding {
	all := slices.Clone(t.own)
	for _, s := range t.subjects {
		_, findings := s.judge()
		all = append(all, findings...)
	}
	return mergeFamilies(all)
}

// close closes what is open, for a run that ends early.
func (t *targetRun) close() {
	for _, s := range t.subjects {
		if s.conn != nil {
			s.conn.Close()
		}
	}
	if t.session != nil {
		t.session.Close()
		t.session = nil
	}
}

// emailAsHost ends the run of a target that was given as an e-mail address where only a host can stand.
func (t *targetRun) emailAsHost() {
	flag := string(t.target.Role)
	f := finding.New("input.email-as-host", t.target.Discover+" is an e-mail address, and --"+flag+" needs a host",
		"the server that keeps a mailbox cannot be told from the address alone")
	f.Check, f.Target = "dns.lookup", &t.index
	f.Remedies = []finding.Remedy{
		{Text: "give the IMAP server's host from the mail provider's instructions, often imap." + domainOf(t.target.Discover) + ", and the address as the user name",
			Apply: map[string]string{flag: "imap." + domainOf(t.target.Discover), t.target.Role.prefix() + "user": t.target.Discover}},
	}
	f.Evidence["input"] = t.target.Discover
	t.own = []finding.Finding{f}
	t.live.change(func() {
		t.report.Checks = dnsChecks(Result{ID: "dns.lookup", Status: Fail, Summary: f.Summary, Facts: map[string]any{}})
	})
}
