//go:build unix

package tui

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// A terminal is a pseudo-terminal with the wizard on it, in a process of its own.
type terminal struct {
	t       *testing.T
	cmd     *exec.Cmd
	master  *os.File
	slave   *os.File
	before  *term.State
	exited  chan struct{}
	reading chan struct{} // closed when nothing more will be read

	mu  sync.Mutex
	out bytes.Buffer
}

// openTerminal starts the test binary as a command whose engines behave as kind says.
func openTerminal(t *testing.T, kind string, env ...string) *terminal {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, exited: make(chan struct{}), reading: make(chan struct{})}
	if x.master, x.slave, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(x.master, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	if x.before, err = term.GetState(int(x.slave.Fd())); err != nil {
		t.Fatal(err)
	}
	x.cmd = exec.Command(self)
	x.cmd.Env = append(os.Environ(), appVariable+"="+kind, "TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=", "CI=")
	x.cmd.Env = append(x.cmd.Env, env...)
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = x.slave, x.slave, x.slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	// A signal that is ignored here, as SIGHUP under nohup, would be ignored there too; one that is caught is reset at exec.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	t.Cleanup(func() { signal.Stop(caught) })
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		x.cmd.Wait()
		close(x.exited)
	}()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		<-x.exited
		x.slave.Close()
		x.master.Close()
	})
	return x
}

// read collects what the wizard writes, until the terminal is closed.
func (x *terminal) read() *terminal {
	go func() {
		defer close(x.reading)
		buf := make([]byte, 4096)
		for {
			n, err := x.master.Read(buf)
			x.mu.Lock()
			x.out.Write(buf[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return x
}

func (x *terminal) output() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.out.String()
}

// waitFor waits until the wizard has written text.
func (x *terminal) waitFor(text string) {
	x.t.Helper()
	wait(x.t, text, func() bool { return strings.Contains(x.output(), text) }, x.output)
}

// wait waits for a condition that no channel tells of.
func wait(t *testing.T, what string, done func() bool, state func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for: %s\n%s", what, state())
		}
	}
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.master, keys); err != nil {
		x.t.Fatal(err)
	}
}

func (x *terminal) signal(s os.Signal) {
	x.t.Helper()
	if err := x.cmd.Process.Signal(s); err != nil {
		x.t.Fatal(err)
	}
}

// ends waits for the end and returns the exit code.
func (x *terminal) ends(within time.Duration) int {
	x.t.Helper()
	select {
	case <-x.exited:
	case <-time.After(within):
		x.t.Fatalf("the wizard is still there after %v\n%q", within, x.output())
	}
	return x.cmd.ProcessState.ExitCode()
}

// isWhole fails unless the terminal is as it was before.
func (x *terminal) isWhole() {
	x.t.Helper()
	after, err := term.GetState(int(x.slave.Fd()))
	if err != nil {
		x.t.Fatal(err)
	}
	if !reflect.DeepEqual(after, x.before) {
		x.t.Errorf("the terminal's settings are %+v, before they were %+v", after, x.before)
	}
}

// isGivenBack fails unless what was switched on was switched off last.
func (x *terminal) isGivenBack() {
	x.t.Helper()
	x.isWhole()
	out := x.output()
	for _, mode := range []struct{ name, on, off string }{
		{"alternate screen", "\x1b[?1049h", "\x1b[?1049l"}, {"hidden cursor", "\x1b[?25l", "\x1b[?25h"}, {"bracketed paste", "\x1b[?2004h", "\x1b[?2004l"},
	} {
		if strings.LastIndex(out, mode.off) < strings.LastIndex(out, mode.on) {
			x.t.Errorf("the terminal is left with %s", mode.name)
		}
	}
	if strings.Contains(out, canary) {
		x.t.Error("the password was written to the terminal")
	}
}

// toSync presses the keys that lead to the copy.
func (x *terminal) toSync() {
	x.t.Helper()
	x.waitFor("Servers")
	x.press("\x0e") // ctrl+n
	x.waitFor("plans the copy")
	x.press("n")
	x.waitFor("n reviews")
	x.press("n")
	x.waitFor("Start copying")
	x.press("\r")
	x.waitFor("Recent")
}

func TestTheTerminalIsGivenBack(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		run        func(x *terminal)
		code       int
		shown      string // after the alternate screen
	}{
		{"after the whole way", "plain", func(x *terminal) {
			x.toSync()
			x.waitFor("exit code 0")
			x.press("q")
		}, 0, "in the source"},
		{"after Ctrl-C in the form", "plain", func(x *terminal) {
			x.waitFor("Servers")
			x.press("\x03")
		}, 130, "code 130, error <nil>"},
		{"after Ctrl-C during a check", "endless-check", func(x *terminal) {
			x.waitFor("Servers")
			x.press("\x0e")
			x.waitFor("checking both servers")
			x.press("\x03")
		}, 130, "code 130"},
		{"after Ctrl-C during a copy", "endless-sync", func(x *terminal) {
			x.toSync()
			x.press("\x03")
		}, 130, "stopped: 5 003 not reached"},
		{"after a second Ctrl-C, when the engine does not listen", "deaf-sync", func(x *terminal) {
			x.toSync()
			x.press("\x03")
			x.waitFor("leaves at once")
			x.press("\x03")
		}, 130, "code 130"},
		{"after SIGTERM during a copy", "endless-sync", func(x *terminal) {
			x.toSync()
			x.signal(syscall.SIGTERM)
		}, 143, "stopped: 5 003 not reached"},
		{"after SIGINT from outside", "plain", func(x *terminal) {
			x.waitFor("Servers")
			x.signal(syscall.SIGINT)
		}, 130, "code 130"},
		{"after SIGHUP", "endless-sync", func(x *terminal) {
			x.toSync()
			x.signal(syscall.SIGHUP)
		}, 129, "code 129"},
		{"after SIGQUIT", "plain", func(x *terminal) {
			x.waitFor("Servers")
			x.signal(syscall.SIGQUIT)
		}, 131, "code 131"},
		{"after a second SIGTERM, when the engine does not listen", "deaf-sync", func(x *terminal) {
			x.toSync()
			x.signal(syscall.SIGTERM)
			x.waitFor("leaves at once")
			x.signal(syscall.SIGTERM)
		}, 143, "code 143"},
		{"after a panic in an engine", "panic", func(x *terminal) {
			x.waitFor("Servers")
			x.press("\x0e")
		}, 1, "internal error: a bug in a check"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := openTerminal(t, c.kind).read()
			c.run(x)
			if code := x.ends(9 * time.Second); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			x.waitFor("the wizard ended") // all of it has been read
			x.isGivenBack()
			_, after, _ := strings.Cut(x.output(), "\x1b[?1049l")
			if !strings.Contains(after, c.shown) {
				t.Errorf("after the alternate screen there is no %q:\n%s", c.shown, after)
			}
		})
	}
}

func TestAClosedTerminalStopsTheCopy(t *testing.T) {
	t.Parallel()
	x := openTerminal(t, "endless-sync").read()
	x.toSync()
	x.slave.Close()
	x.master.Close()
	if code := x.ends(9 * time.Second); code != 129 {
		t.Errorf("exit code %d, want 129", code)
	}
}

func TestATerminalThatStopsReadingDoesNotKeepTheWizard(t *testing.T) {
	t.Parallel()
	x := openTerminal(t, "silent")
	x.press("\x0e")
	// Nobody reads: frames fill the terminal's buffer until a write blocks. A new size makes a whole frame.
	begin := time.Now()
	size := uint16(80)
	wait(t, "a terminal that is full", func() bool {
		size = 161 - size
		if err := pty.Setsize(x.master, &pty.Winsize{Cols: size, Rows: 24}); err != nil {
			t.Fatal(err)
		}
		return time.Since(begin) > time.Second
	}, x.output)
	x.signal(syscall.SIGTERM)
	if code := x.ends(9 * time.Second); code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
	x.isWhole()
}

func TestWhereTheWizardCannotBeShown(t *testing.T) {
	for _, c := range []struct {
		name string
		env  string
	}{
		{"on a dumb terminal", "TERM=dumb"},
		{"on a terminal without a name", "TERM="},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := openTerminal(t, "plain", c.env).read()
			x.ends(5 * time.Second)
			x.waitFor("imapilot sync")
			if out := x.output(); strings.Contains(out, "\x1b") || !strings.Contains(out, ErrTerminal.Error()) {
				t.Errorf("the terminal shows %q", out)
			}
		})
	}
	t.Run("accessible", func(t *testing.T) {
		if _, err := Run(t.Context(), Config{Accessible: true}); !errors.Is(err, ErrTerminal) || !strings.Contains(err.Error(), "imapilot sync") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("in a pipe", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), appVariable+"=x", "TERM=xterm")
		out, err := cmd.Output()
		if err != nil || strings.Contains(string(out), "\x1b") || !strings.Contains(string(out), "not both terminals") {
			t.Errorf("it says %q, %v", out, err)
		}
	})
}

func TestAPasswordIsNotReadFromTheKeyboardsFile(t *testing.T) {
	for _, text := range []string{"stdin", "fd:0"} {
		ref, err := secret.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{}
		cfg.Dest.Target.Secret = ref
		if err := refuseStdin(&cfg); err == nil || !strings.Contains(err.Error(), "destination password from "+text) {
			t.Errorf("%s: the error is %v", text, err)
		}
	}
}
