package imapdial

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/net/idna"
)

// name judges whether the leaf is for the endpoint's server name (RFC 9525 section 6): by a DNS-ID, an IP-ID, or an SRV-ID for IMAP.
func (v *verification) name(ep Endpoint) {
	name := asciiName(ep.ServerName())
	if v.leaf.VerifyHostname(name) == nil || v.forService(ep.Security, name) {
		return
	}
	if len(v.leaf.DNSNames)+len(v.leaf.IPAddresses) == 0 && strings.EqualFold(strings.TrimSuffix(v.leaf.Subject.CommonName, "."), name) {
		v.fault(FaultCommonNameOnly, v.leaf, true, "the certificate has the name %s only as common name, which no client accepts any more", name)
		return
	}
	detail := fmt.Sprintf("the certificate is for %s, not for %s", nameList(v.leaf), showName(name))
	if almost := almostFor(v.leaf, name); almost != "" {
		detail += ": " + almost
	}
	v.fault(FaultNameMismatch, v.leaf, true, "%s", detail)
}

// asciiName is name with A-labels (RFC 9525 section 6.3) and without the dot of the root; what cannot be converted stays and matches nothing.
func asciiName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return ascii
	}
	return name
}

// showName adds the letters that a person knows to a name with A-labels.
func showName(name string) string {
	if unicode, err := idna.Display.ToUnicode(name); err == nil && unicode != name {
		return name + " (" + unicode + ")"
	}
	return name
}

// forService reports whether the leaf has an SRV-ID for IMAP at name (RFC 9525 section 6.5, RFC 7817 section 3). Name constraints are about
// other kinds of names in crypto/x509; so under an issuer that has any, an SRV-ID counts for nothing.
func (v *verification) forService(security Security, name string) bool {
	if constrained(v.chain) || len(v.chains) > 0 && !slices.ContainsFunc(v.chains, func(c []*x509.Certificate) bool { return !constrained(c) }) {
		return false
	}
	service := "_imap."
	if security == TLS {
		service = "_imaps." // RFC 8314 section 3.2
	}
	return slices.ContainsFunc(SRVNames(v.leaf), func(id string) bool {
		return strings.EqualFold(id, service+name) // no wildcards here (RFC 9525 section 6.3)
	})
}

// oidNameConstraints is the extension by which an issuer's names are limited (RFC 5280 section 4.2.1.10).
var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

func constrained(chain []*x509.Certificate) bool {
	return slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return hasExtension(c, oidNameConstraints) })
}

func hasExtension(c *x509.Certificate, id asn1.ObjectIdentifier) bool {
	for _, ext := range c.Extensions {
		if ext.Id.Equal(id) {
			return true
		}
	}
	return false
}

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidDNSSRV         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 7} // RFC 4985 section 2
)

// SRVNames returns the SRV-IDs of a certificate, such as "_imaps.example.org" (RFC 4985). crypto/x509 does not know them.
func SRVNames(cert *x509.Certificate) []string {
	var names []string
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(oidSubjectAltName) {
			continue
		}
		der := cryptobyte.String(ext.Value)
		var list cryptobyte.String
		if !der.ReadASN1(&list, cbasn1.SEQUENCE) {
			continue
		}
		for !list.Empty() {
			var general cryptobyte.String
			var tag cbasn1.Tag
			if !list.ReadAnyASN1(&general, &tag) {
				break
			}
			if name, ok := srvName(general); ok && tag == cbasn1.Tag(0).ContextSpecific().Constructed() {
				names = append(names, name)
			}
		}
	}
	return names
}

// srvName reads the content of an otherName (RFC 5280 section 4.2.1.6): a type and, explicitly tagged, a value of that type.
func srvName(other cryptobyte.String) (string, bool) {
	var id asn1.ObjectIdentifier
	var explicit, value cryptobyte.String
	if !other.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidDNSSRV) ||
		!other.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) || !explicit.ReadASN1(&value, cbasn1.IA5String) {
		return "", false
	}
	return string(value), true
}

// almostFor says why a name of the certificate that looks like name does not match it, or "".
func almostFor(cert *x509.Certificate, name string) string {
	if ip, err := netip.ParseAddr(name); err == nil {
		switch {
		case slices.Contains(cert.DNSNames, name):
			return "the address is written as a DNS name there, which does not count"
		case len(cert.IPAddresses) == 0:
			return "it was asked for by address, and holds no address"
		}
		return "of its addresses none is " + ip.String()
	}
	for _, id := range cert.DNSNames {
		first, parent, _ := strings.Cut(id, ".")
		switch {
		case strings.EqualFold(id, name+"."):
			return id + " ends in a dot there, which does not count"
		case first == "*" && len(name) > len(parent) && strings.EqualFold(name[len(name)-len(parent):], parent) && strings.HasSuffix(name[:len(name)-len(parent)], "."):
			return "the * of " + id + " stands for one label, not for more"
		case first == "*" && strings.EqualFold(parent, name):
			return "the * of " + id + " stands for one label, not for none"
		case strings.Contains(first, "*") && first != "*" && strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(parent)):
			return "a * counts only as a whole label, not in " + id
		}
	}
	for _, id := range SRVNames(cert) {
		if service, domain, _ := strings.Cut(id, "."); strings.EqualFold(domain, name) {
			return "for this name it is only for the service " + service
		}
	}
	return ""
}

// nameList returns the names a certificate is for, the first few of them.
func nameList(cert *x509.Certificate) string {
	var names []string
	for _, name := range cert.DNSNames {
		names = append(names, showName(name))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	names = append(names, SRVNames(cert)...)
	if len(names) == 0 {
		if cert.Subject.CommonName == "" {
			return "no name"
		}
		return "no name but the common name " + cert.Subject.CommonName
	}
	if more := len(names) - 5; more > 0 {
		names = append(names[:5], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
