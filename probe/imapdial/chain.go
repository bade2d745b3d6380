package imapdial

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
)

// follow looks for chains to a root, as they are now, without a name and for any usage: the leaf's dates and name, judged elsewhere, cannot
// hide what is wrong here.
func (v *verification) follow() {
	v.chains, v.chainErr = v.verifyWith(v.roots, x509.ExtKeyUsageAny)
	if v.chainErr == nil {
		if len(v.chains[0]) > 1 {
			v.issuer = v.chains[0][1]
		}
	} else if path := v.path(); len(path) > 1 {
		v.issuer = path[1]
	}
}

// verifyWith asks for chains to roots. The leaf's own dates are set aside: to ask at a moment at which it was valid would blame an
// intermediate that was issued since.
func (v *verification) verifyWith(roots *x509.CertPool, usage x509.ExtKeyUsage) ([][]*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, c := range v.chain[1:] {
		intermediates.AddCert(c)
	}
	leaf := *v.leaf
	leaf.NotBefore, leaf.NotAfter = v.now, v.now
	if len(SRVNames(v.leaf)) > 0 { // crypto/x509 calls a critical list of names unknown if it holds only such that it does not know
		leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), oidSubjectAltName.Equal)
	}
	return leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: v.now, KeyUsages: []x509.ExtKeyUsage{usage}})
}

// trust judges the chain: at most one fault comes of it.
func (v *verification) trust() {
	if v.chainErr != nil {
		v.untrusted(v.chainErr)
		return
	}
	if v.leaf.IsCA && !issued(v.leaf, v.leaf) {
		v.fault(FaultBadUsage, v.leaf, false, "the server's certificate is marked as a certificate authority (CA:TRUE)")
	} else if _, err := v.verifyWith(v.roots, x509.ExtKeyUsageServerAuth); err != nil {
		v.badUsage()
	} else {
		v.private()
	}
}

// badUsage says which certificate of the chain is not for servers (RFC 5280 section 4.2.1.12).
func (v *verification) badUsage() {
	serves := func(c *x509.Certificate) bool {
		return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
			slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
	}
	for _, c := range v.chains[0][1:] {
		if serves(v.leaf) && !serves(c) {
			v.fault(FaultBadUsage, c, true, "the issuer may not issue certificates for servers: %s", c.Subject)
			return
		}
	}
	v.fault(FaultBadUsage, v.leaf, true, "the certificate may not be used for a server")
}

// private tells of a root that only this machine's store has. One that was given with the policy needs no remark.
func (v *verification) private() {
	if v.policy.Roots != "" {
		return
	}
	given := parsePEM(v.policy.CAs)
	for _, chain := range v.chains {
		root := chain[len(chain)-1]
		if len(chain) == 1 || slices.ContainsFunc(given, root.Equal) || loadPublicRoots().has(root) {
			return
		}
	}
	if v.publicRoot() != nil {
		return // over another root than this machine's
	}
	root := v.chains[0][len(v.chains[0])-1]
	v.fault(FaultPrivateCA, root, false, "this computer trusts the authority, the public lists do not: %s", root.Subject)
}

func parsePEM(text string) []*x509.Certificate {
	var certs []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return certs
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			certs = append(certs, cert)
		}
	}
}

// untrusted turns the library's verdict on the chain into a fault.
func (v *verification) untrusted(err error) {
	var invalid x509.CertificateInvalidError
	var constraint x509.ConstraintViolationError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &critical):
		v.criticalExtension()
	case errors.As(err, &constraint):
		v.fault(FaultConstraint, v.leaf, true, "an issuer's constraints do not allow this certificate")
	case errors.As(err, &invalid):
		v.invalid(invalid)
	default: // x509.UnknownAuthorityError, whatever the cause
		v.unknownAuthority()
	}
}

// criticalExtension names the extension that nobody knows. crypto/x509 does not.
func (v *verification) criticalExtension() {
	for _, c := range v.path() {
		if len(c.UnhandledCriticalExtensions) == 0 {
			continue
		}
		whose := "the certificate"
		if c != v.leaf {
			whose = "an issuer's certificate"
		}
		v.fault(FaultUnknownCriticalExtension, c, true, "%s has a critical extension that is not known here: %s", whose, oidList(c.UnhandledCriticalExtensions))
		return
	}
	v.fault(FaultUnknownCriticalExtension, v.leaf, true, "the certificate of a root has a critical extension that is not known here")
}

func oidList(ids []asn1.ObjectIdentifier) string {
	var list []string
	for _, id := range ids[:min(len(ids), 5)] {
		list = append(list, id.String())
	}
	return strings.Join(list, ", ")
}

func (v *verification) invalid(err x509.CertificateInvalidError) {
	subject := err.Cert.Subject
	switch err.Reason {
	case x509.Expired:
		v.fault(FaultIntermediateExpired, err.Cert, true, "a certificate of the chain is not valid now: %s, valid from %s to %s",
			subject, day(err.Cert.NotBefore), day(err.Cert.NotAfter))
	case x509.IncompatibleUsage:
		v.fault(FaultBadUsage, err.Cert, true, "the certificate may not be used for a server")
	case x509.CANotAuthorizedForThisName, x509.UnconstrainedName:
		// The library names the certificate that is not permitted, not the issuer that forbids it.
		c, path := err.Cert, v.path()
		if i := slices.IndexFunc(path, func(c *x509.Certificate) bool { return hasExtension(c, oidNameConstraints) }); i > 0 {
			c = path[i]
		}
		v.fault(FaultConstraint, c, true, "the authority %s may not issue for this name: %s", c.Subject, err.Detail)
	case x509.TooManyIntermediates:
		v.fault(FaultConstraint, err.Cert, true, "more authorities stand below this one than it allows (pathlen): %s", subject)
	case x509.NotAuthorizedToSign:
		v.fault(FaultConstraint, err.Cert, true, "a certificate of the chain is not allowed to issue others: %s", subject)
	case x509.TooManyConstraints:
		v.fault(FaultConstraint, err.Cert, true, "the constraints of an issuer are too many to be checked: %s", subject)
	default:
		v.fault(FaultConstraint, err.Cert, true, "a certificate of the chain does not allow what it is used for: %s", err.Error())
	}
}

// unknownAuthority finds out why the chain ends at no root. crypto/x509 has one error for all of it.
func (v *verification) unknownAuthority() {
	path := v.path()
	last := path[len(path)-1]
	known, imitated := v.imitates(last)
	switch {
	case v.roots.Equal(x509.NewCertPool()):
		v.noRoots()
	case issued(v.leaf, v.leaf):
		v.fault(FaultSelfSigned, v.leaf, true, "the certificate is signed by itself")
	case slices.ContainsFunc(path, hasWeakHash):
		c := path[slices.IndexFunc(path, hasWeakHash)]
		v.fault(FaultWeakSignature, c, true, "a certificate is signed with %s, which is no longer accepted: %s", c.SignatureAlgorithm, c.Subject)
	case len(path) > 1 && slices.ContainsFunc(path[1:], hasTinyKey):
		c := path[1+slices.IndexFunc(path[1:], hasTinyKey)]
		v.fault(FaultWeakKey, c, true, "an issuer's RSA key has fewer than %d bits, and signs nothing that is accepted: %s", minRSABits, c.Subject)
	case len(path) > 1 && !mayIssue(path[1:]):
		v.fault(FaultConstraint, path[1], true, "a certificate of the chain is not allowed to issue others: %s", path[1].Subject)
	case imitated:
		v.fault(FaultImitatedIssuer, last, true, "the certificate names an issuer that is known, and is not signed with its key: %s", last.Issuer).Related = known
	case issued(last, last):
		v.fault(FaultUnknownCA, last, true, "the chain ends in a root that this computer does not trust: %s", last.Subject)
	case len(path) == 1:
		v.fault(FaultIncompleteChain, v.leaf, true, "the certificate's issuer was not sent and is not known here: %s", v.leaf.Issuer)
	default:
		v.fault(FaultUnknownCA, last, true, "the chain ends at an issuer that this computer does not know: %s", last.Issuer)
	}
}

// noRoots asks the public list in place of the roots that are missing, to tell what the server is worth. It trusts nothing for it.
func (v *verification) noRoots() {
	detail := "this computer has no root certificates to compare with"
	root := v.publicRoot()
	if root != nil {
		detail += "; by the public list the server's chain is good"
	}
	v.fault(FaultNoRoots, nil, true, "%s", detail).Related = root
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
