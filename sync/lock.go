package mailsync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// ErrLocked means that another run holds the lock of this pair of accounts.
var ErrLocked = errors.New("another run works on this pair of accounts")

// errHeld is how lockFile says that another process, or another open file of this one, holds the lock.
var errHeld = errors.New("the lock is held")

// A Lock keeps two runs on the same pair of accounts apart: side by side both would copy the same messages. The operating system gives it back when the
// process ends, however it ends.
type Lock struct{ file *os.File }

// TakeLock takes the lock of a pair of accounts in dir (created, mode 0700). The key is host and user of both sides in lower case.
// The error is [ErrLocked], or that of the file system. The caller calls Release.
func TakeLock(dir string, source, dest imapdial.Account) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for locks: %w", err)
	}
	path := filepath.Join(dir, lockName(source, dest))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("take the lock: %w", err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("%w: %s is locked", ErrLocked, path)
		}
		return nil, fmt.Errorf("take the lock %s: %w", path, err)
	}
	return &Lock{f}, nil
}

// Release gives the lock back. The file stays: to remove it would let two runs lock two files of one name.
func (l *Lock) Release() error { return l.file.Close() }

// lockName is a digest, so that neither user nor host can be read from a listing of the folder, and any user can be part of a file name.
func lockName(source, dest imapdial.Account) string {
	var parts []string
	for _, a := range []imapdial.Account{source, dest} {
		parts = append(parts, strings.ToLower(a.Endpoint.Host), strings.ToLower(mailboxUser(a)))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "sync-" + hex.EncodeToString(sum[:16]) + ".lock"
}

// mailboxUser returns whose mail an account opens.
func mailboxUser(a imapdial.Account) string {
	if a.AuthzID != "" {
		return a.AuthzID
	}
	return a.User
}
