package netpath

import (
	"net/netip"
	"slices"
)

// An Act is what was found to happen to connections on a path.
type Act uint8

// The acts.
const (
	Passes        Act = iota // connections come about, and nothing speaks against the one who answers
	NoRoute                  // this computer's routes do not lead there
	FiltersHere              // this computer's firewall
	Refuses                  // RST
	Rejects                  // an ICMP message says no: Try.Refusal tells what
	Drops                    // no answer
	Answers                  // someone nearer than the host answers in its name
	AnswersForAll            // someone answers in everybody's name
	Redirects                // the packets are sent on to another address
	Loses                    // some connections come about and some do not
)

// A Place is where on the path something acts.
type Place uint8

// The places.
const (
	Unsure   Place = iota // cannot be told from here
	Here                  // this computer
	FirstHop              // the first router: the local network
	OnPath                // a later router
	AtHost                // the host itself
)

// Sureness is how sure a verdict is.
type Sureness uint8

// The degrees, least first.
const (
	Open    Sureness = iota // several explanations are left
	Likely                  // another port, or another TTL, came out differently
	Certain                 // an ICMP message names its sender
)

// A Verdict says who acts, as far as that can be told. It is the zero value when nothing is known.
type Verdict struct {
	Act   Act
	Hop   Hop // the device that acts, or the last that is seen before what acts; TTL 0: this computer, or not known
	Place Place
	Sure  Sureness
	Try   Try  // the try that shows it
	All   bool // the port fails alike at every host that was tried, while other ports work
}

// Judge says who acts. It is a pure function of what was seen.
func (s *Survey) Judge() Verdict {
	if s.Trace == nil {
		return s.judgeCells()
	}
	v := s.judgeTrace()
	if !s.Steady && v.Sure == Likely && v.Act != Loses {
		v.Sure = Open // the path changes from connection to connection
	}
	v.All = s.failsEverywhere(v)
	return v
}

func (s *Survey) judgeTrace() Verdict {
	end, ended := s.Trace.End()
	if s.flaky(end, ended) {
		return Verdict{Act: Loses, Sure: Likely}
	}
	if !ended {
		if given, ok := s.cell(s.To); ok && given.Outcome == Unreachable {
			return s.rejected(given.Try) // it came later than the trace waits
		}
		return s.silent()
	}
	switch end.Outcome {
	case Local:
		return Verdict{Act: NoRoute, Place: Here, Sure: Certain, Try: end}
	case Unreachable:
		return s.rejected(end)
	case Refused:
		return s.refused(end)
	}
	return s.connected(end)
}

// judgeCells is for systems without hops: the ports alone.
func (s *Survey) judgeCells() Verdict {
	given, ok := s.cell(s.To)
	if !ok {
		return Verdict{}
	}
	v := Verdict{Try: given.Try}
	switch given.Outcome {
	case Connected:
		v.Act = Passes
		if s.portal() {
			v.Act, v.Place, v.Sure = AnswersForAll, Unsure, Likely
		}
	case Refused:
		v.Act, v.Place, v.Sure = Refuses, AtHost, Likely
	case Unreachable:
		v.Act = Rejects
	case Local:
		v.Act, v.Place, v.Sure = NoRoute, Here, Likely
	default:
		v.Act = Drops
	}
	v.All = s.failsEverywhere(v)
	return v
}

// alike reports whether a cell is another IMAP port of the host and came out like the port of the survey.
func (s *Survey) alike(c Cell) bool {
	given, ok := s.cell(s.To)
	return ok && c.To != s.To && c.To.Addr() == s.To.Addr() && c.To.Port() != ClosedPort && c.Outcome == given.Outcome && c.From == given.From
}

// Holds reports whether the verdict about the port holds for another one of its host too.
func (s *Survey) Holds(to netip.AddrPort) bool {
	if to == s.To {
		return true
	}
	try, ok := s.Twins[to]
	if s.Trace == nil || !ok {
		return false
	}
	end, ended := s.Trace.End()
	return !ended || try.Outcome == end.Outcome && try.From == end.From
}

// flaky reports whether of the tries that should all have come about some did and some did not.
func (s *Survey) flaky(end Try, ended bool) bool {
	tries := slices.Clone(s.Spaced)
	if given, ok := s.cell(s.To); ok {
		tries = append(tries, given.Try)
	}
	if ended {
		tries = append(tries, end)
	}
	has := func(o Outcome) bool {
		return slices.ContainsFunc(tries, func(t Try) bool { return t.Outcome == o })
	}
	return has(Connected) && has(Silent)
}

// rejected is for an ICMP message: it names its sender. What filters behind its own look at the TTL answers one hop further than it is.
func (s *Survey) rejected(end Try) Verdict {
	v := Verdict{Act: Rejects, Try: end, Sure: Certain}
	switch {
	case !end.From.IsValid():
		v.Sure = Open
		v.Hop, _ = s.Trace.Last()
	case slices.Contains(s.Own, end.From):
		v.Act, v.Place = FiltersHere, Here
	case end.From == s.To.Addr():
		v.Place, v.Hop = AtHost, Hop{end.TTL, end.From, end.Took}
	default:
		v.Hop = s.hopOf(end)
		v.Place = placeOf(v.Hop)
	}
	return v
}

// hopOf is the hop with the address of a message's sender.
func (s *Survey) hopOf(end Try) Hop {
	for _, try := range s.Trace.Tries {
		if try.Outcome == Exceeded && try.From == end.From {
			return Hop{try.TTL, try.From, try.Took}
		}
	}
	ttl := end.TTL - 1
	if end.TTL == 0 {
		last, _ := s.Trace.Last()
		ttl = last.TTL + 1
	}
	return Hop{max(1, ttl), end.From, end.Took}
}

func placeOf(h Hop) Place {
	if h.TTL <= 1 {
		return FirstHop
	}
	return OnPath
}

// refused is for RST. Where the packets of another port only reach a router with the TTL that was answered here, the host is farther away, and
// somebody before that router answered.
func (s *Survey) refused(end Try) Verdict {
	v := Verdict{Act: Refuses, Try: end, Place: AtHost, Sure: Likely, Hop: Hop{end.TTL, s.To.Addr(), end.Took}}
	if _, nearer := s.passedBy(end.TTL); !nearer {
		return v
	}
	if end.TTL == 1 {
		return Verdict{Act: FiltersHere, Place: Here, Sure: Likely, Try: end}
	}
	v.Hop = s.before(end.TTL)
	v.Place = placeOf(v.Hop)
	return v
}

// before is the hop that a packet with a TTL left last.
func (s *Survey) before(ttl int) Hop {
	if try, ok := s.Trace.At(ttl - 1); ok && try.Outcome == Exceeded {
		return Hop{try.TTL, try.From, try.Took}
	}
	return Hop{TTL: ttl - 1}
}

// passedBy returns the router at which packets of the other port ended with this TTL, invalid where it does not show itself, and reports whether there was
// one: they went on where those of the port were answered.
func (s *Survey) passedBy(ttl int) (netip.Addr, bool) {
	if s.Compare == nil {
		return netip.Addr{}, false
	}
	try, ok := s.Compare.At(ttl)
	switch {
	case !ok:
		return netip.Addr{}, false
	case try.Outcome == Exceeded:
		return try.From, s.Compare.To.Addr() != s.To.Addr() || try.From != s.To.Addr()
	case try.Outcome == Silent: // a router that does not show itself, if the port is answered from farther away
		end, answered := s.Compare.End()
		return netip.Addr{}, answered && end.TTL > ttl
	}
	return netip.Addr{}, false
}

// connected is for connections that come about.
func (s *Survey) connected(end Try) Verdict {
	v := Verdict{Act: Passes, Try: end, Place: AtHost, Sure: Likely, Hop: Hop{end.TTL, s.To.Addr(), end.Took}}
	if s.portal() {
		v.Act, v.Hop = AnswersForAll, Hop{end.TTL, s.Names[end.TTL], end.Took}
		v.Place = placeOf(v.Hop)
		return v
	}
	if from, nearer := s.passedBy(end.TTL); nearer {
		v.Act, v.Hop = Answers, Hop{end.TTL, from, end.Took}
		v.Place = placeOf(v.Hop)
		return v
	}
	if hop, ok := s.redirector(end); ok {
		v.Act, v.Hop = Redirects, hop
		v.Place = placeOf(hop)
	}
	return v
}

// portal reports whether ports are answered that nobody can have: one that is closed everywhere, and an address that nobody has.
func (s *Survey) portal() bool {
	return s.answeredTwice() && slices.ContainsFunc(s.Cells, func(c Cell) bool { return c.Unused && c.Outcome == Connected })
}

// translated returns the first hop that reports the end of a packet's life in the name of the host that the packet was for.
func (s *Survey) translated() (Hop, bool) {
	end, _ := s.Trace.End()
	for _, try := range s.Trace.Tries {
		if try.Outcome == Exceeded && try.From == s.To.Addr() && try.TTL < end.TTL {
			return Hop{TTL: try.TTL, Address: s.Names[try.TTL], RTT: try.Took}, true
		}
	}
	return Hop{}, false
}

// redirector finds the device that sends packets on to another address. Behind it routers report in the host's name: what translates the packets
// translates the reports too. One hop like that is the host itself, which passes the port on to a container; so there must be two.
func (s *Survey) redirector(end Try) (Hop, bool) {
	hop, ok := s.translated()
	if !ok || hop.TTL >= end.TTL-1 {
		return Hop{}, false
	}
	return hop, true
}

// silent is for packets that vanish.
func (s *Survey) silent() Verdict {
	last, _ := s.Trace.Last()
	v := Verdict{Act: Drops, Hop: last}
	router, passed := s.passedBy(last.TTL + 1)
	switch {
	case !passed || !router.IsValid(): // a router that does not show itself is silent too
	case last.TTL == 0:
		v.Act, v.Place, v.Sure = FiltersHere, Here, Likely
	default:
		v.Place, v.Sure = placeOf(last), Likely
	}
	return v
}

// failsEverywhere reports whether the port fails in the same way at all hosts that were tried, two at least, while another port gets an
// answer from one of them.
func (s *Survey) failsEverywhere(v Verdict) bool {
	switch v.Act {
	case Drops, Refuses, Rejects:
	default:
		return false
	}
	if v.Act == Refuses && (v.Place == AtHost || v.Sure == Open) || v.Place == AtHost {
		return false // hosts where nothing listens
	}
	given, ok := s.cell(s.To)
	if !ok {
		return false
	}
	hosts, others := 0, false
	for _, c := range s.Cells {
		switch {
		case c.Unused:
		case c.To.Port() != s.To.Port():
			others = others || c.Outcome == Connected || c.Outcome == Refused
		case c.Outcome != given.Outcome || c.From != given.From:
			return false
		default:
			hosts++
		}
	}
	return hosts >= 2 && others
}
