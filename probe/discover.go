package probe

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/provider"
)

// A discovery is the search for the server of user@domain. What it finds are proposals; the first of the best source is examined.
type discovery struct {
	domain string
	begin  time.Time
	took   time.Duration

	srv  []*srvQuestion
	rest sync.WaitGroup // what is asked beside the SRV records, guards the fields below
	stop context.CancelFunc

	config [2][]proposal // by URL
	errs   [2]error
	mx     dns.Answer
	names  []*lookup // of the usual names
}

// usualNames are what the server of a domain is often called.
var usualNames = []string{"imap.", "mail."}

// discover looks for the server of the address that the target was given as, everywhere at once, and sets the target to what it finds.
// It waits for the SRV records, and for the rest only where they name nothing. It reports whether there is something to examine. The
// caller calls end.
func (t *targetRun) discover(ctx context.Context) bool {
	d := &discovery{domain: domainOf(t.target.Discover), begin: time.Now(), names: make([]*lookup, len(usualNames))}
	ctx, d.stop = context.WithCancel(ctx)
	t.found = d
	var records sync.WaitGroup
	d.srv = t.askSRV(ctx, &records, d.domain)
	d.rest.Go(func() { d.mx = t.dns.Ask(ctx, d.domain, dns.TypeMX) })
	for i, url := range autoconfigURLs(d.domain) {
		d.rest.Go(func() { d.config[i], d.errs[i] = t.autoconfig(ctx, d.domain, url) })
	}
	for i, prefix := range usualNames {
		d.rest.Go(func() { d.names[i] = t.addressesOf(ctx, prefix+d.domain) })
	}
	records.Wait()
	chosen, ok := usable(d.fromSRV())
	if !ok {
		d.rest.Wait()
		chosen, ok = d.choose()
	}
	d.took = time.Since(d.begin)
	if !ok {
		t.nothingFound()
		return false
	}
	t.take(chosen)
	return true
}

// end stops what still runs. After it all fields can be read.
func (d *discovery) end() {
	d.stop()
	d.rest.Wait()
}

// fromSRV are the proposals of the SRV records.
func (d *discovery) fromSRV() []proposal {
	var list []proposal
	for _, q := range d.srv {
		list = append(list, q.proposals()...)
	}
	return list
}

// all are the proposals in order: what the domain publishes, then what is known of its provider, then guesses.
func (d *discovery) all() []proposal {
	list := d.fromSRV()
	for _, config := range d.config {
		list = append(list, config...)
	}
	for _, mx := range d.mx.MX() {
		if p := provider.OfMX(mx); p != nil && p.Server != "" {
			list = append(list, proposal{source: "mx", host: p.Server, port: 993, security: imapdial.TLS, from: mx})
			break
		}
	}
	for _, l := range d.names {
		if len(l.all()) > 0 {
			list = append(list, proposal{source: "guess", host: l.name, port: 993, security: imapdial.TLS, from: l.name})
		}
	}
	return list
}

// choose returns the proposal to examine. Where the domain declines the service, nothing is guessed.
func (d *discovery) choose() (proposal, bool) {
	list := d.all()
	if d.declines() {
		list = slices.DeleteFunc(list, func(p proposal) bool { return p.source == "mx" || p.source == "guess" })
	}
	return usable(list)
}

// usable returns the first proposal that has TLS; no other is examined unless a person says so.
func usable(list []proposal) (proposal, bool) {
	i := slices.IndexFunc(list, func(p proposal) bool { return p.security != imapdial.Cleartext })
	if i < 0 {
		return proposal{}, false
	}
	return list[i], true
}

// declines reports whether the domain says that it has no IMAP server.
func (d *discovery) declines() bool {
	return slices.ContainsFunc(d.srv, func(q *srvQuestion) bool { return q.answer.Declined() }) &&
		len(d.fromSRV()) == 0
}

// take makes p the target.
func (t *targetRun) take(p proposal) {
	t.target.Host, t.target.Port, t.target.Mode = p.host, p.port, ModeTLS
	if p.security == imapdial.STARTTLS {
		t.target.Mode = ModeSTARTTLS
	}
	if p.source == "guess" {
		t.target.Port, t.target.Mode = 0, Auto
	}
	local, _, _ := strings.Cut(t.target.Discover, "@")
	if t.target.User == t.target.Discover && p.user == "%EMAILLOCALPART%" {
		t.target.User = local
	}
	t.live.change(func() { t.report.Host = p.host })
}

// outcome is that of dns.srv for a target that was discovered. The discovery has ended.
func (d *discovery) outcome(t *targetRun) outcome {
	all := d.all()
	out := outcome{took: d.took, facts: map[string]any{"domain": d.domain, "proposals": proposalFacts(all)}}
	errs := []any{}
	for _, err := range d.errs {
		if err != nil {
			errs = append(errs, reason(err))
		}
	}
	if len(errs) > 0 {
		out.facts["autoconfig_errors"] = errs
	}
	if d.declines() {
		var declined []string
		for _, q := range d.srv {
			if q.answer.Declined() {
				declined = append(declined, q.service+"."+q.domain)
			}
		}
		out.facts["declined"] = asList(declined)
		out.findings = []finding.Finding{t.declinedFinding(d.domain, declined)}
		out.summary = out.findings[0].Summary
		return out
	}
	if len(all) == 0 && !slices.ContainsFunc(d.srv, func(q *srvQuestion) bool { return q.answer.Outcome.Definite() }) {
		out.status, out.summary = Skip, "not known: no name server answered in time"
		return out
	}
	out.summary = "nothing names the IMAP server of " + d.domain
	if chosen, ok := d.choose(); ok {
		out.summary = count(len(all), "proposal", "proposals") + " for " + d.domain + "; examined is " + chosen.hostPort() + " from " + chosen.origin()
	}
	return out
}

// origin says for a person where a proposal comes from.
func (p proposal) origin() string {
	switch p.source {
	case "srv":
		return "the SRV record " + p.from
	case "autoconfig":
		return "the configuration at " + p.from
	case "mx":
		return "what is known of the provider behind the mail exchanger " + p.from
	}
	return "the usual names"
}

// nothingFound ends the run of an address whose server could not be found.
func (t *targetRun) nothingFound() {
	d := t.found
	var f finding.Finding
	switch d.mx.Outcome {
	case dns.Found, dns.NoData:
		f = finding.New("dns.no-address", "no IMAP server was found for "+d.domain,
			"the domain names none in SRV records, publishes no configuration for mail programs, and has neither imap."+d.domain+" nor mail."+d.domain)
		if d.declines() {
			f.Cause = "the domain says in its SRV records that it offers no IMAP, and publishes no configuration for mail programs that says otherwise"
		}
		f.Remedies = advice("give the IMAP server's host from the mail provider's instructions in place of the address",
			"whoever keeps the domain's DNS can name the server there: _imaps._tcp."+d.domain+" SRV 0 1 993 HOST")
	default:
		f = explainAnswer(d.domain, d.mx)
	}
	f.Check, f.Target = "dns.lookup", &t.index
	f.Evidence = map[string]any{"domain": d.domain, "answer": d.mx.Outcome.String(), "resolver": d.mx.Server, "proposals": proposalFacts(d.all())}
	f.Reproduce = []string{t.dig(d.domain, "MX"), t.dig("_imaps._tcp."+d.domain, "SRV"), t.dig("_imap._tcp."+d.domain, "SRV")}
	for _, url := range autoconfigURLs(d.domain) {
		f.Reproduce = append(f.Reproduce, "curl --proto =https "+quote(url))
	}
	t.own = append(t.own, f)
	t.concludeName(Result{ID: "dns.lookup", Status: Fail, Summary: f.Summary, DurationMS: milliseconds(d.took), Facts: map[string]any{"domain": d.domain}}, new(beside))
}
