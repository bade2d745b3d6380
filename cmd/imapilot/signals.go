package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// A signalError is a run that a signal stopped. It is the cause of the context's end.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string {
	switch e.signal {
	case syscall.SIGINT:
		return "stopped by Ctrl-C"
	case syscall.SIGTERM:
		return "stopped by a request to end (SIGTERM)"
	default:
		return "stopped because the terminal is gone (SIGHUP)"
	}
}

// ExitCode is 128 and the signal's number: 130, 143 or 129.
func (e *signalError) ExitCode() int { return 128 + int(e.signal) }

// withSignals returns a context that the first INT, TERM or HUP ends, with a *signalError as its cause: what runs then stops
// safely. The second one ends the process at once. The caller calls stop, which gives the signals back and leaves the context as it is.
func withSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // by nohup, or a shell that put us into the background
			signal.Notify(signals, s)
		}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var stopped *signalError
		for {
			select {
			case s := <-signals:
				if stopped != nil {
					os.Exit(stopped.ExitCode())
				}
				stopped = &signalError{s.(syscall.Signal)}
				cancel(stopped)
			case <-done:
				return
			}
		}
	})
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		wg.Wait()
	})
}

// signalOf returns the signal that ended ctx, or nil.
func signalOf(ctx context.Context) *signalError {
	stopped, _ := errors.AsType[*signalError](context.Cause(ctx))
	return stopped
}
