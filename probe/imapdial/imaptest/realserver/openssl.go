package realserver

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// StartOpenSSL runs openssl s_server, for handshakes that crypto/tls cannot give: rare keys, groups and suites. newkey are arguments of openssl req,
// such as -newkey ed448, that make the key of its self-signed certificate; options are those of s_server. It speaks no IMAP. It is stopped when the
// test ends. Returned is ip:port.
func StartOpenSSL(t testing.TB, newkey []string, options ...string) string {
	t.Helper()
	program := Require(t, "openssl")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	args := slices.Concat([]string{"req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", cert}, newkey)
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl req: %v: %s", err, out)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	cmd := exec.Command(program, slices.Concat([]string{"s_server", "-accept", address, "-cert", cert, "-key", key, "-quiet"}, options)...)
	stdin, err := cmd.StdinPipe() // s_server ends with its standard input
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		stdin.Close()
	})
	for deadline := time.Now().Add(startLimit); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("openssl s_server at %s does not come up: %v", address, err)
		}
	}
}
