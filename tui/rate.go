package tui

import "time"

// A meter measures how fast a copy goes, over its last minute.
type meter struct{ samples []sample }

type sample struct {
	at              time.Time
	octets, entries int64
}

const (
	meterSpan    = time.Minute      // over which the rate is taken
	meterStep    = time.Second      // at least between two samples
	rateSettles  = 3 * time.Second  // before, a rate says nothing
	leftSettles  = 10 * time.Second // before, a forecast says nothing
	quietSettles = 20 * time.Second // before, that nothing has arrived says nothing
)

// add notes how much has been copied at a moment.
func (m *meter) add(at time.Time, octets, entries int64) {
	if n := len(m.samples); n > 0 && at.Sub(m.samples[n-1].at) < meterStep {
		return
	}
	m.samples = append(m.samples, sample{at, octets, entries})
	for len(m.samples) > 2 && at.Sub(m.samples[0].at) > meterSpan {
		m.samples = m.samples[1:]
	}
}

// rates returns octets and messages per second; ok is false as long as there is too little to go by.
func (m *meter) rates() (octets, entries float64, over time.Duration, ok bool) {
	if len(m.samples) < 2 {
		return 0, 0, 0, false
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	over = last.at.Sub(first.at)
	if over < rateSettles {
		return 0, 0, over, false
	}
	return float64(last.octets-first.octets) / over.Seconds(), float64(last.entries-first.entries) / over.Seconds(), over, true
}

// left forecasts how long the rest takes: by octets, or by messages where those are slower.
func (m *meter) left(octets, entries int64) (time.Duration, bool) {
	perSecond, each, over, ok := m.rates()
	if !ok || over < leftSettles || perSecond <= 0 && each <= 0 {
		return 0, false
	}
	var longest float64
	if perSecond > 0 {
		longest = float64(octets) / perSecond
	}
	if each > 0 {
		longest = max(longest, float64(entries)/each)
	}
	return seconds(longest), true
}
