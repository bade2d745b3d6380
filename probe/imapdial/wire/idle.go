package wire

import "time"

// A watchdog closes a connection on which nothing moves while something is due. go-imap has deadlines of
// its own, but none between two responses and one for a literal however long it is; they are ignored. A timer is used in
// place of deadlines because some connections, such as channels of SSH, have none. The Conn's mutex guards it.
type watchdog struct {
	limit   time.Duration
	timer   *time.Timer
	armed   bool
	reading bool // the reader waits for octets
	writing bool // a write is under way
	last    time.Time
}

// moved notes that octets passed, or that a wait begins.
func (w *watchdog) moved() { w.last = time.Now() }

// due reports whether anything has to move: an answer is expected and somebody waits for it. A library that does
// not read, because those who use it are busy, is not the server's fault.
func (w *watchdog) due(pending bool) bool { return w.writing || w.reading && pending }

// arm starts the timer when it is not running and has to. mu is held.
func (c *Conn) arm() {
	w := &c.watch
	if !w.armed && !c.closed && w.due(c.commands.oldest() != "") {
		w.armed = true
		w.timer.Reset(w.limit)
	}
}

// expired is what the timer calls.
func (c *Conn) expired() {
	if err := c.idleError(); err != nil {
		c.end(err)
	}
}

// idleError returns the error if nothing moved for too long, else it sets the timer for the rest of the time.
func (c *Conn) idleError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.watch
	w.armed = false
	command := c.commands.oldest()
	if c.closed || c.err != nil || !w.due(command != "") {
		return nil
	}
	if left := w.limit - time.Since(w.last); left > 0 {
		w.armed = true
		w.timer.Reset(left)
		return nil
	}
	return &IdleError{Command: command, After: w.limit}
}
