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
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
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
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
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
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	for password, want := range map[string]string{"secret": "a OK", "wrong": "a NO"} {
		if got := cram(t, plain, openssl, password); !strings.HasPrefix(got, want) {
			t.Errorf("CRAM-MD5 with password %s: %s", password, got)
		}
	}
}

func TestFlagsKeepTheirCase(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	c := signedIn(t, s, imaptest.TLS)
	body := "Subject: x\r\n\r\nx\r\n"
	command := c.Append("INBOX", int64(len(body)), &imap.AppendOptions{Flags: []imap.Flag{`\Seen`, "$Label1", "MyKeyword"}, Time: time.Date(2020, 2, 3, 4, 5, 6, 0, time.FixedZone("", 7200))})
	io.WriteString(command, body)
	command.Close()
	data, err := command.Wait()
	if err != nil || data.UID != 1 || data.UIDValidity == 0 {
		t.Fatalf("APPEND: %+v, %v", data, err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{`\FLAGGED`, "mykeyword"}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{Flags: true, InternalDate: true, RFC822Size: true}).Collect()
	if err != nil || len(messages) != 1 {
		t.Fatalf("FETCH: %v, %v", messages, err)
	}
	if got, want := messages[0].Flags, []imap.Flag{`\Seen`, "$Label1", "MyKeyword", `\Flagged`}; !reflect.DeepEqual(got, want) {
		t.Errorf("flags %v, want %v", got, want)
	}
	want := []imaptest.Message{{UID: 1, Flags: []string{"$Label1", "MyKeyword", `\Flagged`, `\Seen`}, InternalDate: time.Date(2020, 2, 3, 2, 5, 6, 0, time.UTC), Body: []byte(body)}}
	got := a.Messages("INBOX")
	got[0].InternalDate = got[0].InternalDate.UTC()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("stored %+v, want %+v", got, want)
	}
	err = c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{`\Foo`}}, nil).Close()
	if refused := new(imap.Error); !errors.As(err, &refused) || refused.Type != imap.StatusResponseTypeBad {
		t.Errorf(`STORE \Foo: %v, want BAD`, err)
	}
}

func TestMailboxNames(t *testing.T) {
	s, a := start(t, imaptest.Config{Delim: '.', Prefix: "INBOX.", RefuseName: func(name string) bool { return strings.ContainsAny(name, "%*") }})
	c := signedIn(t, s, imaptest.TLS)
	namespace, err := c.Namespace().Wait()
	if err != nil || !reflect.DeepEqual(namespace.Personal, []imap.NamespaceDescriptor{{Prefix: "INBOX.", Delim: '.'}}) {
		t.Fatalf("NAMESPACE: %+v, %v", namespace, err)
	}
	for name, want := range map[string]bool{
		"INBOX.Größe.Ö": true, "INBOX.Sent": true, "Outside": false, "INBOX.a..b": false, "INBOX.100%": false, "INBOX": false, "inbox": false, "INBOX.": false, "INBOX.Sent.": false,
	} {
		var options *imap.CreateOptions
		if name == "INBOX.Sent" {
			options = &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrSent}}
			if err := a.Create(name, `\Sent`); err != nil {
				t.Fatal(err)
			}
			if err := c.Delete(name).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasSuffix(name, "Sent.") {
			continue // after the others, below
		}
		if err := c.Create(name, options).Wait(); (err == nil) != want {
			t.Errorf("CREATE %s: %v, want success %t", name, err, want)
		}
	}
	if err := c.Create("INBOX.Sent.", nil).Wait(); err == nil {
		t.Error("a mailbox was made twice, once with a delimiter at its end")
	}
	if err := c.Subscribe("INBOX.Größe.Ö").Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Subscribe("INBOX.None").Wait(); err == nil {
		t.Error("subscribed to a mailbox that is not there")
	}
	list, err := c.List("", "*", &imap.ListOptions{ReturnSubscribed: true, ReturnSpecialUse: true, ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]imap.MailboxAttr{}
	for _, data := range list {
		got[data.Mailbox] = data.Attrs
	}
	want := map[string][]imap.MailboxAttr{
		"INBOX":         {imap.MailboxAttrHasChildren},
		"INBOX.Größe":   {imap.MailboxAttrNoSelect, imap.MailboxAttrHasChildren},
		"INBOX.Größe.Ö": {imap.MailboxAttrHasNoChildren, imap.MailboxAttrSubscribed},
		"INBOX.Sent":    {imap.MailboxAttrHasNoChildren, imap.MailboxAttrSent},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("LIST: %v, want %v", got, want)
	}
	for pattern, want := range map[string]int{"%": 1, "INBOX.%": 2, "inbox": 1, "INBOX.*": 3} {
		if list, err := c.List("", pattern, nil).Collect(); err != nil || len(list) != want {
			t.Errorf("LIST %s: %d mailboxes, %v; want %d", pattern, len(list), err, want)
		}
	}
	if list, err := c.List("", "*", &imap.ListOptions{SelectSubscribed: true}).Collect(); err != nil || len(list) != 1 {
		t.Errorf("LIST (SUBSCRIBED): %v, %v", list, err)
	}
	if err := c.Rename("INBOX.Größe", "INBOX.Klein", nil).Wait(); err != nil {
		t.Error(err)
	}
	var names []string
	for _, m := range a.Mailboxes() {
		names = append(names, m.Name)
	}
	if want := []string{"INBOX", "INBOX.Klein", "INBOX.Klein.Ö", "INBOX.Sent"}; !slices.Equal(names, want) {
		t.Errorf("after RENAME %v, want %v", names, want)
	}
	if got, want := a.Name("a.b", "c"), "INBOX.a-b.c"; got != want {
		t.Errorf("Name gives %s, want %s", got, want)
	}
}

func TestExamineIsEnforced(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	if _, err := a.Append("INBOX", imaptest.Message{Flags: []string{`\Deleted`}, Body: []byte("a: b\r\n\r\nc")}); err != nil {
		t.Fatal(err)
	}
	before := a.Messages("INBOX")
	c := signedIn(t, s, imaptest.TLS)
	data, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || len(data.PermanentFlags) != 0 {
		t.Fatalf("EXAMINE: %+v, %v", data, err)
	}
	if _, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{}}}).Collect(); err != nil {
		t.Error(err)
	}
	if err := c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsSet}, nil).Close(); err == nil {
		t.Error("STORE was carried out")
	}
	if err := c.UIDExpunge(imap.UIDSetNum(1)).Close(); err == nil {
		t.Error("UID EXPUNGE was carried out")
	}
	if err := c.UnselectAndExpunge().Wait(); err != nil {
		t.Error(err)
	}
	if after := a.Messages("INBOX"); !reflect.DeepEqual(after, before) {
		t.Errorf("after EXAMINE %v, before %v", after, before)
	}
	if s.Count("EXAMINE") != 1 || s.Count("SELECT") != 0 || s.Count("STORE", "FETCH") != 2 {
		t.Error("counts are wrong")
	}
}

func TestBodySectionsAreServedAsStored(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	odd := "From: J\xfcrgen <j@example.org>\r\nno colon here\r\nSubject: one\r\n two\r\nX-Y: z\r\n\r\nbody\xff\r\n"
	if _, err := a.Append("INBOX", imaptest.Message{Body: []byte(odd)}); err != nil {
		t.Fatal(err)
	}
	c := signedIn(t, s, imaptest.TLS)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(odd, "body")
	for _, tt := range []struct {
		section imap.FetchItemBodySection
		want    string
	}{
		{imap.FetchItemBodySection{Peek: true}, odd},
		{imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 5, Size: 8}}, odd[5:13]},
		{imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 500, Size: 8}}, ""},
		{imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader}, header},
		{imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierText}, "body\xff\r\n"},
		{imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"subject", "x-y"}}, "Subject: one\r\n two\r\nX-Y: z\r\n\r\n"},
	} {
		messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{&tt.section}}).Collect()
		if err != nil || len(messages) != 1 {
			t.Fatalf("FETCH: %v, %v", messages, err)
		}
		if got := string(messages[0].BodySection[0].Bytes); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.section, got, tt.want)
		}
	}
	if flags := a.Messages("INBOX")[0].Flags; flags != nil {
		t.Errorf("BODY.PEEK set %v", flags)
	}
}

func TestSearch(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	for i, subject := range []string{"Hello", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Hello again"} {
		m := imaptest.Message{InternalDate: time.Date(2020+i, 1, 2, 0, 0, 0, 0, time.UTC), Body: []byte("Message-ID: <" + subject[:2] + ">\r\nSubject: " + subject + "\r\nDate: Thu, 02 Jan 2020 10:00:00 +0000\r\n\r\ntext" + strings.Repeat("x", 100*i))}
		if i == 2 {
			m.Flags = []string{`\Seen`}
		}
		if _, err := a.Append("INBOX", m); err != nil {
			t.Fatal(err)
		}
	}
	c := signedIn(t, s, imaptest.TLS)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	header := func(k, v string) []imap.SearchCriteriaHeaderField {
		return []imap.SearchCriteriaHeaderField{{Key: k, Value: v}}
	}
	for _, tt := range []struct {
		name     string
		criteria imap.SearchCriteria
		want     []imap.UID
	}{
		{"all", imap.SearchCriteria{}, []imap.UID{1, 2, 3}},
		{"by header", imap.SearchCriteria{Header: header("Message-Id", "<He>")}, []imap.UID{1, 3}},
		{"by encoded header", imap.SearchCriteria{Header: header("Subject", "grüße")}, []imap.UID{2}},
		{"by flag", imap.SearchCriteria{Flag: []imap.Flag{imap.FlagSeen}}, []imap.UID{3}},
		{"without flag", imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, []imap.UID{1, 2}},
		{"by date", imap.SearchCriteria{Since: time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), Before: time.Date(2022, 1, 2, 0, 0, 0, 0, time.UTC)}, []imap.UID{2}},
		{"by date sent", imap.SearchCriteria{SentBefore: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)}, nil},
		{"by size", imap.SearchCriteria{Larger: 250}, []imap.UID{3}},
		{"by range to the last", imap.SearchCriteria{UID: []imap.UIDSet{{{Start: 2, Stop: 0}}}}, []imap.UID{2, 3}},
		{"by number", imap.SearchCriteria{SeqNum: []imap.SeqSet{imap.SeqSetNum(1)}}, []imap.UID{1}},
		{"by text", imap.SearchCriteria{Text: []string{"AGAIN"}}, []imap.UID{3}},
		{"by body", imap.SearchCriteria{Body: []string{"hello"}}, nil},
		{"not", imap.SearchCriteria{Not: []imap.SearchCriteria{{UID: []imap.UIDSet{imap.UIDSetNum(2)}}}}, []imap.UID{1, 3}},
		{"or", imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{{Larger: 250}, {Body: []string{"TEXT"}, NotFlag: []imap.Flag{imap.FlagSeen}}}}}, []imap.UID{1, 2, 3}},
	} {
		data, err := c.UIDSearch(&tt.criteria, nil).Wait()
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := data.AllUIDs(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestClientsHearOfChanges(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	for range 3 {
		if _, err := a.Append("INBOX", imaptest.Message{Body: []byte("a: b\r\n\r\n")}); err != nil {
			t.Fatal(err)
		}
	}
	c := signedIn(t, s, imaptest.TLS)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove("INBOX", 1, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append("INBOX", imaptest.Message{Body: []byte("a: c\r\n\r\n")}); err != nil {
		t.Fatal(err)
	}
	if err := a.SetFlags("INBOX", 2, `\Seen`); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	if got := c.Mailbox().NumMessages; got != 2 {
		t.Errorf("the client knows of %d messages, want 2", got)
	}
	if err := a.Create("Copies", ""); err != nil {
		t.Fatal(err)
	}
	copied, err := c.Copy(imap.SeqSet{{Start: 1, Stop: 0}}, "Copies").Wait()
	if err != nil || copied.SourceUIDs.String() != "2,4" || copied.DestUIDs.String() != "1:2" {
		t.Errorf("COPY: %+v, %v", copied, err)
	}
	if _, err := c.Move(imap.UIDSetNum(2), "Copies").Wait(); err != nil {
		t.Error(err)
	}
	if got := len(a.Messages("INBOX")); got != 1 {
		t.Errorf("%d messages after MOVE, want 1", got)
	}
	if err := a.Renumber("INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop().Wait(); err == nil {
		t.Error("the connection outlived a new UIDVALIDITY")
	}
}

func TestIdleEnds(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	heard := make(chan uint32, 1)
	conn, err := tls.Dial("tcp", s.Address(), &tls.Config{RootCAs: ca.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(data *imapclient.UnilateralDataMailbox) {
		if data.NumMessages != nil {
			heard <- *data.NumMessages
		}
	}}})
	defer c.Close()
	if err := c.Login("alice", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append("INBOX", imaptest.Message{Body: []byte("a: b\r\n\r\n")}); err != nil {
		t.Fatal(err)
	}
	if n := <-heard; n != 1 {
		t.Errorf("heard of %d messages, want 1", n)
	}
	if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
		t.Error(err)
	}
	if _, err := c.Idle(); err != nil {
		t.Fatal(err)
	}
	s.Close() // during IDLE: must not hang
}

func TestHooks(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	body := []byte("Subject: x\r\n\r\nbody\r\n")
	send := func(c *imapclient.Client) error {
		command := c.Append("INBOX", int64(len(body)), nil)
		command.Write(body)
		command.Close()
		_, err := command.Wait()
		return err
	}
	commands := make(chan imaptest.Command, 9)
	s.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		commands <- c
		if c.Name == "APPEND" && c.Count == 2 {
			return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeOverQuota, Text: "full"}
		}
		return nil
	}})
	c := signedIn(t, s, imaptest.TLS)
	if err := send(c); err != nil {
		t.Fatal(err)
	}
	if refused := new(imap.Error); !errors.As(send(c), &refused) || refused.Code != imap.ResponseCodeOverQuota {
		t.Errorf("the second APPEND got %+v, want OVERQUOTA", refused)
	}
	if got, want := <-commands, (imaptest.Command{Name: "LOGIN", Count: 1}); got != want {
		t.Errorf("hook saw %+v, want %+v", got, want)
	}
	if got, want := <-commands, (imaptest.Command{Name: "APPEND", User: "alice", Mailbox: "INBOX", Count: 1}); got != want {
		t.Errorf("hook saw %+v, want %+v", got, want)
	}

	// The answer is lost, the message is not.
	s.SetHooks(imaptest.Hooks{After: func(c imaptest.Command) error {
		if c.Name == "APPEND" {
			return imaptest.ErrHangUp
		}
		return nil
	}})
	if err := send(signedIn(t, s, imaptest.TLS)); err == nil {
		t.Error("an answer came after a hang-up")
	}
	if got := len(a.Messages("INBOX")); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}

	s.SetHooks(imaptest.Hooks{
		Stored: func(_ string, m imaptest.Message) imaptest.Message {
			m.Body = append([]byte("X-Filter: seen\r\n"), m.Body...)
			m.Flags = append(m.Flags, "Filtered")
			return m
		},
		Body: func(mailbox string, uid uint32, body []byte) []byte { return body[:10] },
	})
	c = signedIn(t, s, imaptest.TLS)
	if err := send(c); err != nil {
		t.Fatal(err)
	}
	stored := a.Messages("INBOX")[2]
	if !bytes.HasPrefix(stored.Body, []byte("X-Filter")) || !slices.Equal(stored.Flags, []string{"Filtered"}) {
		t.Errorf("stored %q with %v", stored.Body, stored.Flags)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{RFC822Size: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	if err != nil || messages[0].RFC822Size != int64(len(body)) || len(messages[0].BodySection[0].Bytes) != 10 {
		t.Errorf("FETCH: %+v, %v", messages, err)
	}
}

func TestLiteralCutOffIsNotStored(t *testing.T) {
	s, a := start(t, imaptest.Config{Security: imaptest.Cleartext})
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "a LOGIN alice secret\r\nb APPEND INBOX {30+}\r\nSubject: half")
	conn.(*net.TCPConn).CloseWrite()
	if said, _ := io.ReadAll(conn); !bytes.Contains(said, []byte("a OK")) {
		t.Errorf("the server said %s", said)
	}
	conn.Close()
	if got := a.Messages("INBOX"); len(got) != 0 {
		t.Errorf("stored %v", got)
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
