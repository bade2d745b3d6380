package imaptest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// A Server is an IMAP server with accounts in memory. Its methods are safe for concurrent use.
type Server struct {
	config   Config
	caps     imap.CapSet
	listener net.Listener
	running  sync.WaitGroup // the accept loop and every session
	counts   counts

	mu          sync.Mutex // guards what follows
	closed      bool
	certificate tls.Certificate
	mode        StartTLSMode
	hooks       Hooks
	accounts    map[string]*Account
	open        map[net.Conn]struct{}
	accepted    int
}

// Config says how a Server behaves. The zero value lacks only a Certificate.
type Config struct {
	Security    Security
	Certificate tls.Certificate // for TLS and STARTTLS; see [CA.Issue]
	Address     string          // ip:port of loopback to listen on; "" means a free port of 127.0.0.1
	Listener    net.Listener    // of TCP, to serve on in place of one at Address, such as one of another network namespace; the server closes it
	Delim       rune            // hierarchy delimiter, an ASCII character; 0 means '/'
	Prefix      string          // of the personal namespace, with the delimiter at its end, such as "INBOX."; "" means none

	// Mechanisms are those of SASL, a subset of PLAIN, LOGIN and CRAM-MD5; nil means PLAIN. The LOGIN command always works.
	Mechanisms []string
	Without    []imap.Cap // capabilities that the server lacks, such as UIDPLUS or SPECIAL-USE

	// RefuseName says whether the server refuses to create a mailbox of that name (as it would list it, in UTF-8). nil refuses none.
	// Doubled delimiters and names outside the namespace are always refused.
	RefuseName func(name string) bool

	// MaxAppend is APPENDLIMIT in octets; 0 means that none is told. go-imap's server does not skip a non-synchronizing
	// literal that is larger: what it holds is then read as commands.
	MaxAppend uint32

	// Logf receives what go-imap's server logs: broken commands, panics. nil drops it.
	Logf func(format string, args ...any)
}

// Security is how TLS starts on a Server.
type Security uint8

// The kinds of Security. They are those of imapdial, which imaptest does not import, so that imapdial's own tests may import it.
const (
	TLS       Security = iota // from the first byte
	STARTTLS                  // required: LOGINDISABLED before it
	Cleartext                 // none, and passwords are accepted
)

// StartTLSMode is what a server of [STARTTLS] security does with the command.
type StartTLSMode uint8

// The modes.
const (
	StartTLSOffered  StartTLSMode = iota
	StartTLSStripped              // not listed and refused with NO, while LOGINDISABLED stays
	StartTLSMasked                // as a meddling middlebox leaves it: listed as XXXXXXXX, refused with NO
	StartTLSAbsent                // not listed, refused, and passwords are accepted in the clear
)

// Start starts a server. The caller must call Close.
func Start(c Config) (*Server, error) {
	if c.Security != Cleartext && len(c.Certificate.Certificate) == 0 {
		return nil, errors.New("imaptest: a server with TLS needs a certificate")
	}
	if c.Delim == 0 {
		c.Delim = '/'
	}
	if c.Mechanisms == nil {
		c.Mechanisms = []string{"PLAIN"}
	}
	listener, err := c.listen()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:      c,
		caps:        c.capabilities(),
		listener:    listener,
		certificate: c.Certificate,
		accounts:    make(map[string]*Account),
		open:        make(map[net.Conn]struct{}),
	}
	s.running.Go(s.acceptLoop)
	return s, nil
}

// listen listens on loopback, unless there is a listener.
func (c Config) listen() (net.Listener, error) {
	switch {
	case c.Listener != nil:
		return c.Listener, nil
	case c.Address == "":
		c.Address = "127.0.0.1:0"
	}
	address, err := netip.ParseAddrPort(c.Address)
	if err != nil || !address.Addr().IsLoopback() {
		return nil, fmt.Errorf("imaptest: listen on %q: not an address and port of loopback", c.Address)
	}
	return net.Listen("tcp", c.Address)
}

// Close ends all connections and returns when every session of the server has ended. A second call does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	err := s.listener.Close()
	s.DropConnections()
	s.running.Wait()
	return err
}

// DropConnections closes all connections that are open now, without a word. The server goes on listening.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.Close()
	}
}

// Address returns the ip:port that the server listens on.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Host returns the address without the port, 127.0.0.1 unless Config says otherwise.
func (s *Server) Host() string { return s.listener.Addr().(*net.TCPAddr).IP.String() }

// Port returns the port that the server listens on.
func (s *Server) Port() uint16 { return s.listener.Addr().(*net.TCPAddr).AddrPort().Port() }

// Connections returns how many connections were accepted since the start.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Open returns how many connections have a session that has not ended. A session that has ended will change nothing any more.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// SetCertificate changes the certificate for the connections to come.
func (s *Server) SetCertificate(cert tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate = cert
}

// SetStartTLS changes how the connections to come see STARTTLS.
func (s *Server) SetStartTLS(m StartTLSMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
}

// SetHooks replaces the hooks, for open connections too.
func (s *Server) SetHooks(h Hooks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = h
}

func (s *Server) currentHooks() Hooks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hooks
}

// AddAccount adds an account with an INBOX. It panics if there is one of that name.
func (s *Server) AddAccount(user, password string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[user] != nil {
		panic("imaptest: account " + user + " exists")
	}
	a := newAccount(user, password, s.config)
	s.accounts[user] = a
	return a
}

// account returns the account of user, or nil.
func (s *Server) account(user string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[user]
}

// capabilities returns what the server offers. go-imap adds what needs no mailbox behind it.
func (c Config) capabilities() imap.CapSet {
	caps := make(imap.CapSet)
	for _, name := range []imap.Cap{imap.CapIMAP4rev1, imap.CapLiteralPlus, imap.CapUIDPlus, imap.CapNamespace, imap.CapChildren, imap.CapListExtended,
		imap.CapListStatus, imap.CapStatusSize, imap.CapSpecialUse, imap.CapCreateSpecialUse, imap.CapMove, imap.CapESearch, imap.CapSearchRes} {
		caps[name] = struct{}{}
	}
	for _, name := range c.Without {
		delete(caps, name)
	}
	return caps
}

// logger passes go-imap's log on.
type logger func(format string, args ...any)

// Printf implements [imapserver.Logger].
func (l logger) Printf(format string, args ...any) {
	if l != nil {
		l(format, args...)
	}
}

var _ imapserver.Logger = logger(nil)
