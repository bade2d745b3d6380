//go:build unix

package secret

import (
	"context"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openNonblock keeps the opening of a FIFO from waiting for its writer; waitReadable does that wait.
const openNonblock = syscall.O_NONBLOCK

// pollMillis is how long a wait goes on before it looks at the context again.
const pollMillis = 100

// waitReadable returns when f has octets or has ended, or when ctx has.
func waitReadable(ctx context.Context, f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var ready int
		var pollErr error
		err := conn.Control(func(fd uintptr) {
			ready, pollErr = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, pollMillis)
		})
		switch {
		case err != nil:
			return err
		case pollErr != nil && !errors.Is(pollErr, unix.EINTR):
			return pollErr
		case pollErr == nil && ready > 0:
			return nil
		}
	}
}

// keepFromChildren keeps a command that yields another secret from inheriting the descriptor.
func keepFromChildren(fd int) { syscall.CloseOnExec(fd) }
