//go:build !linux

package netpath

import "syscall"

// live is not available here.
func live(syscall.RawConn, int) error { return ErrUnavailable }
