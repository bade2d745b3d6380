package probe

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// The sample that the throughput estimate reads: the starts of the newest messages of the inbox, some hundred kilobytes at most. A
// smaller one than sampleEnough tells more of the latency than of the line.
const (
	sampleMessages = 8
	sampleOctets   = 30_000 // of each message; a response takes no larger literal before the session becomes the engine's
	sampleEnough   = 16 << 10
)

// A sample is what was read of the inbox to estimate the throughput from.
type sample struct {
	octets int64
	took   time.Duration
}

// readSample reads from the inbox, which is open, and closes it. BODY.PEEK leaves no trace (RFC 9051 section 6.4.5).
func readSample(ctx context.Context, session *imapdial.Session, opened imapdial.Answer) (sample, []imapdial.Answer, error) {
	var commands []string
	if n := exists(opened); n > 0 {
		commands = append(commands, fmt.Sprintf("FETCH %d:%d (BODY.PEEK[]<0.%d>)", max(1, n-sampleMessages+1), n, sampleOctets))
	}
	commands = append(commands, unselect(session)...)
	if len(commands) == 0 {
		return sample{}, nil, nil
	}
	answers, err := session.DoAll(ctx, commands...)
	var s sample
	if len(answers) > 0 && strings.HasPrefix(answers[0].Command, "FETCH") && answers[0].OK() {
		s.took = answers[0].Took
		for _, r := range answers[0].Untagged {
			s.octets += foldedLiteral(r.Raw)
		}
	}
	return s, answers, err
}

// unselect closes what is open, where the server can. It is not CLOSE, which would expunge (RFC 9051 section 6.4.1).
func unselect(session *imapdial.Session) []string {
	if session.Has("UNSELECT") {
		return []string{"UNSELECT"}
	}
	return nil
}

// exists returns how many messages the answer to SELECT or EXAMINE tells of.
func exists(opened imapdial.Answer) int64 {
	if !opened.OK() {
		return 0
	}
	for _, r := range opened.Untagged {
		number, word, _ := strings.Cut(r.Text, " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && strings.EqualFold(word, "EXISTS") {
			return n
		}
	}
	return 0
}

// foldedLiteral returns the n of a line in which a literal was folded to {n}.
func foldedLiteral(line string) int64 {
	_, rest, _ := strings.Cut(line, "{")
	digits, _, ok := strings.Cut(rest, "}")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n
}

// rate returns the octets per second at which the server sends, and whether the sample tells. The wait for the first octet is left out.
func (s sample) rate(latency time.Duration) (float64, bool) {
	took := s.took - latency
	if s.octets < sampleEnough || took <= 0 {
		return 0, false
	}
	return float64(s.octets) / took.Seconds(), true
}
