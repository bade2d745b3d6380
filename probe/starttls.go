package probe

import (
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// startTLSOffer judges whether STARTTLS is to be had at all: what was listed beside what was answered (contract 4).
func startTLSOffer(s *subject) outcome {
	st := s.facts.StartTLS
	refused := st.Outcome == imapdial.StartTLSRefused || st.Outcome == imapdial.StartTLSClosed
	out := outcome{facts: map[string]any{"listed": st.Listed, "masked": st.Masked}}
	switch {
	case st.Masked != "":
		out.findings = []finding.Finding{s.stripped("its capabilities show " + st.Masked + " where STARTTLS should stand")}
	case st.Listed:
		out.summary = "the server lists STARTTLS"
		return out
	case refused && hasCapability(s.facts.BeforeTLS, "LOGINDISABLED"):
		out.findings = []finding.Finding{s.stripped("it lists no STARTTLS and refuses it, and yet demands TLS for the sign-in (LOGINDISABLED)")}
	case refused:
		out.findings = []finding.Finding{s.absent()}
		out.stops = true
	case st.Outcome == imapdial.StartTLSAccepted:
		out.findings = []finding.Finding{s.hidden()}
	default:
		out.summary = "the server does not list STARTTLS"
		return out
	}
	out.summary = out.findings[0].Summary
	return out
}

// startTLSUpgrade judges the answer to the STARTTLS command (RFC 9051 section 6.2.1).
func startTLSUpgrade(s *subject) outcome {
	st := s.facts.StartTLS
	out := outcome{took: s.facts.Took[imapdial.StageStartTLS], facts: map[string]any{"answer": st.Answer.Raw}}
	var f finding.Finding
	switch st.Outcome {
	case imapdial.StartTLSAccepted:
		out.summary = "the server agreed to start TLS"
		return out
	case imapdial.StartTLSInjected:
		f = s.injection()
	case imapdial.StartTLSGreetedAgain:
		f = s.greetedAgain()
	case imapdial.StartTLSNoAnswer:
		f = s.startTLSFinding("starttls.no-answer", s.hostPort()+" lists STARTTLS and does not answer it",
			"the server, or a filter on the way, hangs at this command")
		if !st.Listed {
			f.Summary = s.hostPort() + " does not answer STARTTLS"
		}
	case imapdial.StartTLSClosed:
		f = s.startTLSFinding("starttls.refused", s.hostPort()+" lists STARTTLS and closes the connection when asked for it",
			"the server announces TLS that it cannot do, often because its certificate or key cannot be read")
	default:
		words := serverWords(st.Answer)
		if st.Answer.Tag == "+" {
			words = st.Answer.Raw
		}
		f = s.startTLSFinding("starttls.refused", s.hostPort()+" lists STARTTLS and refuses it; the server said: "+words,
			"the server announces TLS that it cannot do, often because its certificate or key cannot be read")
		f.Evidence["code"], f.Evidence["server_text"] = st.Answer.Code, st.Answer.Text
	}
	out.summary, out.findings = f.Summary, []finding.Finding{f}
	return out
}

// startTLSFinding starts a finding about the exchange.
func (s *subject) startTLSFinding(code finding.Code, summary, cause string) finding.Finding {
	f := s.finding(code, summary, cause)
	f.Evidence["before_tls"] = stringList(s.facts.BeforeTLS)
	f.Evidence["answer"] = s.facts.StartTLS.Answer.Raw
	f.Remedies = advice("use port 993 with TLS if the server has it: imaps://"+s.ep.Host,
		"tell the administrator of the server that STARTTLS does not work on port "+portText(s.ep))
	f.Reproduce = []string{s.ncat("a1 CAPABILITY", "a2 STARTTLS")}
	return f
}

func (s *subject) absent() finding.Finding {
	if s.beside.noTLSPort {
		f := s.startTLSFinding("imap.no-tls", s.ep.Host+" offers no TLS: port 993 cannot be reached, and port 143 has no STARTTLS",
			"the server was set up without TLS, or a firewall closes the port that has it")
		f.Remedies = append(advice("ask the administrator of the server for TLS, on port 993 or with STARTTLS on 143"),
			finding.Remedy{Text: "to send the password readable all the same, give the target as imap+insecure://" + s.ep.Host + " with --allow-plaintext"})
		return f
	}
	f := s.startTLSFinding("starttls.absent", s.hostPort()+" does not offer STARTTLS",
		"the server was set up without TLS on this port")
	if s.beside.usableTLS {
		f.Severity = finding.Info
		f.Remedies = advice("nothing is needed: port 993 has TLS")
	}
	return f
}

func (s *subject) stripped(how string) finding.Finding {
	f := s.startTLSFinding("starttls.stripped", "something removes STARTTLS from what "+s.hostPort()+" says: "+how,
		"a virus scanner, firewall or inspection device between this computer and the server prevents encryption; a password sent here could be read")
	f.Certainty = finding.Likely
	f.Remedies = advice("do not sign in over this port", "use port 993 with TLS if the server has it: imaps://"+s.ep.Host,
		"look for mail protection in this computer's virus scanner, and ask the administrator of this network for an inspection of port "+portText(s.ep),
		"try from another network: if STARTTLS is offered there, this network removes it")
	return f
}

func (s *subject) hidden() finding.Finding {
	f := s.startTLSFinding("starttls.hidden", s.hostPort()+" does STARTTLS without listing it",
		"the list of capabilities is incomplete, so that other clients stay without TLS")
	f.Remedies = advice("nothing is needed for this job: STARTTLS is used all the same", "tell the administrator of the server to list STARTTLS")
	return f
}

func (s *subject) injection() finding.Finding {
	f := s.startTLSFinding("starttls.injection", s.hostPort()+" sends data between its answer to STARTTLS and the handshake",
		"someone on the way slips in answers that a client would take for protected ones, or the server has a fault that permits it")
	f.Certainty = finding.Likely
	f.Evidence["first_bytes"] = stringList([]string{string(s.facts.FirstBytes[:min(len(s.facts.FirstBytes), 80)])})[0]
	f.Remedies = advice("do not sign in over this port", "use port 993 with TLS if the server has it: imaps://"+s.ep.Host,
		"tell the administrator of the server: the first bytes after the answer to STARTTLS must be those of the handshake")
	return f
}

func (s *subject) greetedAgain() finding.Finding {
	f := s.startTLSFinding("starttls.injection", s.hostPort()+" greets a second time inside TLS; the server said: "+serverWords(s.facts.StartTLS.Answer),
		"another server answers behind TLS than before it, or someone on the way plays one")
	f.Certainty = finding.Likely
	f.Remedies = advice("do not sign in over this port", "use port 993 with TLS if the server has it: imaps://"+s.ep.Host,
		"tell the administrator of the server: after STARTTLS no greeting may be sent")
	return f
}
