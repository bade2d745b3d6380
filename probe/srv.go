package probe

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// srvServices are those of RFC 6186 section 3.2, in the order of RFC 8314 section 5.1: TLS from the first byte comes first.
var srvServices = []struct {
	name     string
	security imapdial.Security
}{{"_imaps._tcp", imapdial.TLS}, {"_imap._tcp", imapdial.STARTTLS}}

// A srvQuestion is about one service of one domain.
type srvQuestion struct {
	domain   string
	service  string
	security imapdial.Security
	answer   dns.Answer // once it ended
}

// askSRV asks for the services of domain.
func (t *targetRun) askSRV(ctx context.Context, running *sync.WaitGroup, domain string) []*srvQuestion {
	var questions []*srvQuestion
	for _, s := range srvServices {
		q := &srvQuestion{domain: domain, service: s.name, security: s.security}
		running.Go(func() { q.answer = t.dns.Ask(ctx, q.service+"."+q.domain, dns.TypeSRV) })
		questions = append(questions, q)
	}
	return questions
}

// srvDomains are the domains whose records may speak of the target, the likeliest first: that of the user's address, the one above the
// host, and the host itself.
func (t *targetRun) srvDomains() []string {
	var domains []string
	add := func(domain string) {
		if strings.Contains(domain, ".") && t.mayAsk(domain) && !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	if strings.Contains(t.target.User, "@") {
		if domain, err := canonicalHost(domainOf(t.target.User)); err == nil {
			add(domain)
		}
	}
	_, above, _ := strings.Cut(t.target.Host, ".")
	add(above)
	add(t.target.Host)
	return domains
}

// maxProposals bounds what is taken over from each source.
const maxProposals = 16

// proposals are the servers that the answer names, in the order of preference. Names that are none are passed over.
func (q *srvQuestion) proposals() []proposal {
	var list []proposal
	for _, r := range q.answer.SRV() {
		host, err := canonicalHost(r.Target)
		if err != nil || r.Port == 0 || len(list) == maxProposals {
			continue
		}
		list = append(list, proposal{source: "srv", host: host, port: r.Port, security: q.security, from: q.service + "." + q.domain})
	}
	return list
}

// srvOutcome judges the service records of the first domain that has some.
func (t *targetRun) srvOutcome(questions []*srvQuestion) outcome {
	var asked []string
	answered := false
	for _, q := range questions {
		answered = answered || q.answer.Outcome.Definite()
		if !slices.Contains(asked, q.domain) {
			asked = append(asked, q.domain)
		}
	}
	for _, domain := range asked {
		of := slices.DeleteFunc(slices.Clone(questions), func(q *srvQuestion) bool { return q.domain != domain })
		if slices.ContainsFunc(of, func(q *srvQuestion) bool { return q.answer.Outcome == dns.Found }) {
			return t.srvOfDomain(domain, of)
		}
	}
	if !answered {
		return outcome{status: Skip, summary: "not known: no name server answered in time"}
	}
	return outcome{summary: "no SRV records for " + strings.Join(asked, " and "), took: longest(questions),
		facts: map[string]any{"domains": asList(asked), "proposals": []any{}}}
}

// srvOfDomain judges what a domain says of its services.
func (t *targetRun) srvOfDomain(domain string, questions []*srvQuestion) outcome {
	var named []proposal
	for _, q := range questions {
		named = append(named, q.proposals()...)
	}
	out := outcome{took: longest(questions), facts: map[string]any{"domain": domain, "proposals": proposalFacts(named)}}
	if declined := t.declined(questions, named); len(declined) > 0 {
		out.facts["declined"] = asList(declined)
		out.findings = append(out.findings, t.declinedFinding(domain, declined))
	}
	agrees := slices.ContainsFunc(named, func(p proposal) bool {
		return p.host == t.target.Host && slices.ContainsFunc(t.endpoints(0), func(ep imapdial.Endpoint) bool { return ep.EffectivePort() == p.port })
	})
	if len(named) > 0 && !agrees {
		out.findings = append(out.findings, t.suggestsFinding(domain, named[0]))
	}
	switch {
	case len(out.findings) > 0:
		out.summary = out.findings[0].Summary
	case agrees:
		out.summary = "the SRV records of " + domain + " name this server"
	default:
		out.summary = "the SRV records of " + domain + " name no server that can be used"
	}
	return out
}

// declined are the services that the domain says it has not, as far as they were to be examined. That it has no STARTTLS is no remark
// where it names a server with TLS: RFC 8314 section 3 wants it so.
func (t *targetRun) declined(questions []*srvQuestion, named []proposal) []string {
	var list []string
	for _, q := range questions {
		wanted := t.target.Mode == Auto && (q.security == imapdial.TLS || len(named) == 0) ||
			t.target.Mode == ModeTLS && (q.security == imapdial.TLS || len(named) == 0) ||
			(t.target.Mode == ModeSTARTTLS || t.target.Mode == ModeInsecure) && (q.security == imapdial.STARTTLS || len(named) == 0)
		if wanted && q.answer.Declined() {
			list = append(list, q.service+"."+q.domain)
		}
	}
	return list
}

func (t *targetRun) declinedFinding(domain string, declined []string) finding.Finding {
	f := finding.New("dns.srv-declined", "the domain "+domain+" says that it has no such service, with "+strings.Join(declined, " and "),
		"the record's target is the root of the DNS, which says that the service is decidedly not offered; it may be out of date, or the server about to be switched off")
	f.Target = &t.index
	f.Remedies = advice("ask the mail provider whether IMAP is offered, and on which host",
		"if it is, ask whoever keeps the DNS of "+domain+" to name the host in the record")
	f.Evidence = map[string]any{"domain": domain, "declined": asList(declined)}
	for _, name := range declined {
		f.Reproduce = append(f.Reproduce, t.dig(name, "SRV"))
	}
	return f
}

func (t *targetRun) suggestsFinding(domain string, p proposal) finding.Finding {
	f := finding.New("dns.srv-suggests", "the domain "+domain+" names another server: "+p.hostPort()+" with "+p.security.String(),
		"the SRV record "+p.from+" is what mail programs set themselves up with; nothing was changed because of it")
	f.Target = &t.index
	remedy := finding.Remedy{Text: "use " + p.url() + " if this server does not work, or is going to be switched off"}
	if t.target.Role != RoleServer {
		remedy.Apply = map[string]string{string(t.target.Role): p.url()}
	}
	f.Remedies = []finding.Remedy{remedy}
	f.Evidence = map[string]any{"domain": domain, "host": p.host, "port": int(p.port), "security": p.security.String()}
	f.Reproduce = []string{t.dig(p.from, "SRV")}
	return f
}

// longest is how long the slowest of the questions took.
func longest(questions []*srvQuestion) (took time.Duration) {
	for _, q := range questions {
		took = max(took, q.answer.Took)
	}
	return took
}

// A proposal is a server that something says a mailbox is on.
type proposal struct {
	source   string // "srv", "autoconfig", "mx" or "guess"
	host     string
	port     uint16
	security imapdial.Security
	from     string // where it was read: a name in the DNS, or a URL
	user     string // the user name it asks for, "" for none in particular
}

func (p proposal) hostPort() string { return net.JoinHostPort(p.host, strconv.Itoa(int(p.port))) }

// url is the target that examines the proposal.
func (p proposal) url() string {
	scheme := map[imapdial.Security]string{imapdial.TLS: "imaps", imapdial.STARTTLS: "imap+starttls", imapdial.Cleartext: "imap+insecure"}[p.security]
	return scheme + "://" + p.hostPort()
}

func proposalFacts(list []proposal) []any {
	facts := []any{}
	for _, p := range list {
		facts = append(facts, map[string]any{"source": p.source, "host": p.host, "port": int(p.port), "security": p.security.String(), "from": p.from})
	}
	return facts
}

func asList(texts []string) []any {
	list := make([]any, len(texts))
	for i, s := range texts {
		list[i] = s
	}
	return list
}
