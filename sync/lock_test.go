package mailsync

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

func lockAccount(host, user, authzid string) imapdial.Account {
	return imapdial.Account{Endpoint: imapdial.Endpoint{Host: host}, User: user, AuthzID: authzid}
}

func TestLockKeepsRunsApart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "locks")
	a, b := lockAccount("Old.example", "Anna", ""), lockAccount("new.example", "anna@new.example", "")
	lock, err := TakeLock(dir, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TakeLock(dir, lockAccount("old.EXAMPLE", "anna", ""), b); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v for the same accounts in other case, want ErrLocked", err)
	}
	for _, other := range []imapdial.Account{lockAccount("old.example", "bob", ""), lockAccount("older.example", "anna", ""), lockAccount("old.example", "anna", "bob")} {
		l, err := TakeLock(dir, other, b)
		if err != nil {
			t.Errorf("%v: %v", other, err)
			continue
		}
		l.Release()
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
	again, err := TakeLock(dir, a, b)
	if err != nil {
		t.Fatalf("after Release: %v", err)
	}
	again.Release()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got folder %v, %v, want mode 0700", info.Mode(), err)
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if name := strings.ToLower(f.Name()); strings.Contains(name, "anna") || strings.Contains(name, "example") {
			t.Errorf("the file name %s tells whose lock it is", f.Name())
		}
	}
}

func TestLockInAFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := TakeLock(filepath.Join(file, "x"), lockAccount("a", "b", ""), lockAccount("c", "d", "")); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want the file system's error", err)
	}
}
