package mailsync

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
)

// What makes two messages the same. Servers change a message on its way in (line ends, 8-bit octets in a
// header, a missing last line end); what is compared here is what survives all of them.

// A KeyKind says what the key of a message was made of. Keys of different kinds never match.
type KeyKind uint8

// The kinds of keys.
const (
	ByDigest    KeyKind = iota // there is nothing to make a key of: only the digest of the whole tells
	ByMessageID                // Message-Id
	ByHeaders                  // Date, From, To and Subject
)

// identityFields are fetched where there is no Message-Id.
var identityFields = []string{"Date", "From", "To", "Subject"}

// messageIDKey makes the key of a message from its Message-Id field, as the server returned it. It returns ByDigest when
// the field is absent or empty; id is what a person is shown.
func messageIDKey(header []byte) (kind KeyKind, key [16]byte, id string) {
	value := field(header, "Message-Id")
	if len(value) == 0 {
		return ByDigest, key, ""
	}
	sum := sha256.Sum256(append([]byte("id\x00"), value...))
	return ByMessageID, [16]byte(sum[:16]), string(value)
}

// headersKey makes the key of a message from Date, From, To and Subject.
func headersKey(header []byte) (kind KeyKind, key [16]byte) {
	h, empty := sha256.New(), true
	for _, name := range identityFields {
		value := field(header, name)
		empty = empty && len(value) == 0
		h.Write(value)
		h.Write([]byte{0})
	}
	if empty {
		return ByDigest, key
	}
	return ByHeaders, [16]byte(h.Sum(nil)[:16])
}

// field returns the first value of a header field that is not empty: unfolded (RFC 5322 section 2.2.3), white space folded to single
// spaces, and octets that some servers alter on arrival replaced: Cyrus writes an X for every 8-bit octet, Dovecot 0x80 for NUL.
func field(header []byte, name string) []byte {
	for len(header) > 0 {
		line, rest := cutField(header)
		header = rest
		colon := bytes.IndexByte(line, ':')
		if colon < 0 || !bytes.EqualFold(bytes.TrimRight(line[:colon], " \t"), []byte(name)) {
			continue
		}
		words := bytes.FieldsFunc(line[colon+1:], func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' })
		if len(words) == 0 {
			continue
		}
		value := bytes.Join(words, []byte(" "))
		for i, c := range value {
			if c >= 0x80 || c == 0 {
				value[i] = 'X'
			}
		}
		return value
	}
	return nil
}

// cutField takes one field with its continuation lines off the front of a header.
func cutField(header []byte) (line, rest []byte) {
	for at := 0; ; {
		end := bytes.IndexByte(header[at:], '\n')
		if end < 0 {
			return header, nil
		}
		at += end + 1
		if at == len(header) || header[at] != ' ' && header[at] != '\t' {
			return header[:at], header[at:]
		}
	}
}

// A Digest is the SHA-256 of a message with line ends normalised: CR dropped, and a missing last line end
// supplied. The zero Digest stands for a message that could not be read.
type Digest [sha256.Size]byte

// A digester computes a Digest of what is written to it.
type digester struct {
	hash hash.Hash
	last byte
}

func newDigester() *digester { return &digester{hash: sha256.New()} }

func (d *digester) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, cr := bytes.Cut(rest, []byte{'\r'})
		if len(part) > 0 {
			d.hash.Write(part)
			d.last = part[len(part)-1]
		}
		if !cr {
			break
		}
		rest = after
	}
	return len(p), nil
}

// digest ends the computation.
func (d *digester) digest() Digest {
	if d.last != '\n' {
		d.hash.Write([]byte{'\n'})
	}
	return Digest(d.hash.Sum(nil))
}

// digestOf reads r to its end.
func digestOf(r io.Reader) (Digest, error) {
	d := newDigester()
	if _, err := io.Copy(d, r); err != nil {
		return Digest{}, err
	}
	return d.digest(), nil
}
