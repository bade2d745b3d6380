package probe

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// inspectors are words in the issuer names of products that open TLS on the way or on the computer itself, in lower case, and what they are.
// As of November 2026.
var inspectors = []struct{ word, product string }{
	{"avast", "Avast antivirus"}, {"avg web", "AVG antivirus"}, {"avg technologies", "AVG antivirus"}, {"kaspersky", "Kaspersky antivirus"},
	{"eset ssl filter", "ESET antivirus"}, {"bitdefender", "Bitdefender antivirus"}, {"dr.web", "Dr.Web antivirus"}, {"g data mail", "G DATA antivirus"},
	{"norton web/mail", "Norton antivirus"}, {"adguard", "AdGuard"}, {"mcafee", "McAfee"}, {"trend micro", "Trend Micro"}, {"sophos", "Sophos"},
	{"zscaler", "Zscaler"}, {"fortinet", "Fortinet"}, {"fortigate", "FortiGate"}, {"palo alto", "Palo Alto Networks"}, {"check point", "Check Point"},
	{"sonicwall", "SonicWall"}, {"watchguard", "WatchGuard"}, {"barracuda", "Barracuda"}, {"forcepoint", "Forcepoint"}, {"websense", "Websense"},
	{"blue coat", "Blue Coat"}, {"bluecoat", "Blue Coat"}, {"netskope", "Netskope"}, {"cisco umbrella", "Cisco Umbrella"},
	{"cloudflare gateway", "Cloudflare Gateway"}, {"cloudflare for teams", "Cloudflare Gateway"}, {"iboss", "iboss"}, {"lightspeed", "Lightspeed"},
	{"securly", "Securly"}, {"untangle", "Untangle"}, {"cyberoam", "Cyberoam"}, {"stormshield", "Stormshield"}, {"smoothwall", "Smoothwall"},
	{"mitmproxy", "mitmproxy"}, {"portswigger", "Burp Suite"}, {"charles proxy", "Charles"}, {"do_not_trust_fiddler", "Fiddler"}, {"superfish", "Superfish"},
	{"privdog", "PrivDog"}, {"squid proxy", "Squid"},
}

// mintedLately is how young a certificate of an inspection is at most: they are made when a connection first asks for them, and many are kept for a day.
const mintedLately = 12 * time.Hour

// inspection tells of TLS that is opened on the way, by evidence. An authority that is not public is a condition and proves nothing: companies
// have their own. What must come to it is the name of a product, or two signs of a certificate that was made for the occasion.
func (s *subject) inspection() []finding.Finding {
	root, condition := s.privateAuthority()
	if !condition || s.facts.Pin != "" {
		return nil
	}
	leaf := s.leaf()
	product := inspectorOf(append(s.facts.TLS.Chain, root)...)
	age := s.facts.Started.Sub(leaf.NotBefore)
	lately := age >= 0 && age < mintedLately
	differs := s.otherAuthority()
	imitated := s.hasFault(imapdial.FaultImitatedIssuer)
	if product == "" && (!differs || !lately && !imitated) {
		return nil
	}
	f := s.finding("cert.inspection", fmt.Sprintf("TLS to %s is opened on the way: its certificate is made by %s", s.hostPort(), issuerName(leaf)),
		"a device or program between this computer and the server makes certificates of its own and reads along; password and mail would pass through it")
	f.Certainty = finding.Likely
	if product != "" {
		f.Summary = fmt.Sprintf("TLS to %s is opened on the way, by %s", s.hostPort(), product)
		f.Evidence["product"] = product
	}
	f.Evidence["issuer"] = wire.Printable(leaf.Issuer.String())
	f.Evidence["minted_lately"], f.Evidence["ports_differ"], f.Evidence["not_before"] = lately, differs, timeText(leaf.NotBefore)
	f.Remedies = advice("switch the mail or web protection of an antivirus on this computer off for this job, or try from another network",
		"the administrators of the network can exempt the mail server from TLS inspection")
	f.Reproduce = []string{s.openssl("-showcerts")}
	return []finding.Finding{f}
}

// privateAuthority reports whether the certificate comes from an authority that is not public, and its certificate where it is known.
func (s *subject) privateAuthority() (root *x509.Certificate, private bool) {
	for _, f := range s.facts.Faults {
		switch f.Kind {
		case imapdial.FaultPrivateCA:
			return f.Cert, true
		case imapdial.FaultUnknownCA, imapdial.FaultImitatedIssuer, imapdial.FaultIncompleteChain:
			return nil, true
		}
	}
	return nil, false
}

// inspectorOf names the product that one of the certificates is from, or "".
func inspectorOf(certs ...*x509.Certificate) string {
	for _, c := range certs {
		if c == nil {
			continue
		}
		name := strings.ToLower(c.Issuer.String())
		for _, i := range inspectors {
			if strings.Contains(name, i.word) {
				return i.product
			}
		}
	}
	return ""
}

// otherAuthority reports whether the other port's certificate is from another issuer.
func (s *subject) otherAuthority() bool {
	other := s.extras.otherPort.leaf()
	return other != nil && !bytes.Equal(other.RawIssuer, s.leaf().RawIssuer)
}
