package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/tui"
)

func TestErrorsBecomeTheExitCodesOfTheContract(t *testing.T) {
	at := func(stage imapdial.Stage, cause error) error { return &imapdial.Error{Stage: stage, Err: cause} }
	for _, c := range []struct {
		what string
		err  error
		want int
	}{
		{"no error", nil, 0},
		{"what nobody expected", errors.New("surprise"), 1},
		{"usage", usagef("no"), 2},
		{"a target that cannot be", &probe.UsageError{}, 2},
		{"a file", &fileError{errors.New("gone")}, 3},
		{"a folder for the state that cannot be made", &os.PathError{Op: "mkdir", Path: "/x", Err: syscall.EACCES}, 3},
		{"a reference that leads to nothing", &secret.ReferenceError{Label: "password", Reference: "env:X", Err: errors.New("unset")}, 3},
		{"a question without a terminal", secret.ErrNoTerminal, 4},
		{"the wizard without a terminal", tui.ErrTerminal, 4},
		{"the network", at(imapdial.StageConnect, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), 10},
		{"the greeting", at(imapdial.StageGreeting, errors.New("silence")), 10},
		{"a time-out", context.DeadlineExceeded, 10},
		{"the handshake", at(imapdial.StageHandshake, errors.New("alert")), 11},
		{"STARTTLS", at(imapdial.StageStartTLS, errors.New("refused")), 11},
		{"the certificate", at(imapdial.StageHandshake, &imapdial.PolicyError{}), 12},
		{"sign-in", at(imapdial.StageSignIn, &imapdial.SignInError{}), 13},
		{"a sign-in that is to be tried later", at(imapdial.StageSignIn, &imapdial.SignInError{Response: wire.Response{Code: "UNAVAILABLE"}}), 75},
		{"a program for the password that failed", &secret.ReferenceError{Label: "password", Reference: "cmd:x", Err: &exec.ExitError{ProcessState: &os.ProcessState{}}}, 3},
		{"a run that the engine ended", &mailsync.StopError{Code: 23, Err: errors.New("gone")}, 23},
		{"a preflight that blocked", &job.BlockedError{Report: &probe.Report{ExitCode: 12}}, 12},
		{"two folders that would become one", &mailsync.CollisionError{}, 14},
		{"another run", mailsync.ErrLocked, 24},
		{"Ctrl-C", &signalError{syscall.SIGINT}, 130},
		{"SIGTERM", &signalError{syscall.SIGTERM}, 143},
		{"SIGHUP", &signalError{syscall.SIGHUP}, 129},
		{"a result", exitStatus(20), 20},
		{"an error beside a result", &codedError{22, errors.New("full")}, 22},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.what, got, c.want)
		}
		if c.err == nil {
			continue
		}
		if got := exitCode(fmt.Errorf("while doing something: %w", c.err)); got != c.want {
			t.Errorf("%s, wrapped: exit code %d, want %d", c.what, got, c.want)
		}
	}
}

func TestSummaryTakesTheExitCodeOfTheSignal(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&signalError{syscall.SIGTERM})
	s := &mailsync.Summary{Verdict: "stopped"}
	settle(ctx, s, context.Canceled)
	if s.ExitCode != 143 {
		t.Errorf("a stopped run has exit code %d, want 143", s.ExitCode)
	}
	s = &mailsync.Summary{Verdict: "complete"}
	settle(ctx, s, nil)
	if s.ExitCode != 0 {
		t.Errorf("a run that was complete before the signal has exit code %d, want 0", s.ExitCode)
	}
}
