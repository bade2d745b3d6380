package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/term"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/tui/termguard"
)

// A Config is what the wizard starts with. NewJob must be set; the zero values of the rest are usable.
type Config struct {
	Version string // of the program, shown beside the keys

	// Source and Dest fill the form in advance.
	Source, Dest Side
	// NewJob makes the job for two targets, whose secrets are references that need no question. It is called for each check, outside of the user
	// interface's goroutine; the wizard closes the Backend. Use [ForJob].
	NewJob func(source, dest probe.Target) *Backend

	AllowPlaintext bool   // targets without TLS can be chosen (--allow-plaintext)
	StateDir       string // where the lock is, for the review; "" is not mentioned

	ASCII      bool // --ascii; a locale without UTF-8 has the same effect
	NoColor    bool // --color never; NO_COLOR has the same effect
	Accessible bool // --accessible: Run refuses, because a screen that is redrawn cannot be read aloud
}

// A Side is one of the two accounts as a command was told of it.
type Side struct {
	Target probe.Target
	CAFile string // the path that Target.TLS.CAs was read from, or ""
}

// ErrTerminal means that the wizard cannot be used where it was started. Errors that wrap it name the commands that can.
var ErrTerminal = errors.New("the wizard cannot be shown here")

// instead names what does the same without a terminal.
const instead = "; use imapilot preflight, imapilot plan and imapilot sync with --source and --dest, they print lines"

// Time limits at the end. A terminal that stops reading, or a server that stops answering, must not keep the process.
const (
	engineGrace  = 10 * time.Second // for an engine to finish what is on its way
	programGrace = 3 * time.Second  // for bubbletea to give the terminal back
	killGrace    = time.Second      // for the same after it was killed
	closeGrace   = 3 * time.Second  // for the job to sign out
)

// Run shows the wizard on stdin and stdout until the person leaves it. The terminal is given back whole however it ends. Until then it handles
// INT, TERM, HUP and QUIT itself: the first stops what runs, waits for it and leaves, the second leaves at once; the end of ctx counts
// as the first. No other handler of these signals must end the process meanwhile. After a copy, its summary is printed to stdout.
//
// exitCode is that of the last copy, or of a check that blocks; 130 after Ctrl-C, 128 and the signal's number after a signal, ctx's cause's where it has
// an ExitCode method. err is not nil when the wizard cannot be shown ([ErrTerminal]), when the last step failed with it, when the
// terminal went away (it has an ExitCode method then), or after a panic, whose trace has been printed to stderr by then.
func Run(ctx context.Context, cfg Config) (exitCode int, err error) {
	termguard.Restore()
	if err := usable(&cfg); err != nil {
		return 0, err
	}
	if err := refuseStdin(&cfg); err != nil {
		return 0, err
	}
	t := newTheme(!cfg.NoColor && os.Getenv("NO_COLOR") == "", cfg.ASCII || useASCII(os.Getenv))
	screen := openScreen(os.Stdin, os.Stdout)
	crew := newCrew(context.WithoutCancel(ctx))
	w := newWizard(&cfg, t, crew, time.Now)
	w.suspends = canSuspend()
	// The program's context is not ctx: bubbletea would end at once with it, without waiting for an engine.
	p := tea.NewProgram(w, tea.WithAltScreen(), tea.WithoutSignalHandler(), tea.WithInput(os.Stdin), tea.WithOutput(os.Stdout))
	show := &show{program: p, wizard: w, crew: crew, screen: screen}
	show.run(ctx)
	return show.result()
}

// usable says why the wizard cannot be shown, or returns nil.
func usable(cfg *Config) error {
	name := os.Getenv("TERM")
	switch {
	case cfg.Accessible:
		return fmt.Errorf("%w: a screen that is redrawn is not accessible%s", ErrTerminal, instead)
	case !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())):
		return fmt.Errorf("%w: stdin and stdout are not both terminals%s", ErrTerminal, instead)
	case name == "dumb" || name == "":
		return fmt.Errorf("%w: the terminal cannot move its cursor (TERM is %q)%s", ErrTerminal, name, instead)
	}
	return nil
}

// refuseStdin keeps a password from being read from where the keys come from.
func refuseStdin(cfg *Config) error {
	for side, s := range [2]Side{cfg.Source, cfg.Dest} {
		if ref := s.Target.Secret; ref != nil && (ref.String() == "stdin" || ref.String() == "fd:0") {
			return &secret.ReferenceError{Label: sideName[side] + " password", Reference: ref.String(),
				Err: errors.New("the wizard reads the keyboard there; use another reference, or type the password")}
		}
	}
	return nil
}

// A show is the wizard while it is on the screen, and how it ends.
type show struct {
	program *tea.Program
	wizard  *wizard
	crew    *crew
	screen  *screen

	crash    *crash
	programs error      // what bubbletea ended with
	stopped  *interrupt // the first signal, or the end of the context
	gone     bool       // the program could not be brought to an end: its model must not be touched
	left     bool       // at once: engines may be at work that nobody waits for
	until    time.Time  // how long engines are waited for
}

// run shows the program and returns when it has ended and the terminal is whole.
func (s *show) run(ctx context.Context) {
	signals := make(chan os.Signal, 4)
	for _, sig := range stopSignals {
		if !signal.Ignored(sig) {
			signal.Notify(signals, sig)
		}
	}
	defer signal.Stop(signals)

	ended := make(chan error, 1)
	go func() {
		_, err := s.program.Run()
		ended <- err
	}()
	s.watch(ctx, signals, ended)
	s.screen.restore(s.gone)
	if !s.gone {
		s.settle(signals)
	}
}

// watch waits for the end of the program, and brings it about when it must be.
func (s *show) watch(ctx context.Context, signals <-chan os.Signal, ended <-chan error) {
	var idle <-chan struct{}      // once the wizard was asked to end
	var deadline <-chan time.Time // for the engines, then for the program
	begin := func(i *interrupt) {
		if s.stopped != nil {
			return
		}
		idle = s.stop(i)
		deadline = time.After(time.Until(s.until))
	}
	received := 0
	for {
		select {
		case s.programs = <-ended:
			return
		case s.crash = <-s.crew.crashes:
			s.end(ended)
			return
		case sig := <-signals:
			if received++; received > 1 {
				s.left = true
				s.end(ended)
				return
			}
			begin(signalInterrupt(sig))
		case <-ctx.Done():
			begin(contextInterrupt(ctx))
			ctx = context.Background()
		case <-idle:
			idle, deadline = nil, time.After(programGrace)
		case <-deadline:
			s.end(ended)
			return
		}
	}
}

// stop asks the wizard to end and stops the engines. It does not wait: where the terminal has stopped reading, so has the wizard. The
// channel is closed when the engines have ended.
func (s *show) stop(i *interrupt) (idle <-chan struct{}) {
	s.stopped = i
	s.until = time.Now().Add(engineGrace)
	s.crew.cancel(i)
	// Send gives up when the program has ended.
	go s.program.Send(interruptMsg{i})
	return s.crew.close()
}

// end kills the program and waits shortly for it.
func (s *show) end(ended <-chan error) {
	s.program.Kill()
	select {
	case s.programs = <-ended:
	case <-time.After(killGrace):
		s.gone = true
	}
}

// settle waits for the engines and closes the job. The terminal is whole; a further signal cuts it short.
func (s *show) settle(signals <-chan os.Signal) {
	if s.wizard.atOnce || s.left {
		return
	}
	s.crew.cancel(s.cause())
	if s.until.IsZero() {
		s.until = time.Now().Add(engineGrace)
	}
	if !s.await(s.crew.close(), signals, s.until) || s.wizard.session == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		defer s.crew.catch()
		s.wizard.session.close()
	}()
	s.await(closed, signals, time.Now().Add(closeGrace))
}

// await reports whether done came before a signal and the deadline.
func (s *show) await(done <-chan struct{}, signals <-chan os.Signal, until time.Time) bool {
	select {
	case <-done:
		return true
	case <-signals:
	case <-time.After(time.Until(until)):
	}
	return false
}

// cause is what engines are told that are still at work when the program ends by itself.
func (s *show) cause() error {
	switch {
	case s.stopped != nil:
		return s.stopped
	case s.programs != nil:
		return &interrupt{exitHangup, "stopped because the terminal is gone"}
	}
	return &interrupt{exitInterrupted, "the wizard was left"}
}

// result prints what must outlive the screen, and returns how it ended.
func (s *show) result() (int, error) {
	select {
	case s.crash = <-s.crew.crashes:
	default:
	}
	if s.crash != nil {
		fmt.Fprintf(os.Stderr, "%v\n\n%s\n", s.crash, s.crash.stack)
		return 1, s.crash
	}
	if !s.gone && s.wizard.result != nil {
		fmt.Fprint(os.Stdout, s.wizard.result.farewell(s.wizard.theme, min(max(s.wizard.width-1, 40), 100)))
	}
	switch {
	case s.stopped != nil:
		return s.stopped.code, nil
	case s.programs != nil:
		// The terminal went away, and with it the keys.
		return exitHangup, &interrupt{exitHangup, "the terminal cannot be used any more: " + s.programs.Error()}
	}
	return s.wizard.exitCode, s.wizard.err
}

// contextInterrupt is the interrupt that the end of a context stands for.
func contextInterrupt(ctx context.Context) *interrupt {
	cause := context.Cause(ctx)
	var coded interface{ ExitCode() int }
	if errors.As(cause, &coded) {
		return &interrupt{coded.ExitCode(), cause.Error()}
	}
	return &interrupt{exitInterrupted, strings.TrimSpace("stopped: " + cause.Error())}
}
