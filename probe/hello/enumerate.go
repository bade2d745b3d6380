package hello

import (
	"slices"
	"sync"
)

// A kind of suites of TLS 1.2, and how many of them are listed at most, so that a server with everything leaves connections for the rest.
type kind struct {
	offered []Suite
	most    int
}

// kinds are in the order of the report. DHE stands last.
var kinds = []kind{
	{suites(ecdheAEAD), 16}, {suites(ecdheCBC), 12}, {suites(staticRSA), 8}, {suites(weak), 4}, {suites(others), 3}, {suites(anyDHE), 5},
}

// suites12 finds the suites of TLS 1.2, each kind in a chain of its own, so that an offer which breaks the server hides nothing but
// its own kind. Then what was refused is offered once more together: a suite counts as missing only when it failed twice.
func (r *scanRun) suites12() {
	found := make([][]Suite, len(kinds))
	refused := make([][]Suite, len(kinds))
	var running sync.WaitGroup
	for i, k := range kinds {
		running.Go(func() { found[i], refused[i] = chain{r, i <= 1}.eliminate(TLS12, k.offered, k.most) })
	}
	running.Wait()
	last := len(kinds) - 1
	var again, stillRefused []Suite
	r.all(
		func() { again, stillRefused = chain{r, true}.eliminate(TLS12, slices.Concat(refused[:last]...), 16) },
		func() { r.order(kinds[0].offered, found[0]) },
		func() {
			if len(found[last]) == 0 && len(refused[last]) > 0 {
				r.mixed(slices.Concat(found[0], found[1]))
			}
		})
	list := slices.Concat(slices.Concat(found[:last]...), again, found[last])
	r.set(func(s *Scan) {
		switch {
		case len(list) > 0:
			s.Versions[TLS12], s.Suites[TLS12] = true, list
		case len(stillRefused) > 0:
			s.Versions[TLS12] = false
		}
	})
}

// eliminate offers suites and takes what the server chooses out of the offer, until it chooses nothing, or most were found. refused are
// those of the last offer, where that was refused or answered with another version, and did not just fail to arrive.
func (r chain) eliminate(v Version, offered []Suite, most int) (found, refused []Suite) {
	offered = slices.Clone(offered)
	for len(offered) > 0 {
		if len(found) == most {
			r.unfinished(v.String() + " suites")
			return found, nil
		}
		offer := Offer{Version: v, Suites: withSCSV(v, offered), Groups: groupsFor(v)}
		reply := r.ask(offer, len(found) == 0 || offered[0].DHE()) // the flight, for what else it shows
		if !reply.tried() {
			reply = r.ask(offer, false)
		}
		if !reply.tried() {
			r.unfinished(v.String() + " suites")
			return found, nil
		}
		if reply.Outcome != Answered || reply.Version != v || !slices.Contains(offered, reply.Suite) {
			return found, offered
		}
		r.set(func(s *Scan) {
			if bits := reply.DHBits; bits > 0 && (s.DHBits == 0 || bits < s.DHBits) {
				s.DHBits = bits
			}
			if reply.Suite.ecdhe() && reply.Scheme != 0 && s.Scheme == 0 {
				s.Scheme = reply.Scheme
			}
		})
		found = append(found, reply.Suite)
		offered = without(offered, []Suite{reply.Suite})
	}
	return found, nil
}

// withSCSV adds the value that stands for the renegotiation extension where there are no extensions (RFC 5746 section 3.3).
func withSCSV(v Version, list []Suite) []Suite {
	if v == SSL3 {
		return append(slices.Clone(list), 0x00ff)
	}
	return list
}

func groupsFor(v Version) []Group {
	if v == TLS13 {
		return AllGroups
	}
	return curves
}

// without returns list less what is in taken.
func without[T comparable](list, taken []T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return slices.Contains(taken, v) })
}

// order finds out whose order of suites decides. Those found in another order than they were offered in are the server's choice. If it is the same
// order, two are offered the other way round.
func (r *scanRun) order(offered, found []Suite) {
	if len(found) < 2 {
		return
	}
	own := !slices.IsSortedFunc(found, func(a, b Suite) int { return slices.Index(offered, a) - slices.Index(offered, b) })
	if !own {
		reply := chain{r, true}.ask(Offer{Version: TLS12, Suites: []Suite{found[1], found[0]}, Groups: curves}, false)
		if reply.Outcome != Answered {
			return
		}
		own = reply.Suite == found[0]
	}
	r.set(func(s *Scan) { s.ServerOrder = &own })
}

// mixed looks at a server that refused DHE alone. DHE is offered once more before something that works: a server that breaks off then
// has chosen DHE and cannot do it. One without DHE would choose the other.
func (r *scanRun) mixed(works []Suite) {
	if len(works) == 0 {
		return
	}
	offer := Offer{Version: TLS12, Suites: slices.Concat(DHESuites, works), Groups: curves}
	for range 2 { // it counts when it fails twice
		if reply := (chain{r, true}).ask(offer, false); !reply.tried() || reply.Outcome == Answered {
			return
		}
	}
	r.set(func(s *Scan) { s.DHEAborts = true })
}

// suites13 finds the suites of TLS 1.3: with an empty key_share the server says its choice in a HelloRetryRequest.
func (r *scanRun) suites13() {
	list, refused := chain{r, true}.eliminate(TLS13, TLS13Suites, len(TLS13Suites))
	if len(list) == 0 && len(refused) > 0 { // no says only who said it twice
		list, refused = r.short().eliminate(TLS13, GoTLS13Suites, len(GoTLS13Suites))
	}
	r.set(func(s *Scan) {
		switch {
		case len(list) > 0:
			s.Versions[TLS13], s.Suites[TLS13] = true, list
		case len(refused) > 0:
			s.Versions[TLS13] = false
		}
	})
}

// groups finds the key exchange groups, first with TLS 1.3, in two chains that go on beside each other, then what only older versions use.
func (r *scanRun) groups() {
	var found, finite, older []Group
	r.all(
		func() {
			found = chain{r, true}.eliminateGroups(TLS13, TLS13Suites, without(AllGroups, finiteFields))
			older = chain{r, true}.eliminateGroups(TLS12, slices.Concat(suites(ecdheAEAD), suites(ecdheCBC)), without(curves, found))
		},
		func() { finite = chain{r, true}.eliminateGroups(TLS13, TLS13Suites, finiteFields) })
	found = slices.Concat(found, finite, older)
	r.set(func(s *Scan) { s.Groups = found })
}

// eliminateGroups is eliminate for groups. A server that names one which was not offered has no choice to make.
func (r chain) eliminateGroups(v Version, suites []Suite, offered []Group) (found []Group) {
	for len(offered) > 0 {
		offer := Offer{Version: v, Suites: suites, Groups: offered}
		reply := r.ask(offer, v < TLS13)
		if !reply.tried() {
			reply = r.ask(offer, v < TLS13)
		}
		if !reply.tried() {
			r.unfinished("groups")
			return found
		}
		if reply.Outcome != Answered || reply.Version != v || !slices.Contains(offered, reply.Group) {
			return found
		}
		found = append(found, reply.Group)
		offered = without(offered, []Group{reply.Group})
	}
	return found
}

// old finds out whether the server has a version before TLS 1.2: with everything, then, where that broke the connection, without DHE. It says no when the
// server says so itself, by an alert or by another version, or when both offers failed.
func (r *scanRun) old(v Version) {
	failed := 0
	offers := r.oldOffers(v)
	for _, list := range [][]Suite{slices.Concat(offers...), offers[0]} {
		reply := r.short().ask(Offer{Version: v, Suites: withSCSV(v, list), Groups: curves}, false)
		switch {
		case reply.Outcome == Answered:
			r.set(func(s *Scan) { s.Versions[v] = reply.Version == v })
			return
		case reply.Outcome == Alerted && slices.Contains(refusals, reply.Alert):
			r.set(func(s *Scan) { s.Versions[v] = false })
			return
		case reply.tried():
			failed++
		}
	}
	if failed < 2 {
		r.unfinished(v.String())
		return
	}
	r.set(func(s *Scan) { s.Versions[v] = false })
}

// refusals are the alerts with which a server says that nothing of an offer will do: handshake_failure, protocol_version, insufficient_security (RFC 8446
// section 6.2).
var refusals = []uint8{40, 70, 71}

// oldOffers are the suites that a version before TLS 1.2 has, without DHE and with it.
func (r *scanRun) oldOffers(v Version) [][]Suite {
	old := func(s Suite) bool { return s.since() == SSL3 && (v > SSL3 || !s.ecdhe()) }
	return [][]Suite{
		slices.DeleteFunc(slices.Clone(AllSuites), func(s Suite) bool { return !old(s) }),
		suites(func(s Suite) bool { return old(s) && s.DHE() }),
	}
}

// oldSuites lists the suites of a version that old found.
func (r *scanRun) oldSuites(v Version) {
	r.mu.Lock()
	has := r.scan.Versions[v]
	r.mu.Unlock()
	if !has {
		return
	}
	var list []Suite
	for _, offered := range r.oldOffers(v) {
		found, _ := r.short().eliminate(v, offered, 12)
		list = append(list, found...)
	}
	r.set(func(s *Scan) { s.Suites[v] = list })
}

func (r *scanRun) ssl3() { r.old(SSL3) }

// ssl2 asks for the oldest protocol. Servers that do not have it close the connection, answer with a TLS alert, or not at all.
func (r *scanRun) ssl2() {
	reply := r.short().ask(Offer{Version: SSL2}, false)
	if reply.Outcome == NotSent {
		r.unfinished(SSL2.String())
		return
	}
	r.set(func(s *Scan) { s.Versions[SSL2] = reply.Outcome == Answered && reply.Version == SSL2 })
}
