package render

import (
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// Words say what the map shows that a style draws, a sentence each: what acts where, how sure that is, and what the signs mean.
func (m *PathMap) Words(s layout.Style) []string {
	words := []string{m.verdict()}
	for _, st := range m.shortened(s) {
		if st.name == "*" {
			return append(words, "* is a device that does not answer")
		}
	}
	return words
}

// Distance says how far the path was seen.
func (m *PathMap) Distance() string {
	server := m.stations[len(m.stations)-1]
	last := m.lastSeen()
	switch {
	case m.arrived:
		return "the server is " + layout.Counted(int64(server.ttl), "hop", "hops") + " away"
	case last == nil:
		return "no device on it was seen"
	}
	return "seen as far as " + last.hopWords()
}

// lastSeen is the last device that answered, or that acts; nil if there was none.
func (m *PathMap) lastSeen() *station {
	for i := len(m.stations) - 1; i >= 0; i-- {
		if m.stations[i].kind == kindHop {
			return &m.stations[i]
		}
	}
	return nil
}

func (m *PathMap) verdict() string {
	switch actor := m.actor(); {
	case actor == nil && m.arrived:
		return "nothing was seen to act on the way"
	case actor == nil && m.lastSeen() == nil:
		return "no device on the way answers"
	case actor == nil:
		return "behind " + m.lastSeen().named() + " no device answers"
	case actor.kind == kindSelf:
		return m.verdictHere()
	case actor.kind == kindServer:
		return m.verdictAtServer(actor)
	default:
		return m.verdictAtHop(actor)
	}
}

// named is a station in a sentence: "10.1.0.1 (hop 1, 0.4 ms)".
func (st station) named() string {
	place := layout.Join(", ", st.hopWords(), st.took())
	switch {
	case st.kind == kindSelf:
		return "this computer"
	case place == "":
		return st.name
	case st.name == st.hopWords():
		return "the device at " + place + ", which does not tell its address,"
	}
	return st.name + " (" + place + ")"
}

// sureness is how sure it is what acts.
type sureness uint8

const (
	unsure sureness = iota
	likely
	certain
)

// sure takes the certainty of what was found because of the path.
func (m *PathMap) sure() sureness {
	switch f := m.finding; {
	case f == nil:
		return likely
	case f.Responsible == finding.Unknown || f.Certainty == finding.Possible:
		return unsure
	case f.Certainty == finding.Likely:
		return likely
	}
	return certain
}

// acts puts the subject before what it does.
func (m *PathMap) acts(subject, does string) string {
	if m.sure() == certain {
		return subject + " acts: " + does
	}
	return subject + " most likely acts: " + does
}

func (m *PathMap) verdictHere() string {
	how := m.how()
	switch {
	case isICMP(how):
		return m.acts("this computer", "a filter of its own answers with "+icmpWords(how))
	case m.sure() == unsure && strings.HasPrefix(how, "hello-"):
		return "TCP passes, and the start of TLS (ClientHello) does not; where it is stopped cannot be told from here"
	case m.sure() == unsure:
		return "no device on the way answers: this computer, or any device behind it, drops the packets"
	case how == howReset:
		return m.acts("this computer", "a filter of its own refuses the connection (RST)")
	}
	return m.acts("this computer", "no packet leaves it")
}

// verdictAtServer is for what comes from the server's distance. A router right before it that refuses cannot be told from it, unless the message
// names its sender.
func (m *PathMap) verdictAtServer(server *station) string {
	switch how := m.how(); {
	case isICMP(how):
		return server.named() + " itself acts: it answers with " + icmpWords(how)
	case how == howReset:
		return "the refusal (RST) comes from as far away as " + server.named() + ": from the server itself, or from the last device before it"
	case how == howHelloReset:
		return "the reset comes from as far away as " + server.named() + ": from the server itself, or from the last device before it"
	}
	return "the packets get as far as " + server.named() + ", or to the last device before it: one of them drops them"
}

func (m *PathMap) verdictAtHop(hop *station) string {
	name := hop.named()
	or := strings.TrimSuffix(name, ",") + ", or what comes right behind it, "
	unsure := m.sure() == unsure
	switch how := m.how(); {
	case isICMP(how):
		return name + " acts: it answers with " + icmpWords(how)
	case how == howDrop && unsure:
		return name + " is the last device that answers: it, or what comes behind it, drops the packets"
	case how == howDrop:
		return m.acts(name, "it drops the packets")
	case how == howReset && unsure:
		return or + "refuses the connection (RST)"
	case how == howReset:
		return m.acts(name, "it refuses the connection in the server's name (RST)")
	case how == howAnswer:
		return m.acts(name, "it answers in the name of "+m.host)
	case how == howRedirect:
		return m.acts(name, "it sends the connection on to another machine")
	case how == howHelloDrop && unsure:
		return "the start of TLS (ClientHello) gets as far as " + name + ": it, or what comes behind it, drops it; TCP passes"
	case how == howHelloDrop:
		return m.acts(name, "it lets TCP pass and drops the start of TLS (ClientHello)")
	case how == howHelloReset && unsure:
		return or + "resets the connection when TLS starts (ClientHello); TCP passes"
	case how == howHelloReset:
		return m.acts(name, "it lets TCP pass and resets the connection when TLS starts (ClientHello)")
	case how == "":
		return m.acts(name, "in what way is not known")
	default:
		return m.acts(name, how)
	}
}

func isICMP(how string) bool { return strings.HasPrefix(how, "icmp") }

// icmpNames are the reasons of RFC 792 type 3 with RFC 1812 section 5.2.7.1, and of RFC 4443 section 3.1.
var icmpNames = map[string]string{
	"icmp 3/0": "network unreachable", "icmp 3/1": "host unreachable", "icmp 3/2": "protocol unreachable", "icmp 3/3": "port unreachable",
	"icmp 3/6": "network unknown", "icmp 3/7": "host unknown", "icmp 3/9": "network administratively prohibited",
	"icmp 3/10": "host administratively prohibited", "icmp 3/13": "administratively prohibited",
	"icmpv6 1/0": "no route", "icmpv6 1/1": "administratively prohibited", "icmpv6 1/3": "address unreachable", "icmpv6 1/4": "port unreachable",
	"icmpv6 1/5": "source address not allowed", "icmpv6 1/6": "route rejected",
}

// icmpWords names a message: "ICMP 3/13, administratively prohibited".
func icmpWords(how string) string {
	words := strings.Replace(strings.Replace(how, "icmpv6", "ICMPv6", 1), "icmp ", "ICMP ", 1)
	if how == "icmp" {
		words = "an ICMP message"
	}
	if name := icmpNames[how]; name != "" {
		words += fmt.Sprintf(" (%s)", name)
	}
	return words
}
