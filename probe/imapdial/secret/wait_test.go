//go:build unix

package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// dup returns a descriptor that no *os.File of the test owns, as a shell would hand it over, and closes f.
func dup(t *testing.T, f *os.File) int {
	t.Helper()
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestWaitEndsWithTheContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the person left")
	for _, text := range []string{fmt.Sprintf("fd:%d", dup(t, r)), "file:" + fifo, "cmd:sleep 60", `cmd:sh -c "sleep 3 & wait"`} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
		if _, err := mustParse(t, text).Resolve(ctx, "x", nil); !errors.Is(err, gone) {
			t.Errorf("%s: %v, want the context's cause", text, err)
		}
	}
}

func TestFIFOIsWaitedFor(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(fifo, []byte("secret\n"), 0) }()
	if got := mustResolve(t, mustParse(t, "file:"+fifo)); got != "secret" {
		t.Errorf("the FIFO gives %q", got)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}
