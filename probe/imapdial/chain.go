package imapdial

import (
	"crypto/x509"
	"errors"
	"time"
)

// trust judges the chain: at most one fault comes of it. It is asked at a moment at which the leaf is valid, without a name and for
// any usage, so that dates and name, judged elsewhere, cannot hide what is wrong here.
func (v *verification) trust() {
	at := v.now
	if at.After(v.leaf.NotAfter) {
		at = v.leaf.NotAfter.Add(-time.Second)
	}
	if at.Before(v.leaf.NotBefore) {
		at = v.leaf.NotBefore.Add(time.Second)
	}
	chains, err := v.verifyAt(at, x509.ExtKeyUsageAny)
	if err == nil {
		if len(chains[0]) > 1 {
			v.issuer = chains[0][1]
		}
		if v.leaf.IsCA {
			v.fault(FaultBadUsage, v.leaf, false, "the server's certificate is marked as a certificate authority (CA:TRUE)")
		} else if _, err := v.verifyAt(at, x509.ExtKeyUsageServerAuth); err != nil {
			v.fault(FaultBadUsage, v.leaf, true, "the certificate may not be used for a server: %s", err)
		}
		return
	}
	if path := v.path(); len(path) > 1 {
		v.issuer = path[1]
	}
	v.untrusted(err)
}

func (v *verification) verifyAt(at time.Time, usage x509.ExtKeyUsage) ([][]*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, c := range v.chain[1:] {
		intermediates.AddCert(c)
	}
	return v.leaf.Verify(x509.VerifyOptions{
		Roots: v.roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage},
	})
}

// untrusted turns the library's verdict on the chain into a fault.
func (v *verification) untrusted(err error) {
	var invalid x509.CertificateInvalidError
	var constraint x509.ConstraintViolationError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &critical):
		v.fault(FaultUnknownCriticalExtension, v.leaf, true, "the certificate has a critical extension that is not known here")
	case errors.As(err, &constraint):
		v.fault(FaultConstraint, v.leaf, true, "an issuer's constraints do not allow this certificate")
	case errors.As(err, &invalid):
		v.invalid(invalid)
	default: // x509.UnknownAuthorityError, whatever the cause
		v.unknownAuthority()
	}
}

func (v *verification) invalid(err x509.CertificateInvalidError) {
	switch err.Reason {
	case x509.Expired:
		v.fault(FaultIntermediateExpired, err.Cert, true, "a certificate of the chain is not valid now: %s, valid from %s to %s",
			err.Cert.Subject, day(err.Cert.NotBefore), day(err.Cert.NotAfter))
	case x509.IncompatibleUsage:
		v.fault(FaultBadUsage, err.Cert, true, "the certificate may not be used for a server")
	default:
		v.fault(FaultConstraint, err.Cert, true, "a certificate of the chain does not allow what it is used for: %s", err.Error())
	}
}

// unknownAuthority finds out why the chain ends at no root. crypto/x509 has one error for all of it.
func (v *verification) unknownAuthority() {
	path := v.path()
	last := path[len(path)-1]
	weak := weakSignature(path)
	switch {
	case v.roots.Equal(x509.NewCertPool()):
		v.fault(FaultNoRoots, nil, true, "this computer has no root certificates to compare with")
	case issued(v.leaf, v.leaf):
		v.fault(FaultSelfSigned, v.leaf, true, "the certificate is signed by itself")
	case weak != nil:
		v.fault(FaultWeakSignature, weak, true, "a certificate is signed with %s, which is no longer accepted: %s", weak.SignatureAlgorithm, weak.Subject)
	case len(path) > 1 && !mayIssue(path[1:]):
		v.fault(FaultConstraint, path[1], true, "a certificate of the chain is not allowed to issue others: %s", path[1].Subject)
	case issued(last, last):
		v.fault(FaultUnknownCA, last, true, "the chain ends in a root that this computer does not trust: %s", last.Subject)
	case len(path) == 1:
		v.fault(FaultIncompleteChain, v.leaf, true, "the certificate's issuer was not sent and is not known here: %s", v.leaf.Issuer)
	default:
		v.fault(FaultUnknownCA, last, true, "the chain ends at an issuer that this computer does not know: %s", last.Issuer)
	}
}

// weakSignature returns the first certificate of path that is signed with a hash that crypto/x509 refuses. A self-signed end is
// trusted by its key, not by its signature.
func weakSignature(path []*x509.Certificate) *x509.Certificate {
	for _, c := range path {
		switch c.SignatureAlgorithm {
		case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
			if string(c.RawSubject) != string(c.RawIssuer) {
				return c
			}
		}
	}
	return nil
}

// mayIssue reports whether all of issuers may sign certificates (RFC 5280 section 4.2.1.9).
func mayIssue(issuers []*x509.Certificate) bool {
	for _, c := range issuers {
		if !c.IsCA || c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0 {
			return false
		}
	}
	return true
}
