package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
)

// readSize is how much is asked of the connection at once: four records of TLS. go-imap's own reads of 4 KiB would
// cost it a third of its time in system calls.
const readSize = 64 << 10

// maxIdleBuffer is what an emptied buffer may keep; the rest of a long response goes back.
const maxIdleBuffer = 256 << 10

// inbound is the way from the server to the library: octets are cut into responses (RFC 9051 section 2.2.2), each is held
// until it is complete, mended, and handed out. The literals of FETCH alone pass through as they come.
// Only Read uses it.
type inbound struct {
	buf          []byte
	read, filled int // buf[read:filled] is not looked at yet

	mender  mender
	outRead int // so much of what the mender wrote is handed out

	literal int64 // octets of a literal that pass through
	swallow bool  // they go nowhere: its item was left out

	response incoming
	ended    error // what Read says from now on
	failed   bool  // Read has said an error within a literal
}

func (in *inbound) init(c *Conn, o Options) {
	in.buf = make([]byte, readSize)
	in.response.lexer.maxDepth = c.limits.Depth
	in.mender = mender{conn: c, caps: o.Caps}
	if o.Greeting != "" {
		// Its capabilities are the server's words too.
		in.mender.line([]byte(o.Greeting))
	}
}

// Read hands out what the library may see. The errors are those of Err, io.EOF when the server closed the connection
// between two responses with nothing pending, and net.ErrClosed after Close.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.next(p)
	if err != nil && c.in.literal > 0 && !c.in.swallow && c.in.unreadOut() == 0 && !c.in.failed {
		c.in.failed = true
		c.cutShort.Store(true)
	}
	return n, err
}

func (c *Conn) next(p []byte) (int, error) {
	in := &c.in
	for {
		switch {
		case c.stopped.Load():
			return 0, c.stopReason()
		case in.unreadOut() > 0:
			n := copy(p, in.mender.out[in.outRead:])
			in.outRead += n
			return n, nil
		case in.ended != nil:
			return 0, in.ended
		case in.read == in.filled:
			in.ended = c.fill()
		case in.literal > 0:
			if n := in.passLiteral(p); n > 0 {
				return n, nil
			}
		default:
			in.recycle()
			if err := c.take(); err != nil {
				c.end(err)
			}
		}
	}
}

func (in *inbound) unreadOut() int { return len(in.mender.out) - in.outRead }

// stopReason returns what ended the connection on this side.
func (c *Conn) stopReason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return net.ErrClosed
}

// recycle makes room for what the library is to read next.
func (in *inbound) recycle() {
	in.outRead = 0
	in.mender.out = in.mender.out[:0]
	if cap(in.mender.out) > maxIdleBuffer {
		in.mender.out = nil
	}
}

// passLiteral copies octets of a literal to p, or swallows them and returns 0.
func (in *inbound) passLiteral(p []byte) int {
	n := min(int64(in.filled-in.read), in.literal)
	if in.swallow {
		in.read += int(n)
		in.literal -= n
		return 0
	}
	copied := copy(p, in.buf[in.read:in.read+int(n)])
	in.read += copied
	in.literal -= int64(copied)
	return copied
}

// fill waits for octets from the server. An error is for Read to say.
func (c *Conn) fill() error {
	in := &c.in
	c.mu.Lock()
	c.watch.reading = true
	c.watch.moved()
	c.arm()
	c.mu.Unlock()

	n, err := c.conn.Read(in.buf)
	in.read, in.filled = 0, n

	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.reading = false
	c.passed(&c.stats.Received, n)
	switch {
	case n > 0 || err == nil:
		return nil // an error comes again
	case c.err != nil || c.closed:
		return nil // Read looks
	}
	c.err = c.explain(err)
	if errors.Is(c.err, io.EOF) {
		return io.EOF
	}
	// In the middle of a literal go-imap takes io.EOF for its end, and hands out a message cut short without a word.
	return c.err
}

// explain says what err, from the connection, interrupted. mu is held.
func (c *Conn) explain(err error) error {
	where := c.in.where()
	pending := c.commands.oldest()
	switch ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); {
	case ended && where != "":
		return fmt.Errorf("the connection ended %s: %w", where, io.ErrUnexpectedEOF)
	case ended && pending != "":
		return fmt.Errorf("the server closed the connection before it answered %s: %w", pending, io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the server closed the connection: %w", io.EOF)
	case where != "":
		return fmt.Errorf("reading from the server %s: %w", where, err)
	}
	return fmt.Errorf("reading from the server: %w", err)
}

// where says what is incomplete, or "".
func (in *inbound) where() string {
	switch r := &in.response; {
	case in.literal > 0:
		return fmt.Sprintf("within a literal, %d octets short", in.literal)
	case r.need > 0:
		return fmt.Sprintf("within a literal, %d octets short", r.need)
	case r.started():
		return "within a response"
	}
	return ""
}

// take moves octets from buf into the response, up to the end of a line or of a literal, and deals with what is complete.
func (c *Conn) take() error {
	in := &c.in
	r := &in.response
	chunk := in.buf[in.read:in.filled]
	if r.need > 0 {
		chunk = chunk[:min(int64(len(chunk)), r.need)]
		in.read += len(chunk)
		r.held = append(r.held, chunk...)
		r.need -= int64(len(chunk))
		if r.need == 0 {
			r.lexer.literalHeld(len(r.held))
			r.lineStart = len(r.held)
		}
		return nil
	}
	end := bytes.IndexByte(chunk, '\n') + 1
	if end > 0 {
		chunk = chunk[:end]
	}
	if limit := r.limit(c.limits.Line); r.octets+len(chunk) > limit {
		return &LimitError{What: "octets in one response", Limit: int64(limit)}
	}
	in.read += len(chunk)
	r.octets += len(chunk)
	r.held = append(r.held, chunk...)
	if end == 0 {
		return nil
	}
	return c.endOfLine()
}

// endOfLine deals with a line that is complete: it ends the response, or in a literal.
func (c *Conn) endOfLine() error {
	in := &c.in
	r := &in.response
	part := r.held[r.lineStart:]
	part = bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r"))
	if r.kind == kindUnknown {
		r.classify(part)
	}
	if c.wantsText() {
		r.shown = append(r.shown, part...)
	}
	text := r.held[:r.lineStart+len(part)]
	if !r.kind.lexed() {
		return c.endOfResponse(text)
	}
	n, isLiteral, err := r.lexer.line(text)
	if err != nil {
		return err
	}
	if !isLiteral {
		return c.endOfResponse(text)
	}
	if r.kind != kindFetch || r.lexer.depth != 1 {
		return c.holdLiteral(n)
	}
	if n > c.limits.Literal {
		return &LimitError{What: "octets in one literal", Limit: c.limits.Literal}
	}
	in.literal = n
	in.swallow = !in.mender.fetchUpToLiteral(r, n)
	r.nextSegment()
	return nil
}

// holdLiteral prepares for a literal that becomes part of the response held in memory.
func (c *Conn) holdLiteral(n int64) error {
	r := &c.in.response
	if int64(r.octets)+n > int64(c.limits.Line) {
		return &LimitError{What: "octets in one response", Limit: int64(c.limits.Line)}
	}
	r.octets += int(n)
	r.need = n
	r.lexer.literalAt(len(r.held))
	if n == 0 {
		r.lexer.literalHeld(len(r.held))
		r.lineStart = len(r.held)
	}
	return nil
}

func (c *Conn) wantsText() bool { return c.hook != nil || c.transcript != nil }

// endOfResponse counts a complete response, shows it and writes what the library is to see of it.
func (c *Conn) endOfResponse(text []byte) error {
	in := &c.in
	r := &in.response
	if c.wantsText() {
		shown := string(r.shown)
		c.transcript.Add(false, shown)
		if c.hook != nil {
			c.hook(shown)
		}
	}
	if err := c.count(r); err != nil {
		return err
	}
	err := in.mender.mend(r, text)
	r.reset()
	return err
}

// counts are the responses to the commands under way.
type counts struct {
	untagged, listed                  int
	listedOctets, search, otherOctets int
}

// count holds a response against the bounds on what one command may bring.
func (c *Conn) count(r *incoming) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.counts
	n.untagged++
	switch {
	case r.kind == kindNumbers:
		n.search += r.octets
	case r.word == "LIST":
		n.listed++
		n.listedOctets += r.octets
	case r.word == "STATUS": // LIST may bring one with each mailbox (RFC 5819)
		n.listedOctets += r.octets
	case dataMenders[r.word] != nil:
		n.otherOctets += r.octets
	}
	for _, bound := range []struct {
		have, limit int
		what        string
	}{
		{n.untagged, c.limits.Untagged, "responses to one command"},
		{n.listed, maxListed, "mailboxes in answer to one command"},
		{n.listedOctets, listLines * c.limits.Line, "octets of LIST and STATUS in answer to one command"},
		{n.search, searchLines * c.limits.Line, "octets of search results in answer to one command"},
		{n.otherOctets, otherLines * c.limits.Line, "octets in answer to one command, messages left out"},
	} {
		if bound.have > bound.limit {
			return &LimitError{What: bound.what, Limit: int64(bound.limit)}
		}
	}
	return nil
}
