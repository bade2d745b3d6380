package hello

import (
	"golang.org/x/crypto/cryptobyte"
)

// The handshake messages of a server's flight (RFC 5246 section 7.4).
const (
	typeServerHello        = 2
	typeCertificate        = 11
	typeServerKeyExchange  = 12
	typeCertificateRequest = 13
	typeServerHelloDone    = 14
)

// message reads one handshake message and reports whether that was possible. The ServerHello must come first.
func (r *reader) message(typ uint8, m cryptobyte.String) bool {
	if (typ == typeServerHello) == (r.Outcome == Answered) {
		return false
	}
	switch typ {
	case typeServerHello:
		if !r.serverHello(m) {
			return false
		}
		r.Outcome = Answered
		r.done = !r.flight || r.Version >= TLS13 // what follows is encrypted
		return true
	case typeCertificate:
		return r.certificates(m)
	case typeServerKeyExchange:
		return r.keyExchange(m)
	case typeCertificateRequest:
		r.CertificateRequested = true
	case typeServerHelloDone:
		r.done = true
	}
	return true
}

// retryRandom marks a ServerHello as a HelloRetryRequest: the SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" +
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// serverHello reads a ServerHello or a HelloRetryRequest (RFC 8446 section 4.1.3).
func (r *reader) serverHello(m cryptobyte.String) bool {
	var random []byte
	var session, extensions cryptobyte.String
	var compression uint8
	if !m.ReadUint16((*uint16)(&r.Version)) || !m.ReadBytes(&random, 32) || !m.ReadUint8LengthPrefixed(&session) ||
		!m.ReadUint16((*uint16)(&r.Suite)) || !m.ReadUint8(&compression) {
		return false
	}
	r.Retry = string(random) == retryRandom
	if m.Empty() {
		return true // without extensions even their length is missing
	}
	if !m.ReadUint16LengthPrefixed(&extensions) {
		return false
	}
	for !extensions.Empty() {
		var id uint16
		var data cryptobyte.String
		if !extensions.ReadUint16(&id) || !extensions.ReadUint16LengthPrefixed(&data) {
			return false
		}
		switch id {
		case extSupportedVersions:
			if !data.ReadUint16((*uint16)(&r.Version)) {
				return false
			}
		case extKeyShare:
			if !data.ReadUint16((*uint16)(&r.Group)) {
				return false
			}
		}
	}
	return true
}

// certificates reads the chain as it was sent, in DER (RFC 5246 section 7.4.2).
func (r *reader) certificates(m cryptobyte.String) bool {
	var list cryptobyte.String
	if !m.ReadUint24LengthPrefixed(&list) {
		return false
	}
	r.Certificates = nil
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) {
			return false
		}
		r.Certificates = append(r.Certificates, der)
	}
	return true
}

// keyExchange reads the parameters of the key exchange (RFC 5246 section 7.4.3, RFC 8422 section 5.4).
func (r *reader) keyExchange(m cryptobyte.String) bool {
	const namedCurve = 3
	switch {
	case r.Suite.finite():
		var p, g, public cryptobyte.String
		if !m.ReadUint16LengthPrefixed(&p) || !m.ReadUint16LengthPrefixed(&g) || !m.ReadUint16LengthPrefixed(&public) {
			return false
		}
		for len(p) > 0 && p[0] == 0 {
			p = p[1:]
		}
		r.DHBits = len(p) * 8
	case r.Suite.ecdhe():
		var kind uint8
		var public cryptobyte.String
		if !m.ReadUint8(&kind) || kind != namedCurve || !m.ReadUint16((*uint16)(&r.Group)) || !m.ReadUint8LengthPrefixed(&public) {
			return false
		}
	default:
		return true // of no interest, such as that of an export suite
	}
	if r.Version >= TLS12 {
		m.ReadUint16(&r.Scheme) // missing where the suite has no authentication
	}
	return true
}
