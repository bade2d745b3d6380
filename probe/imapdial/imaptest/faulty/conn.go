package faulty

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	maxLine    = 64 << 10 // octets of a line that a script reads
	maxLiteral = 1 << 20  // octets of a literal in a command
	// A reset that overtakes the client's connect makes that fail, and the client sees another fault than the one it is to be shown.
	settleTime = 20 * time.Millisecond
	drainLimit = 2 * time.Second // how long a closed connection waits for the peer to close too
)

// A Conn is a script's end of a connection. After a failed step all further ones do nothing, so a script needs no error
// handling; Err tells. It is used by one goroutine.
type Conn struct {
	server   *Server
	number   int
	accepted time.Time
	tcp      *net.TCPConn
	tls      *tls.Conn // nil before a handshake
	r        *bufio.Reader
	tag      string // of the last command
	ended    bool
	err      error
}

func newConn(s *Server, tcp *net.TCPConn, number int) *Conn {
	c := &Conn{server: s, tcp: tcp, number: number, accepted: time.Now()}
	c.r = bufio.NewReader(recorder{s, tcp})
	return c
}

// A recorder tells the server what is read.
type recorder struct {
	server *Server
	r      io.Reader
}

func (r recorder) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.server.remember(b[:n])
	return n, err
}

// Err returns the error of the first step that failed, nil if none did.
func (c *Conn) Err() error { return c.err }

// Number returns which connection of its server this is; the first is 1.
func (c *Conn) Number() int { return c.number }

// Secured reports whether a handshake was done.
func (c *Conn) Secured() bool { return c.tls != nil }

// NetConn returns the TCP connection below.
func (c *Conn) NetConn() *net.TCPConn { return c.tcp }

// over reports whether further steps are to do nothing.
func (c *Conn) over() bool { return c.err != nil || c.ended }

// fail remembers the first error.
func (c *Conn) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Send sends text as it is, in one write.
func (c *Conn) Send(text string) {
	if c.over() {
		return
	}
	var w io.Writer = c.tcp
	if c.tls != nil {
		w = c.tls
	}
	if _, err := io.WriteString(w, text); err != nil {
		c.fail(err)
	}
}

// Line sends text and CRLF.
func (c *Conn) Line(text string) { c.Send(text + "\r\n") }

// ReadLine reads a line and returns it without its end.
func (c *Conn) ReadLine() string {
	if c.over() {
		return ""
	}
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return string(bytes.TrimRight(line, "\r\n"))
		case err != bufio.ErrBufferFull:
			c.fail(err)
			return ""
		case len(line) > maxLine:
			c.fail(fmt.Errorf("line of more than %d octets", maxLine))
			return ""
		}
	}
}

// Read reads n octets.
func (c *Conn) Read(n int) []byte {
	if c.over() {
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		c.fail(err)
		return nil
	}
	return b
}

// Command reads a command and returns its parts: the tag, the name in upper case, the rest. It asks for literals and leaves them in the rest as
// they came, {n} CRLF and the octets. All parts are "" after a failure.
func (c *Conn) Command() (tag, name, args string) {
	text := c.ReadLine()
	for {
		n, sync, ok := literalAtEnd(text)
		if !ok || c.over() {
			break
		}
		if n > maxLiteral {
			c.fail(fmt.Errorf("literal of %d octets", n))
			break
		}
		if sync {
			c.Line("+ go on")
		}
		text += "\r\n" + string(c.Read(n)) + c.ReadLine()
	}
	if c.over() {
		return "", "", ""
	}
	tag, rest, _ := strings.Cut(text, " ")
	name, args, _ = strings.Cut(rest, " ")
	c.tag = tag
	return tag, strings.ToUpper(name), args
}

// literalAtEnd reports whether a line ends in {n} or {n+} (RFC 9051 section 4.3, RFC 7888).
func literalAtEnd(line string) (n int, sync, ok bool) {
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, false, false
	}
	digits, plus := strings.CutSuffix(line[open+1:len(line)-1], "+")
	n, err := strconv.Atoi(digits)
	return n, !plus, err == nil && n >= 0
}

// Expect reads a command and fails unless it is called name. It returns the tag.
func (c *Conn) Expect(name string) (tag string) {
	tag, got, _ := c.Command()
	if !c.over() && !strings.EqualFold(got, name) {
		c.fail(fmt.Errorf("got the command %q, want %s", got, name))
		return ""
	}
	return tag
}

// StartTLS does a handshake as the server. What was read ahead in the clear belongs to the handshake.
func (c *Conn) StartTLS(cfg *tls.Config) {
	if c.over() {
		return
	}
	ahead, err := c.r.Peek(c.r.Buffered())
	if err != nil {
		c.fail(err)
		return
	}
	conn := tls.Server(&aheadConn{Conn: c.tcp, r: io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), c.tcp)}, cfg)
	if err := conn.Handshake(); err != nil {
		c.fail(fmt.Errorf("handshake: %w", err))
		return
	}
	c.tls = conn
	c.r = bufio.NewReader(recorder{c.server, conn})
}

// An aheadConn gives out first what was read ahead.
type aheadConn struct {
	net.Conn
	r io.Reader
}

func (c *aheadConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// Wait waits for d.
func (c *Conn) Wait(d time.Duration) {
	if c.over() {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.server.done:
	}
}

// AwaitData waits until the client has sent something, and reads nothing.
func (c *Conn) AwaitData() {
	if c.over() {
		return
	}
	if _, err := c.r.Peek(1); err != nil {
		c.fail(err)
	}
}

// Stall reads and ignores what comes, and returns when the peer or the server closes.
func (c *Conn) Stall() {
	if c.over() {
		return
	}
	if _, err := io.Copy(io.Discard, c.r); err != nil {
		c.fail(err)
	}
}

// Deaf reads nothing and returns when the server closes.
func (c *Conn) Deaf() {
	if !c.over() {
		<-c.server.done
	}
}

// Close closes the connection in good order: inside TLS with close_notify, then FIN.
func (c *Conn) Close() {
	if c.over() {
		return
	}
	if c.tls != nil {
		c.tls.CloseWrite()
	}
	c.Cut()
}

// Cut closes the TCP connection with FIN, without close_notify.
func (c *Conn) Cut() {
	if c.over() {
		return
	}
	c.ended = true
	finish(c.tcp)
}

// finish closes a connection with FIN. Linux sends RST instead when there is something unread, so what comes is read until the
// peer closes too.
func finish(conn *net.TCPConn) {
	conn.CloseWrite()
	conn.SetReadDeadline(time.Now().Add(drainLimit))
	io.Copy(io.Discard, conn)
	conn.Close()
}

// Reset closes the connection with RST.
func (c *Conn) Reset() {
	if c.over() {
		return
	}
	c.ended = true
	settle(c.accepted, c.server.done)
	reset(c.tcp)
}

// settle waits until a connection is older than settleTime, or until done.
func settle(accepted time.Time, done <-chan struct{}) {
	timer := time.NewTimer(settleTime - time.Since(accepted))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
	}
}

// reset closes a connection with RST.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}

// end closes what the script left open.
func (c *Conn) end() {
	if c.err != nil {
		c.tcp.Close()
		return
	}
	c.Close()
}
