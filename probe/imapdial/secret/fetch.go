package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// maxSecret bounds what is read in search of a secret: the largest tokens have some kilobytes, and a reference to
// a device or to the wrong file must end.
const maxSecret = 64 << 10

var errTooLong = fmt.Errorf("more than %d octets", maxSecret)

// fetch returns the octets of every kind but prompt.
func (r *Reference) fetch(ctx context.Context) ([]byte, error) {
	switch r.kind {
	case fromEnv:
		value, ok := os.LookupEnv(r.arg)
		if !ok {
			return nil, errors.New("the variable is not set")
		}
		return withoutLineEnd([]byte(value)), nil
	case fromFile:
		return r.fetchFile(ctx)
	case fromFD:
		return nextLine(ctx, openFD(r.fd))
	case fromStdin:
		return nextLine(ctx, os.Stdin)
	case fromCommand:
		return runCommand(ctx, r.args)
	case fromCred:
		return fetchCredential(ctx, r.arg)
	}
	return nil, errors.New("no reference was given")
}

func (r *Reference) fetchFile(ctx context.Context) ([]byte, error) {
	f, err := os.OpenFile(r.arg, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	r.warnIfShared(f)
	b, err := firstLine(ctx, f)
	return b, withoutPath(err)
}

// warnIfShared looks at the file that was opened, not at its name: that may lead elsewhere by now.
func (r *Reference) warnIfShared(f *os.File) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || runtime.GOOS == "windows" {
		return
	}
	if perm := info.Mode().Perm(); perm&0o044 != 0 {
		r.warn(fmt.Sprintf("other users of this computer can read %s (mode %04o): chmod 600 %s", r.arg, perm, r.arg))
	}
}

// fetchCredential reads what systemd's LoadCredential and SetCredential hand to a service.
func fetchCredential(ctx context.Context, name string) ([]byte, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil, errors.New("CREDENTIALS_DIRECTORY is not set: the service manager handed over no credentials")
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	var b []byte
	for {
		c, err := nextOctet(ctx, f)
		if err == io.EOF {
			return withoutLineEnd(b), nil
		}
		if err != nil {
			return nil, withoutPath(err)
		}
		if len(b) == maxSecret {
			return nil, errTooLong
		}
		b = append(b, c)
	}
}

// readingOnce holds one token while a line is taken from an open file: two references to the same one get whole
// lines, not every other octet.
var readingOnce = make(chan struct{}, 1)

// nextLine takes one line from a file that other references may go on reading.
func nextLine(ctx context.Context, f *os.File) ([]byte, error) {
	select {
	case readingOnce <- struct{}{}:
		defer func() { <-readingOnce }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	b, err := firstLine(ctx, f)
	return b, withoutPath(err)
}

// firstLine reads up to a line end and not an octet further, and returns what precedes it.
func firstLine(ctx context.Context, f *os.File) ([]byte, error) {
	var b []byte
	for {
		c, err := nextOctet(ctx, f)
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return nil, err
		case c == '\n':
			return bytes.TrimSuffix(b, []byte("\r")), nil
		case len(b) == maxSecret:
			return nil, errTooLong
		}
		b = append(b, c)
	}
}

func nextOctet(ctx context.Context, f *os.File) (byte, error) {
	if err := waitReadable(ctx, f); err != nil {
		return 0, err
	}
	var one [1]byte
	for {
		n, err := f.Read(one[:])
		if n == 1 || err != nil {
			return one[0], err
		}
	}
}

// withoutLineEnd removes one CRLF or LF at the end.
func withoutLineEnd(b []byte) []byte {
	if trimmed, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		return bytes.TrimSuffix(trimmed, []byte("\r"))
	}
	return b
}

// withoutPath leaves out the name, which the text of the reference repeats.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// openFiles keeps the files of fd references for as long as the program runs: the descriptor belongs to whoever
// started us, and an *os.File that is collected closes it.
var openFiles struct {
	sync.Mutex
	byFD map[int]*os.File
}

func openFD(fd int) *os.File {
	openFiles.Lock()
	defer openFiles.Unlock()
	f, ok := openFiles.byFD[fd]
	if !ok {
		keepFromChildren(fd)
		f = os.NewFile(uintptr(fd), fmt.Sprintf("fd %d", fd))
		if openFiles.byFD == nil {
			openFiles.byFD = make(map[int]*os.File)
		}
		openFiles.byFD[fd] = f
	}
	return f
}
