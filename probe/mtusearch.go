package probe

import (
	"math/bits"
	"slices"
)

// safeMSS is what every path carries: the MSS that holds where none was announced (RFC 9293 section 3.7.1).
const safeMSS = 536

// usualMTUs are those of lines and tunnels, at which a search for the MTU of a path begins: the least of IPv6, VPNs, WireGuard, DS-Lite over PPPoE,
// IP in IP, PPPoE, Ethernet.
var usualMTUs = []int{1280, 1400, 1420, 1452, 1480, 1492, 1500}

const (
	mtuTrials = 16 // connections that a search may open
	mtuLanes  = 4  // at once, after the first round
)

// A mssSearch narrows down the largest MSS with which a path carries a connection. It decides what is tried and opens nothing itself.
type mssSearch struct {
	works  int // this one passes
	fails  int // this one does not
	limit  int // nor does this one, the usual one
	header int // octets of the IP and TCP headers, without options: an MTU is that much larger than its MSS
	guess  int // what another search of the same path has found, or 0
	trials int // that were handed out
	rounds int
}

// exact reports whether the search is at its end: the next larger MSS fails.
func (m *mssSearch) exact() bool { return m.fails == m.works+1 }

// mtu is the largest packet that passes, as far as it is known.
func (m *mssSearch) mtu() int { return m.works + m.header }

// next returns which values are to be tried at once. It is empty when the search is exact, or has used up its trials.
func (m *mssSearch) next() []int {
	left := mtuTrials - m.trials
	if m.exact() || left <= 0 {
		return nil
	}
	m.rounds++
	values := m.lanes(left)
	values = values[:min(len(values), left)]
	m.trials += len(values)
	return values
}

func (m *mssSearch) lanes(left int) []int {
	var values []int
	switch {
	case m.rounds == 1 && m.guess != 0:
		values = []int{m.guess, m.guess + 1}
	case m.rounds == 1:
		for _, mtu := range usualMTUs {
			values = append(values, mtu-m.header)
		}
	}
	values = slices.DeleteFunc(values, func(mss int) bool { return mss <= m.works || mss >= m.fails })
	if len(values) > 0 {
		return values
	}
	open := m.fails - m.works - 1 // that may still be the one
	if m.rounds == 2 && m.works != safeMSS && open > 1 {
		// What passed is a usual one: most likely it is the one.
		values, open, left = []int{m.works + 1}, open-1, left-1
	}
	return append(values, m.spread(open, left, mtuLanes-len(values))...)
}

// spread places as many values evenly among those that are open as leave enough trials to come to an end one by one.
func (m *mssSearch) spread(open, left, lanes int) []int {
	k := min(lanes, open)
	for k > 1 && k+bits.Len(uint(largestGap(open, k))) > left {
		k--
	}
	values := make([]int, 0, k)
	first := m.fails - open
	for i := range k {
		values = append(values, first+(i+1)*(open+1)/(k+1)-1)
	}
	return values
}

// largestGap is how many of n values in a row stay open between k that are tried.
func largestGap(n, k int) int { return n / (k + 1) }

// saw takes note of the outcome of one round. A value that failed below one that passed was unlucky: the larger one tells.
func (m *mssSearch) saw(passed, failed []int) {
	for _, mss := range passed {
		m.works = max(m.works, mss)
	}
	if m.fails <= m.works {
		m.fails = m.limit
	}
	for _, mss := range failed {
		if mss > m.works {
			m.fails = min(m.fails, mss)
		}
	}
}
