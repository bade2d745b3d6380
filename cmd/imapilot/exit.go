package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/tui"
)

// Exit codes. Those of a report, a summary or a verification come with it.
const (
	exitOK          = 0
	exitBug         = 1
	exitUsage       = 2
	exitFile        = 3
	exitNoTerminal  = 4
	exitNetwork     = 10
	exitTLS         = 11
	exitCertificate = 12
	exitSignIn      = 13
	exitWarning     = 15
	exitLocked      = 24
	exitLater       = 75
)

// exitStatus is the exit code of a result that is on stdout already: nothing more is to be said.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// status makes an error of the exit code of a result.
func status(code int) error {
	if code == exitOK {
		return nil
	}
	return exitStatus(code)
}

// isReported reports whether all that err has to say is on stdout already.
func isReported(err error) bool {
	_, ok := errors.AsType[exitStatus](err)
	return ok
}

// A codedError is an error beside a result that carries the exit code.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// A hintedError is an error for which it is known what to do.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	var (
		reported  exitStatus
		coded     *codedError
		usage     *usageError
		target    *probe.UsageError
		path      *os.PathError
		file      *fileError
		reference *secret.ReferenceError
		blocked   *job.BlockedError
		engine    interface{ ExitCode() int } // a signal's, or what ended a run
		dial      *imapdial.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &reported):
		return int(reported)
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage), errors.As(err, &target):
		return exitUsage
	case errors.As(err, &file), errors.As(err, &reference), errors.As(err, &path):
		return exitFile
	case errors.Is(err, secret.ErrNoTerminal), errors.Is(err, tui.ErrTerminal):
		return exitNoTerminal
	case errors.Is(err, mailsync.ErrLocked):
		return exitLocked
	case errors.As(err, &blocked):
		return blocked.Report.ExitCode
	case errors.As(err, &engine):
		return engine.ExitCode()
	case errors.As(err, &dial):
		return dialExitCode(dial)
	case errors.Is(err, context.DeadlineExceeded):
		return exitNetwork
	default:
		return exitBug
	}
}

// dialExitCode sorts the errors of a connection that is opened after the preflight.
func dialExitCode(err *imapdial.Error) int {
	var policy *imapdial.PolicyError
	var signIn *imapdial.SignInError
	switch {
	case errors.As(err, &signIn) && signIn.Temporary():
		return exitLater
	case errors.As(err, &policy):
		return exitCertificate
	case err.Stage == imapdial.StageHandshake, err.Stage == imapdial.StageStartTLS:
		return exitTLS
	case err.Stage == imapdial.StageSignIn:
		return exitSignIn
	default:
		return exitNetwork
	}
}

// printError says on stderr what went wrong and, where that is known, what to do.
func (a *app) printError(err error) {
	if isReported(err) {
		return
	}
	fmt.Fprintf(a.stderr, "error: %s\n", layout.Clean(a.masked(err.Error()))) // servers have a word in it
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", a.masked(hint))
	}
}

func hintFor(err error) string {
	if usage, ok := errors.AsType[*usageError](err); ok {
		return usage.hint
	}
	if hinted, ok := errors.AsType[*hintedError](err); ok {
		return hinted.hint
	}
	if errors.Is(err, mailsync.ErrLocked) {
		return "wait for the other run to end, or stop it; both would copy the same messages"
	}
	return ""
}
