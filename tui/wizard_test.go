package tui

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A stage runs a wizard as bubbletea would: messages one after the other, commands in goroutines of their own.
type stage struct {
	t        *testing.T
	w        *wizard
	engines  []*fakeEngine // in the order in which jobs were made
	made     chan *fakeEngine
	messages chan tea.Msg
	quit     bool
}

// newStage opens the wizard on the sample's servers, with engines that the test controls.
func newStage(t *testing.T) *stage {
	t.Helper()
	made := make(chan *fakeEngine, 16)
	cfg := &Config{NewJob: func(source, dest probe.Target) *Backend {
		e := newFakeEngine(source, dest)
		made <- e
		return e.backend()
	}}
	cfg.Source, cfg.Dest = sampleSides()
	s := openStage(t, cfg)
	s.made = made
	return s
}

// openStage opens a wizard.
func openStage(t *testing.T, cfg *Config) *stage {
	t.Helper()
	s := &stage{t: t, messages: make(chan tea.Msg, 64)}
	crew := newCrew(t.Context())
	t.Cleanup(func() {
		crew.cancel(errors.New("the test is over"))
		<-crew.close()
	})
	s.w = newWizard(cfg, newTheme(true, false), crew, time.Now)
	s.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	return s
}

func (s *stage) send(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
		return
	case tea.QuitMsg:
		s.quit = true
		return
	case tea.BatchMsg:
		for _, cmd := range msg {
			s.start(cmd)
		}
		return
	}
	_, cmd := s.w.Update(msg)
	s.start(cmd)
	select {
	case c := <-s.w.crew.crashes:
		s.t.Fatalf("%v\n%s", c, c.stack)
	default:
	}
}

func (s *stage) start(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		select {
		case s.messages <- cmd():
		case <-s.t.Context().Done():
		}
	}()
}

// until passes messages on until done says so.
func (s *stage) until(what string, done func() bool) {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case msg := <-s.messages:
			s.send(msg)
		case <-deadline:
			s.t.Fatalf("waited in vain for: %s\n%s", what, draw(s.w, 80, 24))
		}
	}
}

// engine returns the nth job that was made, waiting for it.
func (s *stage) engine(n int) *fakeEngine {
	s.t.Helper()
	s.until("a job", func() bool {
		for {
			select {
			case e := <-s.made:
				s.engines = append(s.engines, e)
			default:
				if len(s.engines) <= n {
					// The call that makes it runs in a command; until looks again after the next message.
					time.AfterFunc(time.Millisecond, func() { s.messages <- nil })
				}
				return len(s.engines) > n
			}
		}
	})
	return s.engines[n]
}

var namedKeys = map[string]tea.KeyType{"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "up": tea.KeyUp,
	"down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace,
	"delete": tea.KeyDelete, "pgdown": tea.KeyPgDown, "f1": tea.KeyF1, "ctrl+c": tea.KeyCtrlC, "ctrl+n": tea.KeyCtrlN, "ctrl+r": tea.KeyCtrlR,
	"ctrl+u": tea.KeyCtrlU, "ctrl+y": tea.KeyCtrlY}

func keyMsg(name string) tea.KeyMsg {
	if k, ok := namedKeys[name]; ok {
		return tea.KeyMsg{Type: k}
	}
	if name == " " {
		return tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

// press sends keys by name; other words are typed.
func (s *stage) press(names ...string) {
	for _, n := range names {
		s.send(keyMsg(n))
	}
}

func (s *stage) paste(text string) {
	s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text), Paste: true})
}

// shows fails unless the screen holds all of texts.
func (s *stage) shows(texts ...string) {
	s.t.Helper()
	screen := draw(s.w, 80, 24)
	for _, text := range texts {
		if !strings.Contains(screen, text) {
			s.t.Errorf("the screen does not show %q:\n%s", text, screen)
		}
	}
}

// toCheck leads to the end of a check with this report.
func (s *stage) toCheck(r *probe.Report) *fakeEngine {
	s.t.Helper()
	s.press("ctrl+n")
	e := s.engine(len(s.engines))
	e.preflight <- checked{report: r}
	s.until("the end of the check", func() bool { return s.w.op == nil })
	return e
}

func (s *stage) toReview() *fakeEngine {
	s.t.Helper()
	e := s.toCheck(sampleReport())
	s.press("n")
	e.plan <- planned{plan: samplePlan()}
	s.until("the plan", func() bool { return s.w.op == nil })
	s.press("n")
	return e
}

func (s *stage) toSync() *fakeEngine {
	s.t.Helper()
	e := s.toReview()
	s.press("enter")
	e.change(func() { e.progress, e.events = sampleProgress(), sampleEvents() })
	s.until("progress", func() bool { return len(s.w.copying.progress.Folders) > 0 })
	return e
}

func TestTheWholeWay(t *testing.T) {
	s := newStage(t)
	s.press("ctrl+n")
	e := s.engine(0)
	if got := e.source.Host + " " + e.dest.User; got != "imap.old-isp.example anna@example.org" {
		t.Errorf("the job is for %q", got)
	}
	e.change(func() { e.checks = halfway() })
	s.until("the first checks", func() bool { return s.w.check.targets[dest] != nil })
	s.shows("checking both servers", "✓ Port 993    open")
	e.preflight <- checked{report: sampleReport()}
	s.until("the end of the check", func() bool { return s.w.op == nil })
	s.shows("ready, 1 warning", "cert.expires-soon")
	s.press("n")
	e.change(func() { e.progress = mailsync.Progress{Phase: "listing"} })
	e.plan <- planned{plan: samplePlan()}
	s.until("the plan", func() bool { return s.w.op == nil })
	s.shows("60 852 messages to copy", "Archive/2019")
	s.press("n")
	s.shows("nothing, on either side", "imapilot sync --source imaps://anna%40old-isp.example@imap.old-isp.example")
	s.press("enter")
	e.change(func() { e.progress, e.events = sampleProgress(), sampleEvents() })
	s.until("progress", func() bool { return len(s.w.copying.recent) > 0 })
	s.shows("74 %", "45 041 of 60 852 messages", "asks to slow down")
	e.sync <- synced{summary: sampleSummary()}
	s.until("the summary", func() bool { return s.w.at == stepSummary })
	s.shows("partial", "exit code 20")
	s.press("q")
	s.until("the end", func() bool { return s.quit })
	if s.w.exitCode != 20 || s.w.err != nil {
		t.Errorf("exit code %d, error %v; want 20 and none", s.w.exitCode, s.w.err)
	}
	if want := []string{"preflight", "plan", "sync"}; !slices.Equal(e.calls, want) {
		t.Errorf("the engine was asked for %v, want %v", e.calls, want)
	}
}

func TestBackKeepsWhatWasTyped(t *testing.T) {
	s := newStage(t)
	s.press("backspace", "X", "tab", "right", "ctrl+n")
	e := s.engine(0)
	if e.source.Host != "imap.old-isp.examplx" || e.source.Mode != probe.ModeSTARTTLS {
		t.Errorf("the job is for %q in mode %v", e.source.Host, e.source.Mode)
	}
	s.press("esc")
	s.shows("imap.old-isp.examplX", "STARTTLS, usually 143", strings.Repeat("•", len(canary)))
	s.until("the check's end", func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.causes) == 1 })
	if !errors.Is(e.causes[0], context.Canceled) {
		t.Errorf("the check was stopped with %v", e.causes[0])
	}
}

func TestTheResultOfAStepThatWasLeftIsDropped(t *testing.T) {
	s := newStage(t)
	s.press("ctrl+n")
	first := s.engine(0)
	first.lingers = make(chan struct{})
	s.press("esc")
	s.press("ctrl+n")
	if len(s.made) != 0 {
		t.Error("the second check began while the first was still at work")
	}
	close(first.lingers)
	second := s.engine(1)
	if !first.closed {
		t.Error("the first job is not closed")
	}
	second.preflight <- checked{report: mismatchReport()}
	s.until("the end of the second check", func() bool { return s.w.op == nil })
	if s.w.check.err != nil || s.w.check.report == nil {
		t.Errorf("the check ended with %v, report %v", s.w.check.err, s.w.check.report)
	}
	s.shows("not ready: destination has 1 problem")
}

func TestAnUnchangedFormIsNotCheckedAgain(t *testing.T) {
	s := newStage(t)
	s.toCheck(sampleReport())
	s.press("esc", "ctrl+n")
	s.shows("ready, 1 warning")
	if s.w.op != nil || len(s.made) != 0 {
		t.Error("a second check was started")
	}
	s.press("esc", "x", "ctrl+n")
	s.engine(1)
}

func TestABlockedCheckDoesNotGoOn(t *testing.T) {
	s := newStage(t)
	s.toCheck(mismatchReport())
	s.shows("your password was not sent there", "held: name", "cert.name-mismatch")
	s.press("n")
	if s.w.at != stepCheck || s.w.op != nil {
		t.Error("the plan was made in spite of a problem")
	}
	s.press("q")
	s.until("the end", func() bool { return s.quit })
	if s.w.exitCode != 12 {
		t.Errorf("exit code %d, want the report's 12", s.w.exitCode)
	}
}

func TestWithoutPasswordTheServersAreCheckedAndNoMore(t *testing.T) {
	s := newStage(t)
	for _, f := range s.w.servers.sides {
		f.password = newPasswordField(nil)
	}
	r := sampleReport()
	for _, target := range r.Targets {
		for i, c := range target.Endpoints[0].Checks {
			if c.ID == "auth.login" {
				target.Endpoints[0].Checks[i] = probe.Result{ID: c.ID, Status: probe.Held, BlockedBy: "input.secret"}
			}
		}
	}
	e := s.toCheck(r)
	if e.source.Secret != nil {
		t.Error("the job has a secret")
	}
	s.shows("give user and password of the source", "held: no password")
	s.press("n")
	if s.w.at != stepCheck {
		t.Error("the plan was made without a sign-in")
	}
}

func TestAFixGoesIntoTheFormAndIsChecked(t *testing.T) {
	for _, c := range []struct {
		key  string
		want func(d probe.Target) bool
	}{
		{"1", func(d probe.Target) bool { return d.Host == "mx1.hoster.example" && d.Mode == probe.Auto }},
		{"3", func(d probe.Target) bool {
			return strings.HasPrefix(d.TLS.Pins, "sha256/AAAA") && d.Host == "mail.example.org"
		}},
	} {
		s := newStage(t)
		s.toCheck(mismatchReport())
		s.press(c.key)
		if e := s.engine(1); !c.want(e.dest) {
			t.Errorf("fix %s led to %+v", c.key, e.dest)
		}
	}
	s := newStage(t)
	s.toCheck(mismatchReport())
	s.press("2")
	if s.w.op != nil {
		t.Error("a fix without effect started a check")
	}
	s.shows("fix 2 cannot be applied from here")
}

func TestCtrlC(t *testing.T) {
	t.Run("leaves at once when nothing runs", func(t *testing.T) {
		s := newStage(t)
		s.press("ctrl+c")
		s.until("the end", func() bool { return s.quit })
		if s.w.exitCode != 130 {
			t.Errorf("exit code %d, want 130", s.w.exitCode)
		}
	})
	t.Run("waits for a copy that runs, and shows its summary afterwards", func(t *testing.T) {
		s := newStage(t)
		e := s.toSync()
		e.lingers = make(chan struct{})
		s.press("ctrl+c")
		s.shows("stopping: waiting for what is on its way", "leave at once")
		s.press("q", "n", "esc")
		if s.quit {
			t.Fatal("it did not wait")
		}
		close(e.lingers)
		s.until("the end", func() bool { return s.quit })
		if s.w.exitCode != 130 || s.w.atOnce {
			t.Errorf("exit code %d, at once %t; want 130 and false", s.w.exitCode, s.w.atOnce)
		}
		if s.w.result == nil || s.w.result.summary.Verdict != "stopped" || s.w.result.summary.ExitCode != 130 {
			t.Errorf("the summary to print is %+v", s.w.result)
		}
	})
	t.Run("leaves at once the second time", func(t *testing.T) {
		s := newStage(t)
		e := s.toSync()
		e.lingers = make(chan struct{})
		defer close(e.lingers)
		s.press("ctrl+c", "ctrl+c")
		s.until("the end", func() bool { return s.quit })
		if s.w.exitCode != 130 || !s.w.atOnce {
			t.Errorf("exit code %d, at once %t; want 130 and true", s.w.exitCode, s.w.atOnce)
		}
	})
	t.Run("works in a field, a dialog and the list of keys", func(t *testing.T) {
		for _, keys := range [][]string{{"tab", "tab"}, {"f1"}} {
			s := newStage(t)
			s.press(append(keys, "ctrl+c")...)
			s.until("the end", func() bool { return s.quit })
		}
		s := newStage(t)
		s.toSync()
		s.press("q", "ctrl+c")
		s.until("the end", func() bool { return s.quit })
	})
}

func TestStoppingACopyByTheDialog(t *testing.T) {
	s := newStage(t)
	e := s.toSync()
	s.press("q")
	s.shows("Stop this copy?")
	s.press("esc")
	if s.w.copying.asking || len(e.causes) != 0 {
		t.Error("esc did not keep the copy going")
	}
	s.press("q", "enter")
	if s.w.copying.asking || len(e.causes) != 0 {
		t.Error("enter on the first choice did not keep the copy going")
	}
	s.press("q", "down", "enter")
	s.until("the summary", func() bool { return s.w.at == stepSummary })
	s.shows("stopped: 5 not reached", "run again")
	s.press("r")
	s.until("a second run", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.Equal(e.calls, []string{"preflight", "plan", "sync", "sync"})
	})
	e.sync <- synced{summary: completeSummary()}
	s.until("the summary", func() bool { return s.w.at == stepSummary })
	s.press("q")
	s.until("the end", func() bool { return s.quit })
	if s.w.exitCode != 0 {
		t.Errorf("exit code %d, want that of the second run", s.w.exitCode)
	}
}

func TestErrorsOfTheSteps(t *testing.T) {
	t.Run("a preflight that could not be done can be repeated", func(t *testing.T) {
		s := newStage(t)
		s.press("ctrl+n")
		s.engine(0).preflight <- checked{err: errors.New("source password from env:PW: it is not set")}
		s.until("the end of the check", func() bool { return s.w.op == nil })
		s.shows("the check could not be done: source password from env:PW")
		s.press("r")
		s.engine(1)
	})
	t.Run("a plan that could not be made can be repeated", func(t *testing.T) {
		s := newStage(t)
		e := s.toCheck(sampleReport())
		s.press("n")
		e.plan <- planned{err: errors.New("list imap.old-isp.example: connection lost")}
		s.until("the error", func() bool { return s.w.op == nil })
		s.shows("connection lost")
		s.press("r")
		e.plan <- planned{plan: samplePlan()}
		s.until("the plan", func() bool { return s.w.plan.plan != nil })
	})
	t.Run("leaving after a failed plan hands its error on", func(t *testing.T) {
		s := newStage(t)
		e := s.toCheck(sampleReport())
		s.press("n")
		e.plan <- planned{err: &mailsync.CollisionError{Dest: "x"}}
		s.until("the error", func() bool { return s.w.op == nil })
		s.press("q")
		var collision *mailsync.CollisionError
		if !errors.As(s.w.err, &collision) {
			t.Errorf("the error is %v", s.w.err)
		}
	})
	t.Run("a copy that ends with an error shows it beside its summary", func(t *testing.T) {
		s := newStage(t)
		e := s.toReview()
		s.press("enter")
		e.sync <- synced{summary: &mailsync.Summary{Verdict: "failed", ExitCode: 24}, err: mailsync.ErrLocked}
		s.until("the summary", func() bool { return s.w.at == stepSummary })
		s.shows(mailsync.ErrLocked.Error(), "exit code 24")
	})
}

func TestUpdateDoesNotPanicOnAnyKeyInAnyScreen(t *testing.T) {
	keys := slices.Collect(func(yield func(string) bool) {
		for name := range namedKeys {
			if name != "ctrl+c" && !yield(name) {
				return
			}
		}
		for _, r := range "qneryfsjkgG?1239x " {
			if !yield(string(r)) {
				return
			}
		}
	})
	for _, screen := range screens {
		for _, k := range keys {
			w := settled(newTheme(true, false))
			screen.build(w)
			if w.op != nil {
				w.op.cancel = func(error) {}
			}
			w.Update(keyMsg(k)) // commands are not run
			w.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
			w.View()
			select {
			case c := <-w.crew.crashes:
				t.Errorf("%s, key %s: %v\n%s", screen.name, k, c, c.stack)
			default:
			}
		}
	}
}

func TestAPanicInUpdateEndsTheWizard(t *testing.T) {
	w := settled(newTheme(true, false))
	w.servers = nil
	_, cmd := w.Update(keyMsg("x"))
	if cmd == nil || !reflect.DeepEqual(cmd(), tea.Quit()) {
		t.Error("the wizard does not quit")
	}
	select {
	case c := <-w.crew.crashes:
		if !strings.Contains(string(c.stack), "wizard.go") {
			t.Errorf("the trace does not lead to the place:\n%s", c.stack)
		}
	default:
		t.Error("the panic is not kept")
	}
}
