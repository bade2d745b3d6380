package probe

import (
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// banAfter serves IMAP with TLS on a port that is closed for good after n connections, as a firewall does that counts them.
func banAfter(t *testing.T, n int, cfg *tls.Config) (port uint16, accepted func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	count := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			count++
			mu.Unlock()
			wg.Go(func() {
				server := tls.Server(conn, cfg)
				defer conn.Close()
				if server.Handshake() == nil {
					server.Write([]byte("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"))
					server.Read(make([]byte, 1000))
				}
			})
		}
		l.Close()
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), func() int { mu.Lock(); defer mu.Unlock(); return count }
}

func TestABanEndsTheProbe(t *testing.T) {
	ca := imaptest.NewCA("Ban CA")
	port, accepted := banAfter(t, 12, &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}})
	target := Target{Host: "127.0.0.1", Port: port, Mode: ModeTLS, TLS: imapdial.TLSPolicy{Roots: ca.RootPEM()},
		User: "alice", Secret: secret.Given(secret.New([]byte("secret")))}
	out, err := (&Prober{Full: true}).Run(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	r := out.Report
	if !slices.Equal(codes(r), []string{"net.banned block unknown"}) || r.ExitCode != 10 || r.Verdict != Blocked || r.Targets[0].Recommended != nil {
		t.Errorf("verdict %s, exit %d, findings %+v", r.Verdict, r.ExitCode, r.Findings)
	}
	if got := accepted(); got != 12 {
		t.Errorf("the server took %d connections", got)
	}
}

func TestAWatchBansOnlyWhenAllPortsAreDark(t *testing.T) {
	var w watch
	w.note("a:993", true)
	w.note("a:143", true)
	w.note("b:993", false) // never answered
	for range darkAfter {
		w.note("a:993", false)
	}
	if w.banned() {
		t.Error("one port of two is no ban")
	}
	w.note("a:143", false)
	w.note("a:143", true)
	for range darkAfter - 1 {
		w.note("a:143", false)
	}
	if w.banned() {
		t.Error("an answer does not start the count anew")
	}
	w.note("a:143", false)
	if !w.banned() {
		t.Error("both ports are dark")
	}
}
