package mailsync

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

var testCA = imaptest.NewCA("mailsync test CA")

// A testAccount is an account on an embedded server.
type testAccount struct {
	*imaptest.Account
	server *imaptest.Server
	opened int // sessions
	host   string
	port   uint16 // of the server, or of a proxy before it
	config imaptest.Config
	held   atomic.Int32                                                         // connections that the client has not closed
	dial   func(ctx context.Context, network, address string) (net.Conn, error) // nil for the ordinary way
}

func startAccount(t testing.TB, c imaptest.Config) *testAccount {
	t.Helper()
	c.Certificate = testCA.Issue(imaptest.Leaf{})
	s, err := imaptest.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &testAccount{Account: s.AddAccount("alice", "secret"), server: s, host: s.Host(), port: s.Port(), config: c}
}

func (a *testAccount) side() Side {
	account := imapdial.Account{
		Endpoint: imapdial.Endpoint{
			Host: a.host, Port: a.port, Security: imapdial.Security(a.config.Security),
			TLS: imapdial.TLSPolicy{Roots: testCA.RootPEM()},
		},
		User:   "alice",
		Secret: secret.Given(secret.New([]byte("secret"))),
	}
	return Side{Account: account, settled: a.settled, Open: func(ctx context.Context) (*imapdial.Session, error) {
		a.opened++
		return imapdial.Open(ctx, account, "password", nil, &imapdial.Options{DialContext: a.count})
	}}
}

// count dials and counts the connections that the client has not closed.
func (a *testAccount) count(ctx context.Context, network, address string) (net.Conn, error) {
	dial := a.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	a.held.Add(1)
	return &countedConn{Conn: conn, held: &a.held}, nil
}

// settled returns when the server has ended the sessions of the connections that the client has closed: no message of theirs arrives any more. In
// a real run the pause before a reconnect gives a server that time.
func (a *testAccount) settled() {
	for end := time.Now().Add(10 * time.Second); a.server.Open() > int(a.held.Load()) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// A countedConn is taken off the count when it is closed.
type countedConn struct {
	net.Conn
	once sync.Once
	held *atomic.Int32
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.held.Add(-1) })
	return c.Conn.Close()
}

// testSettings make a lost connection come back at once.
func testSettings() Settings { return Settings{pause: time.Millisecond} }

func fill(t testing.TB, a *testAccount, folders []imaptest.Folder) {
	t.Helper()
	if err := a.Fill(folders); err != nil {
		t.Fatal(err)
	}
}

func runSync(t testing.TB, source, dest *testAccount) *Summary {
	t.Helper()
	s, err := Sync(t.Context(), source.side(), dest.side(), testSettings())
	if err != nil {
		t.Fatalf("sync: %v", err)
	}
	return s
}

// checkSum checks that the counts of a summary add up.
func checkSum(t testing.TB, s *Summary) {
	t.Helper()
	m := s.Messages
	if sum := m.Present + m.Copied + m.Skipped + m.Failed + m.Remaining; sum != m.Source {
		t.Errorf("the counts add up to %d of %d: %+v", sum, m.Source, m)
	}
}

// mails makes n small messages.
func mails(n int) []imaptest.Message {
	list := make([]imaptest.Message, n)
	for i := range list {
		list[i] = imaptest.Message{
			InternalDate: time.Date(2020, 1, 1, 0, 0, i, 0, time.UTC),
			Body:         fmt.Appendf(nil, "Message-Id: <%d@example.org>\r\nSubject: message %d\r\n\r\nbody %d\r\n", i, i, i),
		}
	}
	return list
}

func inbox(messages ...imaptest.Message) []imaptest.Folder {
	return []imaptest.Folder{{Path: []string{"INBOX"}, Messages: messages}}
}

// events returns the names of all events but progress.
func events(l *Live) []string {
	var names []string
	for _, e := range l.Events(0) {
		if e.Event != "progress" {
			names = append(names, e.Event)
		}
	}
	return names
}
