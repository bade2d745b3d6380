//go:build !unix

package tui

import "os"

// stopSignals are those that end the wizard in an orderly way.
var stopSignals = []os.Signal{os.Interrupt}

// exitHangup is the exit code when the terminal is gone.
const exitHangup = 129

func signalInterrupt(os.Signal) *interrupt { return &interrupt{exitInterrupted, "stopped by Ctrl-C"} }

// canSuspend reports whether there is a shell to come back from.
func canSuspend() bool { return false }
