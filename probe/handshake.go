package probe

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"syscall"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// handshake judges the TLS handshake, apart from the certificate.
func handshake(s *subject) outcome {
	out := outcome{took: s.facts.Took[imapdial.StageHandshake]}
	if s.shookHands() {
		cs := s.facts.TLS.State
		out.facts = map[string]any{"version": versionName(cs.Version), "cipher_suite": tls.CipherSuiteName(cs.CipherSuite), "group": imapdial.GroupName(cs.CurveID)}
		out.summary = fmt.Sprintf("TLS %s, %s", versionName(cs.Version), tls.CipherSuiteName(cs.CipherSuite))
		if s.large != nil {
			out.findings = append(out.findings, s.largeHelloDropped())
		}
		if cs.Version < tls.VersionTLS12 {
			out.findings = append(out.findings, s.legacyVersion([]string{"TLS " + versionName(cs.Version)}))
		}
		return out
	}
	f := s.noHandshake()
	out.summary, out.findings = f.Summary, []finding.Finding{f}
	out.status = Fail // also for a finding that is only high where a setting helps
	return out
}

// shookHands reports whether the handshake was brought to its end with a certificate. A server that demands one from us
// says so only afterwards, with an alert (RFC 8446 section 4.4.2.4).
func (s *subject) shookHands() bool {
	err := s.facts.Err
	if s.facts.TLS == nil || len(s.facts.TLS.Chain) == 0 || err != nil && err.Stage == imapdial.StageHandshake {
		return false
	}
	_, alerted := alertOf(err)
	return !alerted
}

// noHandshake tells why the handshake did not come about.
func (s *subject) noHandshake() finding.Finding {
	switch {
	case s.hole != nil:
		return s.mtuBlackHole(s.hole)
	case s.freeze != nil && s.freeze.early:
		return s.stops(s.freeze)
	}
	err := s.facts.Err
	f, known := s.byTrials()
	if alert, ok := alertOf(err); ok {
		if !known {
			f = s.alerted(alert)
		}
		f.Evidence["alert"] = int(alert)
		return f
	}
	if !known {
		f, known = s.libraryError(err)
	}
	switch {
	case known:
		return f
	case len(s.facts.FirstBytes) > 0 && s.ep.Security == imapdial.STARTTLS:
		return s.injection() // not the record that must follow the OK (RFC 9051 section 6.2.1)
	case len(s.facts.FirstBytes) > 0:
		return s.wrongProtocol(s.facts.FirstBytes)
	case err == nil:
		return s.handshakeFailed("the server sent no certificate", "the server shook hands without saying who it is")
	case s.headerWait > 0:
		return s.proxyHeader()
	case s.closedWithoutHello():
		return s.closedAtOnce()
	case s.trials.small:
		return s.largeHelloDropped()
	case isTimeout(err) && s.facts.TCP.Pending && !s.proxied:
		return s.helloDropped()
	case isTimeout(err):
		return s.silent()
	case errors.Is(err, syscall.ECONNRESET):
		return s.helloReset()
	case isClosed(err):
		return s.handshakeFailed("the server closes the connection in answer to the ClientHello, without an alert",
			"the server has no version, cipher or key in common with us and does not say so, or its certificate or key cannot be used")
	}
	return s.handshakeFailed(errorText(err.Err), "the two sides could not agree")
}

// tlsFinding starts a finding about the handshake.
func (s *subject) tlsFinding(code finding.Code, summary, cause string, remedies ...string) finding.Finding {
	f := s.finding(code, summary, cause)
	f.Remedies = advice(remedies...)
	f.Evidence["server_name"] = s.ep.ServerName()
	if s.facts.Err != nil {
		f.Evidence["error"] = errorText(s.facts.Err.Err)
	}
	f.Reproduce = []string{s.openssl()}
	return f
}

func (s *subject) handshakeFailed(how, cause string) finding.Finding {
	return s.tlsFinding("tls.handshake-failed", "no TLS handshake with "+s.hostPort()+": "+how, cause,
		"show the administrator of the server this finding: the server's log says why it broke off",
		"look whether another program connects from this computer: if it does, its TLS settings are older than what imapilot accepts")
}

func (s *subject) nameRequired() finding.Finding {
	f := s.tlsFinding("tls.sni-required", s.hostPort()+" wants to be asked by name, and was asked by address",
		"several hosts share the address, and the server chooses the certificate by the name, which TLS does not send for an address",
		"give the server's name in place of its address, or with --"+s.flag("server-name"))
	return f
}

func (s *subject) helloReset() finding.Finding {
	f := s.tlsFinding("net.hello-reset", s.hostPort()+" accepts the connection and resets it at the ClientHello",
		"a firewall that does not let TLS or this server's name pass, or a server that breaks off on what it does not know",
		"try from another network: if it works there, this network resets the connection",
		"ask the administrators of this network and of the server who resets TLS on port "+portText(s.ep))
	f.Responsible, f.Certainty = finding.Unknown, finding.Likely
	s.tellHelloPath(&f)
	return f
}

func (s *subject) versionTooOld() finding.Finding {
	f := s.tlsFinding("tls.version-too-old", s.hostPort()+" has no TLS version from 1.2 on",
		"the server offers only TLS 1.1 or older, or SSL, which must not be used any more (RFC 8996)",
		"the server's administrator has to enable TLS 1.2 or 1.3; that usually takes an upgrade of the mail server or its TLS library")
	f.Reproduce = []string{s.openssl("-tls1_2"), s.openssl("-tls1_1")}
	return f
}

func (s *subject) noCommonCipher() finding.Finding {
	return s.tlsFinding("tls.no-common-cipher", s.hostPort()+" has no cipher suite in common with imapilot",
		"the server offers only suites that are weak or rare",
		"the server's administrator has to enable ECDHE suites with AES-GCM or ChaCha20 (RFC 9325 section 4.2)")
}

func (s *subject) noCommonGroup() finding.Finding {
	return s.tlsFinding("tls.no-common-group", s.hostPort()+" has no key exchange group in common with imapilot",
		"the server offers only groups that are weak or rare",
		"the server's administrator has to enable X25519 or P-256")
}

func (s *subject) clientCertificate() finding.Finding {
	return s.tlsFinding("tls.client-certificate-required", s.hostPort()+" demands a client certificate",
		"the server lets only clients in that have a certificate of its own authority; imapilot has none to show",
		"ask the administrator of the server for a port that takes a password without a client certificate")
}

// The alerts that say something of their own (RFC 8446 section 6.2).
const (
	alertProtocolVersion      = 70
	alertInsufficientSecurity = 71
	alertUnrecognizedName     = 112
	alertCertificateRequired  = 116
)

// alerted explains an alert of the server.
func (s *subject) alerted(alert uint8) finding.Finding {
	var f finding.Finding
	switch alert {
	case alertProtocolVersion:
		f = s.versionTooOld()
	case alertInsufficientSecurity:
		f = s.noCommonCipher()
	case alertUnrecognizedName:
		f = s.tlsFinding("tls.name-rejected", fmt.Sprintf("%s does not know the name %s", s.hostPort(), s.ep.ServerName()),
			"the server looks at the name that the client asks for (SNI) and serves no host of this name",
			"check the host: the server at this address may belong to another name",
			"if the server is known by another name, give that with --"+s.flag("server-name"))
		if s.askedByAddress() {
			f.Summary = s.hostPort() + " wants to be asked by name, and was asked by address"
		}
	case alertCertificateRequired:
		f = s.clientCertificate()
	default:
		if s.facts.CertificateRequested {
			// With TLS 1.2 there is no alert of its own for a certificate that is missing.
			f = s.clientCertificate()
			f.Certainty = finding.Likely
			break
		}
		f = s.handshakeFailed(fmt.Sprintf("the server breaks off with alert %d (%s)", alert, strings.TrimPrefix(tls.AlertError(alert).Error(), "tls: ")),
			"the server cannot agree on a version, cipher, group or signature, or its certificate or key cannot be used")
	}
	return f
}

// askedByAddress reports whether no name is sent, because the server is known by its address alone (RFC 6066 section 3).
func (s *subject) askedByAddress() bool {
	_, err := netip.ParseAddr(s.ep.ServerName())
	return err == nil
}

// alertOf returns the alert with which a server ended a handshake. crypto/tls keeps it in an unexported type, of kind uint8, inside
// a *net.OpError; its exported AlertError is for QUIC alone.
func alertOf(err error) (uint8, bool) {
	if e, ok := err.(*imapdial.Error); ok && e == nil {
		return 0, false
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return uint8(v.Uint()), true
}

const unsupportedVersion = "tls: server selected unsupported protocol version"

// libraryError explains what crypto/tls itself objected to. It has no types for these errors, so their texts are compared, here and nowhere else
// (crypto/tls of Go 1.26: handshake_client.go, handshake_client_tls13.go, key_agreement.go).
func (s *subject) libraryError(err error) (finding.Finding, bool) {
	if err == nil || s.facts.Err == nil {
		return finding.Finding{}, false
	}
	text := err.Error()
	says := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case says(unsupportedVersion):
		return s.versionTooOld(), true
	case says("tls: server chose an unconfigured cipher suite"):
		return s.noCommonCipher(), true
	case says("tls: server selected unsupported group"), says("tls: server selected unsupported curve"):
		return s.noCommonGroup(), true
	case says("tls: failed to parse certificate from server"):
		return s.unparsable(), true
	case says("-bit keys are insecure"), says("server sent certificate containing RSA key larger than"):
		return s.keySize(), true
	}
	return finding.Finding{}, false
}

// keySize is for an RSA key that crypto/tls does not accept.
func (s *subject) keySize() finding.Finding {
	f := s.tlsFinding("cert.weak-key", "the key of the certificate of "+s.hostPort()+" has a size that cannot be accepted",
		"RSA keys below 1024 bits can be computed by others, and gigantic ones only cost time",
		"the server's administrator has to have a certificate issued for an RSA key of 2048 bits or an EC key of 256")
	f.Severity = finding.Block
	f.Reproduce = []string{s.openssl("-showcerts")}
	return f
}

// versionName writes a TLS version as the contract does.
func versionName(v uint16) string {
	return strings.TrimPrefix(tls.VersionName(v), "TLS ")
}
