package wire

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is the net.Conn under go-imap. It guards what comes in (bounds, mending of lines that the
// library's parser dies of, a line hook, idle time-outs of its own in place of the library's) and changes
// nothing that goes out.
//
// Only what the library can parse reaches it, written anew: CAPABILITY, ENABLED, FLAGS, LIST, STATUS, SEARCH, ESEARCH, SORT,
// NAMESPACE, QUOTA, QUOTAROOT, ID, FETCH, EXISTS, RECENT, EXPUNGE and the status responses. Other data is dropped; what a
// response holds that the library would die of is left out or replaced, and counted in [Conn.Mends].
//
// Read is called by one goroutine at a time and Write by one at a time, all else by any.
type Conn struct {
	conn       net.Conn
	limits     Limits
	transcript *Transcript
	hook       func(string)
	in         inbound     // the reader's
	stopped    atomic.Bool // what is buffered is not handed out any more
	cutShort   atomic.Bool // a literal ended in an error while it was handed out

	mu         sync.Mutex // guards what follows
	commands   commands
	watch      watchdog
	counts     counts
	err        error     // why reading or writing ended
	bye        *ByeError // the server's last words
	closed     bool
	readerDone <-chan struct{}
	mends      mends
	names      nameTable
	stats      Stats
}

// Options are the settings of a Conn. The zero value is usable.
type Options struct {
	Limits     Limits
	Transcript *Transcript
	// Greeting is fed to the library before anything from the server; it holds no CRLF.
	Greeting string
	// Caps replaces the list in every CAPABILITY response and code that passes, so that the library sees only what
	// we want it to use (never IMAP4rev2: go-imap then sends raw UTF-8 names).
	Caps []string
	// Line, if not nil, is called with each complete response from the server as it came (literals folded, not made printable), on the
	// reader's goroutine, before the library sees its end.
	Line func(text string)
}

// Stats count what passed a Conn.
type Stats struct {
	Received int64     // octets from the server
	Sent     int64     // octets to the server
	Last     time.Time // when octets last passed, in either direction
}

// NewConn returns a Conn on c. Closing it closes c.
func NewConn(c net.Conn, o Options) *Conn {
	conn := &Conn{conn: c, limits: o.Limits.withDefaults(), transcript: o.Transcript, hook: o.Line}
	conn.watch.limit = conn.limits.Idle
	conn.watch.timer = time.AfterFunc(time.Hour, conn.expired)
	conn.watch.timer.Stop()
	conn.in.init(conn, o)
	return conn
}

// ReaderDone tells the Conn when the library has stopped reading: done is imapclient.Client.Closed. go-imap races
// with itself when a write fails while its reader hands out a response, so a Write that failed waits for done, shortly, before it says so.
func (c *Conn) ReaderDone(done <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readerDone = done
}

// Err returns why the Conn stopped reading, or nil: *[LimitError], *[SyntaxError], *[IdleError], *[ByeError] with the server's words,
// or the error of the connection below; io.ErrUnexpectedEOF is in it when the connection ended before an answer, or within one. It
// explains the library's bare "unexpected EOF". After Close alone it is nil.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil && c.bye != nil && fromConnection(c.err) {
		return c.bye
	}
	return c.err
}

// Stats returns what passed so far.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// passed counts n octets that went one way. mu is held.
func (c *Conn) passed(total *int64, n int) {
	*total += int64(n)
	c.watch.moved()
	if n > 0 {
		c.stats.Last = c.watch.last
	}
}

// end records why the connection ends and closes it. The first reason stays.
func (c *Conn) end(err error) {
	c.mu.Lock()
	first := c.err == nil && !c.closed
	if first {
		c.err = err
	}
	c.mu.Unlock()
	c.stopped.Store(true)
	if first {
		abort(c.conn)
	}
}

// abort closes c without the goodbye of TLS, which waits for a peer that may not read.
func abort(c net.Conn) {
	if p, ok := c.(*prefixed); ok {
		c = p.Conn
	}
	if below, ok := c.(interface{ NetConn() net.Conn }); ok {
		below.NetConn().Close()
	}
	c.Close()
}

// Write sends p as it is. Deadlines do not apply; the idle time-out does.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.closed || c.err != nil {
		c.mu.Unlock()
		return 0, c.awaitReader(net.ErrClosed)
	}
	if len(c.commands.pending) == 0 {
		c.counts = counts{}
	}
	for _, line := range c.commands.sent(p) {
		c.transcript.Add(true, line)
	}
	c.watch.writing = true
	c.watch.moved()
	c.arm()
	c.mu.Unlock()

	n, err := c.conn.Write(p)

	c.mu.Lock()
	c.watch.writing = false
	c.passed(&c.stats.Sent, n)
	c.mu.Unlock()
	if err != nil {
		c.end(fmt.Errorf("sending to the server: %w", err))
		return n, c.awaitReader(err)
	}
	return n, nil
}

// readerWait bounds the wait for the library's reader. It ends at once unless it waits for those who read its responses.
const readerWait = time.Second

// awaitReader returns err once the library's reader has ended, or readerWait is over.
func (c *Conn) awaitReader(err error) error {
	c.mu.Lock()
	done := c.readerDone
	c.mu.Unlock()
	if done == nil {
		return err
	}
	t := time.NewTimer(readerWait)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
	return err
}

// Close closes the connection. It does not wait for a Read or Write under way: they end with an error. After
// the first call it returns net.ErrClosed.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	c.stopped.Store(true)
	c.watch.timer.Stop()
	ended := c.err != nil
	c.mu.Unlock()
	err := c.conn.Close()
	if ended {
		return nil // Err says what matters
	}
	return err
}

// LocalAddr returns the address on this side.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the server's address.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline does nothing: the idle time-out takes the place of the library's deadlines.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline sets no deadline either, but it may end the goroutine that calls it, which is the library's reader.
//
// When a literal of FETCH ends in an error, whoever reads it goes on reading it (FetchCommand.Close does, to skip it), while
// the library's reader wakes up and looks into the same bufio.Reader: a data race. The reader's next step is to set a deadline. It
// has nothing left to do but what its deferred calls do, which complete all commands with an error and close the connection.
func (c *Conn) SetReadDeadline(time.Time) error {
	if c.cutShort.CompareAndSwap(true, false) {
		runtime.Goexit()
	}
	return nil
}
