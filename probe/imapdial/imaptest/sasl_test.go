package imaptest_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

// cram signs alice in with CRAM-MD5, the digest computed by openssl, and returns the tagged answer.
func cram(t *testing.T, s *imaptest.Server, openssl, password string) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	line := func() string {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	line() // greeting
	fmt.Fprintf(conn, "a AUTHENTICATE CRAM-MD5\r\n")
	challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line(), "+ "))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), openssl, "dgst", "-md5", "-hmac", password)
	cmd.Stdin = strings.NewReader(string(challenge))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out))
	fmt.Fprintf(conn, "%s\r\n", base64.StdEncoding.EncodeToString([]byte("alice "+fields[len(fields)-1])))
	return line()
}
