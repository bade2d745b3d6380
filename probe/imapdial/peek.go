package imapdial

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/cryptobyte"
)

// A recording keeps what is needed to read the server's certificates once more by hand, where crypto/tls gave up on them and hands nothing
// out: the records of its flight and, for TLS 1.3, the secret they are encrypted with. Both stay in memory until the handshake ends.
type recording struct {
	records []byte
	secret  []byte
	over    bool
}

// maxRecording bounds a recording: no flight of a server is longer, its certificates included.
const maxRecording = 256 << 10

func (r *recording) add(p []byte) {
	if !r.over {
		r.records = append(r.records, p[:min(len(p), maxRecording-len(r.records))]...)
	}
}

// end forgets everything.
func (r *recording) end() {
	clear(r.secret)
	*r = recording{over: true}
}

// Write takes a line of tls.Config.KeyLogWriter. Of the secrets only that of the server's handshake is kept: it protects nothing but
// what the server says of itself.
func (r *recording) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if !r.over && len(fields) == 3 && string(fields[0]) == "SERVER_HANDSHAKE_TRAFFIC_SECRET" {
		r.secret, _ = hex.DecodeString(string(fields[2]))
	}
	return len(line), nil
}

// certificates returns the DER of the certificates in the recording, leaf first; nil if there are none that can be told apart.
func (r *recording) certificates() [][]byte {
	var plain, sealed []byte // handshake messages
	var open func(header, record []byte) []byte
	in := cryptobyte.String(r.records)
	for {
		var kind uint8
		var version uint16
		var body cryptobyte.String
		header := in[:min(len(in), 5)]
		if !in.ReadUint8(&kind) || !in.ReadUint16(&version) || !in.ReadUint16LengthPrefixed(&body) {
			break
		}
		switch kind {
		case 22: // handshake (RFC 8446 section 5.1)
			plain = append(plain, body...)
		case 23: // application_data: from the ServerHello on all is encrypted (RFC 8446 section 5.2)
			if open == nil {
				if open = opener(helloSuite(plain), r.secret); open == nil {
					return nil
				}
			}
			sealed = append(sealed, open(header, body)...)
		}
	}
	if open != nil {
		return certificateEntries(handshakeMessage(sealed, 11), true)
	}
	return certificateEntries(handshakeMessage(plain, 11), false)
}

// handshakeMessage returns the last message of a type in a run of them (RFC 8446 section 4).
func handshakeMessage(run []byte, want uint8) cryptobyte.String {
	var found cryptobyte.String
	for s := cryptobyte.String(run); ; {
		var kind uint8
		var body cryptobyte.String
		if !s.ReadUint8(&kind) || !s.ReadUint24LengthPrefixed(&body) {
			return found
		}
		if kind == want {
			found = body
		}
	}
}

// helloSuite returns the cipher suite of the last ServerHello; the one before it may be a HelloRetryRequest.
func helloSuite(run []byte) uint16 {
	hello := handshakeMessage(run, 2)
	var session cryptobyte.String
	var suite uint16
	if !hello.Skip(2+32) || !hello.ReadUint8LengthPrefixed(&session) || !hello.ReadUint16(&suite) {
		return 0
	}
	return suite
}

// certificateEntries reads a Certificate message of TLS 1.3 (RFC 8446 section 4.4.2) or of an earlier version (RFC 5246 section 7.4.2).
func certificateEntries(message cryptobyte.String, tls13 bool) [][]byte {
	var context, list cryptobyte.String
	if tls13 && !message.ReadUint8LengthPrefixed(&context) || !message.ReadUint24LengthPrefixed(&list) {
		return nil
	}
	var certs [][]byte
	for !list.Empty() {
		var der, extensions cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || tls13 && !list.ReadUint16LengthPrefixed(&extensions) {
			break
		}
		certs = append(certs, slices.Clone(der))
	}
	return certs
}

// opener returns what decrypts the server's handshake records one after the other (RFC 8446 section 5.2 and 5.3): the messages in each,
// or nothing once one cannot be read. It is nil for an unknown suite or no secret.
func opener(suite uint16, secret []byte) func(header, record []byte) []byte {
	newHash, keySize, newAEAD := sha256.New, 16, newGCM
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
	case tls.TLS_AES_256_GCM_SHA384:
		newHash, keySize = sha512.New384, 32
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		keySize, newAEAD = chacha20poly1305.KeySize, chacha20poly1305.New
	default:
		return nil
	}
	if len(secret) == 0 {
		return nil
	}
	key, iv := expandLabel(newHash, secret, "key", keySize), expandLabel(newHash, secret, "iv", 12)
	aead, err := newAEAD(key)
	if err != nil {
		return nil
	}
	var sequence uint64
	return func(header, record []byte) []byte {
		nonce := slices.Clone(iv)
		binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^sequence)
		sequence++
		plain, err := aead.Open(nil, nonce, record, header)
		plain = bytes.TrimRight(plain, "\x00") // padding; what precedes it is the true type
		if err != nil || len(plain) == 0 || plain[len(plain)-1] != 22 {
			return nil
		}
		return plain[:len(plain)-1]
	}
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// expandLabel is HKDF-Expand-Label of RFC 8446 section 7.1, without a context.
func expandLabel(newHash func() hash.Hash, secret []byte, label string, size int) []byte {
	var info cryptobyte.Builder
	info.AddUint16(uint16(size))
	info.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("tls13 " + label)) })
	info.AddUint8(0)
	out, err := hkdf.Expand(newHash, secret, string(info.BytesOrPanic()), size)
	if err != nil {
		return nil
	}
	return out
}
