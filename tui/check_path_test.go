package tui

import (
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/finding"
)

// atDropped is a wizard at the check of which the destination's port does not answer.
func atDropped() *wizard {
	w := settled(themes["mono"])
	atCheck(w)
	w.check.finished(w, checked{report: droppedReport()})
	return w
}

const droppedMap = "you ─ 10.1.0.1 ─ 10.2.0.2 ╳ mail.example.org"

func TestThePathStandsWithItsFinding(t *testing.T) {
	w := atDropped()
	if got := draw(w, 80, 24); !strings.Contains(got, "Path  "+droppedMap) {
		t.Errorf("the line of the port has no map:\n%s", got)
	}
	w.check.move(-1) // DNS
	if got := draw(w, 80, 24); strings.Contains(got, "you ─") {
		t.Errorf("the look-up has a map:\n%s", got)
	}
	w.check.side, w.check.row = source, rowTLSPort
	if got := draw(w, 80, 24); strings.Contains(got, "you ─") {
		t.Errorf("the source has the destination's map:\n%s", got)
	}
}

func TestAPathWithoutAFindingStandsWithThePort(t *testing.T) {
	w := settled(themes["mono"])
	r := droppedReport()
	r.Findings = []finding.Finding{}
	r.Targets[1].Path.ActsAt = nil
	atCheck(w)
	w.check.finished(w, checked{report: r})
	w.check.side, w.check.row = dest, rowTLSPort
	for _, want := range []string{"Path  you ─ 10.1.0.1 ─ 10.2.0.2 ─ (silent) ─ mail.example.org", "behind 10.2.0.2 (hop 2, 1 ms) no device answers"} {
		if got := draw(w, 80, 24); !strings.Contains(got, want) {
			t.Errorf("there is no %q:\n%s", want, got)
		}
	}
}

func TestTheTextToSendFillsTheScreenUntilAKeyCloses(t *testing.T) {
	w := atDropped()
	w.press(keyMsg("w"))
	first := strings.Split(draw(w, 80, 24), "\n")[1]
	if want := "On 2026-05-24 at 14:02:13 UTC, TCP connections from 10.1.0.2 to"; first != want {
		t.Errorf("the first line is %q, want %q", first, want)
	}
	before := draw(w, 44, 8)
	w.press(keyMsg("down"))
	after := draw(w, 44, 8)
	if before == after || !strings.Contains(after, "connections from 10.1.0.2 to") || strings.Contains(after, "On 2026-05-24") {
		t.Errorf("on few lines it does not move; before\n%s\nafter\n%s", before, after)
	}
	w.press(keyMsg("x"))
	if got := draw(w, 80, 24); !strings.Contains(got, "Destination") || w.covered() {
		t.Errorf("it is still there:\n%s", got)
	}
}

func TestNoKeyForATextWhereThereIsNone(t *testing.T) {
	w := settled(themes["mono"])
	atCheck(w)
	w.check.finished(w, checked{report: mismatchReport()})
	w.press(keyMsg("w"))
	if got := draw(w, 80, 24); w.covered() || strings.Contains(got, "text to send") {
		t.Errorf("there is a text to send:\n%s", got)
	}
}
