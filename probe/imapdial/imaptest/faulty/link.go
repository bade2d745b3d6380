package faulty

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// maxUnderWay is how many reads of 16 KiB are under way at most in a direction that is delayed.
const maxUnderWay = 256

// A link is one connection through a proxy.
type link struct {
	proxy          *Proxy
	accepted       time.Time
	client, server *net.TCPConn
	once           sync.Once
	over           chan struct{} // closed when nothing passes any more
	sent, received []byte        // guarded by proxy.mu
	quiet          int           // directions that have ended or stalled; guarded by proxy.mu
}

// A pump carries one direction of a link.
type pump struct {
	*link
	from, to *net.TCPConn
	up       bool
	damage   Damage
	passed   int64
	stopped  chan struct{} // closed when this direction passes nothing more
	readErr  error         // why the sender ended; valid once chunks is closed
}

// A chunk is data on its way.
type chunk struct {
	octets []byte
	due    time.Time
}

// carry carries both directions until they end or one is damaged.
func (l *link) carry(fault Fault) {
	var both sync.WaitGroup
	both.Go(l.pump(l.client, l.server, fault.Up).run)
	both.Go(l.pump(l.server, l.client, fault.Down).run)
	both.Wait()
}

func (l *link) pump(from, to *net.TCPConn, d Damage) *pump {
	return &pump{link: l, from: from, to: to, up: from == l.client, damage: d, stopped: make(chan struct{})}
}

// end closes both connections, in the way how does it. What is under way in the other direction is lost.
func (l *link) end(how func(*net.TCPConn)) {
	l.once.Do(func() {
		close(l.over)
		var both sync.WaitGroup
		both.Go(func() { how(l.client) })
		both.Go(func() { how(l.server) })
		both.Wait()
	})
}

// run carries the direction to its end.
func (p *pump) run() {
	if p.damage.Kind != None && p.damage.After == 0 {
		p.strike()
		return
	}
	chunks := make(chan chunk, maxUnderWay)
	var reader sync.WaitGroup
	reader.Go(func() { p.read(chunks) })
	p.write(chunks)
	close(p.stopped)
	if p.passed == p.damage.After && p.damage.Kind != None {
		p.strike()
	}
	reader.Wait()
}

// read reads until the sender ends, and closes chunks.
func (p *pump) read(chunks chan<- chunk) {
	defer close(chunks)
	for {
		b := make([]byte, 16<<10)
		n, err := p.from.Read(b)
		if n > 0 {
			if p.up {
				p.remember(&p.sent, b[:n])
			}
			select {
			case chunks <- chunk{b[:n], time.Now().Add(p.damage.Delay)}:
			case <-p.stopped:
				return
			}
		}
		if err != nil {
			p.readErr = err
			return
		}
	}
}

// write passes on what read has got, each octet when it is due, until the damage or the end.
func (p *pump) write(chunks <-chan chunk) {
	for c := range chunks {
		if !p.wait(c.due) {
			return
		}
		octets, last := c.octets, false
		if left := p.damage.After - p.passed; p.damage.Kind != None && int64(len(octets)) >= left {
			octets, last = octets[:left], true // run does the damage
		}
		if err := p.pass(octets); err != nil {
			p.end(reset) // the receiver is gone, and the sender shall hear of it
			return
		}
		if last {
			return
		}
	}
	if errors.Is(p.readErr, syscall.ECONNRESET) {
		p.end(reset)
		return
	}
	p.to.CloseWrite() // the other direction goes on
	p.rest()
}

// rest notes that this direction carries nothing more. When neither does, the connection is over.
func (p *pump) rest() {
	p.proxy.mu.Lock()
	p.quiet++
	both := p.quiet == 2
	p.proxy.mu.Unlock()
	if both {
		p.end(finish)
	}
}

// wait waits until due and reports whether the link is still there.
func (p *pump) wait(due time.Time) bool {
	d := time.Until(due)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.over:
	case <-p.proxy.done:
	}
	return false
}

func (p *pump) pass(octets []byte) error {
	if _, err := p.to.Write(octets); err != nil {
		return err
	}
	p.passed += int64(len(octets))
	if !p.up {
		p.remember(&p.received, octets)
	}
	p.proxy.mu.Lock()
	defer p.proxy.mu.Unlock()
	if p.up {
		p.proxy.sent += int64(len(octets))
	} else {
		p.proxy.received += int64(len(octets))
	}
	return nil
}

func (p *pump) remember(record *[]byte, octets []byte) {
	p.proxy.mu.Lock()
	defer p.proxy.mu.Unlock()
	*record = append(*record, octets[:min(len(octets), maxRecord-len(*record))]...)
}

// strike does the damage.
func (p *pump) strike() {
	switch p.damage.Kind {
	case Close:
		p.end(finish)
	case Reset:
		settle(p.accepted, p.over)
		p.end(reset)
	case Stall:
		p.stall()
	}
}

// stall waits until the connection is over.
func (p *pump) stall() {
	p.rest()
	select {
	case <-p.over:
	case <-p.proxy.done:
	}
}
