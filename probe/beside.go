package probe

import (
	"context"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// beside is what name servers are asked while the endpoints are examined. Nothing of it is needed to go on.
type beside struct {
	cancel   context.CancelFunc
	running  sync.WaitGroup
	patience time.Duration // how long the end of the probe waits for it

	split *finding.Finding
	srv   []*srvQuestion // nil: not asked
	tlsa  []*tlsaQuestion
}

// How long a probe that is otherwise done waits for answers. Where the name came from the DNS, its servers can be expected to answer; where
// it came from the hosts file, this computer may have none.
const (
	patienceWithDNS    = 2 * time.Second
	patienceWithoutDNS = 150 * time.Millisecond
)

// askBeside starts the questions that can matter for a name that has an address. Names that are not public are asked for only where the
// person named the server to ask. The caller calls wait.
func (t *targetRun) askBeside(ctx context.Context, l *lookup) *beside {
	b := &beside{patience: patienceWithDNS}
	ctx, b.cancel = context.WithCancel(ctx)
	if t.found != nil {
		b.running.Go(t.found.rest.Wait)
		context.AfterFunc(ctx, t.found.stop)
	}
	if t.target.Connect != "" || l.literal {
		return b
	}
	if len(t.hostsEntries(l)) > 0 {
		b.patience = patienceWithoutDNS
	}
	b.running.Go(func() { b.split = t.splitHorizon(ctx, l) })
	if !t.mayAsk(l.name) {
		return b
	}
	if t.found == nil { // else the service records were asked for to find the server
		for _, domain := range t.srvDomains() {
			b.srv = append(b.srv, t.askSRV(ctx, &b.running, domain)...)
		}
	}
	for _, s := range t.subjects {
		b.tlsa = askTLSA(ctx, &b.running, t.dns, b.tlsa, s.ep)
	}
	return b
}

// mayAsk reports whether name servers are to be asked about records of name that nobody gave us a reason to expect.
func (t *targetRun) mayAsk(name string) bool {
	return len(t.dns.Servers) > 0 && !dns.Localhost(name) && (t.prober.NamesFromDNS || !dns.SpecialUse(name))
}

// wait ends the questions, after some patience with those that have no answer yet.
func (b *beside) wait() {
	defer b.cancel()
	done := make(chan struct{})
	go func() {
		b.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(b.patience):
		b.cancel()
		<-done
	}
}

// nameResults are the checks of the name while the questions of b are under way: theirs have not ended.
func (t *targetRun) nameResults(lookup Result, b *beside) []Result {
	results := dnsChecks(lookup)
	if len(b.srv) > 0 || t.found != nil {
		results[1] = Result{ID: "dns.srv", Facts: map[string]any{}}
	}
	if len(b.tlsa) > 0 {
		results[2] = Result{ID: "dns.tlsa", Facts: map[string]any{}}
	}
	return results
}

// concludeName judges the name with all that was answered. The questions of b have ended.
func (t *targetRun) concludeName(lookup Result, b *beside) {
	results := dnsChecks(lookup)
	var findings []finding.Finding
	if b.split != nil {
		results[0].Status, results[0].Summary = Warned, b.split.Summary
		findings = append(findings, *b.split)
	}
	add := func(i int, out outcome) {
		id := results[i].ID
		results[i] = out.result()
		results[i].ID = id
		for _, f := range out.findings {
			f.Check = id
			findings = append(findings, f)
		}
	}
	if t.found != nil {
		add(1, t.found.outcome(t))
	} else if len(b.srv) > 0 {
		add(1, t.srvOutcome(b.srv))
	}
	if len(b.tlsa) > 0 {
		add(2, t.tlsaOutcome(b.tlsa))
	}
	t.own = append(t.own, findings...)
	t.live.change(func() { t.report.Checks = results })
}
