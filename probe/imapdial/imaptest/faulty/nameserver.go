package faulty

import (
	"fmt"
	"net"
	"strings"
	"sync"

	miekg "github.com/miekg/dns"
)

// A Zone is what a [NameServer] knows, and how it goes wrong. The keys of its maps are NAME, or NAME/TYPE such as "imap.example/AAAA";
// names are in lower case and without the dot of the root.
type Zone struct {
	Records   []string          // as lines of a zone file, with full names
	Rcode     map[string]int    // answered in place of what the records say
	Bogus     map[string]uint16 // SERVFAIL with this extended error (RFC 8914), unless the question has the CD bit
	Silent    map[string]bool   // not answered at all
	Signed    bool              // answers have the AD bit
	Truncated bool              // no answer fits into a datagram
	NoEDNS    bool              // questions with EDNS get FORMERR
	NoTCP     bool              // nothing listens on the TCP port
	Stray     bool              // every answer over UDP comes after one to another question and one that cannot be read
}

// A NameServer answers DNS questions on loopback, over UDP and TCP. Close ends it.
type NameServer struct {
	Address string // 127.0.0.1:PORT
	zone    Zone
	records []miekg.RR
	servers []*miekg.Server
	serving sync.WaitGroup

	mu        sync.Mutex // guards questions
	questions []string
}

// ServeNames starts a server for zone.
func ServeNames(zone Zone) (*NameServer, error) {
	n := &NameServer{zone: zone}
	for _, line := range zone.Records {
		rr, err := miekg.NewRR(line)
		if err != nil {
			return nil, fmt.Errorf("record %q: %w", line, err)
		}
		n.records = append(n.records, rr)
	}
	udp, tcp, err := listenBoth()
	if err != nil {
		return nil, err
	}
	n.Address = udp.LocalAddr().String()
	n.servers = []*miekg.Server{{PacketConn: udp, Handler: n}}
	if zone.NoTCP {
		tcp.Close()
	} else {
		n.servers = append(n.servers, &miekg.Server{Listener: tcp, Handler: n})
	}
	for _, s := range n.servers {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		n.serving.Go(func() { s.ActivateAndServe() })
		<-started
	}
	return n, nil
}

// listenBoth takes a port that is free for both protocols.
func listenBoth() (net.PacketConn, net.Listener, error) {
	var failed error
	for range 20 { // any one may be in use for the other protocol
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp, nil
		}
		tcp.Close()
		failed = err
	}
	return nil, nil, failed
}

// Close ends the server and waits for it.
func (n *NameServer) Close() {
	for _, s := range n.servers {
		s.Shutdown()
	}
	n.serving.Wait()
}

// Questions lists what was asked, as "NAME TYPE", in time; questions over TCP end in " tcp", those with the CD bit in " cd".
func (n *NameServer) Questions() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.questions...)
}

// ServeDNS answers one question.
func (n *NameServer) ServeDNS(w miekg.ResponseWriter, q *miekg.Msg) {
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	qtype := miekg.TypeToString[q.Question[0].Qtype]
	_, overTCP := w.RemoteAddr().(*net.TCPAddr)
	n.record(name, qtype, overTCP, q.CheckingDisabled)
	if has(n.zone.Silent, name, qtype) {
		return
	}
	r := n.answer(q, name, qtype)
	if n.zone.Truncated && !overTCP {
		r.Truncated, r.Answer = true, nil
	}
	if n.zone.Stray && !overTCP {
		w.Write([]byte{1, 2, 3})
		other := r.Copy()
		other.Id++
		w.WriteMsg(other)
	}
	w.WriteMsg(r)
}

func (n *NameServer) record(name, qtype string, overTCP, unchecked bool) {
	text := name + " " + qtype
	if overTCP {
		text += " tcp"
	}
	if unchecked {
		text += " cd"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.questions = append(n.questions, text)
}

func (n *NameServer) answer(q *miekg.Msg, name, qtype string) *miekg.Msg {
	r := new(miekg.Msg).SetReply(q)
	r.RecursionAvailable = true
	if n.zone.NoEDNS && q.IsEdns0() != nil {
		r.Rcode = miekg.RcodeFormatError
		return r
	}
	if code, ok := lookup(n.zone.Bogus, name, qtype); ok && !q.CheckingDisabled {
		r.Rcode = miekg.RcodeServerFailure
		r.SetEdns0(1232, false)
		opt := r.IsEdns0()
		opt.Option = append(opt.Option, &miekg.EDNS0_EDE{InfoCode: code, ExtraText: "test"})
		return r
	}
	if code, ok := lookup(n.zone.Rcode, name, qtype); ok {
		r.Rcode = code
		return r
	}
	r.AuthenticatedData = n.zone.Signed
	n.fill(r, name, q.Question[0].Qtype)
	return r
}

// fill adds the records of the name, and of what its aliases lead to.
func (n *NameServer) fill(r *miekg.Msg, name string, qtype uint16) {
	exists := false
	for range 8 { // as many aliases as a chain may have
		next := ""
		for _, rr := range n.records {
			owner := strings.ToLower(strings.TrimSuffix(rr.Header().Name, "."))
			exists = exists || owner == name || strings.HasSuffix(owner, "."+name)
			if owner != name {
				continue
			}
			alias, isAlias := rr.(*miekg.CNAME)
			if rr.Header().Rrtype == qtype || isAlias {
				r.Answer = append(r.Answer, rr)
			}
			if isAlias {
				next = strings.ToLower(strings.TrimSuffix(alias.Target, "."))
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	if !exists {
		r.Rcode = miekg.RcodeNameError
	}
}

func lookup[T any](m map[string]T, name, qtype string) (T, bool) {
	v, ok := m[name+"/"+qtype]
	if !ok {
		v, ok = m[name]
	}
	return v, ok
}

func has(m map[string]bool, name, qtype string) bool {
	v, _ := lookup(m, name, qtype)
	return v
}
