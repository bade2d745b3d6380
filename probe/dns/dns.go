// Package dns asks name servers itself and tells their answers apart: a name that does not exist, one without the record, a failure, a
// refusal, silence, broken DNSSEC. It also reads the hosts file and knows the special-use names. What an answer means for a job is left
// to the caller, and so is the choice of addresses: names come from the system's resolver.
//
// Not guaranteed: that an answer is authentic. Nothing is validated here; the AD bit is the word of the server that was asked.
package dns

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// A Client asks name servers. It is safe for concurrent use as long as nobody changes it.
type Client struct {
	// Servers are asked in this order, as HOST:PORT. Without one every question ends as [Silent].
	Servers []string
	Timeout time.Duration // of one try; 0 means 1 s
	Hosts   string        // path of the hosts file; "" means the system's
}

// System returns a client for the servers of resolv.conf; it has none where there is no such file.
func System() *Client {
	config, err := miekg.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return &Client{}
	}
	c := &Client{}
	for _, server := range config.Servers[:min(len(config.Servers), maxServers)] {
		c.Servers = append(c.Servers, net.JoinHostPort(server, config.Port))
	}
	return c
}

// ParseServer reads HOST or HOST:PORT; an IPv6 address with a port stands in brackets. The port is 53 when none is given.
func ParseServer(text string) (string, error) {
	host, port := strings.Trim(text, "[]"), "53"
	if net.ParseIP(host) == nil {
		host = text
		if h, p, err := net.SplitHostPort(text); err == nil {
			host, port = h, p
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("the port is not a number from 1 to 65535")
	}
	if _, ok := miekg.IsDomainName(host); net.ParseIP(host) == nil && (!ok || host == "" || strings.ContainsAny(host, ":/@[]% \t\r\n")) {
		return "", errors.New("it is not HOST or HOST:PORT")
	}
	return net.JoinHostPort(host, port), nil
}

// Bounds of a question, so that no server can hold up a probe: a lost datagram is sent again once, and no more servers are tried
// than a resolver of the C library would (resolv.conf(5): MAXNS).
const (
	defaultTimeout = time.Second
	maxServers     = 3
	minTries       = 2
	// maxDatagrams is how many answers to other questions are passed over.
	maxDatagrams = 16
	// payloadSize is what fits on every path without fragments (DNS flag day 2020).
	payloadSize = 1232
)

func (c *Client) timeout() time.Duration {
	if c.Timeout == 0 {
		return defaultTimeout
	}
	return c.Timeout
}

func (c *Client) tries() int { return max(minTries, min(len(c.Servers), maxServers)) }

// Ask asks the servers for the records of one type, one server after the other until one has a definite answer. A failure is asked for
// once more without validation: if there is an answer then, it was DNSSEC that failed ([Bogus]).
func (c *Client) Ask(ctx context.Context, name string, qtype uint16) Answer {
	begin := time.Now()
	a := Answer{Name: name, Type: qtype, Err: errNoServer}
	for i := range c.tries() {
		if len(c.Servers) == 0 || ctx.Err() != nil {
			break
		}
		if i >= len(c.Servers) && a.Outcome != Silent {
			break // it was heard, and would say the same again
		}
		next := c.query(ctx, c.Servers[i%len(c.Servers)], name, qtype, false)
		if a.Outcome == Silent {
			a = next // an answer of any kind says more than silence
		}
		if next.Outcome.Definite() {
			a = next
			break
		}
	}
	if a.Outcome == ServFail {
		// RFC 4035 section 3.2.2: with CD the server hands out what it did not validate.
		if c.query(ctx, a.Server, name, qtype, true).Outcome.Definite() {
			a.Outcome = Bogus
		}
	}
	a.Took = time.Since(begin)
	return a
}

var errNoServer = errors.New("no name server is known")

// query asks one server once: over UDP, and over TCP if the answer did not fit.
func (c *Client) query(ctx context.Context, server, name string, qtype uint16, unchecked bool) Answer {
	q := new(miekg.Msg)
	q.SetQuestion(miekg.Fqdn(name), qtype)
	q.AuthenticatedData = true // RFC 6840 section 5.7: this asks for the AD bit in the answer
	q.CheckingDisabled = unchecked
	q.SetEdns0(payloadSize, false)

	a := Answer{Name: name, Type: qtype, Server: server, Transport: "udp"}
	r, err := c.exchange(ctx, "udp", server, q)
	if err == nil && (r.Rcode == miekg.RcodeFormatError || r.Rcode == miekg.RcodeNotImplemented) {
		q.Extra = nil // RFC 6891 section 7: a server that does not know EDNS
		r, err = c.exchange(ctx, "udp", server, q)
	}
	if err == nil && r.Truncated {
		a.Transport = "tcp" // RFC 7766 section 5
		r, err = c.exchange(ctx, "tcp", server, q)
	}
	if err != nil {
		a.Err = err
		return a
	}
	a.read(r)
	return a
}

// exchange sends q and waits for the answer to it, until the time-out or the end of ctx.
func (c *Client) exchange(ctx context.Context, network, server string, q *miekg.Msg) (*miekg.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The library looks at a context's deadline only; this ends the wait when the context is cancelled too.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	dc := &miekg.Conn{Conn: conn, UDPSize: payloadSize}
	if err := dc.WriteMsg(q); err != nil {
		return nil, err
	}
	for range maxDatagrams {
		r, err := dc.ReadMsg()
		if err == nil && answers(r, q) {
			return r, nil
		}
		if netErr := net.Error(nil); errors.As(err, &netErr) || network == "tcp" && err != nil {
			return nil, err
		}
	}
	return nil, errors.New("only answers to other questions came")
}

// answers reports whether r belongs to q. A late answer to another question, or a forged one, does not.
func answers(r, q *miekg.Msg) bool {
	return r.Response && r.Id == q.Id && len(r.Question) == 1 && r.Question[0].Qtype == q.Question[0].Qtype &&
		strings.EqualFold(r.Question[0].Name, q.Question[0].Name)
}
