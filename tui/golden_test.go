package tui

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/imapilot-project/imapilot/probe"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// settled returns a wizard without engines, whose clock stands.
func settled(t *theme) *wizard {
	cfg := &Config{StateDir: "/home/anna/.local/state/imapilot", NewJob: func(_, _ probe.Target) *Backend { panic("no engine here") }}
	cfg.Source, cfg.Dest = sampleSides()
	return newWizard(cfg, t, newCrew(context.Background()), func() time.Time { return sampleNow })
}

// screens are the states that golden files and the frame's contract are about, each built on a fresh wizard.
var screens = []struct {
	name  string
	build func(w *wizard)
}{
	{"servers-empty", func(w *wizard) { w.cfg.Source, w.cfg.Dest = Side{}, Side{}; w.servers = newServersStep(w.cfg) }},
	{"servers-filled", func(w *wizard) { w.servers.focus(source, fieldPassword) }},
	{"servers-advanced", func(w *wizard) { w.servers.focus(dest, fieldServerName) }},
	{"servers-problem", func(w *wizard) {
		w.servers.sides[dest].host.set("anna@example.org")
		w.servers.submit(w)
	}},
	{"check-running", func(w *wizard) {
		atCheck(w)
		w.op = &operation{began: sampleNow.Add(-3 * time.Second)}
		copy(w.check.targets[:], halfway())
	}},
	{"check-ready", func(w *wizard) { atCheck(w); w.check.finished(w, checked{report: sampleReport()}) }},
	{"check-blocked", func(w *wizard) { atCheck(w); w.check.finished(w, checked{report: mismatchReport()}) }},
	{"check-detail", func(w *wizard) {
		atCheck(w)
		w.check.finished(w, checked{report: mismatchReport()})
		w.check.detail = true
	}},
	{"check-path", func(w *wizard) { atCheck(w); w.check.finished(w, checked{report: droppedReport()}) }},
	{"check-path-detail", func(w *wizard) {
		atCheck(w)
		w.check.finished(w, checked{report: droppedReport()})
		w.check.detail = true
	}},
	{"check-letter", func(w *wizard) {
		atCheck(w)
		w.check.finished(w, checked{report: droppedReport()})
		w.check.press(w, keyMsg("w"))
	}},
	{"check-error", func(w *wizard) {
		atCheck(w)
		w.check.finished(w, checked{err: fmt.Errorf("source password from env:PW: it is not set")})
	}},
	{"plan-reading", func(w *wizard) {
		atPlan(w)
		w.plan.plan = nil
		w.op = &operation{began: sampleNow.Add(-2 * time.Second)}
		w.plan.progress = mailsync.Progress{Folders: sampleProgress().Folders[:6]}
	}},
	{"plan", func(w *wizard) { atPlan(w); w.plan.list.cursor = 4 }},
	{"plan-error", func(w *wizard) {
		atPlan(w)
		w.plan.finished(w, planned{err: &mailsync.CollisionError{Dest: "a/b", Sources: []string{"a.b", "a/b"}}})
	}},
	{"review", func(w *wizard) { atPlan(w); w.at = stepReview }},
	{"sync", atSync},
	{"sync-failures", func(w *wizard) { atSync(w); w.copying.failures = true }},
	{"sync-asking", func(w *wizard) { atSync(w); w.copying.asking = true }},
	{"sync-interrupted", func(w *wizard) { atSync(w); w.stopping = true }},
	{"summary-partial", func(w *wizard) { atPlan(w); w.at = stepSummary; w.summary.show(w, synced{summary: sampleSummary()}) }},
	{"summary-complete", func(w *wizard) { atPlan(w); w.at = stepSummary; w.summary.show(w, synced{summary: completeSummary()}) }},
	{"command", func(w *wizard) { atPlan(w); w.at = stepReview; w.showCommand = "sync" }},
	{"keys", func(w *wizard) { atPlan(w); w.at = stepCheck; w.showKeys = true }},
}

func atCheck(w *wizard) {
	for side, f := range w.servers.sides {
		d, err := f.draft()
		if err != nil {
			panic(err)
		}
		w.check.drafts[side] = d
	}
	w.at = stepCheck
}

func atPlan(w *wizard) {
	atCheck(w)
	w.check.finished(w, checked{report: sampleReport()})
	w.check.ended = sampleNow.Add(-2 * time.Minute)
	w.at = stepPlan
	w.plan.finished(w, planned{plan: samplePlan()})
}

func atSync(w *wizard) {
	atPlan(w)
	w.at = stepSync
	w.op = &operation{began: sampleNow.Add(-231 * time.Minute), cancel: func(error) {}}
	for i := range 61 {
		w.copying.meter.add(sampleNow.Add(time.Duration(i-60)*time.Second), int64(i)*985661, int64(i)*4)
	}
	w.copying.observe(w, &snapshot{progress: sampleProgress(), events: sampleEvents()})
}

// draw renders a screen as it would be seen, without colours.
func draw(w *wizard, wide, high int) string {
	w.take(tea.WindowSizeMsg{Width: wide, Height: high})
	var lines []string
	for _, l := range strings.Split(w.View(), "\n") {
		lines = append(lines, strings.TrimRight(ansi.Strip(l), " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestScreensLookAsTheyDid(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	for _, s := range screens {
		for _, size := range []struct{ wide, high int }{{80, 24}, {120, 40}, {60, 16}, {44, 12}} {
			t.Run(fmt.Sprintf("%s %dx%d", s.name, size.wide, size.high), func(t *testing.T) {
				w := settled(newTheme(true, false))
				s.build(w)
				compareGolden(t, fmt.Sprintf("%s.%dx%d.txt", s.name, size.wide, size.high), draw(w, size.wide, size.high))
			})
		}
		t.Run(s.name+" in ASCII", func(t *testing.T) {
			w := settled(newTheme(false, true))
			s.build(w)
			got := draw(w, 80, 24)
			compareGolden(t, s.name+".ascii.txt", got)
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the screen differs from %s (rewrite with -update, and look at it):\n%s", path, got)
	}
}
