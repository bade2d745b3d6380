// Package imapdial connects to IMAP servers.
//
// It does what an [Endpoint] says, enforces the endpoint's [TLSPolicy], signs in, and records what it saw
// in [Facts]. It draws no conclusions from them: that is the job of package probe.
//
// There are two ways in. [Dial] returns a connection that met the policy, or an error. [Observe] goes as far as it can
// whatever the policy says, and returns facts; it returns the connection too only when the policy was met. So a connection
// that failed verification can never carry a password. There is no mode that falls back to a weaker one.
//
// Not guaranteed: that a server that answered once answers again, or shows the same certificate.
package imapdial

import (
	"fmt"
	"net"
	"strconv"
)

// An Endpoint says where an IMAP service is and how to secure the connection
// to it. Host must be set; the other zero values are the safest choices. It is
// plain, comparable data: two equal Endpoints lead to the same service in the same way.
type Endpoint struct {
	Host     string   // DNS name or IP literal, as a person gave it
	Port     uint16   // 0 means the default port for Security
	Security Security // how TLS starts
	Connect  string   // host or host:port to dial in place of Host; names and SNI stay; "" means Host
	Via      string   // proxy or SSH host to go through, as [Via] takes it; "" means directly
	TLS      TLSPolicy
}

// Security is how, and whether, TLS starts on a connection.
type Security uint8

const (
	TLS       Security = iota // from the first byte, port 993 (RFC 8314 section 3.2)
	STARTTLS                  // mandatory upgrade, port 143 (RFC 9051 section 6.2.1)
	Cleartext                 // no TLS: a person chose it, in so many words
)

// String returns the name the contract uses: tls, starttls or none.
func (s Security) String() string {
	switch s {
	case TLS:
		return "tls"
	case STARTTLS:
		return "starttls"
	case Cleartext:
		return "none"
	}
	return fmt.Sprintf("Security(%d)", uint8(s))
}

// DefaultPort is the port registered for s (RFC 8314 section 3.2).
func (s Security) DefaultPort() uint16 {
	if s == TLS {
		return 993
	}
	return 143
}

// EffectivePort is Port, or the default one for Security.
func (ep Endpoint) EffectivePort() uint16 {
	if ep.Port != 0 {
		return ep.Port
	}
	return ep.Security.DefaultPort()
}

// Address returns the host:port that the endpoint is named by.
func (ep Endpoint) Address() string {
	return net.JoinHostPort(ep.Host, strconv.Itoa(int(ep.EffectivePort())))
}

// DialAddress returns the host:port to connect to: Connect where it is set.
func (ep Endpoint) DialAddress() string {
	if ep.Connect == "" {
		return ep.Address()
	}
	if _, _, err := net.SplitHostPort(ep.Connect); err == nil {
		return ep.Connect
	}
	return net.JoinHostPort(ep.Connect, strconv.Itoa(int(ep.EffectivePort())))
}

// String returns host:port/security, as findings name an endpoint.
func (ep Endpoint) String() string { return ep.Address() + "/" + ep.Security.String() }

// ServerName is the name that the certificate must carry and that SNI sends.
func (ep Endpoint) ServerName() string {
	if ep.TLS.ServerName != "" {
		return ep.TLS.ServerName
	}
	return ep.Host
}
