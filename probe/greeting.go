package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// slowGreeting is from when on a server's first line is worth a remark.
const slowGreeting = 5 * time.Second

// greeting judges the server's first line (RFC 9051 section 7.1).
func greeting(s *subject) outcome {
	g := s.facts.Greeting
	out := outcome{took: s.facts.Took[imapdial.StageGreeting], facts: map[string]any{"status": g.Status, "code": g.Code, "text": g.Text}}
	if s.facts.Err != nil && s.facts.Err.Stage == imapdial.StageGreeting {
		f := s.noGreeting()
		if len(f.Reproduce) == 0 {
			f.Reproduce = []string{s.bareSession()}
		}
		out.summary, out.findings, out.stops = f.Summary, []finding.Finding{f}, true
		return out
	}
	out.summary = "the server said: " + g.Text
	if out.took > slowGreeting {
		f := s.finding("imap.slow-greeting", s.hostPort()+" took "+seconds(out.took)+" to greet",
			"servers that greet late often look the client's address up in the DNS first, or hold unknown clients up on purpose")
		f.Evidence["ms"] = milliseconds(out.took)
		f.Remedies = advice("nothing is needed for this job", "the server's administrator can check its resolver, and the reverse name of this network's addresses")
		f.Reproduce = []string{s.bareSession()}
		out.findings = []finding.Finding{f}
	}
	return out
}

// bareSession is the line that shows what a server says before anything else.
func (s *subject) bareSession() string {
	if s.ep.Security == imapdial.TLS {
		return s.openssl("-quiet")
	}
	return s.ncat()
}

// noGreeting says what came in place of a greeting that IMAP can go on from.
func (s *subject) noGreeting() finding.Finding {
	g, first := s.facts.Greeting, s.facts.FirstBytes
	switch {
	case g.Status == "PREAUTH":
		return s.preAuth()
	case g.Status == "BYE":
		return s.bye()
	case g.Raw != "" || len(first) > 0:
		if len(first) == 0 {
			first = []byte(g.Raw)
		}
		return s.wrongProtocol(first)
	case s.second != nil && speaksTLS(s.second):
		return s.otherMode("TLS")
	case isTimeout(s.facts.Err):
		return s.silent()
	case s.headerWait > 0:
		return s.proxyHeader()
	case isClosed(s.facts.Err):
		return s.closedAtOnce()
	}
	f := s.closedAtOnce()
	f.Summary = s.hostPort() + " sent no greeting: " + errorText(s.facts.Err.Err)
	f.Certainty = finding.Likely
	return f
}

func (s *subject) silent() finding.Finding {
	stage := s.facts.Took[imapdial.StageGreeting]
	if s.ep.Security == imapdial.TLS && stage == 0 {
		stage = s.facts.Took[imapdial.StageHandshake]
	}
	f := s.finding("imap.silent", s.hostPort()+" accepts the connection and says nothing within "+seconds(stage),
		"the host takes connections, but the service behind the port does not work: it hangs, is overloaded, or a balancer has no server to pass them to")
	if s.saidHello() && (s.proxied || !s.facts.TCP.Known) {
		f.Certainty = finding.Likely // a path that swallows our first packet looks the same
	}
	if s.beside.usableTLS {
		f.Severity = finding.Info // contract 1.1
	}
	f.Remedies = advice("tell the administrator of the server that it accepts connections on this port and never answers", "try again later")
	if s.target.Mode != ModeTLS && s.ep.Security != imapdial.TLS {
		f.Remedies = append(f.Remedies, finding.Remedy{Text: "use port 993 with TLS, if the server has it: imaps://" + s.ep.Host})
	}
	f.Reproduce = []string{s.bareSession()}
	return f
}

func (s *subject) closedAtOnce() finding.Finding {
	f := s.finding("imap.closed-at-once", s.hostPort()+" accepts the connection and closes it without a word",
		"the server does not want this client: a ban of its address after failed sign-ins, a limit of connections, a rule for addresses, "+
			"or no server behind a balancer")
	f.Remedies = advice("wait some minutes and try again: bans and limits end by themselves",
		"ask the administrator of the server whether this network's address is banned or not permitted")
	f.Reproduce = []string{s.bareSession()}
	return f
}

func (s *subject) bye() finding.Finding {
	g := s.facts.Greeting
	f := s.finding("imap.bye", s.hostPort()+" turns the connection away; the server said: "+serverWords(g),
		"the server greeted with BYE: it does not serve this connection now")
	f.Evidence["code"], f.Evidence["server_text"] = g.Code, g.Text
	f.Remedies = advice("follow what the server says, and try again later", "if it goes on, show these words to the administrator of the server")
	return f
}

func (s *subject) preAuth() finding.Finding {
	f := s.finding("imap.preauth", s.hostPort()+" greets with PREAUTH: it takes the connection for signed in",
		"a server that is used over the internet does not know who connects; someone on the way who wants to prevent encryption greets like this")
	if s.ep.Security == imapdial.TLS {
		f.Cause = "the server takes the connection for signed in without a name or password; which mailbox that is cannot be told"
	} else {
		f.Certainty = finding.Likely
	}
	f.Evidence["server_text"] = s.facts.Greeting.Text
	f.Remedies = advice("do not sign in here", "use port 993 with TLS if the server has it", "ask the administrator of the server whether it greets with PREAUTH")
	return f
}

// wrongProtocol names what speaks in place of IMAP, or of TLS.
func (s *subject) wrongProtocol(first []byte) finding.Finding {
	shown := wire.Printable(string(first[:min(len(first), 80)]))
	protocol := protocolOf(first)
	switch {
	case protocol == "IMAP" && s.ep.Security == imapdial.TLS && s.facts.Took[imapdial.StageGreeting] == 0:
		return s.otherMode("IMAP")
	case protocol == "TLS":
		return s.otherMode("TLS")
	case protocol == "" || protocol == "IMAP":
		f := s.finding("imap.not-imap", fmt.Sprintf("what answers at %s is not IMAP: %q", s.hostPort(), shown),
			"the first bytes belong to no protocol that is known here")
		f.Evidence["first_bytes"] = shown
		f.Remedies = advice("check the host and the port: 993 for IMAP with TLS, 143 for IMAP with STARTTLS")
		f.Reproduce = []string{s.ncat()}
		return f
	}
	f := s.finding("imap.wrong-protocol", fmt.Sprintf("%s speaks %s, not IMAP: %q", s.hostPort(), protocol, shown),
		"another service listens on this port")
	f.Evidence["protocol"], f.Evidence["first_bytes"] = protocol, shown
	f.Remedies = advice("check the host and the port: 993 for IMAP with TLS, 143 for IMAP with STARTTLS")
	f.Reproduce = []string{s.ncat()}
	return f
}

// otherMode is the finding of a port that speaks IMAP, but starts TLS in the other way. On a well-known port the
// scheme was the mistake.
func (s *subject) otherMode(speaks string) finding.Finding {
	port, address := s.ep.EffectivePort(), s.hostPort()
	mismatch := s.target.Mode == ModeTLS && port == 143 || (s.target.Mode == ModeSTARTTLS || s.target.Mode == ModeInsecure) && port == 993
	code := finding.Code("imap.wrong-protocol")
	if mismatch {
		code = "input.mode-port-mismatch"
	}
	var f finding.Finding
	if speaks == "TLS" {
		f = s.finding(code, address+" speaks TLS from the first byte, and IMAP in the clear was expected",
			"the server waits for a TLS handshake, while the target asks for a greeting in the clear")
		f.Remedies = advice("give the target as imaps://" + address)
		asTLS := *s
		asTLS.ep.Security = imapdial.TLS
		f.Reproduce = []string{asTLS.openssl()}
	} else {
		f = s.finding(code, address+" speaks IMAP in the clear, and TLS from the first byte was expected",
			"the server greets at once and starts TLS only on request, if at all")
		f.Remedies = advice("give the target as imap+starttls://" + address)
		f.Evidence["first_bytes"] = wire.Printable(string(s.facts.FirstBytes[:min(len(s.facts.FirstBytes), 80)]))
		f.Reproduce = []string{s.ncat()}
	}
	f.Evidence["protocol"] = speaks
	return f
}

// serverWords quotes a status response with its code.
func serverWords(r wire.Response) string {
	words := r.Text
	if r.Code != "" {
		words = strings.TrimSpace("[" + strings.TrimSpace(r.Code+" "+r.Arg) + "] " + r.Text)
	}
	if words == "" {
		words = r.Raw
	}
	return words
}

// readBeforeTLS reports whether CAPABILITY was last read, or asked for in vain, before TLS.
func (s *subject) readBeforeTLS() bool {
	f := s.facts
	if f == nil || s.ep.Security != imapdial.STARTTLS || f.Capabilities != nil {
		return false
	}
	askedInside := f.Err != nil && f.Err.Stage == imapdial.StageCapability
	return f.BeforeTLS != nil && !askedInside || s.refusedBeforeTLS()
}

// refusedBeforeTLS reports whether the exchange before TLS ended with the CAPABILITY command.
func (s *subject) refusedBeforeTLS() bool {
	return s.facts.Err != nil && s.facts.Err.Stage == imapdial.StageStartTLS && s.facts.StartTLS.Outcome == imapdial.StartTLSNotTried
}

// capability judges the answer to CAPABILITY where it was last read (RFC 9051 section 6.1.1).
func capability(s *subject) outcome {
	caps := s.facts.Capabilities
	if caps == nil {
		caps = s.facts.BeforeTLS
	}
	out := outcome{took: s.facts.Took[imapdial.StageCapability], facts: map[string]any{"count": len(caps)}}
	if err := s.facts.Err; caps == nil || err != nil && (err.Stage == imapdial.StageCapability || s.refusedBeforeTLS()) {
		f := s.refusesCommands()
		out.summary, out.findings = f.Summary, []finding.Finding{f}
		return out
	}
	if s.freeze != nil && !s.freeze.early {
		f := s.stops(s.freeze)
		out.summary, out.findings = f.Summary, []finding.Finding{f}
		return out
	}
	out.summary = fmt.Sprintf("the server lists %s", count(len(caps), "capability", "capabilities"))
	if f, ok := s.cleartextLogin(); ok {
		out.findings = []finding.Finding{f}
	}
	return out
}

func (s *subject) refusesCommands() finding.Finding {
	f := s.finding("imap.refuses-commands", s.hostPort()+" greets and then does not answer CAPABILITY: "+errorText(s.facts.Err.Err),
		"the service greets and cannot go on: what it needs behind it is down, or it serves only those it knows")
	f.Remedies = advice("tell the administrator of the server that it refuses every command before sign-in", "try again later")
	f.Reproduce = []string{s.session() + "   # then type: a1 CAPABILITY"}
	if s.refusedBeforeTLS() {
		f.Reproduce = []string{s.ncat("a1 CAPABILITY")}
	}
	return f
}

// cleartextLogin tells whether the server would take a password before TLS. Where STARTTLS does not work, that is the finding.
func (s *subject) cleartextLogin() (finding.Finding, bool) {
	offered := s.facts.BeforeTLS
	if s.ep.Security == imapdial.Cleartext {
		offered = s.facts.Capabilities
	}
	disabled := hasCapability(offered, "LOGINDISABLED")
	switch {
	case s.ep.Security == imapdial.Cleartext:
		f := s.finding("imap.cleartext-login", "everything goes readable to "+s.hostPort()+", the password included",
			"the connection has no TLS, as imap+insecure asks")
		f.Responsible = finding.You
		f.Remedies = advice("use imaps:// or imap+starttls:// if the server has either")
		f.Reproduce = []string{s.ncat("a1 CAPABILITY")}
		return f, true
	case s.ep.Security == imapdial.STARTTLS && !disabled && s.facts.StartTLS.Outcome == imapdial.StartTLSAccepted && s.facts.StartTLS.Masked == "":
		f := s.finding("imap.cleartext-login", s.hostPort()+" accepts passwords before TLS",
			"the server does not list LOGINDISABLED in the clear, so a client that skips STARTTLS shows its password to everyone on the way; imapilot does not")
		f.Evidence["before_tls"] = stringList(offered)
		f.Remedies = advice("nothing is needed for this job",
			"the server's administrator can forbid it (in Dovecot: disable_plaintext_auth = yes, or auth_allow_cleartext = no)")
		f.Reproduce = []string{s.ncat("a1 CAPABILITY")}
		return f, true
	}
	return finding.Finding{}, false
}

func hasCapability(list []string, capability string) bool {
	return slices.ContainsFunc(list, func(c string) bool { return strings.EqualFold(c, capability) })
}

// stringList makes a list of plain JSON values.
func stringList(list []string) []any {
	out := make([]any, 0, len(list))
	for _, s := range list {
		out = append(out, wire.Printable(s))
	}
	return out
}
