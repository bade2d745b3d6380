package realserver_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

func address(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// connect signs user in over TLS, with the certificate verified.
func connect(t *testing.T, l realserver.Login) (*imapclient.Client, error) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(l.RootPEM))
	conn, err := tls.Dial("tcp", address(l.Host, l.Port), &tls.Config{RootCAs: roots})
	if err != nil {
		return nil, err
	}
	c := imapclient.New(conn, nil)
	t.Cleanup(func() { c.Close() })
	return c, c.Login(l.User, l.Password).Wait()
}

func signIn(t *testing.T, l realserver.Login) *imapclient.Client {
	t.Helper()
	c, err := connect(t, l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say sends lines to the port for STARTTLS and returns all that comes.
func say(t *testing.T, d *realserver.Dovecot, lines ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address(d.Host, d.IMAP))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	for _, line := range append(lines, "z LOGOUT") {
		fmt.Fprintf(conn, "%s\r\n", line)
	}
	heard, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(heard)
}

func TestDovecotStartsAndStops(t *testing.T) {
	t.Parallel()
	began := time.Now()
	d := realserver.StartDovecot(t, realserver.Config{})
	t.Logf("started in %s", time.Since(began))
	if heard := say(t, d, "a LOGIN alice secret"); !strings.Contains(heard, "STARTTLS LOGINDISABLED") || !strings.Contains(heard, "a NO [PRIVACYREQUIRED]") {
		t.Errorf("before TLS:\n%s", heard)
	}
	login := d.Login("alice")
	caps := signIn(t, login).Caps()
	for _, want := range []imap.Cap{imap.CapLiteralPlus, imap.CapUIDPlus, imap.CapSpecialUse} {
		if !caps.Has(want) {
			t.Errorf("no %s in %v", want, caps)
		}
	}
	login.Password = "wrong"
	began = time.Now()
	if _, err := connect(t, login); err == nil {
		t.Error("a wrong password is accepted")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a wrong password takes %s", took)
	}
	if !strings.Contains(d.Log(), "imap-login") || strings.Contains(d.Log(), "secret") {
		t.Errorf("log:\n%s", d.Log())
	}
	d.Stop()
	if conn, err := net.Dial("tcp", address(d.Host, d.IMAPS)); err == nil {
		conn.Close()
		t.Error("the port answers after Stop")
	}
}

func TestDovecotIsAsConfigured(t *testing.T) {
	t.Parallel()
	d := realserver.StartDovecot(t, realserver.Config{
		Users:      map[string]string{"bob": `p:a ss"wörd\`},
		Separator:  ".",
		Prefix:     "INBOX.",
		Storage:    "sdbox",
		Mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"},
		SpecialUse: map[string]string{"Gesendet": `\Sent`},
		AutoCreate: true,
		MaxPerUser: 1,
		Cleartext:  true,
		Extra:      "imap_capability = +XCANARY",
	})
	if heard := say(t, d, "a CAPABILITY"); strings.Contains(heard, "LOGINDISABLED") || !strings.Contains(heard, "AUTH=SCRAM-SHA-256") || !strings.Contains(heard, "AUTH=CRAM-MD5") {
		t.Errorf("before TLS:\n%s", heard)
	}
	c := signIn(t, d.Login("bob"))
	namespace, err := c.Namespace().Wait()
	if err != nil || len(namespace.Personal) != 1 || namespace.Personal[0] != (imap.NamespaceDescriptor{Prefix: "INBOX.", Delim: '.'}) {
		t.Errorf("NAMESPACE: %+v, %v", namespace, err)
	}
	list, err := c.List("", "*", &imap.ListOptions{ReturnSpecialUse: true}).Collect()
	if err != nil || !slices.ContainsFunc(list, func(l *imap.ListData) bool {
		return l.Mailbox == "INBOX.Gesendet" && slices.Contains(l.Attrs, imap.MailboxAttrSent)
	}) {
		t.Errorf("LIST: %v, %v", list, err)
	}
	if !c.Caps().Has("XCANARY") {
		t.Errorf("capabilities %v", c.Caps())
	}
	if _, err := os.Stat(d.Mail("bob")); err != nil {
		t.Error(err)
	}
	if _, err := connect(t, d.Login("bob")); err == nil || !strings.Contains(err.Error(), "connections") {
		t.Errorf("the second connection: %v", err)
	}
}

func TestDovecotTakesAnotherCertificate(t *testing.T) {
	t.Parallel()
	d := realserver.StartDovecot(t, realserver.Config{})
	d.SetCertificate(t, d.CA.Issue(imaptest.Leaf{NotAfter: time.Now().Add(-time.Hour)}))
	if _, err := connect(t, d.Login("alice")); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("error %v, want an expired certificate", err)
	}
}

func TestOracleFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	d := realserver.StartDovecot(t, realserver.Config{})
	srv, err := imaptest.Start(imaptest.Config{Security: imaptest.STARTTLS, Certificate: d.CA.Issue(imaptest.Leaf{}), Delim: '.', Prefix: "INBOX."})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	account := srv.AddAccount("alice", "secret")

	// Dovecot's Maildir allows no dot in a name. And it keeps no mail with bare NUL or empty; the sample has none.
	folders := slices.DeleteFunc(imaptest.Sample(), func(f imaptest.Folder) bool { return strings.Contains(f.Path[len(f.Path)-1], ".") })
	if err := account.Fill(folders); err != nil {
		t.Fatal(err)
	}
	if err := imaptest.Upload(t.Context(), signIn(t, d.Login("alice")), folders); err != nil {
		t.Fatal(err)
	}
	source := realserver.Dump(t, realserver.Login{Host: srv.Host(), Port: srv.Port(), Security: imaptest.STARTTLS, RootPEM: d.CA.RootPEM(), User: "alice", Password: "secret"})
	name := func(s string) string {
		return strings.ReplaceAll(strings.TrimPrefix(s, "INBOX."), ".", "/")
	}
	dest := realserver.Dump(t, d.Login("alice"))
	if got := source.Messages(); got < 150 {
		t.Errorf("the oracle saw %d messages", got)
	}
	if differences := realserver.Diff(source, dest, name); differences != nil {
		t.Errorf("of the same mail differ:\n%s", strings.Join(differences, "\n"))
	}

	// One difference of each kind, and each is found.
	if err := account.SetFlags("INBOX", 1, `\Flagged`, "new"); err != nil {
		t.Fatal(err)
	}
	if err := account.Remove("INBOX.Drafts", 1); err != nil {
		t.Fatal(err)
	}
	if err := account.Create("INBOX.Only", ""); err != nil {
		t.Fatal(err)
	}
	source = realserver.Dump(t, realserver.Login{Host: srv.Host(), Port: srv.Port(), Security: imaptest.STARTTLS, RootPEM: d.CA.RootPEM(), User: "alice", Password: "secret"})
	differences := realserver.Diff(source, dest, name)
	if len(differences) != 4 {
		t.Errorf("found:\n%s", strings.Join(differences, "\n"))
	}
	for i, want := range []string{"Drafts: 1 only in dest: ", "INBOX: 1 ", "INBOX: 1 ", "Only: missing in dest, with 0 messages"} {
		if i < len(differences) && !strings.HasPrefix(differences[i], want) {
			t.Errorf("difference %d is %q, want %q", i, differences[i], want)
		}
	}
}

func TestMaildirIsOnDisk(t *testing.T) {
	t.Parallel()
	d := realserver.StartDovecot(t, realserver.Config{})
	body := "Subject: on disk\r\n\r\nx\r\n"
	folders := []imaptest.Folder{{Path: []string{"Größe"}, Messages: []imaptest.Message{{Flags: []string{`\Seen`}, Body: []byte(body)}}}}
	if err := imaptest.Upload(t.Context(), signIn(t, d.Login("alice")), folders); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(d.Mail("alice"), ".Gr&APYA3w-e", "cur", "*:2,S"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || strings.ReplaceAll(string(text), "\r\n", "\n") != strings.ReplaceAll(body, "\r\n", "\n") {
		t.Errorf("%q, %v", text, err)
	}
}
