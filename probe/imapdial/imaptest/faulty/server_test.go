package faulty_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

var (
	ca        = imaptest.NewCA("Test CA")
	serverTLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	clientTLS = &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1"}
)

// serve runs a script's server until the test ends, and fails the test if the script was not followed.
func serve(t *testing.T, script faulty.Script) *faulty.Server {
	t.Helper()
	s, err := faulty.Serve(script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		for _, err := range s.Errors() {
			t.Errorf("script: %v", err)
		}
	})
	return s
}

// dial connects; the read deadline turns a hang into a failure.
func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// talk sends say and returns all that comes until the end, and what the end was.
func talk(t *testing.T, s *faulty.Server, say string) (string, error) {
	t.Helper()
	conn := dial(t, s.Address())
	if _, err := io.WriteString(conn, say); err != nil {
		return "", err
	}
	heard, err := io.ReadAll(conn)
	return string(heard), err
}

func TestPresetsInTheClear(t *testing.T) {
	const clientHello = "\x16\x03\x01\x00\x05hello"
	const starttls = "a CAPABILITY\r\nb STARTTLS\r\nc LOGOUT\r\n"
	const off = "c OK"
	tests := []struct {
		name   string
		script faulty.Script
		say    string
		want   []string // in this order in what is heard
		reset  bool
	}{
		{"closed at once", faulty.ClosedAtOnce, clientHello, nil, false},
		{"reset at once", faulty.ResetAtOnce, "", nil, true},
		{"reset after hello", faulty.ResetAfterHello, clientHello, nil, true},
		{"bye", faulty.Bye("UNAVAILABLE", "try later"), "", []string{"* BYE [UNAVAILABLE] try later\r\n"}, false},
		{"bye without code", faulty.Bye("", "go away"), "", []string{"* BYE go away\r\n"}, false},
		{"preauth", faulty.PreAuth(serverTLS), "a LOGOUT\r\n", []string{"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS]", "a OK"}, false},
		{"HTTP", faulty.HTTP, clientHello, []string{"HTTP/1.1 400"}, false},
		{"SSH", faulty.SSH, "a CAPABILITY\r\n", []string{"SSH-2.0-", "Invalid"}, false},
		{"SMTP", faulty.SMTP, "a CAPABILITY\r\nQUIT\r\n", []string{"220 ", "502 ", "221 "}, false},
		{"POP3", faulty.POP3, "a CAPABILITY\r\nQUIT\r\n", []string{"+OK ", "-ERR ", "+OK "}, false},
		{"plain", faulty.Plain, "a LOGIN u {1}\r\np\r\nb NAMESPACE\r\nc LOGOUT\r\n", []string{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN]", "+ ", "a OK [CAPABILITY IMAP4rev1 LITERAL+", "* NAMESPACE", off}, false},
		{"STARTTLS absent", faulty.StartTLSAbsent, starttls, []string{"CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n", "b BAD", off}, false},
		{"STARTTLS stripped", faulty.StartTLSStripped, starttls, []string{"CAPABILITY IMAP4rev1 SASL-IR LOGINDISABLED\r\n", "b BAD", off}, false},
		{"STARTTLS masked", faulty.StartTLSMasked, starttls, []string{"XXXXXXXX LOGINDISABLED\r\n", "b BAD", off}, false},
		{"STARTTLS refused with NO", faulty.StartTLSRefused("NO not now"), starttls, []string{"STARTTLS LOGINDISABLED", "b NO not now", off}, false},
		{"STARTTLS refused with BAD", faulty.StartTLSRefused("BAD what"), starttls, []string{"b BAD what", off}, false},
		{"STARTTLS continued", faulty.StartTLSRefused("+ go ahead"), starttls, []string{"+ go ahead", off}, false},
		{"STARTTLS closes", faulty.StartTLSCloses, starttls, []string{"STARTTLS LOGINDISABLED", "a OK"}, false},
		{"slow greeting", faulty.SlowGreeting(time.Millisecond, faulty.Bye("", "late")), "", []string{"* BYE late"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			heard, err := talk(t, serve(t, tt.script), tt.say)
			if errors.Is(err, syscall.ECONNRESET) != tt.reset || !tt.reset && err != nil {
				t.Errorf("ended with %v, want a reset: %t", err, tt.reset)
			}
			if len(tt.want) == 0 && heard != "" {
				t.Errorf("heard %q, want nothing", heard)
			}
			rest := heard
			for _, want := range tt.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("no %q, in order, in\n%s", want, heard)
				}
				rest = after
			}
		})
	}
}

func TestRefusedStartTLSIsRefusedAlikeTwice(t *testing.T) {
	s := serve(t, faulty.StartTLSRefused("NO not now"))
	for range 2 {
		if heard, err := talk(t, s, "b STARTTLS\r\nc LOGOUT\r\n"); err != nil || !strings.Contains(heard, "\r\nb NO not now\r\n") {
			t.Errorf("%v, %q", err, heard)
		}
	}
}

func TestPresetsWithTLS(t *testing.T) {
	tests := []struct {
		name     string
		script   faulty.Script
		starttls bool
	}{
		{"implicit TLS", faulty.ImplicitTLS(serverTLS), false},
		{"good STARTTLS", faulty.GoodStartTLS(serverTLS), true},
		{"hidden STARTTLS", faulty.StartTLSHidden(serverTLS), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.script)
			conn := dial(t, s.Address())
			if tt.starttls {
				r := bufio.NewReader(conn)
				fmt.Fprint(conn, "a STARTTLS\r\n")
				for range 2 {
					line, err := r.ReadString('\n')
					if err != nil || !strings.Contains(line, "OK") {
						t.Fatalf("%q, %v", line, err)
					}
				}
			}
			secured := tls.Client(conn, clientTLS)
			fmt.Fprint(secured, "b LOGIN alice canary-1234\r\nc LOGOUT\r\n")
			heard, err := io.ReadAll(secured)
			if err != nil || !bytes.Contains(heard, []byte("b OK")) || !bytes.Contains(heard, []byte("c OK")) {
				t.Errorf("%v, %s", err, heard)
			}
			if !bytes.Contains(s.Received(), []byte("canary-1234")) {
				t.Error("what was sent in TLS is not in Received")
			}
		})
	}
}

func TestInjectionComesWithTheOK(t *testing.T) {
	conn := dial(t, serve(t, faulty.StartTLSInjected(serverTLS, "* CAPABILITY IMAP4rev1 AUTH=EVIL\r\n")).Address())
	fmt.Fprint(conn, "a STARTTLS\r\n")
	r := bufio.NewReader(conn)
	r.ReadString('\n')
	if line, err := r.ReadString('\n'); line != "a OK begin\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if got := r.Buffered(); got == 0 {
		t.Error("nothing came in the segment of the OK")
	}
	if line, err := r.ReadString('\n'); !strings.Contains(line, "EVIL") {
		t.Fatalf("%q, %v", line, err)
	}
	if err := tls.Client(conn, clientTLS).Handshake(); err != nil {
		t.Errorf("handshake: %v", err)
	}
}

func TestSilenceAndEndlessLines(t *testing.T) {
	for name, script := range map[string]faulty.Script{"silent": faulty.Silent, "no answer": faulty.StartTLSNoAnswer, "deaf": (*faulty.Conn).Deaf, "garbage": faulty.Garbage} {
		s := serve(t, script)
		conn := dial(t, s.Address())
		fmt.Fprint(conn, "a STARTTLS\r\n")
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		heard, err := io.ReadAll(conn)
		if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %q, %v; want a time-out", name, heard, err)
		}
		s.Close() // must not hang on a client that stays
	}
	conn := dial(t, serve(t, faulty.EndlessLine).Address())
	if n, err := io.CopyN(io.Discard, conn, 3<<20); err != nil {
		t.Errorf("endless line ended after %d octets: %v", n, err)
	}
}

func TestScriptTellsWhenItIsNotFollowed(t *testing.T) {
	s, err := faulty.Serve(func(c *faulty.Conn) {
		c.Expect("CAPABILITY")
		c.Line("* never sent")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if heard, _ := talk(t, s, "a NOOP\r\n"); heard != "" {
		t.Errorf("heard %q after a failed step", heard)
	}
	s.Close()
	if errs := s.Errors(); len(errs) != 1 || !strings.Contains(errs[0].Error(), `connection 1: got the command "NOOP", want CAPABILITY`) {
		t.Errorf("errors %v", errs)
	}
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}

func TestParse(t *testing.T) {
	script, err := faulty.Parse(`# a server that starts well
S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready

C: STARTTLS
S: {tag} OK go
tls
C: *
s: {tag} OK "done\x21"\r\n
wait 1ms
serve
`, serverTLS)
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, serve(t, script).Address())
	fmt.Fprint(conn, "a1 STARTTLS\r\n")
	r := bufio.NewReader(conn)
	r.ReadString('\n')
	if line, err := r.ReadString('\n'); line != "a1 OK go\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	secured := tls.Client(conn, clientTLS)
	fmt.Fprint(secured, "a2 ANYTHING\r\na3 LOGOUT\r\n")
	if heard, err := io.ReadAll(secured); err != nil || string(heard) != "a2 OK \"done!\"\r\n* BYE see you\r\na3 OK done\r\n" {
		t.Errorf("%q, %v", heard, err)
	}

	for _, end := range []string{"close", "cut", "reset"} {
		script, err := faulty.Parse("hello\nS: x\n"+end, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = talk(t, serve(t, script), "?")
		if errors.Is(err, syscall.ECONNRESET) != (end == "reset") {
			t.Errorf("%s ended with %v", end, err)
		}
	}
	for text, want := range map[string]string{"S: x\n\nnonsense": "line 3: ", "wait long": "line 1: ", `s: \q`: "line 1: ", "tls": "without a certificate", "tls now": "unknown step"} {
		if _, err := faulty.Parse(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func TestOnlyLoopback(t *testing.T) {
	if s, err := faulty.ServeOn("0.0.0.0:0", faulty.Silent); err == nil {
		s.Close()
		t.Error("listens on every address")
	}
	s, err := faulty.ServeOn("127.0.0.3:0", faulty.ClosedAtOnce)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.Address(), fmt.Sprintf("127.0.0.3:%d", s.Port()); got != want {
		t.Errorf("listens on %s, want %s", got, want)
	}
}
