package probe

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// certDates judges how long the certificate is valid.
func certDates(s *subject) outcome {
	leaf := s.facts.TLS.Chain[0]
	days := math.Floor(leaf.NotAfter.Sub(s.facts.Started).Hours() / 24)
	return s.certOutcome("cert.dates", fmt.Sprintf("valid until %s, %.0f days left", leaf.NotAfter.UTC().Format(time.DateOnly), days),
		map[string]any{"not_before": leaf.NotBefore.UTC().Format(time.RFC3339), "not_after": leaf.NotAfter.UTC().Format(time.RFC3339), "days_left": int(days)})
}

// certName judges whether the certificate is for the host.
func certName(s *subject) outcome {
	return s.certOutcome("cert.name", "the certificate is for "+s.ep.ServerName(),
		map[string]any{"server_name": s.ep.ServerName(), "names": stringList(certNames(s.facts.TLS.Chain[0]))})
}

// certChain judges whether the chain leads to a root that is trusted, and what was sent of it.
func certChain(s *subject) outcome {
	chain := s.facts.TLS.Chain
	return s.certOutcome("cert.chain", fmt.Sprintf("%s sent, issued by %s", count(len(chain), "certificate", "certificates"), issuerName(chain[0])),
		map[string]any{"sent": len(chain)})
}

// certKey judges the key, its signatures and the pins.
func certKey(s *subject) outcome {
	leaf := s.facts.TLS.Chain[0]
	keyType, bits := keyOf(leaf)
	return s.certOutcome("cert.key", fmt.Sprintf("%s key of %d bits", strings.ToUpper(keyType), bits),
		map[string]any{"key_type": keyType, "key_bits": bits, "pin": imapdial.Pin(leaf), "pin_matched": s.facts.Pin != ""})
}

// certRevocation judges the stapled OCSP answer. Without one nothing is known; no authority is asked.
func certRevocation(s *subject) outcome {
	stapled := len(s.facts.TLS.State.OCSPResponse) > 0
	out := s.certOutcome("cert.revocation", "the stapled OCSP answer says that the certificate is not revoked", map[string]any{"stapled": stapled})
	if !stapled && len(out.findings) == 0 {
		out.status, out.summary = Skip, "not applicable: no OCSP answer is stapled"
	}
	return out
}

// certOutcome is the outcome of the check with the faults that belong to it, or good.
func (s *subject) certOutcome(check, good string, facts map[string]any) outcome {
	out := outcome{summary: good, facts: facts}
	for _, fault := range s.facts.Faults {
		if row, ok := faultRows[fault.Kind]; ok && row.check == check {
			out.findings = append(out.findings, s.faultFinding(row, fault))
		}
	}
	if len(out.findings) > 0 {
		slices.SortStableFunc(out.findings, func(a, b finding.Finding) int {
			return cmp.Compare(severityRank(a.Severity), severityRank(b.Severity))
		})
		out.summary = out.findings[0].Summary
	}
	return out
}

// faultFinding makes a finding of a fault. What the policy refuses blocks, whatever the catalogue says: no target may be called
// usable that Dial would refuse. What a pin stands in for is for the record (contract 2.1).
func (s *subject) faultFinding(row faultRow, fault imapdial.Fault) finding.Finding {
	f := s.finding(row.code, fault.Detail, row.cause)
	switch {
	case fault.Blocking:
		f.Severity = finding.Block
	case s.facts.Pin != "" && row.pinnable:
		f.Severity = finding.Info
		f.Cause += "; the pinned key stands in for it"
	case f.Severity == finding.Block:
		f.Severity = finding.High
	}
	if cert := fault.Cert; cert != nil {
		f.Evidence["subject"], f.Evidence["issuer"] = wire.Printable(cert.Subject.String()), wire.Printable(cert.Issuer.String())
		f.Evidence["not_before"], f.Evidence["not_after"] = cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339)
		f.Evidence["index"] = fault.Index
	}
	f.Remedies = advice(row.remedies...)
	if f.Severity == finding.Block && row.caFile {
		f.Remedies = append(f.Remedies, finding.Remedy{Text: "if the authority is your own, give its root certificate with --" + s.flag("ca-file") + " FILE"})
	}
	f.Remedies = append(f.Remedies, s.certRemedies(row, f.Severity)...)
	f.Reproduce = []string{s.openssl(row.openssl...)}
	if row.check == "cert.name" {
		f.Evidence["names"] = stringList(certNames(s.facts.TLS.Chain[0]))
		f.Reproduce = []string{s.openssl(s.verifyOption())}
	}
	return f
}

// certRemedies are those that a flag puts into effect.
func (s *subject) certRemedies(row faultRow, severity finding.Severity) []finding.Remedy {
	if severity != finding.Block {
		return nil
	}
	var remedies []finding.Remedy
	leaf := s.facts.TLS.Chain[0]
	if row.code == "cert.name-mismatch" {
		for _, name := range certNames(leaf) {
			if !strings.Contains(name, "*") {
				remedies = append(remedies, s.apply("if this server really is "+name+", accept that name", "server-name", name))
				break
			}
		}
	}
	if row.pinnable || row.code == "cert.pin-mismatch" {
		remedies = append(remedies, s.apply("if the server's administrator confirms that this is the server's key, pin it", "pin", imapdial.Pin(leaf)))
	}
	return remedies
}
