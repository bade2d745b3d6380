package probe

import (
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A faultRow says what becomes of a kind of fault: its code, the check it belongs to, and what a person needs to know.
type faultRow struct {
	code     finding.Code
	check    string
	pinnable bool // a matching pin stands in for it: it is one of chain, name or dates
	caFile   bool // another root would help
	cause    string
	remedies []string
	openssl  []string // options that show it
}

// faultRows is the one place where the faults of imapdial become codes. FaultNoCertificate has no row: the handshake reports it.
var faultRows = map[imapdial.FaultKind]faultRow{
	imapdial.FaultExpired: {code: "cert.expired", check: "cert.dates", pinnable: true,
		cause: "the certificate was not renewed, or was renewed and the server still shows the old one",
		remedies: []string{"the server's administrator has to renew the certificate and reload the mail server",
			"check this computer's clock if other servers look expired too"}},
	imapdial.FaultNotYetValid: {code: "cert.not-yet-valid", check: "cert.dates", pinnable: true,
		cause:    "the certificate starts in the future, or this computer's clock is behind",
		remedies: []string{"check this computer's clock", "wait, or ask the server's administrator for a certificate that is valid now"}},
	imapdial.FaultExpiresSoon: {code: "cert.expires-soon", check: "cert.dates", pinnable: true,
		cause:    "less than a third of the certificate's lifetime is left; by now it should have been renewed",
		remedies: []string{"finish the job before that date, or ask the server's administrator whether the renewal works"}},
	imapdial.FaultIntermediateExpired: {code: "cert.intermediate-expired", check: "cert.chain", pinnable: true,
		cause:    "the server sends an old certificate of its authority along",
		remedies: []string{"the server's administrator has to install the authority's current intermediate certificate"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultNameMismatch: {code: "cert.name-mismatch", check: "cert.name", pinnable: true,
		cause: "the host is reached under a name that its certificate does not list, or another server answers",
		remedies: []string{"use the name that the certificate is for as the host, if the provider's instructions agree",
			"the server's administrator can have this name added to the certificate"}},
	imapdial.FaultCommonNameOnly: {code: "cert.common-name-only", check: "cert.name", pinnable: true,
		cause:    "the certificate lists no subject alternative names; clients stopped looking at the common name years ago (RFC 9525 section 2)",
		remedies: []string{"the server's administrator has to have the certificate issued with a subject alternative name"}},
	imapdial.FaultSelfSigned: {code: "cert.self-signed", check: "cert.chain", pinnable: true, caFile: true,
		cause:    "the certificate was made on the server and no authority vouches for it",
		remedies: []string{"the server's administrator can get a certificate from a public authority, free of charge with ACME"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultUnknownCA: {code: "cert.unknown-ca", check: "cert.chain", pinnable: true, caFile: true,
		cause: "the certificate is from an authority that this computer does not know: a company's own, or someone's on the way",
		remedies: []string{"ask the server's administrator which authority it uses, and compare",
			"the server's administrator can get a certificate from a public authority"},
		openssl: []string{"-showcerts"}},
	imapdial.FaultIncompleteChain: {code: "cert.incomplete-chain", check: "cert.chain", pinnable: true, caFile: true,
		cause:    "the server sends its certificate without the intermediate that leads to the root, or its authority is not known here",
		remedies: []string{"the server's administrator has to install the full chain (with ACME clients: fullchain.pem)"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultBadUsage: {code: "cert.bad-usage", check: "cert.chain", pinnable: true,
		cause:    "the certificate was issued for another purpose than a server",
		remedies: []string{"the server's administrator has to have a certificate issued for a server (serverAuth), which is no authority itself"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultConstraint: {code: "cert.constraint", check: "cert.chain", pinnable: true,
		cause:    "a certificate of the chain was not allowed to issue the next one",
		remedies: []string{"the server's administrator has to have the certificate issued by an authority that may issue it"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultUnknownCriticalExtension: {code: "cert.unknown-critical-extension", check: "cert.chain", pinnable: true,
		cause:    "the certificate demands that clients understand an extension, and it is unknown here (RFC 5280 section 4.2)",
		remedies: []string{"the server's administrator has to have the certificate issued without that extension"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultNoRoots: {code: "local.no-roots", check: "cert.chain", pinnable: true, caFile: true,
		cause:    "without root certificates no server can be recognised; the server is probably fine",
		remedies: []string{"install this system's root certificates (Debian, Alpine: the package ca-certificates), or name them in SSL_CERT_FILE"}},
	imapdial.FaultChainOrder: {code: "cert.chain-order", check: "cert.chain",
		cause:    "clients put the chain in order themselves; some old ones do not",
		remedies: []string{"nothing is needed for this job", "the server's administrator can put the chain file in order: the server's certificate first, then its issuer"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultExtraCertificates: {code: "cert.extra-certificates", check: "cert.chain",
		cause:    "it costs some octets in each handshake and nothing else",
		remedies: []string{"nothing is needed for this job", "the server's administrator can take it out of the chain file"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultPinMismatch: {code: "cert.pin-mismatch", check: "cert.key",
		cause:    "the server has a new key, or another server answers in its place",
		remedies: []string{"ask the server's administrator for the key's current fingerprint before anything else"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultWeakKey: {code: "cert.weak-key", check: "cert.key",
		cause:    "keys of this size can be computed by those who invest enough",
		remedies: []string{"the server's administrator has to have a certificate issued for an RSA key of 2048 bits or an EC key of 256"}},
	imapdial.FaultWeakSignature: {code: "cert.weak-signature", check: "cert.key",
		cause:    "signatures with this hash can be forged",
		remedies: []string{"the server's administrator has to have the certificate issued anew, signed with SHA-256"},
		openssl:  []string{"-showcerts"}},
	imapdial.FaultRevoked: {code: "cert.revoked", check: "cert.revocation",
		cause:    "the authority withdrew the certificate, often because its key became known to others",
		remedies: []string{"do not sign in here", "the server's administrator has to install a new certificate"},
		openssl:  []string{"-status"}},
	imapdial.FaultStapleStale: {code: "cert.ocsp-stale", check: "cert.revocation",
		cause:    "the server does not fetch new OCSP answers",
		remedies: []string{"nothing is needed for this job", "the server's administrator has to mend OCSP stapling, or to switch it off"},
		openssl:  []string{"-status"}},
	imapdial.FaultStapleUntrusted: {code: "cert.ocsp-untrusted", check: "cert.revocation",
		cause:    "the stapled answer proves nothing: it is not from this certificate's authority, or cannot be read",
		remedies: []string{"nothing is needed for this job", "the server's administrator has to mend OCSP stapling, or to switch it off"},
		openssl:  []string{"-status"}},
	imapdial.FaultMustStapleMissing: {code: "cert.must-staple-missing", check: "cert.revocation",
		cause:    "the certificate demands a stapled OCSP answer (RFC 7633), and clients that obey refuse the server",
		remedies: []string{"the server's administrator has to enable OCSP stapling, or to have the certificate issued without must-staple"},
		openssl:  []string{"-status"}},
}
