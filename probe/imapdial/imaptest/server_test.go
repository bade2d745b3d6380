package imaptest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

var ca = imaptest.NewCA("Test CA")

// start starts a server with the account alice, password secret, and stops it with the test.
func start(t *testing.T, c imaptest.Config) (*imaptest.Server, *imaptest.Account) {
	t.Helper()
	if c.Certificate.Certificate == nil {
		c.Certificate = ca.Issue(imaptest.Leaf{})
	}
	if c.Logf == nil {
		c.Logf = t.Logf
	}
	s, err := imaptest.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, s.AddAccount("alice", "secret")
}

// connect returns a client that verified the certificate and has not signed in.
func connect(t *testing.T, s *imaptest.Server, security imaptest.Security) *imapclient.Client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: ca.Pool(), ServerName: s.Host()}
	var c *imapclient.Client
	switch security {
	case imaptest.TLS:
		c = imapclient.New(tls.Client(conn, cfg), nil)
	case imaptest.STARTTLS:
		if c, err = imapclient.NewStartTLS(conn, &imapclient.Options{TLSConfig: cfg}); err != nil {
			t.Fatal(err)
		}
	case imaptest.Cleartext:
		c = imapclient.New(conn, nil)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func signedIn(t *testing.T, s *imaptest.Server, security imaptest.Security) *imapclient.Client {
	t.Helper()
	c := connect(t, s, security)
	if err := c.Login("alice", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestServerAnswersInEachSecurity(t *testing.T) {
	for _, security := range []imaptest.Security{imaptest.TLS, imaptest.STARTTLS, imaptest.Cleartext} {
		s, _ := start(t, imaptest.Config{Security: security})
		c := signedIn(t, s, security)
		caps := c.Caps()
		for _, want := range []imap.Cap{imap.CapLiteralPlus, imap.CapUIDPlus, imap.CapSpecialUse, imap.CapCreateSpecialUse, imap.CapNamespace} {
			if !caps.Has(want) {
				t.Errorf("security %d: no %s in %v", security, want, caps)
			}
		}
		if err := connect(t, s, security).Login("alice", "wrong").Wait(); err == nil {
			t.Error("a wrong password is accepted")
		}
		if got := s.Count("LOGIN"); got != 2 {
			t.Errorf("%d LOGIN counted, want 2", got)
		}
		if got := s.Connections(); got != 2 {
			t.Errorf("%d connections counted, want 2", got)
		}
	}
}

func TestOpenSSLSpeaksWithServer(t *testing.T) {
	openssl := realserver.Require(t, "openssl")
	rootFile := t.TempDir() + "/root.pem"
	if err := os.WriteFile(rootFile, []byte(ca.RootPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	for security, args := range map[imaptest.Security][]string{imaptest.TLS: nil, imaptest.STARTTLS: {"-starttls", "imap"}} {
		s, _ := start(t, imaptest.Config{Security: security, Certificate: ca.Issue(imaptest.Leaf{Staple: imaptest.StapleGood})})
		args = append([]string{"s_client", "-connect", s.Address(), "-CAfile", rootFile, "-verify_ip", "127.0.0.1", "-verify_return_error", "-status", "-crlf", "-nocommands", "-ign_eof"}, args...)
		cmd := exec.CommandContext(t.Context(), openssl, args...)
		cmd.Stdin = strings.NewReader("a LOGIN alice secret\nb LOGOUT\n")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("OCSP Response Status: successful")) || !bytes.Contains(out, []byte("a OK")) {
			t.Errorf("openssl: %v\n%s", err, out)
		}
	}
}

// dialogue sends lines in the clear and returns all that the server says until it closes.
func dialogue(t *testing.T, s *imaptest.Server, lines ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

func TestStartTLSCanBeBroken(t *testing.T) {
	s, _ := start(t, imaptest.Config{Security: imaptest.STARTTLS})
	tests := []struct {
		name       string
		mode       imaptest.StartTLSMode
		want, lack []string
	}{
		{"offered", imaptest.StartTLSOffered, []string{" STARTTLS", "LOGINDISABLED", "a NO [PRIVACYREQUIRED]"}, nil},
		{"stripped", imaptest.StartTLSStripped, []string{"LOGINDISABLED", "a NO [PRIVACYREQUIRED]", "s NO"}, []string{" STARTTLS"}},
		{"masked", imaptest.StartTLSMasked, []string{"XXXXXXXX", "LOGINDISABLED", "s NO"}, []string{" STARTTLS"}},
		{"absent", imaptest.StartTLSAbsent, []string{"AUTH=PLAIN", "s NO", "a OK"}, []string{" STARTTLS", "LOGINDISABLED"}},
	}
	for _, tt := range tests {
		s.SetStartTLS(tt.mode)
		lines := []string{"s STARTTLS", "a LOGIN alice secret", "q LOGOUT"}
		if tt.mode == imaptest.StartTLSOffered {
			lines = lines[1:]
		}
		said := dialogue(t, s, lines...)
		for _, want := range tt.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, said)
			}
		}
		for _, lack := range tt.lack {
			if greeting, _, _ := strings.Cut(said, "\r\n"); strings.Contains(greeting, lack) {
				t.Errorf("%s: %q in\n%s", tt.name, lack, said)
			}
		}
	}
	s.SetStartTLS(imaptest.StartTLSOffered)
	signedIn(t, s, imaptest.STARTTLS)
}

func TestCertificateCanBeSwapped(t *testing.T) {
	s, _ := start(t, imaptest.Config{})
	signedIn(t, s, imaptest.TLS)
	s.SetCertificate(ca.Issue(imaptest.Leaf{NotAfter: time.Now().Add(-time.Hour)}))
	_, err := tls.Dial("tcp", s.Address(), &tls.Config{RootCAs: ca.Pool()})
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got error %v, want an expired certificate", err)
	}
}

func TestMechanisms(t *testing.T) {
	s, _ := start(t, imaptest.Config{Mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5"}})
	for _, password := range []string{"secret", "wrong"} {
		for name, client := range map[string]sasl.Client{"PLAIN": sasl.NewPlainClient("", "alice", password), "LOGIN": sasl.NewLoginClient("alice", password)} {
			if err := connect(t, s, imaptest.TLS).Authenticate(client); (err == nil) != (password == "secret") {
				t.Errorf("%s with password %s: %v", name, password, err)
			}
		}
	}
	if got := s.Count("AUTHENTICATE"); got != 4 {
		t.Errorf("%d AUTHENTICATE counted, want 4", got)
	}

	// RFC 2195's answer is computed by hand, so that the server is not its own judge.
	plain, _ := start(t, imaptest.Config{Security: imaptest.Cleartext, Mechanisms: []string{"CRAM-MD5"}})
	openssl := realserver.Require(t, "openssl")
	for password, want := range map[string]string{"secret": "a OK", "wrong": "a NO"} {
		if got := cram(t, plain, openssl, password); !strings.HasPrefix(got, want) {
			t.Errorf("CRAM-MD5 with password %s: %s", password, got)
		}
	}
}

func TestLimits(t *testing.T) {
	s, a := start(t, imaptest.Config{MaxAppend: 1000, Without: []imap.Cap{imap.CapUIDPlus, imap.CapSpecialUse, imap.CapCreateSpecialUse}})
	if err := a.Create("Sent", `\Sent`); err != nil {
		t.Fatal(err)
	}
	c := signedIn(t, s, imaptest.TLS)
	if caps := c.Caps(); !caps.Has("APPENDLIMIT=1000") || caps.Has(imap.CapUIDPlus) {
		t.Errorf("capabilities %v", caps)
	}
	status, err := c.Status("INBOX", &imap.StatusOptions{AppendLimit: true, Size: true, NumUnseen: true, NumDeleted: true}).Wait()
	if err != nil || status.AppendLimit == nil || *status.AppendLimit != 1000 {
		t.Errorf("STATUS: %+v, %v", status, err)
	}
	if list, err := c.List("", "Sent", nil).Collect(); err != nil || slices.Contains(list[0].Attrs, imap.MailboxAttrSent) {
		t.Errorf("LIST: %+v, %v", list, err)
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := imaptest.Start(imaptest.Config{Security: imaptest.STARTTLS, Certificate: ca.Issue(imaptest.Leaf{})})
	if err != nil {
		t.Fatal(err)
	}
	s.AddAccount("alice", "secret")
	var conns []net.Conn
	for range 5 {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	c := signedIn(t, s, imaptest.STARTTLS)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	<-c.Closed()
	c.Close()
	for _, conn := range conns {
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for runtime.NumGoroutine() > before {
		if ctx.Err() != nil {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
	if _, err := net.Dial("tcp", s.Address()); err == nil {
		t.Error("the port still answers")
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "localhost:0", "[::]:0"} {
		if s, err := imaptest.Start(imaptest.Config{Security: imaptest.Cleartext, Address: address}); err == nil {
			s.Close()
			t.Errorf("listens on %s", address)
		}
	}
}
