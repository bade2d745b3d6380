// Package realserver starts real IMAP servers in a temporary folder, for tests alone, and asks programs that are not ours what
// they see there. Each server listens on 127.0.0.2 while clients come from 127.0.0.1, since servers take a client on their own
// address for a secured one. A server ends with its test, or with the test's process.
package realserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// requireVariable names the programs whose absence fails a test, separated by commas, or is "all".
const requireVariable = "IMAPILOT_TEST_REQUIRE"

// Require returns the path of program (dovecot, openssl, python3, mbsync, …). Where it is not installed the test is skipped with that reason; or it
// fails, when the environment variable IMAPILOT_TEST_REQUIRE is "all" or lists the program, separated by commas.
func Require(t testing.TB, program string) string {
	t.Helper()
	path := find(program)
	if path == "" {
		Missing(t, program, program+" is not installed")
	}
	return path
}

// Missing ends a test that lacks something which need not be a program: it skips or fails as [Require] does. what is the word for it in the
// environment variable, reason what the log says.
func Missing(t testing.TB, what, reason string) {
	t.Helper()
	if required(what) {
		t.Fatalf("%s, and %s asks for it", reason, requireVariable)
	}
	t.Skipf("%s", reason)
}

func required(program string) bool { return listed("all") || listed(program) }

// listed reports whether the variable lists word.
func listed(word string) bool {
	list := strings.FieldsFunc(os.Getenv(requireVariable), func(r rune) bool { return r == ',' || r == ' ' })
	return slices.Contains(list, word)
}

// find looks in the PATH, and where servers are, which ordinary users often do not have in it.
func find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	return ""
}
