package imapdial_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// listen serves every connection to a free port of loopback until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// carry joins a client to the server at address, whatever name it asked for.
func carry(client io.ReadWriteCloser, address string) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(client, server)
	client.Close()
}

// socks5 is a SOCKS5 proxy without sign-in (RFC 1928).
func socks5(t *testing.T, address string, asked *string) string {
	return listen(t, func(conn net.Conn) {
		b := make([]byte, 512)
		io.ReadFull(conn, b[:2])
		io.ReadFull(conn, b[:b[1]])
		conn.Write([]byte{5, 0})
		io.ReadFull(conn, b[:5]) // version, CONNECT, 0, name, length
		host := make([]byte, b[4])
		io.ReadFull(conn, host)
		io.ReadFull(conn, b[:2])
		*asked = string(host)
		conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		carry(conn, address)
	})
}

// httpProxy is a proxy that knows CONNECT, and refuses the name forbidden.test.
func httpProxy(t *testing.T, address string, asked *string) string {
	return listen(t, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		if req.Method != http.MethodConnect || strings.HasPrefix(req.Host, "forbidden.test:") {
			io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			return
		}
		*asked = req.Host
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		carry(conn, address)
	})
}

// sshServer accepts one key and carries direct-tcpip channels. It writes a known_hosts file and the key into a home of its own.
func sshServer(t *testing.T, address string, asked *string) string {
	t.Helper()
	newKey := func() (ssh.Signer, ed25519.PrivateKey) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return signer, key
	}
	hostKey, _ := newKey()
	userKey, private := newKey()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(userKey.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(hostKey)
	proxy := listen(t, func(conn net.Conn) {
		server, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		defer server.Close()
		go ssh.DiscardRequests(requests)
		for c := range channels {
			var target struct {
				Host   string
				Port   uint32
				From   string
				FromAt uint32
			}
			ssh.Unmarshal(c.ExtraData(), &target)
			*asked = target.Host
			channel, requests, err := c.Accept()
			if err != nil {
				return
			}
			go ssh.DiscardRequests(requests)
			go carry(channel, address)
		}
	})
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"known_hosts": knownhosts.Line([]string{proxy}, hostKey.PublicKey()) + "\n", "id_ed25519": string(pem.EncodeToMemory(block)),
	} {
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return proxy
}

func TestViaCarriesTheWholeConnection(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{DNSNames: []string{"imap.inside.test"}})}}
	var asked string
	for name, start := range map[string]func(address string) string{
		"SOCKS5": func(address string) string { return "socks5://" + socks5(t, address, &asked) },
		"HTTP":   func(address string) string { return "http://" + httpProxy(t, address, &asked) },
		"SSH":    func(address string) string { return "ssh://me@" + sshServer(t, address, &asked) },
	} {
		for _, security := range []imapdial.Security{imapdial.TLS, imapdial.STARTTLS} {
			t.Run(name+" "+security.String(), func(t *testing.T) {
				s := serve(t, faulty.Dialog{TLS: cfg, ImplicitTLS: security == imapdial.TLS}.Serve)
				dial, err := imapdial.Via(start(s.Address()), nil)
				if err != nil {
					t.Fatal(err)
				}
				asked = ""
				ep := imapdial.Endpoint{Host: "imap.inside.test", Security: security, TLS: imapdial.TLSPolicy{Roots: ca.RootPEM()}}
				conn, err := imapdial.Dial(t.Context(), ep, &imapdial.Options{DialContext: dial})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if host, _, _ := strings.Cut(asked, ":"); host != "imap.inside.test" {
					t.Errorf("the proxy was asked for %q: the name must be resolved there", asked)
				}
			})
		}
	}
}

func TestViaSaysWhoseFaultItIs(t *testing.T) {
	var asked string
	s := serve(t, faulty.Silent)
	closed := listen(t, func(net.Conn) {})
	for name, via := range map[string]string{
		"a proxy that refuses":   "http://" + httpProxy(t, s.Address(), &asked),
		"a proxy that hangs up":  "http://" + closed,
		"a SOCKS5 that hangs up": "socks5://" + closed,
		"no proxy at all":        "socks5://127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			dial, err := imapdial.Via(via, nil)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := dial(t.Context(), "tcp", "forbidden.test:993")
			var fault *imapdial.ViaError
			if !errors.As(err, &fault) {
				t.Errorf("got %v, %v", conn, err)
			}
		})
	}
	t.Run("a host key that is not known", func(t *testing.T) {
		via := "ssh://me@" + sshServer(t, s.Address(), &asked)
		if err := os.WriteFile(filepath.Join(os.Getenv("HOME"), ".ssh", "known_hosts"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		dial, err := imapdial.Via(via, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = dial(t.Context(), "tcp", "imap.inside.test:993")
		var unknown *knownhosts.KeyError
		if !errors.As(err, &unknown) {
			t.Errorf("got %v", err)
		}
	})
}

func TestViaObeysDeadlines(t *testing.T) {
	var asked string
	s := serve(t, faulty.Silent)
	for _, via := range []string{"http://" + httpProxy(t, s.Address(), &asked), "ssh://me@" + sshServer(t, s.Address(), &asked)} {
		dial, err := imapdial.Via(via, nil)
		if err != nil {
			t.Fatal(err)
		}
		ep := imapdial.Endpoint{Host: "imap.inside.test", Security: imapdial.STARTTLS}
		_, err = imapdial.Dial(t.Context(), ep, &imapdial.Options{DialContext: dial, Timeout: 300 * time.Millisecond})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.4s: got %v", via, err)
		}
	}
	hangs := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancelCause(t.Context())
	dial, err := imapdial.Via("http://"+hangs, func(ctx context.Context, network, address string) (net.Conn, error) {
		defer cancel(errors.New("enough"))
		return new(net.Dialer).DialContext(ctx, network, address)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(ctx, "tcp", "imap.inside.test:993"); err == nil {
		t.Error("a proxy that hangs holds the dialer")
	}
}

func TestViaRefusesWhatIsNoWay(t *testing.T) {
	for _, via := range []string{"socks5://", "ftp://proxy:1", "proxy:8080", "http://proxy/path", "ssh://me:secret@host", "http://me@host", "http://a b"} {
		if _, err := imapdial.Via(via, nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", via, err)
		}
	}
}
