package hello

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// A Scanner finds out what one port supports. Dial is needed, the rest has defaults. Nothing of it may be changed while Run runs.
type Scanner struct {
	// Dial opens a connection on which the ClientHello comes next.
	Dial       func(ctx context.Context) (net.Conn, error)
	ServerName string        // SNI; see Offer
	Timeout    time.Duration // for each connection; 0 means 5 s
	Lanes      int           // connections at once; 0 means 4
	// Connections bounds how many are opened, 0 means 58. What could not be asked is named in Scan.Unfinished.
	Connections int
}

// A Scan is what a [Scanner] found out.
type Scan struct {
	// Versions says of each version whether the server has it. One that could not be told is missing.
	Versions map[Version]bool
	Suites   map[Version][]Suite // from TLS 1.0 on, in the server's order where it has one, else in ours
	Groups   []Group             // those of TLS 1.3, then what only older versions have
	// ServerOrder tells that the server chooses among suites by its own order; nil when it could not be told.
	ServerOrder *bool
	DHBits      int  // the smallest finite field that was seen in a DHE key exchange; 0 for none
	DHEAborts   bool // the server breaks off when it chooses DHE, though the client offers what it also has
	// ALPNRejected tells that the handshake fails only when the protocol "imap" is offered with ALPN (RFC 7301).
	ALPNRejected bool
	// WithoutName tells whether the handshake passes without SNI, and SameCertificate whether it shows the same certificate then.
	WithoutName, SameCertificate bool
	// Resumes tells that a second handshake goes on with the session of the first (RFC 8446 section 2.2).
	Resumes   bool
	Handshake bool // an ordinary handshake passes; without it the four above say nothing

	Scheme uint16 // the signature scheme of an ECDHE key exchange in TLS 1.2, by its number in IANA's registry; 0 for none

	Unfinished  []string // what could not be asked to its end: "TLS 1.1 suites", …
	Connections int      // that were opened
	Took        time.Duration
}

// Run scans. It ends early when ctx does, or when the port does not answer any more; the Scan then says what is unfinished.
func (s *Scanner) Run(ctx context.Context) *Scan {
	begin := time.Now()
	r := &scanRun{Scanner: *s, ctx: ctx, scan: &Scan{Versions: map[Version]bool{}, Suites: map[Version][]Suite{}}}
	if r.Timeout == 0 {
		r.Timeout = 5 * time.Second
	}
	if r.Lanes == 0 {
		r.Lanes = 4
	}
	if r.Connections == 0 {
		r.Connections = 58
	}
	r.lanes.free = r.Lanes
	// The long chains come first, so that the short ones fill the lanes beside them.
	r.all(r.suites12, r.groups, r.suites13, r.handshakes,
		func() { r.old(TLS11) }, func() { r.old(TLS10) }, r.ssl3, r.ssl2)
	// What is left of the connections goes to the lists of the versions that ought not to be there.
	r.all(func() { r.oldSuites(TLS11) }, func() { r.oldSuites(TLS10) })
	slices.Sort(r.scan.Unfinished)
	r.scan.Unfinished = slices.Compact(r.scan.Unfinished)
	r.scan.Connections, r.scan.Took = r.opened, time.Since(begin)
	return r.scan
}

// A scanRun is the state of one scan.
type scanRun struct {
	Scanner
	ctx   context.Context
	lanes lanes

	mu       sync.Mutex // guards what follows
	scan     *Scan
	opened   int
	failures int // connections in a row that did not come to the ClientHello
}

// maxFailures is after how many failed connections in a row the scan gives the port up: it must not earn anyone a ban.
const maxFailures = 3

// all runs the jobs at once and waits for them. Connections, not jobs, are what the lanes bound.
func (r *scanRun) all(jobs ...func()) {
	var running sync.WaitGroup
	for _, job := range jobs {
		running.Go(job)
	}
	running.Wait()
}

// set changes the scan.
func (r *scanRun) set(f func(*Scan)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.scan)
}

// unfinished notes that what could not be asked to its end.
func (r *scanRun) unfinished(what string) {
	r.set(func(s *Scan) { s.Unfinished = append(s.Unfinished, what) })
}

// open takes a lane and opens a connection in it; release gives both back. It returns nil when the bounds are reached.
func (r *scanRun) open(urgent bool) (conn net.Conn, release func()) {
	r.lanes.take(urgent)
	free := r.lanes.give
	r.mu.Lock()
	stop := r.opened >= r.Connections || r.failures >= maxFailures || r.ctx.Err() != nil
	if !stop {
		r.opened++
	}
	r.mu.Unlock()
	if stop {
		free()
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.Timeout)
	defer cancel()
	conn, err := r.Dial(ctx)
	r.mu.Lock()
	if r.failures++; err == nil {
		r.failures = 0
	}
	r.mu.Unlock()
	if err != nil {
		free()
		return nil, nil
	}
	return conn, func() { conn.Close(); free() }
}

// A chain is a series of questions of which each waits for the last. Those that will be the longest are urgent: a scan is over when its longest chain is.
type chain struct {
	*scanRun
	urgent bool
}

// short is a chain that can wait.
func (r *scanRun) short() chain { return chain{r, false} }

// ask sends an offer on a connection of its own.
func (r chain) ask(o Offer, flight bool) Reply {
	conn, release := r.open(r.urgent)
	if conn == nil {
		return Reply{}
	}
	defer release()
	o.ServerName = r.ServerName
	return ask(r.ctx, conn, o, r.Timeout, flight)
}

// tried reports whether the reply says something about the offer, and not about the network.
func (r Reply) tried() bool { return r.Outcome != NotSent && r.Outcome != Silent }

// handshakes runs ordinary handshakes to see what ALPN and a missing name do.
func (r *scanRun) handshakes() {
	sessions := &tls.Config{ServerName: r.ServerName, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	plain, err := r.handshake(sessions)
	if err != nil {
		return
	}
	var again, unnamed tls.ConnectionState
	var alpnErr, nameErr error
	r.all(
		func() { again, _ = r.handshake(sessions) },
		func() { _, alpnErr = r.handshake(&tls.Config{ServerName: r.ServerName, NextProtos: []string{"imap"}}) },
		func() { unnamed, nameErr = r.handshake(new(tls.Config)) })
	if errors.Is(alpnErr, errNotAsked) || errors.Is(nameErr, errNotAsked) {
		r.unfinished("ALPN and SNI")
		return
	}
	same := nameErr == nil && len(plain.PeerCertificates) > 0 && len(unnamed.PeerCertificates) > 0 && plain.PeerCertificates[0].Equal(unnamed.PeerCertificates[0])
	r.set(func(s *Scan) {
		s.Handshake, s.Resumes, s.ALPNRejected, s.WithoutName, s.SameCertificate = true, again.DidResume, alpnErr != nil, nameErr == nil, same
	})
}

// ticketWait is how long a ticket is waited for. A server that speaks first sends it before its greeting.
const ticketWait = 200 * time.Millisecond

// errNotAsked means that no connection was to be had for a handshake, or that it went silent.
var errNotAsked = errors.New("not asked")

// handshake tries a handshake of crypto/tls, and once more where it fails. The certificate does not matter: nothing is said inside.
func (r *scanRun) handshake(config *tls.Config) (tls.ConnectionState, error) {
	config.InsecureSkipVerify = true
	config.MinVersion = tls.VersionTLS10
	var err error
	for range 2 {
		conn, release := r.open(false)
		if conn == nil {
			return tls.ConnectionState{}, errNotAsked
		}
		ctx, cancel := context.WithTimeout(r.ctx, r.Timeout)
		client := tls.Client(conn, config)
		err = client.HandshakeContext(ctx)
		if ctx.Err() != nil {
			err = errNotAsked
		}
		if err == nil && config.ClientSessionCache != nil && !client.ConnectionState().DidResume {
			// With TLS 1.3 the ticket comes after the handshake, and is taken by a Read (RFC 8446 section 4.6.1).
			conn.SetReadDeadline(time.Now().Add(ticketWait))
			client.Read(make([]byte, 1))
		}
		cancel()
		release()
		if err == nil {
			return client.ConnectionState(), nil
		}
	}
	return tls.ConnectionState{}, err
}
