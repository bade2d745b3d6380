package imapdial

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/tcpinfo"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A Stage is a step of a connection attempt.
type Stage uint8

// The stages. Their order in time is that of the endpoint's Security: with TLS the handshake precedes the
// greeting, with STARTTLS it follows the exchange.
const (
	StageConnect    Stage = iota // TCP
	StageHandshake               // TLS handshake and the policy's verdict
	StageGreeting                // the server's first line
	StageStartTLS                // CAPABILITY before TLS, and the STARTTLS command
	StageCapability              // CAPABILITY where it was last read: after TLS
	StageSignIn
	numStages
)

func (s Stage) String() string {
	return [...]string{"connect", "handshake", "greeting", "starttls", "capability", "sign-in"}[s]
}

// Facts is what a connection attempt showed. Fields of stages that were not
// reached are zero.
type Facts struct {
	Endpoint Endpoint
	Remote   netip.AddrPort // who answered TCP, or was tried last
	Started  time.Time
	Took     [numStages]time.Duration // 0 for a stage that was not reached

	Greeting     wire.Response // the first line, whatever it was; zero if none came
	FirstBytes   []byte        // at most 256 octets of what came in place of a greeting or of a TLS record
	StartTLS     StartTLS
	BeforeTLS    []string // capabilities offered before TLS, unauthenticated; nil when not read
	Capabilities []string // capabilities before sign-in, inside TLS if there is any; nil when not read

	// RawCertificates is the DER of what the server sent as certificates, leaf first, where the handshake ended before they could be judged: crypto/tls
	// could not parse them.
	RawCertificates [][]byte

	TCP    tcpinfo.Info // what the kernel knew of the connection when a handshake failed
	TLS    *TLSFacts    // nil without a completed handshake or a certificate
	Faults []Fault      // what the policy objects to in TLS, or would if no pin had matched; empty when all is well
	Pin    string       // the given pin that matched, canonical, or ""
	// CertificateRequested tells that the server asked for a client certificate. None is sent; a server that insists ends the connection.
	CertificateRequested bool

	// Err is why the attempt went no further, nil when it got through all stages. A failed verification alone does not
	// set it in Observe; Acceptable tells whether the policy was met.
	Err        *Error
	Transcript []wire.Line
}

// TLSFacts is what a handshake showed.
type TLSFacts struct {
	State tls.ConnectionState
	Chain []*x509.Certificate // as sent, leaf first
	// Issuer is who signed the leaf, as far as it was sent or is among the roots; else nil.
	Issuer *x509.Certificate
}

// StartTLS is what became of the STARTTLS exchange (RFC 9051 section 6.2.1).
type StartTLS struct {
	Listed  bool   // STARTTLS is in the capabilities before TLS
	Masked  string // a token that looks like STARTTLS overwritten, such as XXXXXXXX, or ""
	Outcome StartTLSOutcome
	Answer  wire.Response // the tagged (or continuation) answer
}

// StartTLSOutcome is how a server answered STARTTLS.
type StartTLSOutcome uint8

// The outcomes of STARTTLS.
const (
	StartTLSNotTried StartTLSOutcome = iota
	StartTLSAccepted
	StartTLSRefused      // NO, BAD or a continuation request; see Answer
	StartTLSClosed       // the connection was closed in answer
	StartTLSNoAnswer     // nothing within the deadline
	StartTLSInjected     // data followed the tagged OK before the handshake
	StartTLSGreetedAgain // the server greeted a second time, inside TLS: another server answers there, or someone replays
	StartTLSPreAuth      // the greeting was PREAUTH: STARTTLS is not possible (RFC 9051 section 7.1.4)
)

// A Fault is one objection of the policy to what a server showed in TLS.
type Fault struct {
	Kind  FaultKind
	Cert  *x509.Certificate // the certificate it is about, nil when none is
	Index int               // its place in the chain as sent, 0 is the leaf; -1 when it was not sent
	// Blocking tells that Dial refuses because of it. A matching pin makes faults of chain, name and dates not blocking.
	Blocking bool
	Detail   string // one line for a person, printable
	// Related is the certificate that explains the fault, or nil: the issuer that FaultImitatedIssuer takes the name of, the public root that
	// the chain leads to where this machine has no roots.
	Related *x509.Certificate
}

// FaultKind is the kind of a Fault. Package probe maps each to one finding code.
type FaultKind uint8

// The kinds of faults. Dates, name and chain are judged apart; of the chain there is at most one.
const (
	FaultExpired FaultKind = iota + 1
	FaultNotYetValid
	FaultIntermediateExpired
	FaultSelfSigned
	FaultUnknownCA
	FaultIncompleteChain
	FaultNameMismatch
	FaultCommonNameOnly
	FaultBadUsage
	FaultConstraint
	FaultUnknownCriticalExtension
	FaultPinMismatch
	FaultWeakKey
	FaultWeakSignature
	FaultRevoked     // by the stapled OCSP answer
	FaultStapleStale // not blocking
	FaultStapleUntrusted
	FaultMustStapleMissing // not blocking
	FaultChainOrder        // not blocking
	FaultExtraCertificates // not blocking
	FaultExpiresSoon       // not blocking
	FaultNoRoots           // this machine has no roots
	FaultNoCertificate
	FaultImitatedIssuer // names an issuer that is known, and another key signed
	FaultPrivateCA      // not blocking: trusted by this machine's store, by no public root
)

// Acceptable reports whether the attempt got through all stages before sign-in and met its policy.
func (f *Facts) Acceptable() bool { return f.Err == nil && f.policyMet() }

// policyMet reports whether no fault blocks.
func (f *Facts) policyMet() bool {
	for _, x := range f.Faults {
		if x.Blocking {
			return false
		}
	}
	return true
}
