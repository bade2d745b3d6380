package imapdial

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/tcpinfo"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// Options adjust how connections are made. A nil *Options is valid.
type Options struct {
	// DialContext replaces net.Dialer.DialContext, for a proxy or a test.
	DialContext DialFunc
	Timeout     time.Duration    // for each stage before sign-in; 0 means 10 s
	SignIn      time.Duration    // for sign-in; 0 means 30 s
	Now         func() time.Time // for judging dates; nil means time.Now
	Version     string           // of the program, told to servers with ID after sign-in; "" tells only its name
	// Log, if not nil, gets the transcript up to the end of sign-in, secrets masked, a stage or two late. It may be called from several
	// goroutines at once, one for each connection.
	Log func(Endpoint, wire.Line)
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.DialContext == nil {
		d.DialContext = new(net.Dialer).DialContext
	}
	if d.Timeout == 0 {
		d.Timeout = 10 * time.Second
	}
	if d.SignIn == 0 {
		d.SignIn = 30 * time.Second
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

// transcriptLines is how much of a connection is kept for a person to read: the exchanges before the work.
const transcriptLines = 200

// A Conn is a connection that met its endpoint's policy and has not signed in. It is used by one goroutine.
type Conn struct {
	facts      Facts
	conn       net.Conn
	raw        *wire.Raw
	transcript *wire.Transcript
	options    Options
	spent      bool
}

// Observe connects to ep as far as it gets, past a failed verification, and returns what it saw. The Conn is nil unless
// the policy was met and the facts have no error; the caller closes it. Without a Conn nothing is left open.
func Observe(ctx context.Context, ep Endpoint, o *Options) (Facts, *Conn) {
	c := connect(ctx, ep, o, false)
	if !c.facts.Acceptable() {
		c.Close()
		return c.facts, nil
	}
	return c.facts, c
}

// Dial connects to ep and enforces its policy. It does not sign in. A non-nil error is an *[Error]. The caller closes the Conn.
func Dial(ctx context.Context, ep Endpoint, o *Options) (*Conn, error) {
	c := connect(ctx, ep, o, true)
	if err := c.facts.Err; err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connect is Dial (strict) and Observe. The Conn is never nil; its facts say how far it came.
func connect(ctx context.Context, ep Endpoint, o *Options, strict bool) *Conn {
	c := &Conn{
		facts:      Facts{Endpoint: ep, Started: time.Now()},
		transcript: wire.NewTranscript(transcriptLines),
		options:    o.withDefaults(),
	}
	handshake := func(ctx context.Context) error { return c.handshake(ctx, strict) }
	steps := map[Security][]step{
		TLS:       {{StageConnect, c.dial}, {StageHandshake, handshake}, {StageGreeting, c.greet}, {StageCapability, c.capability}},
		STARTTLS:  {{StageConnect, c.dial}, {StageGreeting, c.greet}, {StageStartTLS, c.startTLS}, {StageHandshake, handshake}, {StageCapability, c.capability}},
		Cleartext: {{StageConnect, c.dial}, {StageGreeting, c.greet}, {StageCapability, c.capability}},
	}[ep.Security]
	for _, s := range steps {
		if err := c.bounded(ctx, s.stage, c.options.Timeout, s.do); err != nil {
			stage := s.stage
			if errors.As(err, new(*StartTLSError)) {
				stage = StageStartTLS // where the fault lies, though it may show later
			}
			c.facts.Err = &Error{Stage: stage, Endpoint: ep, Err: err}
			break
		}
	}
	c.record()
	return c
}

// record puts the transcript so far into the facts and passes what is new to the log.
func (c *Conn) record() {
	known := len(c.facts.Transcript)
	c.facts.Transcript = c.transcript.Lines()
	if c.options.Log == nil {
		return
	}
	for _, l := range c.facts.Transcript[min(known, len(c.facts.Transcript)):] {
		c.options.Log(c.facts.Endpoint, l)
	}
}

type step struct {
	stage Stage
	do    func(context.Context) error
}

// bounded runs do, which reads and writes c.conn, under a deadline of at most limit that also ends when ctx does. It records how
// long it took. An end of ctx itself is reported as its cause.
func (c *Conn) bounded(ctx context.Context, stage Stage, limit time.Duration, do func(context.Context) error) error {
	begin := time.Now()
	limited, cancel := context.WithDeadline(ctx, begin.Add(limit))
	defer cancel()
	if c.conn != nil {
		deadline, _ := limited.Deadline()
		conn := c.conn
		conn.SetDeadline(deadline)
		stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	err := do(limited)
	c.facts.Took[stage] += max(time.Since(begin), 1)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // not the connection that it interrupted
	}
	return err
}

func (c *Conn) dial(ctx context.Context) error {
	address := c.facts.Endpoint.DialAddress()
	if ap, err := netip.ParseAddrPort(address); err == nil {
		c.facts.Remote = ap
	}
	dial, err := Via(c.facts.Endpoint.Via, c.options.DialContext)
	if err != nil {
		return err
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	c.conn = conn
	if ap, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && c.facts.Endpoint.Via == "" {
		c.facts.Remote = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	c.raw = wire.NewRaw(conn, c.transcript)
	return nil
}

// handshake runs TLS on the connection. The verdict of the policy is recorded; only strict makes it end the handshake.
func (c *Conn) handshake(ctx context.Context, strict bool) error {
	ep := c.facts.Endpoint
	config, err := ep.config()
	if err != nil {
		return err
	}
	config.VerifyConnection = func(cs tls.ConnectionState) error {
		c.facts.TLS = &TLSFacts{State: cs, Chain: cs.PeerCertificates}
		v, err := ep.verify(cs, c.options.Now())
		if err != nil {
			return err
		}
		c.facts.Faults, c.facts.Pin, c.facts.TLS.Issuer = v.faults, v.pin, v.issuer
		if strict && !c.facts.policyMet() {
			return &PolicyError{Faults: c.facts.Faults}
		}
		return nil
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.facts.CertificateRequested = true
		return new(tls.Certificate), nil // none: RFC 8446 section 4.4.2 lets the server decide
	}
	tap := &tap{Conn: c.conn}
	defer tap.seen.end()
	config.KeyLogWriter = &tap.seen
	conn := tls.Client(tap, config)
	// The deadlines of the connection end the handshake when ctx does. HandshakeContext would close the connection then, and the kernel could not
	// be asked about it any more.
	if err := conn.HandshakeContext(context.WithoutCancel(ctx)); err != nil {
		c.facts.TCP = tcpinfo.Of(tap.Conn)
		if c.facts.TLS == nil {
			c.facts.RawCertificates = tap.seen.certificates()
		}
		var record tls.RecordHeaderError
		if errors.As(err, &record) {
			c.facts.FirstBytes = tap.start()
		}
		return err
	}
	c.facts.TLS.State = conn.ConnectionState()
	c.conn = conn
	c.raw = wire.NewRaw(conn, c.transcript)
	return nil
}

// A tap keeps the first octets that are read through it: crypto/tls hands out only five of those that were no TLS record.
type tap struct {
	net.Conn
	first []byte
	seen  recording // until the handshake ends
}

// NetConn returns the connection below, for those who ask the kernel about it.
func (t *tap) NetConn() net.Conn { return t.Conn }

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.seen.add(p[:n])
	if room := firstBytes - len(t.first); room > 0 {
		t.first = append(t.first, p[:min(n, room)]...)
	}
	return n, err
}

// start returns the first line, as far as it was read, waiting shortly for the rest of a banner that came in pieces.
func (t *tap) start() []byte {
	for len(t.first) < firstBytes && bytes.IndexByte(t.first, '\n') < 0 {
		t.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := t.Read(make([]byte, firstBytes)); err != nil {
			break
		}
	}
	if i := bytes.IndexByte(t.first, '\n'); i >= 0 {
		return t.first[:i+1]
	}
	return t.first
}

// firstBytes bounds Facts.FirstBytes: enough for the banner of any protocol.
const firstBytes = 256

// A GreetingError says that the first line was not one that IMAP can go on from (RFC 9051 section 7.1.5); the line stands in Facts.Greeting.
type GreetingError struct{ Greeting wire.Response }

func (e *GreetingError) Error() string {
	switch e.Greeting.Status {
	case "BYE":
		return fmt.Sprintf("the server refused the connection: %s", e.Greeting.Text)
	case "PREAUTH":
		return "the server greets with PREAUTH: it takes us for signed in"
	}
	return fmt.Sprintf("the first line is not an IMAP greeting: %q", e.Greeting.Raw)
}

func (c *Conn) greet(context.Context) error {
	resp, err := c.raw.ReadResponse()
	if err != nil {
		if resp.Raw != "" {
			c.facts.FirstBytes = []byte(resp.Raw)
		}
		return err
	}
	c.facts.Greeting = resp
	if resp.Tag == "*" && resp.Status == "OK" {
		return nil
	}
	if resp.Tag == "*" && resp.Status == "PREAUTH" && c.facts.Endpoint.Security == STARTTLS {
		// RFC 9051 section 7.1.4: no STARTTLS from there, and no trust in it either.
		c.facts.StartTLS.Outcome = StartTLSPreAuth
	}
	if resp.Status == "" {
		c.facts.FirstBytes = []byte(resp.Raw[:min(len(resp.Raw), firstBytes)])
	}
	return &GreetingError{Greeting: resp}
}

// capability reads the capabilities that hold from here to the sign-in. Those from before TLS do not
// (RFC 9051 section 6.2.1); those of a greeting inside TLS do.
func (c *Conn) capability(context.Context) error {
	if c.facts.Endpoint.Security != STARTTLS {
		if caps, ok := c.facts.Greeting.Capabilities(); ok {
			c.facts.Capabilities = caps
			return nil
		}
	}
	caps, untagged, err := askCapabilities(c.raw)
	if again := greetedAgain(untagged); again.Status != "" && c.facts.Endpoint.Security == STARTTLS {
		c.facts.StartTLS.Outcome, c.facts.StartTLS.Answer = StartTLSGreetedAgain, again
		return &StartTLSError{StartTLS: c.facts.StartTLS}
	}
	c.facts.Capabilities = caps
	return err
}

// greetedAgain returns the greeting among the first responses inside TLS, if there is one: after STARTTLS none is sent (RFC 9051
// section 6.2.1). An OK in front of the answer to CAPABILITY is one, unless it is an ALERT.
func greetedAgain(untagged []wire.Response) wire.Response {
	for i, r := range untagged {
		if r.Status == "PREAUTH" || r.Status == "OK" && i == 0 && r.Code != "ALERT" {
			return r
		}
	}
	return wire.Response{}
}

// A CommandError says that the server refused a command that every IMAP server must take.
type CommandError struct {
	Command  string
	Response wire.Response
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("the server refused %s: %s", e.Command, e.Response.Raw)
}

// askCapabilities returns the capabilities and all untagged responses to CAPABILITY (RFC 9051 section 6.1.1).
func askCapabilities(raw *wire.Raw) (caps []string, untagged []wire.Response, err error) {
	untagged, tagged, err := raw.Do(wire.Atom("CAPABILITY"))
	if err != nil {
		return nil, untagged, err
	}
	if tagged.Status != "OK" {
		return nil, untagged, &CommandError{Command: "CAPABILITY", Response: tagged}
	}
	caps, found := tagged.Capabilities()
	for _, r := range untagged {
		if list, ok := r.Capabilities(); ok {
			caps, found = list, true
		}
	}
	if !found {
		return nil, untagged, &CommandError{Command: "CAPABILITY", Response: tagged}
	}
	return caps, untagged, nil
}

// Facts returns what the attempt showed.
func (c *Conn) Facts() Facts { return c.facts }

// Close closes the connection without LOGOUT.
func (c *Conn) Close() error {
	if c.conn == nil || c.spent {
		return nil
	}
	return closeNow(c.conn)
}

// Logout says LOGOUT, waits shortly for the answer, and closes.
func (c *Conn) Logout(ctx context.Context) error {
	if c.conn == nil || c.spent {
		return nil
	}
	return logout(ctx, c.conn, c.raw)
}

// closeNow closes conn without waiting: crypto/tls waits up to 5 s to send its close_notify to a peer that does not read.
func closeNow(conn net.Conn) error {
	conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	return conn.Close()
}

// logoutWait bounds the wait for the answer to LOGOUT: courtesy, nothing depends on it.
const logoutWait = time.Second

// logout ends an idle connection the way RFC 9051 section 6.1.3 asks for.
func logout(ctx context.Context, conn net.Conn, raw *wire.Raw) error {
	conn.SetDeadline(time.Now().Add(logoutWait))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, _, err := raw.Do(wire.Atom("LOGOUT"))
	if cerr := closeNow(conn); err == nil {
		err = cerr
	}
	return err
}
