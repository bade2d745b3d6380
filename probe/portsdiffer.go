package probe

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// leaf is the certificate that the endpoint showed, or nil.
func (s *subject) leaf() *x509.Certificate {
	if s == nil || s.facts == nil || s.facts.TLS == nil || len(s.facts.TLS.Chain) == 0 {
		return nil
	}
	return s.facts.TLS.Chain[0]
}

// portsDiffer tells of another certificate on the other port of the same address. It is told once, at the port with STARTTLS.
func (s *subject) portsDiffer() []finding.Finding {
	other := s.extras.otherPort.leaf()
	if s.ep.Security != imapdial.STARTTLS || other == nil || other.Equal(s.leaf()) {
		return nil
	}
	mine, implicit := s.leaf(), s.extras.otherPort
	f := s.finding("cert.ports-differ", fmt.Sprintf("port %s shows another certificate than port %s", portText(s.ep), portText(implicit.ep)),
		"the ports have settings of their own, or another machine answers on one of them")
	if bytes.Equal(mine.RawIssuer, other.RawIssuer) && !mine.NotBefore.Equal(other.NotBefore) {
		f.Cause = "the certificate was renewed, and only one of the services was reloaded since, or the ports have settings of their own"
		f.Certainty = finding.Likely
	}
	for name, c := range map[string]*x509.Certificate{portText(s.ep): mine, portText(implicit.ep): other} {
		f.Evidence["port_"+name] = map[string]any{"issuer": wire.Printable(c.Issuer.String()), "pin": imapdial.Pin(c),
			"not_before": timeText(c.NotBefore), "not_after": timeText(c.NotAfter)}
	}
	f.Evidence["same_key"] = bytes.Equal(mine.RawSubjectPublicKeyInfo, other.RawSubjectPublicKeyInfo)
	f.Remedies = advice("the server's administrator has to reload the mail server after a renewal, and to see that both ports use the same certificate",
		"use the port that has no finding of its own")
	f.Reproduce = []string{s.openssl(), implicit.openssl()}
	return []finding.Finding{f}
}
