package probe

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// dnsChecks returns the results of what precedes an address: that of the look-up, and the others as they are before anything was
// asked for them.
func dnsChecks(first Result) []Result {
	rest := Result{Status: Skip, Summary: first.Summary}
	switch first.Status {
	case Skip:
	case "":
		rest = Result{}
	case Fail:
		rest.Summary = "not asked for: there is no address"
	default:
		rest.Summary = "not asked for: the name is not one of the public DNS, or no name server is known"
	}
	srv, tlsa := rest, rest
	srv.ID, srv.Facts = "dns.srv", map[string]any{}
	tlsa.ID, tlsa.Facts = "dns.tlsa", map[string]any{}
	return []Result{first, srv, tlsa}
}

// lookupCheck judges the look-up. connect tells that the name is that of --connect, whose look-up is no check when it succeeds.
func (t *targetRun) lookupCheck(l *lookup, connect bool) (Result, []finding.Finding) {
	r := Result{ID: "dns.lookup", Facts: map[string]any{}}
	if len(l.all()) > 0 {
		switch {
		case connect:
			r.Status, r.Summary = Skip, "not applicable: --"+t.target.Role.prefix()+"connect gives the address"
		case l.literal:
			r.Status, r.Summary = Skip, "not applicable: the host is an address"
		default:
			r.Status, r.DurationMS = Pass, milliseconds(l.took)
			r.Summary = count(len(l.addresses[ipv4]), "IPv4 address", "IPv4 addresses") + ", " +
				count(len(l.addresses[ipv6]), "IPv6 address", "IPv6 addresses")
			r.Facts = l.facts()
		}
		return r, nil
	}
	r.Status, r.DurationMS, r.Facts = Fail, milliseconds(l.took), l.facts()
	f := t.lookupFinding(l, connect)
	r.Summary = f.Summary
	return r, []finding.Finding{f}
}

// notFound reports whether the system's resolver said of every family that there is no such name or no such record.
func (l *lookup) notFound() bool {
	for _, f := range families {
		var d *net.DNSError
		if !errors.As(l.errs[f], &d) || !d.IsNotFound {
			return false
		}
	}
	return true
}

// failure returns what the system's resolver said of the family that failed in earnest.
func (l *lookup) failure() string {
	for _, f := range families {
		var d *net.DNSError
		if errors.As(l.errs[f], &d) && !d.IsNotFound {
			return wire.Printable(d.Err)
		}
	}
	for _, f := range families {
		if l.errs[f] != nil {
			return wire.Printable(l.errs[f].Error())
		}
	}
	return "no name server is known"
}

// verdict is what own questions say of a name without address: the answer that explains it, of the family that it was given for.
// It is false when they say nothing, or something that the system's resolver contradicts, which is never overruled.
func (l *lookup) verdict() (dns.Answer, bool) {
	a, b := l.answers[ipv4], l.answers[ipv6]
	if len(l.answers) < 2 || a.Outcome == dns.Found || b.Outcome == dns.Found {
		return dns.Answer{}, false
	}
	// A name that has no record of one type exists, whatever is said of the other: some balancers deny what they do not serve.
	exists := a.Outcome == dns.NoData || b.Outcome == dns.NoData
	for _, o := range []dns.Outcome{dns.Bogus, dns.NXDomain, dns.ServFail, dns.Refused, dns.Silent, dns.NoData} {
		if o == dns.NXDomain && exists {
			continue
		}
		i := slices.IndexFunc(families, func(f family) bool { return l.answers[f].Outcome == o })
		if i < 0 {
			continue
		}
		return l.answers[families[i]], !l.notFound() || o.Definite()
	}
	return dns.Answer{}, false
}

// lookupFinding explains a look-up that gave no address.
func (t *targetRun) lookupFinding(l *lookup, connect bool) finding.Finding {
	a, explained := l.verdict()
	var f finding.Finding
	switch {
	case explained:
		f = explainAnswer(l.name, a)
	case l.notFound():
		f = notFoundFinding(l.name)
	default:
		f = finding.New("dns.servfail", "the name "+l.name+" could not be looked up; the resolver said: "+l.failure(),
			"the resolver of this computer did not give an answer: it cannot be reached, or it cannot get one from the servers of the domain")
		f.Certainty = finding.Likely
		f.Remedies = advice("try another name to see whether the resolver of this computer works at all",
			"if other names work, tell whoever keeps the domain's DNS that its servers do not answer or that its DNSSEC is broken")
	}
	if l.answers[ipv4].Outcome == dns.Found || l.answers[ipv6].Outcome == dns.Found {
		f.Cause = "the name server " + l.answers[ipv4].Server + " has an address for it, and the resolver of this computer does not pass it on"
		f.Responsible, f.Certainty = finding.ThisComputer, finding.Likely
		f.Remedies = advice("try again: the failure may have passed",
			"look at how this computer finds names: /etc/nsswitch.conf, /etc/resolv.conf and the service behind them")
	}
	if !connect {
		f.Remedies = append(f.Remedies, finding.Remedy{Text: "if the address of the server is known, give it with --" + t.target.Role.prefix() +
			"connect ADDRESS; the name stays in use for the certificate"})
	}
	f.Check, f.Target = "dns.lookup", &t.index
	f.Evidence = l.facts()
	if len(f.Reproduce) == 0 {
		f.Reproduce = []string{t.dig(l.name, "A"), t.dig(l.name, "AAAA")}
	}
	if a.Outcome == dns.Bogus {
		f.Reproduce = []string{t.dig(l.name, "A"), t.dig(l.name, "A", "+cd")}
	}
	return f
}

func notFoundFinding(name string) finding.Finding {
	f := finding.New("dns.nxdomain", "the name "+name+" was not found",
		"the resolver of this computer knows no address for this name: it is misspelt, does not exist, or has no address")
	f.Remedies = spelling(name)
	return f
}

func spelling(name string) []finding.Remedy {
	return advice("check the spelling of "+name+" in the mail provider's instructions; often it is imap. or mail. and the domain",
		"if the name is new or was changed, ask whoever keeps the domain's DNS for its A and AAAA records")
}

// explainAnswer makes a finding of the answer that explains why name has no address.
func explainAnswer(name string, a dns.Answer) finding.Finding {
	because := ""
	if a.Extended != "" {
		because = "; it gives as the reason: " + strings.TrimRight(wire.Printable(a.Extended), ".")
	}
	switch a.Outcome {
	case dns.NXDomain:
		f := finding.New("dns.nxdomain", "the name "+name+" does not exist (NXDOMAIN from "+a.Server+")",
			"it is misspelt, was deleted, or is known in another network only"+because)
		f.Remedies = spelling(name)
		return f
	case dns.NoData:
		f := finding.New("dns.no-address", "the name "+name+" exists and has no address, neither IPv4 nor IPv6",
			"it is a name for something else, such as the mail domain, or its A and AAAA records are missing"+because)
		f.Remedies = advice("check in the mail provider's instructions which host is the IMAP server; often it is imap. or mail. and the domain",
			"if "+name+" is meant to be the server, ask whoever keeps the domain's DNS to add its A and AAAA records")
		return f
	case dns.Bogus:
		f := finding.New("dns.dnssec-broken", "the DNSSEC signatures of "+name+" do not hold, so that the resolver "+a.Server+" withholds its addresses",
			"the resolver answers SERVFAIL, and answers when it is asked not to validate: the zone's signatures lapsed, or its keys do not fit the DS record at the parent"+because)
		if !a.DNSSEC {
			f.Certainty = finding.Likely // a failure that passed between the two questions looks the same
		}
		f.Remedies = advice("tell whoever keeps the domain's DNS to sign the zone again or to correct the DS record at its parent",
			"wait until that is done: turning validation off would let forged answers in")
		return f
	case dns.Refused:
		f := finding.New("dns.refused", "the resolver "+a.Server+" refuses to answer for "+name,
			"it serves other clients or other domains only, or filters this name"+because)
		f.Remedies = []finding.Remedy{
			{Text: "use the resolver that this network hands out, or name another with --resolver HOST"},
			{Text: "if the resolver is meant for this computer, ask its operator to allow it"},
		}
		return f
	case dns.ServFail:
		f := finding.New("dns.servfail", "the resolver "+a.Server+" could not look up "+name+" (SERVFAIL)",
			"it gets no usable answer from the name servers of the domain, with and without DNSSEC validation"+because)
		f.Remedies = advice("try another name to see whether the resolver works at all",
			"if other names work, tell whoever keeps the domain's DNS that its name servers do not answer")
		return f
	}
	f := finding.New("dns.timeout", "no answer about "+name+" from the resolver "+a.Server,
		"the resolver is down or cannot be reached from here ("+reason(a.Err)+")")
	f.Remedies = []finding.Remedy{
		{Text: "try another name: if none is found, look at this computer's network and resolvers (/etc/resolv.conf)"},
		{Text: "name another resolver with --resolver HOST"},
	}
	f.Certainty = finding.Possible // whose silence it is, the resolver's or the network's, cannot be told from here
	return f
}

// reason is the last part of an error of the network: the rest names what the finding names already.
func reason(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return "nothing came back"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nothing came back in time"
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return wire.Printable(err.Error())
		}
		err = inner
	}
}

// dig is the line that asks the same question.
func (t *targetRun) dig(name, qtype string, options ...string) string {
	args := []string{"dig"}
	if t.prober.NamesFromDNS && len(t.dns.Servers) > 0 {
		host, port, err := net.SplitHostPort(t.dns.Servers[0])
		if err == nil {
			args = append(args, "@"+quote(host))
			if port != "53" {
				args = append(args, "-p", port)
			}
		}
	}
	args = append(args, options...)
	return strings.Join(append(args, quote(name), qtype), " ")
}
