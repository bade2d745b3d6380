// Package finding is the vocabulary of a diagnosis: what can be wrong, how bad
// it is, who must act, and how sure that is. It knows no server and prints
// nothing; packages probe and job raise findings, the render packages show them.
//
// The codes are listed once, in the catalogue (see [Catalogue]). Their names and
// severities are part of what scripts rely on and never change.
package finding

// A Code names one kind of fault, such as "cert.expired". Codes are stable.
type Code string

// Severity says what a finding means for the job at hand. The zero value is
// invalid; a finding always says which.
type Severity string

// Severities, worst first.
const (
	Block Severity = "block" // the job cannot run
	High  Severity = "high"  // it runs, but unsafely, or will stop soon
	Warn  Severity = "warn"  // worth a look
	Info  Severity = "info"  // for the record
)

// Responsible is who can remove the cause of a finding.
type Responsible string

// Those who can be responsible.
const (
	You                  Responsible = "you"
	ThisComputer         Responsible = "this-computer"
	LocalNetwork         Responsible = "local-network"
	Path                 Responsible = "path"
	Server               Responsible = "server"
	DNS                  Responsible = "dns"
	CertificateAuthority Responsible = "certificate-authority"
	AccountHolder        Responsible = "account"
	Unknown              Responsible = "unknown"
)

// Certainty is how sure a finding's attribution is.
type Certainty string

// Certainties, surest first.
const (
	Certain  Certainty = "certain"
	Likely   Certainty = "likely"
	Possible Certainty = "possible"
)

// A Finding is one fault that was found, and what to do about it.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Target is the index of the target in the report; nil for a finding of the pair.
	Target *int `json:"target"`
	// Endpoint is "host:port/security"; nil for a finding of a target or the pair.
	Endpoint *string `json:"endpoint"`
	// Check is the id of the check that raised the finding.
	Check       string      `json:"check"`
	Responsible Responsible `json:"responsible"`
	Certainty   Certainty   `json:"certainty"`
	Summary     string      `json:"summary"` // one line with the facts of this case
	Cause       string      `json:"cause"`   // why that is so, in a sentence or two
	Remedies    []Remedy    `json:"remedies"`
	// Evidence holds what was seen: plain JSON values, server text already printable.
	Evidence  map[string]any `json:"evidence"`
	Ref       string         `json:"ref"`       // "RFC 8314 section 3.2", or ""
	Reproduce []string       `json:"reproduce"` // shell lines that show the same without imapilot
}

// A Remedy is one way to remove the cause.
type Remedy struct {
	Text string `json:"text"`
	// Apply holds the flags that put the remedy into effect: full names without
	// dashes, prefix included. It is nil when no flag can.
	Apply map[string]string `json:"apply"`
}

// New returns a finding of code with the catalogue's severity, responsible and
// reference, [Certain], and empty (not nil) lists. It panics on a code that is
// not in the catalogue: that is a bug of ours.
func New(code Code, summary, cause string) Finding {
	e, ok := Lookup(code)
	if !ok {
		panic("internal error: finding code " + string(code) + " is not in the catalogue")
	}
	return Finding{
		Code: code, Severity: e.Severity, Responsible: e.Responsible, Certainty: Certain,
		Summary: summary, Cause: cause, Ref: e.Ref,
		Remedies: []Remedy{}, Evidence: map[string]any{}, Reproduce: []string{},
	}
}
