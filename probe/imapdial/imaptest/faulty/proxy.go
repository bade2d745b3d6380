package faulty

import (
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// maxRecord bounds what a Proxy remembers of one direction of a connection.
const maxRecord = 4 << 20

// A Proxy carries TCP connections to another address and damages them. Its methods are safe for concurrent use.
type Proxy struct {
	listener *net.TCPListener
	target   string
	running  sync.WaitGroup
	done     chan struct{} // closed by Close

	mu             sync.Mutex // guards what follows
	plan           func(n int) Fault
	closed         bool
	open           map[*net.TCPConn]struct{}
	links          []*link
	accepted       int
	sent, received int64
}

// A Fault is what happens to one connection. The zero value carries everything.
type Fault struct {
	Up     Damage // from the client to the server
	Down   Damage // from the server to the client
	Refuse bool   // reset as soon as it was accepted; the server hears nothing of it
}

// Damage is what happens to one direction. After octets pass unharmed; then Kind happens, at once, whether more comes or not. The octets
// passed are exactly After.
type Damage struct {
	Kind  Kind
	After int64
	Delay time.Duration // of every octet, one way; order and throughput stay
}

// Kind is a kind of damage.
type Kind uint8

// The kinds.
const (
	None  Kind = iota
	Close      // FIN to both sides
	Reset      // RST to both sides
	Stall      // in this direction nothing passes any more, not even that the sender closes
)

// NewProxy starts a proxy on a free port of 127.0.0.1 in front of target (ip:port). plan says what happens to connection n, the
// first being 1; nil damages nothing. The caller must call Close.
func NewProxy(target string, plan func(n int) Fault) (*Proxy, error) {
	listener, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, plan: plan, done: make(chan struct{}), open: make(map[*net.TCPConn]struct{})}
	p.running.Go(p.acceptLoop)
	return p, nil
}

func (p *Proxy) acceptLoop() {
	for {
		client, err := p.listener.AcceptTCP()
		if err != nil {
			return
		}
		if !p.track(client) {
			return
		}
		p.mu.Lock()
		p.accepted++
		var fault Fault
		if p.plan != nil {
			fault = p.plan(p.accepted)
		}
		p.mu.Unlock()
		p.running.Go(func() { p.carry(client, fault) })
	}
}

// track remembers a connection, so that Close can close it. It reports false, and closes conn, when the proxy is closed.
func (p *Proxy) track(conn *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		conn.Close()
		return false
	}
	p.open[conn] = struct{}{}
	return true
}

// carry serves one connection to its end.
func (p *Proxy) carry(client *net.TCPConn, fault Fault) {
	defer p.forget(client)
	accepted := time.Now()
	if fault.Refuse {
		settle(accepted, p.done)
		reset(client)
		return
	}
	conn, err := net.Dial("tcp", p.target)
	if err != nil {
		settle(accepted, p.done)
		reset(client) // as near as a proxy can come to a port where nothing listens
		return
	}
	server := conn.(*net.TCPConn)
	if !p.track(server) {
		client.Close()
		return
	}
	defer p.forget(server)
	l := &link{proxy: p, accepted: accepted, client: client, server: server, over: make(chan struct{})}
	p.mu.Lock()
	p.links = append(p.links, l)
	p.mu.Unlock()
	l.carry(fault)
}

// forget closes a connection.
func (p *Proxy) forget(conn *net.TCPConn) {
	conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

// Close ends all connections and returns when all is over.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.done)
	for conn := range p.open {
		conn.Close()
	}
	p.mu.Unlock()
	err := p.listener.Close()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Address returns ip:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Port returns the port.
func (p *Proxy) Port() uint16 { return p.listener.Addr().(*net.TCPAddr).AddrPort().Port() }

// Connections returns how many connections were accepted.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// SetPlan replaces the plan for the connections to come.
func (p *Proxy) SetPlan(plan func(n int) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
}

// Sent returns what clients sent, as on the wire and whether it passed or not, connection after connection; of each at most the
// first 4 MiB.
func (p *Proxy) Sent() []byte { return p.record(func(l *link) []byte { return l.sent }) }

// Received returns what clients got through the proxy, in the same way.
func (p *Proxy) Received() []byte { return p.record(func(l *link) []byte { return l.received }) }

func (p *Proxy) record(of func(*link) []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all [][]byte
	for _, l := range p.links {
		all = append(all, of(l))
	}
	return slices.Concat(all...)
}

// Octets returns how many octets passed in each direction, over all connections.
func (p *Proxy) Octets() (sent, received int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, p.received
}
