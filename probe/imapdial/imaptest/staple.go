package imaptest

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Staple is the OCSP answer that a server sends with its certificate.
type Staple uint8

// The staples. But for the last they are signed by the certificate's issuer or pretend to be.
const (
	NoStaple          Staple = iota
	StapleGood               // good, made an hour ago, for a week
	StapleRevoked            // revoked a day ago
	StapleUnknown            // the responder does not know the certificate
	StapleStale              // good, but its nextUpdate passed a day ago
	StapleWrongSigner        // good, but signed by someone else
	StapleOther              // good, for another serial number
	StapleGarbage            // no OCSP answer at all
)

// Staple returns an OCSP answer about cert in DER, or nil for NoStaple. It panics if the CA did not issue cert.
func (ca *CA) Staple(cert tls.Certificate, s Staple) []byte {
	for _, issuer := range []authority{ca.intermediate, ca.constrained, ca.root} {
		if bytes.Equal(cert.Leaf.RawIssuer, issuer.cert.RawSubject) {
			return ca.staple(cert.Leaf, issuer, s)
		}
	}
	panic("imaptest: staple for a certificate of " + cert.Leaf.Issuer.String())
}

func (ca *CA) staple(leaf *x509.Certificate, issuer authority, s Staple) []byte {
	now := time.Now()
	answer := ocsp.Response{
		Status:       ocsp.Good,
		SerialNumber: leaf.SerialNumber,
		ThisUpdate:   now.Add(-time.Hour),
		NextUpdate:   now.Add(7 * day),
		IssuerHash:   crypto.SHA1, // what clients look for (RFC 5019 section 2.1.1)
	}
	signer := issuer.key
	switch s {
	case NoStaple:
		return nil
	case StapleGood:
	case StapleRevoked:
		answer.Status = ocsp.Revoked
		answer.RevokedAt = now.Add(-day)
		answer.RevocationReason = ocsp.KeyCompromise
	case StapleUnknown:
		answer.Status = ocsp.Unknown
	case StapleStale:
		answer.ThisUpdate, answer.NextUpdate = now.Add(-8*day), now.Add(-day)
	case StapleWrongSigner:
		signer = ca.stranger.key
	case StapleOther:
		answer.SerialNumber = new(big.Int).Add(leaf.SerialNumber, big.NewInt(1))
	case StapleGarbage:
		return []byte("not an OCSP response")
	default:
		panic(fmt.Sprintf("imaptest: Staple(%d)", s))
	}
	der, err := ocsp.CreateResponse(issuer.cert, issuer.cert, answer, signer)
	if err != nil {
		panic("imaptest: create OCSP response: " + err.Error())
	}
	return der
}
