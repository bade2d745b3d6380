// Package hello asks TLS servers what they support, with ClientHellos built by hand: protocol versions from SSLv2 on, cipher suites and key
// exchange groups that crypto/tls does not know, and the answers that it hides. No handshake is ever completed and no key computed: an
// empty key_share makes a TLS 1.3 server name the group it wants in a HelloRetryRequest (RFC 8446 section 4.1.4), and older versions
// show their whole flight in the clear.
//
// What it does not do: tell why a server does not answer. A connection that ends means that this one offer failed, never that a version
// is unsupported; the [Scanner] asks again, differently, before it says no.
package hello

import (
	"crypto/rand"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
)

// An Offer is what a ClientHello offers. The lists go out in their order, which is the client's preference.
type Offer struct {
	Version    Version // the only one from TLS 1.3 on, else the highest
	Suites     []Suite
	Groups     []Group
	Schemes    []uint16 // signature schemes; nil means all that are known
	ServerName string   // SNI; not sent when it is "" or an IP address (RFC 6066 section 3)
	ALPN       string   // "" for none

	padding int // octets of the padding extension, 0 for none of it
}

// The extensions that are sent or read, by their numbers in IANA's registry.
const (
	extServerName        = 0
	extSupportedGroups   = 10
	extECPointFormats    = 11
	extSignatureSchemes  = 13
	extALPN              = 16
	extPadding           = 21
	extSupportedVersions = 43
	extKeyShare          = 51
	extRenegotiationInfo = 0xff01
)

const (
	recordAlert     = 21
	recordHandshake = 22

	typeClientHello = 1
)

// Marshal returns the offer as a record, ready to be written to a connection; with [SSL2] as the message of that protocol. SSLv3 knows no
// extensions, so none are sent. It panics on an offer that no ClientHello can hold.
func (o Offer) Marshal() []byte {
	if o.Version == SSL2 {
		return marshalSSL2()
	}
	record := o.record()
	// RFC 7685: there are balancers that drop a ClientHello of 256 to 511 octets.
	if n := len(record) - recordHeader; n > 255 && n < 512 && o.Version > SSL3 {
		o.padding = max(512-n-4, 1)
		record = o.record()
	}
	return record
}

const recordHeader = 5

func (o Offer) record() []byte {
	var b cryptobyte.Builder
	b.AddUint8(recordHandshake)
	b.AddUint16(uint16(min(o.Version, TLS10))) // RFC 8446 section 5.1: 0x0301 in the first record, for old servers
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(typeClientHello)
		b.AddUint24LengthPrefixed(o.message)
	})
	return b.BytesOrPanic()
}

// message writes the ClientHello (RFC 8446 section 4.1.2).
func (o Offer) message(b *cryptobyte.Builder) {
	b.AddUint16(uint16(min(o.Version, TLS12)))
	random := make([]byte, 64)
	rand.Read(random)
	b.AddBytes(random[:32])
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		if o.Version == TLS13 {
			b.AddBytes(random[32:]) // RFC 8446 appendix D.4: middleboxes expect a session
		}
	})
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, s := range o.Suites {
			b.AddUint16(uint16(s))
		}
	})
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint8(0) }) // no compression
	if o.Version > SSL3 {
		b.AddUint16LengthPrefixed(o.extensions)
	}
}

func (o Offer) extensions(b *cryptobyte.Builder) {
	add := func(id uint16, f cryptobyte.BuilderContinuation) {
		b.AddUint16(id)
		b.AddUint16LengthPrefixed(f)
	}
	if _, err := netip.ParseAddr(o.ServerName); o.ServerName != "" && err != nil {
		add(extServerName, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint8(0) // host_name
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(o.ServerName)) })
			})
		})
	}
	add(extSupportedGroups, list(o.Groups))
	add(extECPointFormats, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0}) }) // uncompressed
	schemes := o.Schemes
	if schemes == nil {
		schemes = allSchemes
	}
	if o.Version >= TLS12 {
		add(extSignatureSchemes, list(schemes))
	}
	if o.ALPN != "" {
		add(extALPN, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(o.ALPN)) })
			})
		})
	}
	add(extRenegotiationInfo, func(b *cryptobyte.Builder) { b.AddUint8(0) }) // RFC 5746 section 3.4: strict servers want it
	if o.Version == TLS13 {
		add(extSupportedVersions, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(uint16(TLS13)) })
		})
		// Empty: the server has to name the group it wants (RFC 8446 section 4.2.8).
		add(extKeyShare, func(b *cryptobyte.Builder) { b.AddUint16(0) })
	}
	if o.padding > 0 {
		add(extPadding, func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, o.padding)) })
	}
}

// list writes a vector of numbers with two octets of length.
func list[T ~uint16](values []T) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, v := range values {
				b.AddUint16(uint16(v))
			}
		})
	}
}
