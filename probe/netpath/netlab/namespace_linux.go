package netlab

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ownNamespace is the network namespace of the thread that opens it.
const ownNamespace = "/proc/thread-self/ns/net"

// newNamespace makes a network namespace. It exists as long as the file is open, or a socket or process is in it.
func newNamespace() (*os.File, error) {
	var made *os.File
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		made, err = os.Open(ownNamespace)
		return err
	})
	return made, err
}

// within calls do on a thread that is in the namespace. Sockets that do makes and processes that it starts stay there.
func within(namespace *os.File, do func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return do()
	})
}

// onThread calls do on a thread of its own, which do may move to another network namespace.
func onThread(do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(ownNamespace)
		if err == nil {
			err = do()
			// A thread that cannot get back stays locked, and ends here.
			if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread()
			}
			home.Close()
		}
		result <- err
	}()
	return <-result
}

// setKernel writes parameters below /proc/sys/net of the namespace that the thread is in.
func setKernel(parameters [][2]string) error {
	for _, p := range parameters {
		if err := os.WriteFile("/proc/sys/net/"+p[0], []byte(p[1]), 0); err != nil {
			return fmt.Errorf("set net/%s to %s: %w", p[0], p[1], err)
		}
	}
	return nil
}
