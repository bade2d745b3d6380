package probe

import (
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
)

// The schemas of a report (contract 2).
const (
	schemaProbe     = "imapilot.probe/1"
	schemaPreflight = "imapilot.preflight/1"
)

// A Report is the outcome of a probe: data, complete and ordered, with JSON tags as the contract has them. It can be
// rendered again from its JSON.
type Report struct {
	Schema     string            `json:"schema"` // "imapilot.probe/1", or "imapilot.preflight/1" with a pair
	Version    string            `json:"version"`
	Started    time.Time         `json:"started"` // UTC
	DurationMS int64             `json:"duration_ms"`
	Verdict    Verdict           `json:"verdict"`
	ExitCode   int               `json:"exit_code"`
	Targets    []*TargetReport   `json:"targets"`
	Pair       *Pair             `json:"pair"` // preflight only; package job fills it
	Findings   []finding.Finding `json:"findings"`
}

// Verdict sums a report up.
type Verdict string

// The verdicts, best first (contract 2.1).
const (
	Ready   Verdict = "ready"
	Warning Verdict = "warning"
	Blocked Verdict = "blocked"
)

// A TargetReport is what was found of one target.
type TargetReport struct {
	Role        Role              `json:"role"`
	Input       string            `json:"input"`
	Host        string            `json:"host"`
	Checks      []Result          `json:"checks"` // dns.*
	Recommended *Recommended      `json:"recommended"`
	Endpoints   []*EndpointReport `json:"endpoints"` // one per port, security and family, in the order of the contract: 993 before 143, IPv4 before IPv6
	Path        *Path             `json:"path"`
}

// Recommended are the validated settings.
type Recommended struct {
	Host        string   `json:"host"`
	Port        int      `json:"port"`
	Security    string   `json:"security"`
	Address     string   `json:"address"`
	ServerName  string   `json:"server_name"`
	MinTLS      string   `json:"min_tls"`
	Pin         *string  `json:"pin"`
	Auth        string   `json:"auth"`
	Connections int      `json:"connections"`
	Groups      []string `json:"groups"` // null unless the default fails
}

// An EndpointReport is what was found at one port in one mode over one family.
type EndpointReport struct {
	Host         string       `json:"host"`
	Port         int          `json:"port"`
	Security     string       `json:"security"`
	Address      string       `json:"address"`
	Family       string       `json:"family"`
	Checks       []Result     `json:"checks"` // every endpoint check, in the order of the connection
	TLS          *TLSReport   `json:"tls"`
	Capabilities Capabilities `json:"capabilities"`
}

// Capabilities are what the server offered at three points of the connection.
type Capabilities struct {
	BeforeTLS  []string `json:"before_tls"`
	AfterTLS   []string `json:"after_tls"`
	AfterLogin []string `json:"after_login"`
}

// TLSReport is what the handshake showed.
type TLSReport struct {
	Version      string              `json:"version"`
	CipherSuite  string              `json:"cipher_suite"`
	Group        string              `json:"group"`
	Versions     map[string]bool     `json:"versions,omitzero"`      // this and the next two with --full only; a version that could not be told is missing
	CipherSuites map[string][]string `json:"cipher_suites,omitzero"` // by version, from TLS 1.0 on
	Groups       []string            `json:"groups,omitzero"`
	Certificates []CertificateReport `json:"certificates"`
}

// CertificateReport describes a certificate as the server sent it.
type CertificateReport struct {
	Subject            string    `json:"subject"`
	Issuer             string    `json:"issuer"`
	DNSNames           []string  `json:"dns_names"`
	IPAddresses        []string  `json:"ip_addresses"`
	NotBefore          time.Time `json:"not_before"`
	NotAfter           time.Time `json:"not_after"`
	Serial             string    `json:"serial"`
	SHA256             string    `json:"sha256"`
	SPKISHA256         string    `json:"spki_sha256"`
	KeyType            string    `json:"key_type"`
	KeyBits            int       `json:"key_bits"`
	SignatureAlgorithm string    `json:"signature_algorithm"`
}

// A Result is what became of one check.
type Result struct {
	ID         string         `json:"id"`
	Status     Status         `json:"status"`
	DurationMS float64        `json:"duration_ms"`
	Summary    string         `json:"summary"`
	Facts      map[string]any `json:"facts"`
	BlockedBy  string         `json:"blocked_by"` // the earliest cause of "held": a check id, or "input.secret"; else ""
}

// Status is the outcome of a check. The empty Status is that of a check that has not ended (in snapshots of [Live] only).
type Status string

// The outcomes of a check.
const (
	Pass    Status = "pass"
	Warned  Status = "warn"
	Fail    Status = "fail"
	Held    Status = "held"
	Skip    Status = "skip"
	Errored Status = "error"
)

// Pair is what was found of two servers together.
type Pair struct {
	Checks          []Result `json:"checks"`
	Messages        int64    `json:"messages"`
	Bytes           int64    `json:"bytes"`
	Folders         int      `json:"folders"`
	EstimateSeconds float64  `json:"estimate_seconds"`
}

// Path is the way to the first endpoint that could not be reached, and where on it something acts.
type Path struct {
	Hops   []Hop `json:"hops"`
	ActsAt *Hop  `json:"acts_at"` // null when nothing does; the last hop that is seen where that cannot be told from what lies behind
}

// A Hop is a device on the way.
type Hop struct {
	TTL     int     `json:"ttl"`     // 1 for the first; 0 for this computer
	Address string  `json:"address"` // "" where it does not show itself
	RTTMS   float64 `json:"rtt_ms,omitempty"`
	How     string  `json:"how,omitempty"`
}
