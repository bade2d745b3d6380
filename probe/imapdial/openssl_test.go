package imapdial_test

import (
	"bufio"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

var acceptLine = regexp.MustCompile(`^ACCEPT .*:(\d+)$`)

// opensslServer starts "openssl s_server" on a free port of 127.0.0.1 until the test ends.
func opensslServer(t *testing.T, args ...string) uint16 {
	t.Helper()
	cmd := exec.Command("openssl", append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe() // s_server ends with its input
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := acceptLine.FindStringSubmatch(lines.Text()); m != nil {
			port, err := strconv.ParseUint(m[1], 10, 16)
			if err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, out) // ends with the process
			return uint16(port)
		}
	}
	t.Fatalf("openssl s_server %v says no port", args)
	return 0
}
