package dns

import (
	"net/netip"
	"slices"
	"strings"
)

// specialUse are the domains that stand apart from the public DNS: IANA's registry of special-use domain names (RFC 6761 and its
// followers), without the zones of reverse look-ups.
var specialUse = []string{
	"alt", "example", "example.com", "example.net", "example.org", "home.arpa", "internal", "invalid", "ipv4only.arpa", "local", "localhost", "onion",
	"resolver.arpa", "service.arpa", "test",
	// RFC 6762 appendix G: top-level domains that networks use within themselves, and that the root will not have.
	"corp", "home", "intranet", "lan", "private",
}

// SpecialUse reports whether name is not one of the public DNS: a special-use name, or one of a single label, which means something
// in one network only.
func SpecialUse(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return !strings.Contains(name, ".") ||
		slices.ContainsFunc(specialUse, func(domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) })
}

// Localhost reports whether name means this computer, which no name server is to be asked for (RFC 6761 section 6.3).
func Localhost(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// sharedAddresses are those between a provider and its customers (RFC 6598).
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

// NotPublic reports whether a is an address that means something within one network, or one computer, only.
func NotPublic(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || sharedAddresses.Contains(a)
}
