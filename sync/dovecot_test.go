package mailsync

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// dovecotSide is alice's account, over TLS or STARTTLS.
func dovecotSide(d *realserver.Dovecot, security imapdial.Security) Side {
	account := imapdial.Account{
		Endpoint: imapdial.Endpoint{Host: d.Host, Port: d.IMAPS, Security: security, TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}},
		User:     "alice",
		Secret:   secret.Given(secret.New([]byte("secret"))),
	}
	if security == imapdial.STARTTLS {
		account.Endpoint.Port = d.IMAP
	}
	return Side{Account: account, Open: func(ctx context.Context) (*imapdial.Session, error) {
		return imapdial.Open(ctx, account, "password", nil, nil)
	}}
}

// upload puts mail into alice's account.
func upload(t *testing.T, d *realserver.Dovecot, folders []imaptest.Folder) {
	t.Helper()
	c, err := imapclient.DialTLS(net.JoinHostPort(d.Host, strconv.Itoa(int(d.IMAPS))), &imapclient.Options{TLSConfig: &tls.Config{RootCAs: d.CA.Pool()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("alice", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	if err := imaptest.Upload(t.Context(), c, folders); err != nil {
		t.Fatal(err)
	}
}

// oddMail are folders and messages that servers trip over.
func oddMail() []imaptest.Folder {
	folders := trickyMail()
	at := folders[0].Messages[0].InternalDate
	odd := func(body string, flags ...string) imaptest.Message {
		return imaptest.Message{Flags: flags, InternalDate: at, Body: []byte(body)}
	}
	return append(folders,
		imaptest.Folder{Path: []string{"INBOX", "child"}, Messages: mails(1)},
		imaptest.Folder{Path: []string{"R&D (100%)"}, Subscribed: true, Messages: mails(2)},
		imaptest.Folder{Path: []string{"受信箱", "重要"}, Messages: mails(3)},
		imaptest.Folder{Path: []string{"empty"}, Subscribed: true},
		imaptest.Folder{Path: []string{"odd"}, Messages: []imaptest.Message{
			odd("Subject: gr\xfc\xdfe\r\n\r\nraw 8-bit header\r\n", `\Answered`, "$Forwarded", "NonJunk"),
			odd("Message-Id: <lines@x>\r\n\r\n"+strings.Repeat("x", 100_000)+"\r\n", `\Draft`),
			odd("Message-Id: <end@x>\r\n\r\nno line end", `\Deleted`),
			odd("Message-Id: <header-only@x>\r\n\r\n"),
			odd("Message-Id: <commands@x>\r\n\r\nx1 CREATE pwned\r\n{5}\r\n)\r\nA1 OK done\r\n"),
			odd("From the start\r\nno header at all\r\n"),
			odd("Message-Id: <plus@x>\r\n\r\nends in a literal {5}"),
		}},
	)
}

// withoutDots gives folders names that Maildir can hold.
func withoutDots(folders []imaptest.Folder) []imaptest.Folder {
	for _, f := range folders {
		for i := range f.Path {
			f.Path[i] = strings.ReplaceAll(f.Path[i], ".", "-")
		}
	}
	return folders
}

func TestDovecotToDovecot(t *testing.T) {
	for _, test := range []struct {
		name         string
		source, dest realserver.Config
		security     imapdial.Security
		mapName      func(string) string
	}{
		{"same hierarchy", realserver.Config{}, realserver.Config{}, imapdial.TLS, nil},
		{"another delimiter and prefix, STARTTLS", realserver.Config{}, realserver.Config{Separator: ".", Prefix: "INBOX."}, imapdial.STARTTLS, func(name string) string {
			if name == "INBOX" {
				return name
			}
			return "INBOX." + strings.ReplaceAll(name, "/", ".")
		}},
		{"into sdbox, from a prefix", realserver.Config{Separator: ".", Prefix: "INBOX."}, realserver.Config{Storage: "sdbox"}, imapdial.TLS, func(name string) string {
			return strings.ReplaceAll(strings.TrimPrefix(name, "INBOX."), ".", "/")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			source, dest := realserver.StartDovecot(t, test.source), realserver.StartDovecot(t, test.dest)
			upload(t, source, withoutDots(imaptest.Sample()))
			upload(t, source, oddMail())
			before := realserver.Dump(t, source.Login("alice"))
			s, err := Sync(t.Context(), dovecotSide(source, test.security), dovecotSide(dest, test.security), testSettings())
			if err != nil || s.ExitCode != 0 || s.Messages.Copied != int64(before.Messages()) {
				t.Fatalf("got %+v, %v", s, err)
			}
			for _, line := range realserver.Diff(before, realserver.Dump(t, dest.Login("alice")), test.mapName) {
				t.Error(line)
			}
			if diff := realserver.Diff(before, realserver.Dump(t, source.Login("alice")), nil); diff != nil {
				t.Errorf("the source has changed: %s", diff)
			}
			if test.dest.Storage != "sdbox" {
				checkMaildir(t, source, dest)
			}
			again, err := Sync(t.Context(), dovecotSide(source, test.security), dovecotSide(dest, test.security), testSettings())
			if err != nil || again.ExitCode != 0 || again.Messages.Copied+again.Messages.FlagsUpdated != 0 || again.Messages.Present != s.Messages.Copied {
				t.Errorf("the second run: %+v, %v", again, err)
			}
			for _, bodies := range []bool{false, true} {
				v, err := Verify(t.Context(), dovecotSide(source, test.security), dovecotSide(dest, test.security), testSettings(), bodies)
				if err != nil || v.Verdict != "equal" {
					t.Errorf("bodies %v: got %+v, %v", bodies, v, err)
				}
			}
		})
	}
}

// checkMaildir compares the number of files on disk, which no IMAP server can hide.
func checkMaildir(t *testing.T, source, dest *realserver.Dovecot) {
	t.Helper()
	count := func(d *realserver.Dovecot) (n int) {
		for _, pattern := range []string{"*/cur/*", "cur/*", "*/new/*", "new/*", ".*/cur/*", ".*/new/*"} {
			files, err := filepath.Glob(filepath.Join(d.Mail("alice"), pattern))
			if err != nil {
				t.Fatal(err)
			}
			n += len(files)
		}
		return n
	}
	if got, want := count(dest), count(source); got != want || want == 0 {
		t.Errorf("got %d files at the destination, want %d", got, want)
	}
	if _, err := os.Stat(filepath.Join(dest.Mail("alice"), ".pwned")); err == nil {
		t.Error("a line of a message was run as a command")
	}
}

func TestDovecotOverQuota(t *testing.T) {
	t.Parallel()
	source := realserver.StartDovecot(t, realserver.Config{})
	dest := realserver.StartDovecot(t, realserver.Config{Extra: "mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota\n}\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:bytes=20K\n  quota_grace = 0\n}\n"})
	list := mails(30)
	for i := range list {
		list[i].Body = append(list[i].Body, strings.Repeat("0123456789abcde\r\n", 100)...)
	}
	upload(t, source, inbox(list...))
	s, err := Sync(t.Context(), dovecotSide(source, imapdial.TLS), dovecotSide(dest, imapdial.TLS), testSettings())
	checkSum(t, s)
	if err == nil || s.Verdict != "stopped" || s.ExitCode != 22 || s.Messages.Copied == 0 || s.Messages.Remaining == 0 || s.Messages.Failed != 1 {
		t.Errorf("got %+v, %v, want a full destination", s, err)
	}
	if s.Verified == nil || s.Verified.Messages != s.Messages.Copied || s.Verified.Surplus != 0 {
		t.Errorf("got %+v", s.Verified)
	}
}

func TestDovecotRefusesAKeyword(t *testing.T) {
	t.Parallel()
	source, dest := startAccount(t, imaptest.Config{}), realserver.StartDovecot(t, realserver.Config{})
	list := mails(3)
	list[1].Flags = []string{`\Seen`, strings.Repeat("k", 300)}
	fill(t, source, inbox(list...))
	for range 2 {
		s, err := Sync(t.Context(), source.side(), dovecotSide(dest, imapdial.TLS), testSettings())
		if err != nil || s.ExitCode != 0 || s.Messages.Copied+s.Messages.Present != 3 {
			t.Fatalf("got %+v, %v, want the message without its keyword", s, err)
		}
	}
}
