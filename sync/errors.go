package mailsync

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// The exit codes that a run can end with.
const (
	exitNetwork     = 10
	exitTLS         = 11
	exitCertificate = 12
	exitSignIn      = 13
	exitCannot      = 14 // the server cannot do what the plan needs
	exitPartial     = 20
	exitStopped     = 21
	exitFull        = 22
	exitLost        = 23
	exitUnsafe      = 25
	exitLater       = 75
)

// A StopError says why a run ended early. Its cause is what a server or the network did, or the context's.
type StopError struct {
	Code int // exit code for a command
	Err  error
}

func (e *StopError) Error() string { return e.Err.Error() }
func (e *StopError) Unwrap() error { return e.Err }

// ExitCode returns Code.
func (e *StopError) ExitCode() int { return e.Code }

func stop(code int, format string, args ...any) *StopError {
	return &StopError{Code: code, Err: fmt.Errorf(format, args...)}
}

// ended returns the StopError of a context that has ended. Who cancels tells the exit code by a cause with a method ExitCode,
// such as 130 for Ctrl-C; otherwise it counts as a limit that was set.
func ended(ctx context.Context) *StopError {
	cause := context.Cause(ctx)
	var coded interface{ ExitCode() int }
	if errors.As(cause, &coded) {
		return &StopError{Code: coded.ExitCode(), Err: cause}
	}
	return &StopError{Code: exitStopped, Err: cause}
}

// A Refusal is a NO or BAD.
type Refusal struct {
	Side    string // source or dest
	Command string // what was attempted, such as "open mailbox \"a\""
	Code    string // name of the response code in upper case, or ""
	Text    string // the server's words, printable
}

func (e *Refusal) Error() string {
	text := e.Text
	if e.Code != "" {
		text = "[" + e.Code + "] " + text
	}
	return fmt.Sprintf("%s: %s: the server said: %s", e.Side, e.Command, text)
}

// temporary reports whether the same command may succeed later (RFC 5530 section 3; THROTTLED is Microsoft's).
func temporary(code string) bool {
	switch code {
	case "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED":
		return true
	}
	return false
}

// hopeless reports whether a temporary refusal that lasts concerns everything, not only what was asked for.
func hopeless(code string) bool { return code == "UNAVAILABLE" || code == "THROTTLED" }

func comeBack(side, text string) *StopError {
	return stop(exitLater, "%s: the server asks to come back later: it said: %s", side, text)
}

func changedValidity(side, mailbox string, before, now uint32) *StopError {
	return stop(exitUnsafe, "%s: UIDVALIDITY of mailbox %q changed from %d to %d while the run was at work", side, mailbox, before, now)
}

// overQuota reports whether a refused APPEND says that the account is full. Servers without RFC 9208 have only words for it, Cyrus 3.6: "Over quota".
func overQuota(code, text string) bool {
	return code == "OVERQUOTA" || code == "" && strings.Contains(strings.ToLower(text), "over quota")
}

// A lostError is a connection that can no longer be used.
type lostError struct {
	side, command string
	err           error
	code          int // exit code when it does not come back, 0 means exitLost
}

func (e *lostError) Error() string { return fmt.Sprintf("%s: %s: %v", e.side, e.command, e.err) }
func (e *lostError) Unwrap() error { return e.err }

func isLost(err error) bool {
	_, ok := errors.AsType[*lostError](err)
	return ok
}

// judge turns what a command said into one of: nil, *Refusal, *lostError. A *StopError stays what it is.
func judge(side, command string, err error) error {
	if _, stopped := errors.AsType[*StopError](err); err == nil || stopped {
		return err
	}
	var e *imap.Error
	if errors.As(err, &e) && (e.Type == imap.StatusResponseTypeNo || e.Type == imap.StatusResponseTypeBad) {
		return &Refusal{side, command, strings.ToUpper(wire.Printable(string(e.Code))), wire.Printable(e.Text)}
	}
	return &lostError{side: side, command: command, err: err}
}

// opening judges an error of Side.Open: whether another try makes sense, and the exit code if there is none.
func opening(err error) (again bool, code int) {
	var (
		dial   *imapdial.Error
		signIn *imapdial.SignInError
		policy *imapdial.PolicyError
	)
	switch {
	case errors.As(err, &policy):
		return false, exitCertificate
	case errors.As(err, &signIn):
		if signIn.Reason == imapdial.Interrupted {
			return true, exitNetwork
		}
		if signIn.Temporary() {
			return true, exitLater
		}
		return false, exitSignIn
	case errors.As(err, &dial) && (dial.Stage == imapdial.StageHandshake || dial.Stage == imapdial.StageStartTLS):
		return true, exitTLS
	case errors.As(err, &dial):
		return true, exitNetwork
	}
	return false, exitSignIn // the secret could not be had
}

// exitCode returns the exit code of an error that ended a run.
func exitCode(err error) int {
	var (
		coded   interface{ ExitCode() int }
		refusal *Refusal
	)
	switch {
	case errors.As(err, &coded):
		return coded.ExitCode()
	case errors.As(err, &refusal) && temporary(refusal.Code):
		return exitLater
	case isLost(err):
		return exitLost
	}
	return exitCannot
}
