// Package faulty holds IMAP servers that behave badly and a proxy that damages connections, for tests alone. The servers follow
// a [Script]; what a well-behaved server does is left to package imaptest.
//
// Everything listens on loopback, unless it is given a listener. Nothing here times out by itself except where a script says so: a step that waits ends when
// the peer goes or the server is closed.
package faulty

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

// maxReceived bounds what a Server remembers: an endless client must not fill the memory.
const maxReceived = 16 << 20

// A Script serves one connection. When it returns the connection is closed, unless it was already.
type Script func(c *Conn)

// A Server runs a script for each connection. Its methods are safe for concurrent use.
type Server struct {
	listener *net.TCPListener
	script   Script
	running  sync.WaitGroup
	done     chan struct{} // closed by Close

	mu       sync.Mutex // guards what follows
	closed   bool
	open     map[*net.TCPConn]struct{}
	accepted int
	received []byte
	errs     []error
}

// Serve starts a server on a free port of 127.0.0.1. The caller must call Close.
func Serve(s Script) (*Server, error) { return ServeOn("127.0.0.1:0", s) }

// ServeOn is Serve on an address of choice, such as 127.0.0.3:0.
func ServeOn(address string, s Script) (*Server, error) {
	listener, err := listen(address)
	if err != nil {
		return nil, err
	}
	return ServeListener(listener, s), nil
}

// ServeListener is Serve on a listener, such as one of another network namespace. The server closes it.
func ServeListener(l *net.TCPListener, s Script) *Server {
	server := &Server{listener: l, script: s, done: make(chan struct{}), open: make(map[*net.TCPConn]struct{})}
	server.running.Go(server.acceptLoop)
	return server
}

// listen listens on an address of loopback and on no other.
func listen(address string) (*net.TCPListener, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().IsLoopback() {
		return nil, fmt.Errorf("faulty: listen on %q: not an address and port of loopback", address)
	}
	return net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
}

func (s *Server) acceptLoop() {
	for {
		conn, err := s.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.report(fmt.Errorf("accept: %w", err))
			return
		}
		s.mu.Lock()
		closed := s.closed
		if !closed {
			s.open[conn] = struct{}{}
			s.accepted++
		}
		number := s.accepted
		s.mu.Unlock()
		if closed {
			conn.Close()
			return
		}
		s.running.Go(func() { s.run(newConn(s, conn, number)) })
	}
}

func (s *Server) run(c *Conn) {
	s.script(c)
	c.end()
	if err := c.Err(); err != nil {
		s.report(fmt.Errorf("connection %d: %w", c.number, err))
	}
	s.mu.Lock()
	delete(s.open, c.tcp)
	s.mu.Unlock()
}

// report keeps an error, unless it is only that a connection ended, which clients of faulty servers do at any moment.
func (s *Server) report(err error) {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// Close ends all scripts and returns when they have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	for conn := range s.open {
		conn.Close()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.running.Wait()
	return err
}

// Address returns ip:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Port returns the port.
func (s *Server) Port() uint16 { return s.listener.Addr().(*net.TCPAddr).AddrPort().Port() }

// Connections returns how many connections were accepted.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Received returns the octets that scripts read or ignored, as they were inside TLS where there was any: what a server would
// know of a client. Connections that are open at once are mixed.
func (s *Server) Received() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Errors returns what went otherwise than the scripts said: another command than expected, a failed handshake. That a peer closed or reset the
// connection is none.
func (s *Server) Errors() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.errs)
}

// remember adds to what Received returns.
func (s *Server) remember(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, b[:min(len(b), maxReceived-len(s.received))]...)
}
