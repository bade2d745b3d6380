package probe

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// tunnels is an HTTP proxy for CONNECT that counts what it carries, and refuses when refuse is set.
type tunnels struct {
	carried atomic.Int32
	refuse  bool
}

func (p *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	server, err := net.Dial("tcp", r.Host)
	if err != nil || p.refuse {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	defer server.Close()
	client, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	p.carried.Add(1)
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(server, io.MultiReader(bufio.NewReader(buffered), client))
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(client, server)
}

func startTunnels(t *testing.T, p *tunnels) (via string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: p}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { s.Close(); <-done })
	return "http://" + l.Addr().String()
}

func TestViaAProxy(t *testing.T) {
	ca := imaptest.NewCA("Via CA")
	s, err := faulty.Serve(faulty.Dialog{ImplicitTLS: true, TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}}.Serve)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	proxy := new(tunnels)
	target := Target{Host: "127.0.0.1", Port: s.Port(), Mode: ModeTLS, Via: startTunnels(t, proxy), TLS: imapdial.TLSPolicy{Roots: ca.RootPEM()},
		User: "alice", Secret: secret.Given(secret.New([]byte("secret")))}

	out, err := new(Prober).Run(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if out.Report.Verdict != Ready || proxy.carried.Load() == 0 || int(proxy.carried.Load()) != s.Connections() {
		t.Errorf("verdict %s with %v; the proxy carried %d of %d connections", out.Report.Verdict, out.Report.Findings, proxy.carried.Load(), s.Connections())
	}
	if got := out.Accounts[0].Endpoint.Via; got != target.Via {
		t.Errorf("the validated settings go through %q", got)
	}

	target.Via = startTunnels(t, &tunnels{refuse: true})
	out, err = new(Prober).Run(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if got := codes(out.Report); out.Report.ExitCode != 10 || !slices.Equal(got, []string{"net.network-unreachable block unknown"}) {
		t.Errorf("a proxy that refuses: exit %d, findings %v", out.Report.ExitCode, got)
	}
}
