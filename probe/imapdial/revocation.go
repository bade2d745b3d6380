package imapdial

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A Revocation is what an authority says of a certificate.
type Revocation struct {
	Revoked   bool
	RevokedAt time.Time // zero where it is not revoked
	Updated   time.Time // when the authority said so
}

// JudgeOCSP reads the answer that an OCSP responder gave about cert, whose issuer is issuer (RFC 6960 section 4.2). An error says why nothing can
// be told from it: it is another's, not signed by the issuer, out of date, or does not know the certificate.
func JudgeOCSP(der []byte, cert, issuer *x509.Certificate, now time.Time) (Revocation, error) {
	r, err := ocsp.ParseResponseForCert(der, cert, issuer)
	switch {
	case err != nil:
		return Revocation{}, fmt.Errorf("the answer is not one for this certificate, signed by its issuer: %w", err)
	case !current(now, r.ThisUpdate, r.NextUpdate):
		return Revocation{}, fmt.Errorf("the answer was valid from %s to %s", day(r.ThisUpdate), day(r.NextUpdate))
	case r.Status == ocsp.Revoked:
		return Revocation{Revoked: true, RevokedAt: r.RevokedAt, Updated: r.ThisUpdate}, nil
	case r.Status != ocsp.Good:
		return Revocation{}, errors.New("the responder does not know the certificate")
	}
	return Revocation{Updated: r.ThisUpdate}, nil
}

// JudgeCRL looks for cert in a revocation list of its issuer (RFC 5280 section 6.3). Lists that others sign for the issuer are not accepted.
func JudgeCRL(der []byte, cert, issuer *x509.Certificate, now time.Time) (Revocation, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return Revocation{}, fmt.Errorf("the list cannot be read: %w", err)
	}
	if err := list.CheckSignatureFrom(issuer); err != nil {
		return Revocation{}, fmt.Errorf("the list is not signed by the certificate's issuer: %w", err)
	}
	if !current(now, list.ThisUpdate, list.NextUpdate) {
		return Revocation{}, fmt.Errorf("the list was valid from %s to %s", day(list.ThisUpdate), day(list.NextUpdate))
	}
	for _, entry := range list.RevokedCertificateEntries {
		if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 && entry.ReasonCode != removeFromCRL {
			return Revocation{Revoked: true, RevokedAt: entry.RevocationTime, Updated: list.ThisUpdate}, nil
		}
	}
	return Revocation{Updated: list.ThisUpdate}, nil
}

// removeFromCRL is the reason that takes a certificate off the list again (RFC 5280 section 5.3.1).
const removeFromCRL = 8

func current(now, from, to time.Time) bool {
	return !now.Before(from) && (to.IsZero() || !now.After(to))
}

// AddRevocation puts what an authority said when it was asked into the facts, as a stapled answer would be: a revoked certificate is not
// accepted, pinned or not. It is for a caller that asks before it uses a connection.
func (f *Facts) AddRevocation(r Revocation) {
	if !r.Revoked || f.TLS == nil || len(f.TLS.Chain) == 0 {
		return
	}
	for _, x := range f.Faults {
		if x.Kind == FaultRevoked {
			return
		}
	}
	v := verification{chain: f.TLS.Chain, faults: f.Faults}
	v.fault(FaultRevoked, f.TLS.Chain[0], true, "the certificate was revoked on %s", day(r.RevokedAt))
	f.Faults = v.faults
}
