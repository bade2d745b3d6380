package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/netpath"
)

// letter is a paragraph for the administrator of a device, ready to be sent: who, whither, when, what happens, how that was seen, and what shows it.
func (s *subject) letter(h netpath.Hop, happens, evidence string) string {
	to := "the administrator of " + hopName(h)
	switch h.TTL {
	case 0: // it is not known where
		to = "the administrator of this network"
	case 1:
		to = "the administrator of this network (" + hopName(h) + ")"
	}
	return fmt.Sprintf("send this to %s:\nTCP connections %s %s. This was seen on %s: %s. The mail program at %s needs TCP port %d (IMAP) to that server; please let it through. "+
		"This shows it, the first line as root:\n  %s\n  imapilot probe --path %s", to, s.fromTo(), happens, s.seenAt(), evidence, s.sourceText(), s.address.Port(),
		s.traceroute(), quote(s.ep.Host))
}

// letterToServer is the same for the administrator of the server, who sees only what arrives.
func (s *subject) letterToServer() string {
	return fmt.Sprintf("send this to the administrator of the server:\nTCP connections %s get no answer. This was seen on %s; if the address is a private one, it arrives under another. "+
		"Is the host up, and does its firewall, or a ban such as fail2ban's, drop them? This shows whether they arrive:\n  tcpdump -n tcp port %d",
		s.fromTo(), s.seenAt(), s.address.Port())
}

func (s *subject) fromTo() string {
	to := s.address.Addr().String()
	if to != s.ep.Host {
		to = s.ep.Host + " (" + to + ")"
	}
	ports := fmt.Sprintf("port %d", s.address.Port())
	if s.path != nil {
		for _, port := range s.path.also {
			ports += fmt.Sprintf(" and %d", port)
		}
	}
	return fmt.Sprintf("from %s to %s, %s,", s.sourceText(), to, ports)
}

// withoutLetters takes the letters out of a finding about a port that came out like another: they are there, and speak for both.
func (s *subject) withoutLetters(f *finding.Finding) {
	if s.path.own {
		return
	}
	f.Remedies = slices.DeleteFunc(f.Remedies, func(r finding.Remedy) bool { return strings.Contains(r.Text, "\n") })
	f.Remedies = append(advice(fmt.Sprintf("do what is said of port %d of this server: it is the same here", s.path.survey.To.Port())), f.Remedies...)
}

// sourceText is this computer's address, as it is in its own network.
func (s *subject) sourceText() string {
	if s.path != nil && s.path.local.IsValid() {
		return s.path.local.String()
	}
	return "this computer"
}

func (s *subject) seenAt() string { return s.path.when.Format(time.DateTime) + " UTC" }

// traceroute is the line with which an administrator sees the same.
func (s *subject) traceroute() string {
	return fmt.Sprintf("traceroute -n -T -p %d %s", s.address.Port(), s.address.Addr())
}

// tellPath adds what was seen of the path to a finding about reachability.
func (s *subject) tellPath(f *finding.Finding) {
	p := s.path
	if p.survey.Err != nil {
		f.Evidence["path"] = netpath.ErrUnavailable.Error()
	}
	f.Evidence["compared"] = p.compared()
	if v, how := p.acts(); how != "" && p.survey.Err == nil && (v.Hop.TTL != 0 || v.Place == netpath.Here) {
		f.Evidence["acts_at"] = map[string]any{"ttl": v.Hop.TTL, "address": addressText(v.Hop), "how": how}
		f.Evidence["steady"] = p.survey.Steady
	}
	if icmp := p.verdict.Try.ICMP(); icmp != "" {
		f.Evidence["icmp"], f.Evidence["icmp_from"] = icmp, p.verdict.Try.From.String()
	}
	f.Reproduce = append(f.Reproduce, s.traceroute()+" # needs root")
}

func addressText(h netpath.Hop) string {
	if !h.Address.IsValid() {
		return ""
	}
	return h.Address.String()
}

// outcomeWords are the outcomes of tries as evidence.
var outcomeWords = map[netpath.Outcome]string{
	netpath.Silent: "silence", netpath.Connected: "connected", netpath.Refused: "reset", netpath.Unreachable: "unreachable",
	netpath.Exceeded: "exceeded", netpath.Local: "not sent",
}

// compared lists the ports that were compared, as evidence.
func (p *pathSeen) compared() []any {
	list := []any{}
	for _, c := range p.survey.Cells {
		entry := map[string]any{"address": c.To.String(), "outcome": outcomeWords[c.Outcome]}
		if c.Unused {
			entry["unused"] = true
		}
		if c.From.IsValid() {
			entry["icmp"], entry["icmp_from"] = c.ICMP(), c.From.String()
		}
		list = append(list, entry)
	}
	return list
}

// answeredBy judges who answered at an endpoint where TCP opened.
func (s *subject) answeredBy(out *outcome) {
	if s.path == nil || !s.connected() {
		return
	}
	switch s.path.verdict.Act {
	case netpath.AnswersForAll:
		f := s.captivePortal()
		out.stops, out.status, out.summary, out.findings = true, Fail, f.Summary, []finding.Finding{f}
	case netpath.Answers:
		out.findings = []finding.Finding{s.intercepted()}
	case netpath.Redirects:
		out.findings = []finding.Finding{s.redirected()}
	case netpath.Loses:
		out.findings = []finding.Finding{s.flaky()}
	}
}

// onPath starts a finding about who answers.
func (s *subject) onPath(code finding.Code, summary, cause string, remedies ...string) finding.Finding {
	f := s.net(code, summary, cause, remedies...)
	v := s.path.verdict
	f.Responsible, f.Certainty = responsibleAt(v.Place, code), certaintyOf(v.Sure)
	s.tellPath(&f)
	s.withoutLetters(&f)
	return f
}

func (s *subject) captivePortal() finding.Finding {
	f := s.onPath("net.captive-portal", "this network answers in the name of every server: "+s.hostPort()+" was not reached",
		fmt.Sprintf("connections come about to a port that is closed everywhere and to an address that nobody has; %s answers them: "+
			"a portal that waits for a sign-in, or a filter that takes every connection", hopName(s.path.verdict.Hop)),
		"open any page with http:// in a web browser on this computer and sign in to the network, then probe again",
		"use another network, such as a phone's hotspot",
		s.letter(s.path.verdict.Hop, "are answered by you in the server's name", "a port that is closed everywhere and an address that nobody has were answered too"))
	if f.Responsible == finding.Unknown {
		f.Responsible = finding.LocalNetwork
	}
	return f
}

func (s *subject) intercepted() finding.Finding {
	v := s.path.verdict
	evidence := fmt.Sprintf("packets to port %d are answered within %s, where packets to port %d have only reached %s",
		s.address.Port(), hops(v.Try.TTL), s.path.survey.Compare.To.Port(), s.passedTo(v.Try.TTL))
	cause := evidence + ": a transparent proxy, or a program that inspects mail, takes the connection"
	if s.facts.Acceptable() {
		cause += "; the certificate is the server's own, so it passes TLS on without reading it"
	}
	return s.onPath("net.intercepted", fmt.Sprintf("%s answers in the name of %s", hopName(v.Hop), s.hostPort()), cause,
		s.letter(v.Hop, "are answered by you in the server's name", evidence), s.elsewhere())
}

func (s *subject) redirected() finding.Finding {
	v := s.path.verdict
	evidence := fmt.Sprintf("from hop %d on routers report in the server's own name, as behind a device that translates the destination (DNAT)", v.Hop.TTL)
	return s.onPath("net.redirected", fmt.Sprintf("%s sends connections to %s on to another address", hopName(v.Hop), s.hostPort()), evidence,
		"nothing is needed if the certificate is the server's own", s.letter(v.Hop, "are sent on to another address", evidence))
}

func (s *subject) flaky() finding.Finding {
	lost, tried := 0, 0
	var pattern []any
	for _, t := range s.path.survey.Spaced {
		tried++
		if t.Outcome == netpath.Silent {
			lost++
		}
		pattern = append(pattern, outcomeWords[t.Outcome])
	}
	summary := "connections to " + s.hostPort() + " come about only now and then"
	if lost > 0 {
		summary = fmt.Sprintf("%d of %d connections to %s got no answer", lost, tried, s.hostPort())
	}
	f := s.onPath("net.flaky", summary,
		"something on the way, or at the server, drops some connections: a limit of connections in a time, a path with losses, or one of several servers that is down",
		"let the job use few connections; it waits and tries again by itself",
		fmt.Sprintf("ask the administrator of the server whether new connections from %s are limited in number or rate", s.sourceText()))
	f.Responsible = finding.Server
	if pattern != nil {
		f.Evidence["pattern"] = pattern
	}
	return f
}

// tellHelloPath adds to a finding about a lost ClientHello how far it got.
func (s *subject) tellHelloPath(f *finding.Finding) {
	if s.path == nil || s.path.hello == nil {
		return
	}
	v := s.path.onHello
	f.Responsible, f.Certainty = responsibleAt(v.Place, f.Code), certaintyOf(v.Sure)
	does, happens := "drops", "go through, and the packet with the TLS ClientHello vanishes"
	if s.path.reset {
		does, happens = "resets the connection at", "go through, and are reset at the TLS ClientHello"
	}
	s.tellPath(f)
	switch {
	case v.Place == netpath.Unsure && v.Hop.TTL == 0:
		return
	case v.Place == netpath.Unsure:
		f.Cause = fmt.Sprintf("the connection and the ClientHello both pass %s, the last router before the server; whether something behind it or the server itself "+
			"acts on the ClientHello cannot be told from here", hopWithTTL(v.Hop))
		f.Remedies = advice("ask the administrator of the server what happens to TLS connections "+s.fromTo(), s.letter(v.Hop, happens, "yours is the last router that it passes"), s.elsewhere())
	case v.Place == netpath.Here:
		f.Cause = "the ClientHello does not get as far as the first router: a firewall or security program of this computer acts on it"
		f.Remedies = advice("let TLS to port "+portText(s.ep)+" pass in this computer's firewall or security program", s.elsewhere())
	default:
		f.Summary = fmt.Sprintf("%s %s the ClientHello to %s", hopName(v.Hop), does, s.hostPort())
		evidence := fmt.Sprintf("TCP opens; the ClientHello comes as far as %s and no farther", hopWithTTL(v.Hop))
		f.Cause = evidence + ": a filter there looks into the connection and does not let TLS, or this server's name, pass"
		f.Remedies = advice(s.letter(v.Hop, happens, evidence), s.elsewhere())
	}
}
