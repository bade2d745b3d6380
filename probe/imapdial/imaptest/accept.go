package imaptest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// acceptLoop serves connections until the listener is closed.
func (s *Server) acceptLoop() {
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// The one cause on loopback is that the process has no file descriptors left; they come back.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.serve(c)
	}
}

// serve starts a session on c. Each connection gets a go-imap server of its own, because that one fixes its TLS settings when it
// is made, and ours may change.
func (s *Server) serve(c net.Conn) {
	s.mu.Lock()
	s.accepted++
	certificate, mode, closed := s.certificate, s.mode, s.closed
	if !closed {
		s.open[c] = struct{}{}
	}
	s.mu.Unlock()
	if closed {
		c.Close()
		return
	}

	var cfg *tls.Config
	if s.config.Security != Cleartext {
		cfg = &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true}
	}
	options := &imapserver.Options{
		Caps:         s.caps,
		Logger:       logger(s.config.Logf),
		InsecureAuth: s.config.Security == Cleartext,
		NewSession: func(conn *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return s.newSession(c, conn), nil, nil
		},
	}
	carrier := c
	switch {
	case s.config.Security == TLS:
		carrier = tls.Server(c, cfg)
	case s.config.Security == STARTTLS && mode == StartTLSOffered:
		options.TLSConfig = cfg
	case s.config.Security == STARTTLS && mode == StartTLSMasked:
		carrier = maskedConn{c}
	case s.config.Security == STARTTLS && mode == StartTLSAbsent:
		options.InsecureAuth = true
	}
	s.running.Add(1) // until session.Close
	imapserver.New(options).Serve(&single{conn: carrier})
}

// newSession returns the session of a connection. go-imap always closes it, after its last command.
func (s *Server) newSession(c net.Conn, conn *imapserver.Conn) imapserver.Session {
	session := &session{server: s, conn: c, served: conn, changed: make(chan struct{}, 1)}
	if s.config.MaxAppend != 0 {
		return limitedSession{session}
	}
	return session
}

// ended is called when the session on c is over and closed.
func (s *Server) ended(c net.Conn) {
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	s.running.Done()
}

// A single is a listener with one connection. Serve returns after it, while the connection is served.
type single struct{ conn net.Conn }

func (l *single) Accept() (net.Conn, error) {
	c := l.conn
	l.conn = nil
	if c == nil {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l *single) Close() error   { return nil }
func (l *single) Addr() net.Addr { return nil }

// A maskedConn writes the capability list of a server without TLS as a middlebox leaves it that overwrites STARTTLS.
type maskedConn struct{ net.Conn }

func (c maskedConn) Write(b []byte) (int, error) {
	masked := bytes.ReplaceAll(b, []byte(" "+imap.CapLoginDisabled), []byte(" XXXXXXXX "+imap.CapLoginDisabled))
	if _, err := c.Conn.Write(masked); err != nil {
		return 0, err
	}
	return len(b), nil
}
