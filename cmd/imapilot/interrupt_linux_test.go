package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// An interruption is a sync that waits in the middle of its work, at an APPEND that the destination does not answer.
type interruption struct {
	t       *testing.T
	dest    *imaptest.Server
	account *imaptest.Account
	total   int
	args    []string
	state   string

	reached  chan struct{} // closed when the APPEND has come
	released chan struct{} // closed to let it go on
}

// stopAfter is how many messages arrive before the sync waits.
const stopAfter = 20

func newInterruption(t *testing.T) *interruption {
	t.Helper()
	ca := imaptest.NewCA("interruption")
	// Commands inherit signals that are ignored, as nohup leaves them, but not those that are caught.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT)
	t.Cleanup(func() { signal.Stop(caught) })
	i := &interruption{t: t, state: t.TempDir(), reached: make(chan struct{}), released: make(chan struct{})}
	start := func(c imaptest.Config) *imaptest.Server {
		c.Certificate = ca.Issue(imaptest.Leaf{})
		s, err := imaptest.Start(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	source := start(imaptest.Config{Security: imaptest.TLS})
	sample := imaptest.Sample()
	for _, f := range sample {
		i.total += len(f.Messages)
	}
	if err := source.AddAccount("anna", canary).Fill(sample); err != nil {
		t.Fatal(err)
	}
	i.dest = start(imaptest.Config{Security: imaptest.STARTTLS, Delim: '.', Prefix: "INBOX."})
	i.account = i.dest.AddAccount("anna", canary)

	dir := t.TempDir()
	for name, text := range map[string]string{"ca.pem": ca.RootPEM(), "pass": canary} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pass, roots := "file:"+filepath.Join(dir, "pass"), filepath.Join(dir, "ca.pem")
	i.args = []string{"sync", "--state-dir", i.state,
		"--source", "imaps://anna@" + source.Address(), "--source-ca-file", roots, "--source-password-from", pass,
		"--dest", "imap+starttls://anna@" + i.dest.Address(), "--dest-ca-file", roots, "--dest-password-from", pass,
	}
	return i
}

// wait makes the destination keep an APPEND waiting.
func (i *interruption) wait() {
	var once sync.Once
	i.dest.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		if c.Name != "APPEND" || c.Count <= stopAfter {
			return nil
		}
		once.Do(func() { close(i.reached) })
		<-i.released
		return imaptest.ErrHangUp
	}})
	i.t.Cleanup(i.release)
}

// release lets the waiting APPEND go, and those to come.
func (i *interruption) release() {
	select {
	case <-i.released:
	default:
		close(i.released)
	}
	i.dest.SetHooks(imaptest.Hooks{})
}

// command returns the command line, to be run in a process of its own.
func (i *interruption) command(more ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	return i.start(append(append([]string{"imapilot"}, i.args...), more...)...)
}

// start returns a command that ends after a while at the latest.
func (i *interruption) start(args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(i.t.Context(), time.Minute)
	i.t.Cleanup(cancel)
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

func exitOf(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

// stored counts the messages at the destination.
func (i *interruption) stored() int {
	n := 0
	for _, m := range i.account.Mailboxes() {
		n += m.Messages
	}
	return n
}

func lastEvent(t *testing.T, stdout *bytes.Buffer) (event string, summary mailsync.Summary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	var head struct{ Event string }
	for _, into := range []any{&head, &summary} {
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
			t.Fatalf("%v: %q", err, lines[len(lines)-1])
		}
	}
	return head.Event, summary
}

func TestSignalStopsASyncAndTheNextOneFinishesIt(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} { // SIGTERM: below
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel() // each waits a while for the APPEND that is not answered
			i := newInterruption(t)
			i.wait()
			cmd, stdout, stderr := i.command("-o", "ndjson")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-i.reached
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			want := 128 + int(signal)
			if got := exitOf(cmd.Wait()); got != want {
				t.Errorf("exit code %d, want %d: %s", got, want, stderr)
			}
			event, s := lastEvent(t, stdout)
			if event != "run.end" || s.Verdict != "stopped" || s.ExitCode != want {
				t.Errorf("the last event is %s with verdict %s and exit code %d, want run.end, stopped, %d", event, s.Verdict, s.ExitCode, want)
			}
			m := s.Messages
			if sum := m.Present + m.Copied + m.Skipped + m.Failed + m.Remaining; m.Source != sum || m.Copied < 1 || m.Remaining < 1 {
				t.Errorf("the counts do not add up: %+v", m)
			}
			if !strings.Contains(stderr.String(), "error: stopped") {
				t.Errorf("stderr says %q", stderr)
			}

			i.release()
			cmd, _, stderr = i.command("-o", "json")
			if err := cmd.Run(); err != nil {
				t.Fatalf("the second run: %v: %s", err, stderr)
			}
			if got := i.stored(); got != i.total {
				t.Errorf("the destination has %d messages, want %d", got, i.total)
			}
		})
	}
}

func TestSecondSignalEndsTheProcessAtOnce(t *testing.T) {
	i := newInterruption(t)
	i.wait()
	cmd, stdout, _ := i.command("-o", "json")
	cmd.Stderr = nil
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-i.reached
	said := ""
	for range 2 {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(said, "stopping") { // the first one has arrived
			b := make([]byte, 256)
			n, err := stderr.Read(b)
			if err != nil {
				t.Fatalf("%v after %q", err, said)
			}
			said += string(b[:n])
		}
	}
	if got := exitOf(cmd.Wait()); got != 143 {
		t.Errorf("exit code %d, want 143", got)
	}
	if stdout.Len() != 0 {
		t.Errorf("the process went on and printed %s", stdout)
	}
}

func TestHangupThatIsIgnoredDoesNotStopASync(t *testing.T) {
	i := newInterruption(t)
	i.wait()
	cmd, _, stderr := i.start(append([]string{"sh", "-c", `trap "" HUP; exec imapilot "$@"`, "sh"}, i.args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-i.reached
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	i.release()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, stderr)
	}
}

func TestSecondRunOnTheSameAccountsIsLockedOut(t *testing.T) {
	i := newInterruption(t)
	i.wait()
	first, _, firstErr := i.command("-o", "json")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-i.reached
	second, stdout, stderr := i.command("-o", "ndjson")
	if got := exitOf(second.Run()); got != 24 {
		t.Errorf("exit code %d, want 24: %s", got, stderr)
	}
	event, s := lastEvent(t, stdout)
	if event != "run.end" || s.Verdict != "failed" || s.ExitCode != 24 || s.Failures == nil {
		t.Errorf("the last event is %s with %+v", event, s)
	}
	if !strings.Contains(stderr.String(), "hint: wait for the other run") {
		t.Errorf("stderr says %q", stderr)
	}
	third, stdout, _ := i.command()
	if got := exitOf(third.Run()); got != 24 || stdout.Len() != 0 {
		t.Errorf("exit code %d and %q on stdout, want 24 and nothing", got, stdout)
	}
	i.release()
	if err := first.Wait(); err != nil {
		t.Errorf("the first run, which lost a connection: %v: %s", err, firstErr)
	}
	if got := i.stored(); got != i.total {
		t.Errorf("the destination has %d messages, want %d", got, i.total)
	}
}
