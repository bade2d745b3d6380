package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"golang.org/x/sys/unix"
)

// A terminalRun is imapilot in a terminal of its own.
type terminalRun struct {
	t    *testing.T
	cmd  *exec.Cmd
	ptmx *os.File
	tty  *os.File // the other end, held open so that its settings can be read after the command has ended

	mu     sync.Mutex
	screen bytes.Buffer // guarded by mu
	done   chan struct{}
}

// inTerminal starts the real main, which testscript put into the path.
func inTerminal(t *testing.T, args ...string) *terminalRun {
	t.Helper()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(ptmx, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	r := &terminalRun{t: t, ptmx: ptmx, tty: tty, done: make(chan struct{})}
	r.cmd = exec.CommandContext(t.Context(), "imapilot", args...)
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = tty, tty, tty
	r.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	r.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "XDG_STATE_HOME="+t.TempDir())
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go r.read()
	t.Cleanup(func() {
		tty.Close()
		<-r.done
		ptmx.Close()
	})
	return r
}

func (r *terminalRun) read() {
	defer close(r.done)
	b := make([]byte, 4096)
	for {
		n, err := r.ptmx.Read(b) // EIO once every copy of the other end is closed
		r.mu.Lock()
		r.screen.Write(b[:n])
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (r *terminalRun) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.screen.String()
}

// until waits for a condition.
func (r *terminalRun) until(what string, holds func() bool) {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			r.t.Fatalf("%s did not come; the terminal shows:\n%s", what, r.text())
		case <-tick.C:
		}
	}
}

// asks waits until a question stands there and the echo is off.
func (r *terminalRun) asks(question string) {
	r.t.Helper()
	r.until(question, func() bool { return strings.HasSuffix(r.text(), question) && !r.echoes() })
}

func (r *terminalRun) echoes() bool {
	settings, err := unix.IoctlGetTermios(int(r.tty.Fd()), unix.TCGETS)
	if err != nil {
		r.t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

func (r *terminalRun) enter(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.ptmx, text); err != nil {
		r.t.Fatal(err)
	}
}

// exits waits for the end and checks the exit code, and that the terminal is as before.
func (r *terminalRun) exits(want int) {
	r.t.Helper()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](r.cmd.Wait()); ok {
		got = exit.ExitCode()
	}
	if got != want {
		r.t.Errorf("exit code %d, want %d; the terminal shows:\n%s", got, want, r.text())
	}
	if !r.echoes() {
		r.t.Error("the echo of the terminal is still off")
	}
	r.tty.Close()
	<-r.done // all of its output is in
}

// pairFlagsOf starts two servers and returns the flags that lead to them, secrets apart.
func pairFlagsOf(t *testing.T) []string {
	t.Helper()
	ca := imaptest.NewCA("terminal")
	start := func(security imaptest.Security) *imaptest.Server {
		s, err := imaptest.Start(imaptest.Config{Security: security, Certificate: ca.Issue(imaptest.Leaf{})})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		s.AddAccount("anna", canary)
		return s
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(ca.RootPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	source, dest := start(imaptest.TLS), start(imaptest.STARTTLS)
	return []string{
		"--source", "imaps://anna@" + source.Address(), "--source-ca-file", file,
		"--dest", "imap+starttls://anna@" + dest.Address(), "--dest-ca-file", file,
	}
}

func TestPasswordsAreAskedForWithoutEcho(t *testing.T) {
	r := inTerminal(t, append([]string{"plan"}, pairFlagsOf(t)...)...)
	r.asks("source password of anna on 127.0.0.1: ")
	r.enter(canary + "\n")
	r.asks("destination password of anna on 127.0.0.1: ")
	r.enter(canary + "\n")
	r.exits(0)
	if strings.Contains(r.text(), canary) {
		t.Errorf("the terminal shows the password:\n%s", r.text())
	}
	if !strings.Contains(r.text(), "INBOX") {
		t.Errorf("the terminal shows no plan:\n%s", r.text())
	}
}

func TestNoAnswerIsNoPassword(t *testing.T) {
	r := inTerminal(t, append([]string{"plan"}, pairFlagsOf(t)...)...)
	r.asks("source password of anna on 127.0.0.1: ")
	r.enter("\n")
	r.exits(3)
	if !strings.Contains(r.text(), "nothing was typed") {
		t.Errorf("the terminal shows:\n%s", r.text())
	}
}

func TestCtrlCAtAQuestionGivesTheTerminalBack(t *testing.T) {
	r := inTerminal(t, append([]string{"plan"}, pairFlagsOf(t)...)...)
	r.asks("source password of anna on 127.0.0.1: ")
	r.enter("\x03")
	r.exits(130)
	if !strings.Contains(r.text(), "error: stopped by Ctrl-C") {
		t.Errorf("the terminal shows:\n%s", r.text())
	}
}

func TestHelpWithoutInputInATerminal(t *testing.T) {
	r := inTerminal(t, "--no-input")
	r.exits(2)
	if !strings.Contains(r.text(), "Exit codes") {
		t.Errorf("the terminal shows:\n%s", r.text())
	}
}

func TestTheWizardOpensWithoutArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"demo", "--wizard"}} {
		t.Run(strings.Join(append([]string{"imapilot"}, args...), " "), func(t *testing.T) {
			r := inTerminal(t, args...)
			r.until("the alternate screen", func() bool { return strings.Contains(r.text(), "\x1b[?1049h") })
			r.until("the first step", func() bool { return strings.Contains(r.text(), "Destination") })
			r.enter("\x03")
			r.exits(130)
			if !strings.Contains(r.text(), "\x1b[?1049l") {
				t.Errorf("the alternate screen was not left:\n%q", r.text())
			}
		})
	}
}

func TestProgressIsDrawnOnOneLineOfTheTerminal(t *testing.T) {
	i := newInterruption(t)
	i.wait()
	r := inTerminal(t, i.args...)
	<-i.reached
	r.until("the progress", func() bool { return strings.Contains(r.text(), "\r\x1b[Kcopying: ") })
	i.release()
	r.exits(0)
	_, after, _ := strings.Cut(r.text(), "copying: ")
	if !strings.Contains(after, "\r\x1b[K") || !strings.Contains(after, "complete") {
		t.Errorf("after the progress the terminal shows:\n%q", after)
	}
}
