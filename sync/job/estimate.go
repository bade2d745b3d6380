package job

import (
	"fmt"
	"math"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
)

// A forecast is how long a copy will take, roughly.
type forecast struct {
	seconds float64
	rate    float64 // octets a second
	assumed bool    // the rate is not measured
	work    amount  // what is to be copied
}

const (
	// perMessage is what a server takes to file one message: 500 to 1000 a second were seen on disk.
	perMessage = 2 * time.Millisecond
	// perFolder is how many round trips a folder takes on each side.
	perFolder = 4
	// assumedRate stands in where nothing could be measured, and no rate above likelyRate is believed: so little was read that
	// the clock decides.
	assumedRate = 5 << 20
	likelyRate  = 200 << 20
	// enough is how many octets a measurement needs to say anything.
	enough = 16 << 10
	// longest keeps the numbers in bounds, whatever a server tells.
	longest = 10 * 365 * 24 * time.Hour
)

// forecast foresees the copy: its octets at the rate at which the source was read just now, and its messages and folders at the distance
// of both servers. The destination is expected to take octets as fast as the source gives them; nothing is written to find out.
func (j *Job) forecast() forecast {
	source, dest := &j.sides[0], &j.sides[1]
	f := forecast{work: j.missing(), rate: assumedRate, assumed: true}
	if j.seen.octets >= enough {
		reading := max(j.seen.took-source.roundTrip, time.Millisecond) // the request's own way is not the octets'
		f.rate, f.assumed = min(float64(j.seen.octets)/reading.Seconds(), likelyRate), false
	}
	if f.work.messages == 0 {
		return f
	}
	each := perMessage
	if !dest.control.Has("LITERAL+") {
		each += dest.roundTrip // for the consent to each literal (RFC 9051 section 4.3)
	}
	spent := float64(f.work.octets)/f.rate + float64(f.work.messages)*each.Seconds() +
		float64(perFolder*f.work.folders)*(source.roundTrip+dest.roundTrip).Seconds()
	f.seconds = min(math.Ceil(spent*10)/10, longest.Seconds())
	return f
}

// estimate tells how long the copy will take, and whether the certificates last until then.
func (j *Job) estimate() outcome {
	f := j.forecast()
	facts := map[string]any{
		"messages": f.work.messages, "bytes": f.work.octets, "bytes_exact": f.work.exact, "bytes_per_second": math.Round(f.rate), "rate_assumed": f.assumed,
		"source_rtt_ms": milliseconds(j.sides[0].roundTrip), "dest_rtt_ms": milliseconds(j.sides[1].roundTrip), "asked_ms": milliseconds(j.took),
	}
	out := outcome{facts: facts, summary: "nothing is missing, as far as the numbers of messages tell"}
	took := time.Duration(f.seconds * float64(time.Second))
	if f.work.messages > 0 {
		out.summary = fmt.Sprintf("%s, %s: %s", messages(f.work.messages), size(f.work.octets), span(took))
	}
	end := time.Now().Add(took)
	for i := range j.sides {
		if s := &j.sides[i]; !s.ends.IsZero() && s.ends.Before(end) {
			out.findings = append(out.findings, certificateEnds(s, took))
		}
	}
	return out
}

func certificateEnds(s *side, took time.Duration) finding.Finding {
	f := finding.New("pair.certificate-ends-before-copy",
		fmt.Sprintf("the certificate of the %s ends at %s, and the copy takes %s", sideName(s), s.ends.UTC().Format("2006-01-02 15:04 MST"), span(took)),
		"a connection that has to be opened again after that fails, and the copy stops; connections that are open go on")
	f.Certainty = finding.Likely
	f.Evidence["side"], f.Evidence["not_after"], f.Evidence["estimate_seconds"] = string(s.role), s.ends.UTC().Format(time.RFC3339), took.Seconds()
	advise(&f, fmt.Sprintf("have the certificate of the %s renewed before the copy begins", sideName(s)))
	advise(&f, "or begin, and run the same command again after the renewal: what is copied stays")
	return f
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
