package probe

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/netpath"
)

// located puts what the path showed in place of what the error of the connection alone tells.
func (s *subject) located(f finding.Finding) finding.Finding {
	p := s.path
	if p == nil || s.noRoute {
		return f
	}
	row, ok := s.pathRow()
	if !ok {
		if p.unheard {
			s.likelySender(&f)
		}
		s.tellPath(&f)
		return f
	}
	told := s.net(row.code, row.summary, row.cause, row.remedies...)
	told.Responsible, told.Certainty = responsibleAt(p.verdict.Place, row.code), certaintyOf(p.verdict.Sure)
	if other, ok := s.otherPort(); ok {
		told.Remedies = append([]finding.Remedy{other}, told.Remedies...)
	}
	s.tellPath(&told)
	s.withoutLetters(&told)
	return told
}

// likelySender names who most likely said that the host cannot be reached, where the look heard nobody say it again: routers that look for a host in vain
// do not always answer twice. It is the last one that shows itself.
func (s *subject) likelySender(f *finding.Finding) {
	v := s.path.verdict
	f.Certainty = finding.Likely
	if v.Hop.TTL == 0 {
		return
	}
	f.Responsible = responsibleAt(v.Place, f.Code)
	f.Cause += "; most likely " + hopWithTTL(v.Hop) + ", the last router that shows itself, says so"
	f.Remedies = append(advice(s.letter(v.Hop, "are answered with ICMP (unreachable)", "yours is the last router that shows itself on the way")), f.Remedies...)
}

// A pathRow is a verdict in words.
type pathRow struct {
	code     finding.Code
	summary  string
	cause    string
	remedies []string
}

// pathRow makes words of the verdict about an endpoint that was not reached. It reports false where the error of the connection says all there is.
func (s *subject) pathRow() (pathRow, bool) {
	v := s.path.verdict
	if v.All {
		return s.egressBlocked(), true
	}
	switch v.Act {
	case netpath.FiltersHere:
		return s.filteredHere(), true
	case netpath.Refuses:
		return s.refusedOnPath(), true
	case netpath.Rejects:
		return s.rejectedOnPath()
	case netpath.Drops:
		return s.droppedOnPath(), true
	}
	return pathRow{}, false
}

// responsibleAt tells who is responsible for a place on the path (contract 4).
func responsibleAt(p netpath.Place, code finding.Code) finding.Responsible {
	switch p {
	case netpath.Here:
		return finding.ThisComputer
	case netpath.FirstHop:
		return finding.LocalNetwork
	case netpath.OnPath:
		return finding.Path
	case netpath.AtHost:
		return finding.Server
	}
	if code == "net.egress-blocked" {
		return finding.LocalNetwork
	}
	return finding.Unknown
}

func certaintyOf(s netpath.Sureness) finding.Certainty {
	switch s {
	case netpath.Certain:
		return finding.Certain
	case netpath.Likely:
		return finding.Likely
	}
	return finding.Possible
}

// hopName names the device of a verdict in a sentence.
func hopName(h netpath.Hop) string {
	switch {
	case h.TTL == 0:
		return "this computer"
	case !h.Address.IsValid():
		return fmt.Sprintf("the router at hop %d, which does not show its address", h.TTL)
	}
	return h.Address.String()
}

// hopWithTTL is hopName with the distance.
func hopWithTTL(h netpath.Hop) string {
	if h.TTL == 0 || !h.Address.IsValid() {
		return hopName(h)
	}
	return fmt.Sprintf("%s (hop %d)", h.Address, h.TTL)
}

func (s *subject) filteredHere() pathRow {
	v := s.path.verdict
	row := pathRow{code: "net.local-firewall", summary: "this computer does not let connections to " + s.hostPort() + " out",
		cause: "packets to this port do not get as far as the first router, and packets to another port do: a firewall or security program of this computer holds them back; " +
			"only a filter at the very entrance of the first router would look the same",
		remedies: []string{fmt.Sprintf("permit outgoing TCP to port %d in this computer's firewall or security program (Linux: nft list ruleset shows its rules)", s.address.Port())}}
	if v.Sure == netpath.Certain {
		row.cause = "the refusal comes from an address of this computer itself, " + v.Try.From.String() + ": a rule of its firewall turns the connection away"
	}
	return row
}

func (s *subject) refusedOnPath() pathRow {
	v := s.path.verdict
	if v.Place == netpath.AtHost {
		f := s.refused()
		row := pathRow{code: "net.refused", summary: f.Summary, cause: f.Cause}
		for _, r := range f.Remedies {
			row.remedies = append(row.remedies, r.Text)
		}
		if s.path.survey.Err != nil {
			return row
		}
		if last, ok := s.path.survey.Trace.Last(); ok && last.Address.IsValid() {
			row.cause = "the refusal comes from as far away as the server is: nothing listens on this port. " + hopWithTTL(last) +
				", the last router before it, could refuse in its name and look the same"
		}
		return row
	}
	evidence := fmt.Sprintf("packets to port %d are answered within %s, where packets to port %d have only reached %s",
		s.address.Port(), hops(v.Try.TTL), s.path.survey.Compare.To.Port(), s.passedTo(v.Try.TTL))
	return pathRow{code: "net.refused-by-hop", summary: fmt.Sprintf("%s refuses connections to %s in the server's name", hopName(v.Hop), s.hostPort()),
		cause:    "the reset comes from nearer than the server is: " + evidence,
		remedies: []string{s.letter(v.Hop, "are answered with a TCP reset that does not come from the server", evidence), s.elsewhere()}}
}

// hops writes a number of hops.
func hops(n int) string {
	if n == 1 {
		return "one hop"
	}
	return fmt.Sprintf("%d hops", n)
}

// passedTo is the router that packets to the compared port reach with a TTL.
func (s *subject) passedTo(ttl int) string {
	if try, ok := s.path.survey.Compare.At(ttl); ok && try.From.IsValid() {
		return try.From.String()
	}
	return "a router that does not show itself"
}

// rejectedCodes are the codes of ICMP refusals.
var rejectedCodes = map[netpath.Refusal]finding.Code{
	netpath.NoNetwork: "net.network-unreachable", netpath.NoHost: "net.host-unreachable",
	netpath.NoPort: "net.port-unreachable", netpath.Prohibited: "net.admin-prohibited",
}

func (s *subject) rejectedOnPath() (pathRow, bool) {
	v := s.path.verdict
	code, ok := rejectedCodes[v.Try.Refusal()]
	if !ok {
		return pathRow{}, false
	}
	who, message := hopName(v.Hop), strings.ToUpper(v.Try.ICMP()[:4])+v.Try.ICMP()[4:]
	row := pathRow{code: code, remedies: []string{s.letter(v.Hop, "are answered with "+message, "the message names "+v.Try.From.String()+" as its sender"), s.elsewhere()}}
	switch code {
	case "net.port-unreachable":
		row.summary = fmt.Sprintf("%s says that %s is closed", who, s.hostPort())
		row.cause = fmt.Sprintf("%s answered with %s (port unreachable); for TCP only firewalls do that, to imitate a closed port", who, message)
	case "net.admin-prohibited":
		row.summary = fmt.Sprintf("%s forbids connections to %s", who, s.hostPort())
		row.cause = fmt.Sprintf("%s answered with %s: a rule there forbids this connection", who, message)
	case "net.host-unreachable":
		row.summary = fmt.Sprintf("%s cannot reach the host of %s", who, s.hostPort())
		row.cause = fmt.Sprintf("%s answered with %s (host unreachable)", who, message)
		if v.Try.Took >= slowConnect {
			row.cause += fmt.Sprintf(" after %s: it looked for the host in its network and got no answer; the host is switched off, or its address is no longer in use", seconds(v.Try.Took))
		} else {
			row.cause += " at once: a rule there turns the connection away, or it knows already that the host is down"
		}
	default:
		row.summary = fmt.Sprintf("%s has no way to %s", who, s.address.Addr())
		row.cause = fmt.Sprintf("%s answered with %s (network unreachable): it has no route to the server's network, or a rule says so", who, message)
	}
	return row, true
}

func (s *subject) droppedOnPath() pathRow {
	v := s.path.verdict
	row := pathRow{code: "net.dropped"}
	switch {
	case s.path.survey.Err != nil:
		row.summary = s.dropped().Summary
		row.cause = "the packets vanish: this computer, this network, something on the way or the server's own firewall drops them, or the host is down; " +
			s.path.survey.Err.Error()
		row.remedies = []string{fmt.Sprintf("ask the administrator of this network whether outgoing TCP port %d is permitted", s.address.Port()), s.letterToServer(), s.elsewhere()}
	case v.Place != netpath.Unsure:
		row.summary = fmt.Sprintf("%s drops connections to %s", hopName(v.Hop), s.hostPort())
		row.cause = fmt.Sprintf("packets to port %d come as far as %s and no farther; packets to port %d go on to %s",
			s.address.Port(), hopWithTTL(v.Hop), s.path.survey.Compare.To.Port(), s.passedTo(v.Hop.TTL+1))
		row.remedies = []string{s.letter(v.Hop, "vanish behind you without an answer", row.cause), s.elsewhere()}
	case v.Hop.TTL != 0:
		row.summary = fmt.Sprintf("%s does not answer; packets get lost at or behind %s", s.hostPort(), hopName(v.Hop))
		row.cause = fmt.Sprintf("%s is the last device that shows itself. What drops the packets cannot be told from here: %s, something behind it, or the server's own firewall; "+
			"or the host is down", hopWithTTL(v.Hop), hopName(v.Hop))
		row.remedies = []string{s.letterToServer(), s.letter(v.Hop, "get no answer", "yours is the last address that shows itself on the way"), s.elsewhere()}
	default:
		row.summary = s.dropped().Summary
		row.cause = "no device on the way shows itself, so that it cannot be told who drops the packets: this computer, this network, the way, or the server's own firewall"
		row.remedies = []string{fmt.Sprintf("ask the administrator of this network whether outgoing TCP port %d is permitted", s.address.Port()),
			s.letterToServer(), s.elsewhere()}
	}
	return row
}

func (s *subject) egressBlocked() pathRow {
	v := s.path.verdict
	port, open := s.address.Port(), s.openElsewhere()
	row := pathRow{code: "net.egress-blocked", summary: fmt.Sprintf("this network lets no connection to port %d out, whatever the server", port),
		cause: fmt.Sprintf("port %d fails in the same way at every server that was tried, and other ports answer (%s)", port, strings.Join(open, ", "))}
	if v.Hop.TTL != 0 {
		at := "at"
		if v.Place == netpath.Unsure {
			at = "at or behind"
		}
		row.cause += fmt.Sprintf("; it ends %s %s", at, hopWithTTL(v.Hop))
	}
	row.remedies = []string{s.letter(v.Hop, "are stopped, to every server that was tried", row.cause)}
	row.remedies = append(row.remedies, s.elsewhere())
	return row
}

// otherPort proposes the other IMAP port of the host if that answers and was not asked for.
func (s *subject) otherPort() (finding.Remedy, bool) {
	given := s.address.Port()
	var url, mode string
	switch {
	case s.target.Mode == ModeTLS && given == 993 && s.answers(143):
		url, mode = "imap+starttls://"+s.ep.Host, "port 143 with STARTTLS"
	case s.target.Mode == ModeSTARTTLS && given == 143 && s.answers(993):
		url, mode = "imaps://"+s.ep.Host, "port 993 with TLS"
	default:
		return finding.Remedy{}, false
	}
	r := finding.Remedy{Text: fmt.Sprintf("use %s, which is as safe and answers from here: %s", mode, url)}
	if s.target.Role != RoleServer {
		r.Apply = map[string]string{string(s.target.Role): url}
	}
	return r, true
}

// openElsewhere lists the ports that answered.
func (s *subject) openElsewhere() []string {
	var list []string
	for _, c := range s.path.survey.Cells {
		if !c.Unused && c.To.Port() != s.address.Port() && (c.Outcome == netpath.Connected || c.Outcome == netpath.Refused) {
			list = append(list, c.To.String())
		}
	}
	return list
}

// answers reports whether TCP opens at another port of the host.
func (s *subject) answers(port uint16) bool {
	to := netip.AddrPortFrom(s.address.Addr(), port)
	for _, c := range s.path.survey.Cells {
		if c.To == to && c.Outcome == netpath.Connected {
			return true
		}
	}
	return false
}

// elsewhere is the advice that helps whoever acts.
func (s *subject) elsewhere() string {
	return "until that is settled, work from another network, such as a phone's hotspot, or go through a host elsewhere with --" + s.flag("via") + " ssh://USER@HOST"
}
