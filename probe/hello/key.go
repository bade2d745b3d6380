package hello

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A Key is what a certificate says of its public key. crypto/x509 cannot read the rarer kinds.
type Key struct {
	Name      string // "RSA", "P-256", "Ed448", … or the object identifier of one that has no name here
	Bits      int    // of an RSA modulus, else 0
	Supported bool   // crypto/tls takes server certificates with such a key, whatever the size
}

// Acceptable reports whether crypto/tls takes a server with such a key: it refuses RSA keys below 1024 and above 8192 bits.
func (k Key) Acceptable() bool {
	return k.Supported && (k.Bits == 0 || k.Bits >= 1024 && k.Bits <= 8192)
}

// keyNames are the kinds of keys by the object identifier of the algorithm (RFC 3279, RFC 8410, RFC 4055, RFC 9881).
var keyNames = map[string]Key{
	"1.2.840.113549.1.1.1":    {Name: "RSA", Supported: true},
	"1.2.840.113549.1.1.10":   {Name: "RSA-PSS"},
	"1.3.101.112":             {Name: "Ed25519", Supported: true},
	"1.3.101.113":             {Name: "Ed448"},
	"1.2.840.10040.4.1":       {Name: "DSA"},
	"2.16.840.1.101.3.4.3.17": {Name: "ML-DSA-44"},
	"2.16.840.1.101.3.4.3.18": {Name: "ML-DSA-65"},
	"2.16.840.1.101.3.4.3.19": {Name: "ML-DSA-87"},
}

const oidEC = "1.2.840.10045.2.1"

// curveNames are the elliptic curves by their object identifiers (RFC 5480 section 2.1.1.1, RFC 5639, SEC 2).
var curveNames = map[string]Key{
	"1.2.840.10045.3.1.7":   {Name: "P-256", Supported: true},
	"1.3.132.0.34":          {Name: "P-384", Supported: true},
	"1.3.132.0.35":          {Name: "P-521", Supported: true},
	"1.3.132.0.33":          {Name: "P-224"},
	"1.2.840.10045.3.1.1":   {Name: "P-192"},
	"1.3.132.0.10":          {Name: "secp256k1"},
	"1.3.36.3.3.2.8.1.1.7":  {Name: "brainpoolP256r1"},
	"1.3.36.3.3.2.8.1.1.11": {Name: "brainpoolP384r1"},
	"1.3.36.3.3.2.8.1.1.13": {Name: "brainpoolP512r1"},
	"1.2.156.10197.1.301":   {Name: "SM2"},
}

// KeyOf reads the kind of key from a certificate in DER (RFC 5280 section 4.1). ok is false when it cannot be read.
func KeyOf(certificate []byte) (key Key, ok bool) {
	input := cryptobyte.String(certificate)
	var cert, tbs, info, algorithm cryptobyte.String
	if !input.ReadASN1(&cert, cryptobyteasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cryptobyteasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(cryptobyteasn1.Tag(0).ContextSpecific().Constructed()) || // version
		!tbs.SkipASN1(cryptobyteasn1.INTEGER) || // serial number
		!tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || !tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || // signature, issuer
		!tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || !tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || // validity, subject
		!tbs.ReadASN1(&info, cryptobyteasn1.SEQUENCE) || !info.ReadASN1(&algorithm, cryptobyteasn1.SEQUENCE) {
		return Key{}, false
	}
	var oid asn1.ObjectIdentifier
	if !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return Key{}, false
	}
	if oid.String() == oidEC {
		return curveOf(algorithm), true
	}
	key, known := keyNames[oid.String()]
	if !known {
		key.Name = oid.String()
	}
	if key.Name == "RSA" {
		key.Bits = modulusBits(info)
	}
	return key, true
}

// curveOf reads the parameters of an EC key: a named curve, or the curve spelled out, which RFC 5480 section 2.1.1 forbids.
func curveOf(parameters cryptobyte.String) Key {
	var oid asn1.ObjectIdentifier
	if !parameters.ReadASN1ObjectIdentifier(&oid) {
		return Key{Name: "an elliptic curve with explicit parameters"}
	}
	key, known := curveNames[oid.String()]
	if !known {
		key.Name = oid.String()
	}
	return key
}

// modulusBits returns the size of an RSA key (RFC 3279 section 2.3.1), 0 if it cannot be read.
func modulusBits(info cryptobyte.String) int {
	var bits []byte
	var sequence, modulus cryptobyte.String
	if !info.ReadASN1BitStringAsBytes(&bits) {
		return 0
	}
	key := cryptobyte.String(bits)
	if !key.ReadASN1(&sequence, cryptobyteasn1.SEQUENCE) || !sequence.ReadASN1(&modulus, cryptobyteasn1.INTEGER) {
		return 0
	}
	for len(modulus) > 0 && modulus[0] == 0 {
		modulus = modulus[1:]
	}
	n := len(modulus) * 8
	for mask := byte(0x80); len(modulus) > 0 && modulus[0]&mask == 0 && mask > 0; mask >>= 1 {
		n--
	}
	return n
}
