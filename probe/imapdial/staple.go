package imapdial

import (
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/ocsp"
)

// oidTLSFeature is the extension by which a certificate promises a staple (RFC 7633 section 6).
var oidTLSFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

// statusRequest is the number of the TLS extension that asks for a staple (RFC 6066 section 8).
const statusRequest = 5

// staple judges the OCSP answer that came with the handshake (RFC 6960 section 4.2), or that none came.
func (v *verification) staple(der []byte) {
	if len(der) == 0 {
		if v.mustStaple() {
			v.fault(FaultMustStapleMissing, v.leaf, false, "the certificate promises an OCSP answer with every handshake, and none came")
		}
		return
	}
	if v.issuer == nil {
		v.fault(FaultStapleUntrusted, v.leaf, false, "the stapled OCSP answer cannot be checked: the certificate's issuer is not known")
		return
	}
	r, err := ocsp.ParseResponseForCert(der, v.leaf, v.issuer)
	switch {
	case err != nil:
		v.fault(FaultStapleUntrusted, v.leaf, false, "the stapled OCSP answer is not one for this certificate, signed by its issuer: %s", err)
	case r.Status == ocsp.Revoked:
		v.fault(FaultRevoked, v.leaf, true, "the certificate was revoked on %s", day(r.RevokedAt))
	case r.Status != ocsp.Good:
		v.fault(FaultStapleUntrusted, v.leaf, false, "the issuer does not know the certificate, says the stapled OCSP answer")
	case v.now.Before(r.ThisUpdate), !r.NextUpdate.IsZero() && v.now.After(r.NextUpdate):
		v.fault(FaultStapleStale, v.leaf, false, "the stapled OCSP answer was valid from %s to %s", day(r.ThisUpdate), day(r.NextUpdate))
	}
}

func (v *verification) mustStaple() bool {
	for _, ext := range v.leaf.Extensions {
		if !ext.Id.Equal(oidTLSFeature) {
			continue
		}
		var features []int
		if _, err := asn1.Unmarshal(ext.Value, &features); err == nil && slices.Contains(features, statusRequest) {
			return true
		}
	}
	return false
}
