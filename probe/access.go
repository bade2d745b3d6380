package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/provider"
)

// accountAccess judges whether the account can be worked with: the inbox opens, and on a destination mail can be put into it.
func accountAccess(s *subject) outcome {
	opened := s.signIn.account.opened()
	out := outcome{took: opened.Took, facts: s.accessFacts(opened)}
	if f, closed := s.noAccess(); closed {
		out.summary, out.findings = f.Summary, []finding.Finding{f}
		return out
	}
	if froze := s.signIn.account.freeze; froze != nil {
		f := s.stops(froze)
		out.summary, out.findings = f.Summary, []finding.Finding{f}
		return out
	}
	if reason := s.unanswered(opened); reason != "" {
		out.status, out.summary = Errored, "the inbox was not opened: "+reason
		return out
	}
	out.summary = "the inbox opens"
	if n, ok := out.facts["messages"].(int64); ok {
		out.summary += ", with " + count(int(n), "message", "messages")
	}
	if how := s.readOnly(opened); how != "" {
		f := s.finding("account.read-only", s.account()+" can be read and not written: "+how,
			"the inbox is opened for reading only: the rights do not include insertion, or the server or the account is locked for changes")
		f.Evidence["rights"], f.Evidence["server_text"] = out.facts["rights"], serverWords(opened.Tagged)
		f.Remedies = advice("sign in as the owner of the mailbox", "ask the administrator of the server for the right to insert messages (i)")
		f.Reproduce = []string{s.session() + "   # then type: a1 LOGIN USER PASSWORD, a2 SELECT INBOX"}
		out.findings = []finding.Finding{f}
		out.summary = f.Summary
	}
	return out
}

// opened is the answer to SELECT or EXAMINE.
func (a *accountAnswers) opened() imapdial.Answer {
	if x, ok := a.answer("SELECT"); ok {
		return x
	}
	x, _ := a.answer("EXAMINE")
	return x
}

// accessFacts are what the answers tell of the inbox, and how long they took.
func (s *subject) accessFacts(opened imapdial.Answer) map[string]any {
	a := &s.signIn.account
	facts := map[string]any{}
	if a.latency > 0 {
		facts["round_trip_ms"] = milliseconds(a.latency)
	}
	if rate, ok := a.sample.rate(a.latency); ok {
		facts["throughput_bytes_per_second"] = int64(rate)
		facts["throughput_sample_bytes"] = a.sample.octets
	}
	took := map[string]any{}
	for _, x := range a.answers {
		if x.Tagged.Tag != "" {
			name, _, _ := strings.Cut(x.Command, " ")
			took[name] = milliseconds(x.Took)
		}
	}
	facts["command_ms"] = took
	for _, r := range opened.Untagged {
		number, word, _ := strings.Cut(r.Text, " ")
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case r.Status == "" && err == nil && strings.EqualFold(word, "EXISTS"):
			facts["messages"] = n
		case r.Status == "OK" && r.Code == "UIDVALIDITY":
			facts["uid_validity"] = r.Arg
		case r.Status == "OK" && r.Code == "UIDNEXT":
			facts["uid_next"] = r.Arg
		}
	}
	if rights, ok := a.rights(); ok {
		facts["rights"] = rights
	}
	return facts
}

// rights are those of the account on its inbox (RFC 4314 section 3.8).
func (a *accountAnswers) rights() (string, bool) {
	x, asked := a.answer("MYRIGHTS")
	args, ok := dataOf(x, "MYRIGHTS")
	if !asked || !ok || !x.OK() {
		return "", false
	}
	_, rights, ok := cutLast(strings.TrimRight(args, " "), " ")
	return wire.Printable(strings.Trim(rights, `"`)), ok
}

// readOnly says how a destination shows that nothing can be put into it, or "".
func (s *subject) readOnly(opened imapdial.Answer) string {
	if s.target.Role != RoleDest {
		return ""
	}
	if rights, ok := s.signIn.account.rights(); ok {
		if !strings.Contains(rights, "i") { // RFC 4314 section 4: APPEND needs it
			return fmt.Sprintf("the rights on the inbox are %q, without i for insert", rights)
		}
		return ""
	}
	if first, _, _ := strings.Cut(opened.Command, " "); first == "SELECT" && opened.Tagged.Code == "READ-ONLY" { // RFC 9051 section 7.1
		return "the server opens the inbox with READ-ONLY"
	}
	return ""
}

// noAccess finds that nothing can be done with an account that was signed in to: one finding for all commands that were refused. Response codes
// come first, then words that are known, then that everything was refused.
func (s *subject) noAccess() (finding.Finding, bool) {
	if s.signIn.account.opened().OK() {
		return finding.Finding{}, false
	}
	refused, accepted := s.signIn.account.refusals()
	for _, r := range refused {
		if r.Code == "LIMIT" { // RFC 5530 section 3
			return s.noAccessFinding(provider.TrafficLimit, r), true
		}
	}
	for _, r := range refused {
		switch kind := provider.Meaning(r.Text); kind {
		case provider.TrafficLimit, provider.IDRequired, provider.NoMailbox:
			return s.noAccessFinding(kind, r), true
		}
	}
	if len(refused) > 0 && accepted == 0 {
		f := s.noAccessFinding(provider.NoMailbox, refused[0])
		f.Certainty = finding.Likely
		return f, true
	}
	return finding.Finding{}, false
}

// refusals returns what the server refused with, a BYE among it, and how many commands it carried out. UNSELECT does not count: it follows from
// the one before it.
func (a *accountAnswers) refusals() (refused []wire.Response, accepted int) {
	for _, x := range a.answers {
		switch {
		case x.Command == "UNSELECT":
		case x.OK():
			accepted++
		case x.Tagged.Tag != "":
			refused = append(refused, x.Tagged)
		}
	}
	var bye *imapdial.ByeError
	if errors.As(a.err, &bye) {
		refused = append(refused, bye.Response)
	}
	return refused, accepted
}

// noAccessFinding is the finding of an account that is closed for the reason kind.
func (s *subject) noAccessFinding(kind provider.Kind, r wire.Response) finding.Finding {
	f := s.closedAccount(kind, s.account()+" is signed in to, and then refused; the server said: "+serverWords(r))
	f.Evidence["code"], f.Evidence["server_text"] = r.Code, r.Text
	f.Reproduce = []string{s.session() + "   # then type: a1 LOGIN USER PASSWORD, a2 EXAMINE INBOX"}
	return f
}

// closedAccount starts a finding of an account that cannot be used for the reason kind. Some servers say so at the sign-in, some afterwards.
func (s *subject) closedAccount(kind provider.Kind, said string) finding.Finding {
	var f finding.Finding
	switch kind {
	case provider.TrafficLimit:
		f = s.finding("account.traffic-limit", said, "the account has moved as much over IMAP as the provider permits for now")
		f.Remedies = advice("wait, for up to 24 hours, and run the same command again", "close other mail programs that use the account")
	case provider.IDRequired:
		f = s.finding("account.id-required", said, "the provider opens mailboxes only to mail programs that it knows; imapilot said its name with ID")
		f.Remedies = advice("sign in once on the provider's web site from this network and permit the new client there, then try again",
			"ask the provider how other mail programs are permitted")
	default:
		f = s.finding("account.no-mailbox", said, "the user and the password are right, and the server reaches no mailbox behind them")
		f.Remedies = advice("open the mailbox in the provider's web mail: if that does not work either, the account has none",
			"check that the user name is that of the mailbox", "show these words to the administrator of the server")
	}
	s.addHint(&f, kind)
	return f
}

// addHint puts what is known of the provider in front of the remedies.
func (s *subject) addHint(f *finding.Finding, kind provider.Kind) {
	p := s.signIn.provider
	if hint := p.Hint(kind); hint != "" {
		f.Remedies = append(advice(p.Name+": "+hint), f.Remedies...)
		f.Evidence["provider"], f.Evidence["provider_data"] = p.Name, provider.Date().Format("2006-01-02")
	}
}
