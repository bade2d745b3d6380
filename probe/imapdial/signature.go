package imapdial

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/md5" // for certificates that are judged, never for trust
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"math/big"
)

// minRSABits is the least that crypto/rsa works with, maxRSABits the most that it is worth to compute with here.
const (
	minRSABits = 1024
	maxRSABits = 8192
)

// issued reports whether parent signed child, whatever parent is allowed to do, however weak its key and the hash: what it may
// sign is judged elsewhere. crypto/x509 refuses to look at weak signatures at all.
func issued(parent, child *x509.Certificate) bool {
	if !bytes.Equal(parent.RawSubject, child.RawIssuer) {
		return false
	}
	err := parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
	return err == nil || weaklySigned(parent, child)
}

// weaklySigned verifies the signatures that crypto/x509 does not: those with MD5 and SHA-1, and those of RSA keys that are too short.
func weaklySigned(parent, child *x509.Certificate) bool {
	hash, known := signatureHash[child.SignatureAlgorithm]
	if !known {
		return false
	}
	if hash == 0 {
		return true // MD2 and DSA: too old for a library; the name has to do
	}
	h := hash.New()
	h.Write(child.RawTBSCertificate)
	switch key := parent.PublicKey.(type) {
	case *rsa.PublicKey:
		return signedWithRSA(key, hash, h.Sum(nil), child.Signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, h.Sum(nil), child.Signature)
	}
	return false
}

// signatureHash has the hash of each algorithm that can be weak by itself or by the size of an RSA key; 0 where it cannot be computed here.
var signatureHash = map[x509.SignatureAlgorithm]crypto.Hash{
	x509.MD2WithRSA: 0, x509.MD5WithRSA: crypto.MD5, x509.SHA1WithRSA: crypto.SHA1,
	x509.SHA256WithRSA: crypto.SHA256, x509.SHA384WithRSA: crypto.SHA384, x509.SHA512WithRSA: crypto.SHA512,
	x509.DSAWithSHA1: 0, x509.DSAWithSHA256: 0, x509.ECDSAWithSHA1: crypto.SHA1,
}

// digestInfo is what precedes the digest in a signature (RFC 8017 section 9.2, note 1).
var digestInfo = map[crypto.Hash][]byte{
	crypto.MD5:    {0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10},
	crypto.SHA1:   {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

// signedWithRSA is RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2) for keys of any size.
func signedWithRSA(key *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	size := key.Size()
	padding := size - 3 - len(digestInfo[hash]) - len(digest)
	if key.N.BitLen() > maxRSABits || len(signature) != size || padding < 8 {
		return false
	}
	m := new(big.Int).Exp(new(big.Int).SetBytes(signature), big.NewInt(int64(key.E)), key.N)
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, padding)...)
	want = append(append(append(want, 0), digestInfo[hash]...), digest...)
	return bytes.Equal(m.FillBytes(make([]byte, size)), want)
}

// hasWeakHash reports whether c is signed with a hash that crypto/x509 refuses. A self-signed end is trusted by its key, not by its signature.
func hasWeakHash(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return !bytes.Equal(c.RawSubject, c.RawIssuer)
	}
	return false
}

// hasTinyKey reports whether c has an RSA key that crypto/rsa refuses to verify with.
func hasTinyKey(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() < minRSABits
}
