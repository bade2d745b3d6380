package hello

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// SSLv2 was never standardised by the IETF; its messages are described in RFC 6101 appendix E and in draft-hickman-netscape-ssl-00.

// marshalSSL2 returns a CLIENT-HELLO of SSLv2: a header of two octets, and all seven of its ciphers.
func marshalSSL2() []byte {
	ciphers := []byte{
		1, 0, 0x80, 2, 0, 0x80, 3, 0, 0x80, 4, 0, 0x80, // RC4, RC4 with 40 bits, RC2, RC2 with 40 bits
		5, 0, 0x80, 6, 0, 0x40, 7, 0, 0xc0, // IDEA, DES, 3DES
	}
	challenge := make([]byte, 16)
	rand.Read(challenge)
	var b cryptobyte.Builder
	b.AddUint8(typeClientHello)
	b.AddUint16(uint16(SSL2))
	b.AddUint16(uint16(len(ciphers)))
	b.AddUint16(0) // no session
	b.AddUint16(uint16(len(challenge)))
	b.AddBytes(ciphers)
	b.AddBytes(challenge)
	message := b.BytesOrPanic()
	return append(binary.BigEndian.AppendUint16(nil, 0x8000|uint16(len(message))), message...)
}

// The length of the start of a SERVER-HELLO: its header, and what stands before the parts of variable length.
const ssl2Start = 2 + 11

// isSSL2 reports whether start begins a SERVER-HELLO of SSLv2.
func isSSL2(start []byte) bool {
	const serverHello = 4
	return len(start) >= ssl2Start && start[0]&0x80 != 0 && start[2] == serverHello &&
		bytes.Equal(start[5:7], []byte{0, byte(SSL2)})
}
