package imaptest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/netip"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// subjectAltName is the extension with SRV-IDs in it, which crypto/x509 does not make (RFC 4985 section 2).
func subjectAltName(dnsNames []string, ips []netip.Addr, srvNames []string) pkix.Extension {
	var b cryptobyte.Builder
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, name := range dnsNames {
			b.AddASN1(context(2), func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
		}
		for _, ip := range ips {
			b.AddASN1(context(7), func(b *cryptobyte.Builder) { b.AddBytes(ip.AsSlice()) })
		}
		for _, name := range srvNames {
			b.AddASN1(context(0).Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 7})
				b.AddASN1(context(0).Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
				})
			})
		}
	})
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: b.BytesOrPanic()}
}

// withNegativeSerial returns cert's DER with the sign of its serial number turned, signed anew with an ECDSA key.
func withNegativeSerial(cert *x509.Certificate, key crypto.Signer) []byte {
	tbs := bytes.Clone(cert.RawTBSCertificate)
	version := []byte{0xa0, 3, 2, 1, 2, 2}               // [0] INTEGER v3, and the tag of the serial number
	tbs[bytes.Index(tbs, version)+len(version)+1] = 0x81 // not 0xff: a number is written as short as it can be
	sum := sha256.Sum256(tbs)
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		panic("imaptest: sign: " + err.Error())
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		TBS:       asn1.RawValue{FullBytes: tbs},
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}, // ecdsa-with-SHA256
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
	if err != nil {
		panic("imaptest: encode certificate: " + err.Error())
	}
	return der
}

// Intermediate returns the intermediate's certificate.
func (ca *CA) Intermediate() *x509.Certificate { return ca.intermediate.cert }

// CRL returns the intermediate's revocation list in DER, made an hour ago for a week, with the serial numbers given.
func (ca *CA) CRL(revoked ...*big.Int) []byte {
	now := time.Now()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(7 * day)}
	for _, serial := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: now.Add(-day)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.intermediate.cert, ca.intermediate.key)
	if err != nil {
		panic("imaptest: create CRL: " + err.Error())
	}
	return der
}
