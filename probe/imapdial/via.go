package imapdial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// A DialFunc opens a TCP connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Via returns a dialer that goes through via: socks5://host[:port] (RFC 1928), http://host[:port] (CONNECT, RFC 9110 section 9.3.6) or
// ssh://[user@]host[:port], whose host key must be in known_hosts. A password cannot stand in it. "" returns base itself; a nil base is
// net.Dialer's. Errors of the dialer are *[ViaError].
func Via(via string, base DialFunc) (DialFunc, error) {
	if base == nil {
		base = new(net.Dialer).DialContext
	}
	if via == "" {
		return base, nil
	}
	u, err := url.Parse(via)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, errVia
	}
	if _, password := u.User.Password(); password || u.User != nil && u.Scheme != "ssh" {
		return nil, errViaSecret
	}
	switch u.Scheme {
	case "socks5":
		return viaSOCKS(u, base)
	case "http":
		return viaHTTP(u, base), nil
	case "ssh":
		return viaSSH(u, base)
	}
	return nil, errVia
}

var (
	errVia       = errors.New("the way is not socks5://host:port, http://host:port or ssh://user@host:port")
	errViaSecret = errors.New("the way holds a user or a password: a proxy is used without, SSH with a key or the SSH agent")
)

// withPort returns u's host with its port, or the default one.
func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// A ViaError says that the connection to the proxy, or the proxy itself, did not work, not the server behind it.
type ViaError struct {
	Via string // host:port
	Err error
}

func (e *ViaError) Error() string { return fmt.Sprintf("through %s: %v", e.Via, e.Err) }

// Unwrap returns the cause.
func (e *ViaError) Unwrap() error { return e.Err }

// contextDialer lets x/net/proxy dial with a context.
type contextDialer DialFunc

func (d contextDialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d contextDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

func viaSOCKS(u *url.URL, base DialFunc) (DialFunc, error) {
	address := withPort(u, "1080")
	d, err := proxy.SOCKS5("tcp", address, nil, contextDialer(base))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, network, target string) (net.Conn, error) {
		conn, err := d.(proxy.ContextDialer).DialContext(ctx, network, target)
		if err != nil {
			return nil, &ViaError{address, err}
		}
		return conn, nil
	}, nil
}

func viaHTTP(u *url.URL, base DialFunc) DialFunc {
	address := withPort(u, "8080")
	return func(ctx context.Context, network, target string) (net.Conn, error) {
		conn, err := base(ctx, network, address)
		if err != nil {
			return nil, &ViaError{address, err}
		}
		tunnel, err := connectThrough(ctx, conn, target)
		if err != nil {
			conn.Close()
			return nil, &ViaError{address, err}
		}
		return tunnel, nil
	}
}

// connectThrough asks an HTTP proxy for a tunnel to target.
func connectThrough(ctx context.Context, conn net.Conn, target string) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
		defer conn.SetDeadline(time.Time{})
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	br := bufio.NewReaderSize(conn, 4096)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return nil, fmt.Errorf("read the answer to CONNECT: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the proxy refused CONNECT %s: %.100q", target, resp.Status)
	}
	ahead := make([]byte, br.Buffered())
	if _, err := br.Read(ahead); len(ahead) > 0 && err != nil {
		return nil, err
	}
	return &readAhead{Conn: conn, first: ahead}, nil
}

// A readAhead yields what was read ahead before what its Conn does: a server that speaks first may come right behind the proxy's answer.
type readAhead struct {
	net.Conn
	first []byte
}

func (c *readAhead) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
