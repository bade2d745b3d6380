package probe

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"golang.org/x/crypto/ocsp"
)

// clockEvidence is how it shows that this computer's clock is wrong.
type clockEvidence struct {
	now       time.Time // as it says
	behind    bool      // else it is ahead
	certainty finding.Certainty
	how       string // the sign, as the cause of the finding
}

// buildTime is when this program was built, as far as it knows; the zero time else. The clock cannot be before it.
var buildTime = sync.OnceValue(func() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value) // the zero time knows nothing
			return t
		}
	}
	return time.Time{}
})

// now is the time by which dates are judged.
func (p *Prober) now() time.Time {
	if p.Dial != nil && p.Dial.Now != nil {
		return p.Dial.Now()
	}
	return time.Now()
}

// blameClock looks at all targets together: dates that are wrong in the same way everywhere are wrong here.
func (p *Prober) blameClock(runs []*targetRun) {
	now := p.now()
	var wrong []*subject
	for _, t := range runs {
		for _, s := range t.subjects {
			if s.hasFault(imapdial.FaultExpired) || s.hasFault(imapdial.FaultNotYetValid) {
				wrong = append(wrong, s)
			}
		}
	}
	if len(wrong) == 0 {
		return
	}
	together := wrongTogether(runs, now)
	for _, s := range wrong {
		evidence := aloneWrong(s, now)
		if evidence == nil {
			evidence = together
		}
		if evidence != nil && evidence.behind == s.hasFault(imapdial.FaultNotYetValid) {
			s.extras.clock = evidence
		}
	}
	for _, t := range runs {
		t.publish()
	}
}

// aloneWrong is what one endpoint shows of the clock: it stands before this program was made, or before something that the certificate's
// authority has signed.
func aloneWrong(s *subject, now time.Time) *clockEvidence {
	if !s.hasFault(imapdial.FaultNotYetValid) {
		return nil
	}
	if built := buildTime(); now.Before(built) {
		return &clockEvidence{now: now, behind: true, certainty: finding.Certain, how: "the clock stands before the day on which this program was made, " + built.UTC().Format(time.DateOnly)}
	}
	facts := s.facts.TLS
	if len(facts.State.OCSPResponse) == 0 || facts.Issuer == nil {
		return nil
	}
	answer, err := ocsp.ParseResponseForCert(facts.State.OCSPResponse, s.leaf(), facts.Issuer)
	if err != nil || !now.Before(answer.ThisUpdate) {
		return nil
	}
	return &clockEvidence{now: now, behind: true, certainty: finding.Likely,
		how: "the authority signed an answer about this certificate at a time that the clock has not reached, " + timeText(answer.ThisUpdate)}
}

// wrongTogether is what two servers with different certificates show of the clock: all that they show has ended, or has not begun, and there was or
// will be a time at which all of it holds.
func wrongTogether(runs []*targetRun, now time.Time) *clockEvidence {
	if len(runs) < 2 {
		return nil
	}
	begin, end := time.Time{}, now.AddDate(1000, 0, 0) // where all are valid
	seen := map[string]bool{}
	expired, early := 0, 0
	for _, t := range runs {
		shown := false
		for _, s := range t.subjects {
			leaf := s.leaf()
			if leaf == nil {
				continue
			}
			shown = true
			switch {
			case now.After(leaf.NotAfter):
				expired++
			case now.Before(leaf.NotBefore):
				early++
			default:
				return nil // one is right by this clock
			}
			seen[string(leaf.Raw)] = true
			begin, end = later(begin, leaf.NotBefore), earlier(end, leaf.NotAfter)
		}
		if !shown {
			return nil
		}
	}
	switch {
	case len(seen) < 2 || expired > 0 && early > 0 || !begin.Before(end):
		return nil
	case expired > 0 && end.Before(buildTime()):
		return nil // it had ended when this program was made, whatever the clock says
	}
	what := "have all expired"
	if early > 0 {
		what = "all begin in the future"
	}
	return &clockEvidence{now: now, behind: early > 0, certainty: finding.Likely,
		how: fmt.Sprintf("the certificates of %d servers %s by this clock, and all of them hold between %s and %s", len(runs), what, timeText(begin), timeText(end))}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// timeText writes a time as the contract does.
func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// clockRow takes the place of the row of an expired or early certificate.
func clockRow(row faultRow) faultRow {
	row.code, row.cause = "local.clock-wrong", ""
	row.remedies = []string{"set this computer's clock and let it be kept right (NTP); then try again",
		"if the clock is right after all, the servers' administrators have to renew the certificates"}
	row.openssl = nil
	return row
}

// summary is the finding's line.
func (c *clockEvidence) summary() string {
	direction := "ahead"
	if c.behind {
		direction = "behind"
	}
	return fmt.Sprintf("this computer's clock is %s: it says %s", direction, c.now.UTC().Format("2006-01-02 15:04 MST"))
}
