//go:build unix

package tui

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// stopSignals are those that end the wizard in an orderly way.
var stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// exitHangup is the exit code when the terminal is gone.
const exitHangup = 128 + int(syscall.SIGHUP)

func signalInterrupt(sig os.Signal) *interrupt {
	number, _ := sig.(syscall.Signal)
	text := map[syscall.Signal]string{
		syscall.SIGINT: "stopped by Ctrl-C", syscall.SIGTERM: "stopped by a request to end (SIGTERM)",
		syscall.SIGHUP: "stopped because the terminal is gone (SIGHUP)", syscall.SIGQUIT: "stopped by SIGQUIT",
	}[number]
	return &interrupt{128 + int(number), text}
}

// canSuspend reports whether a shell with job control would get the terminal back. Without one, as when the wizard is the first process of a session, a
// stop is ignored by the system, and bubbletea would wait for ever for its end.
func canSuspend() bool {
	session, err := unix.Getsid(0)
	return err == nil && session != unix.Getpgrp()
}
