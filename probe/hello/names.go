package hello

import (
	"fmt"
	"slices"
	"strings"
)

// Version is a protocol version by its number on the wire.
type Version uint16

// The versions, oldest first.
const (
	SSL2  Version = 0x0002
	SSL3  Version = 0x0300
	TLS10 Version = 0x0301
	TLS11 Version = 0x0302
	TLS12 Version = 0x0303
	TLS13 Version = 0x0304
)

// String returns "SSLv2", "SSLv3", "1.0" … "1.3".
func (v Version) String() string {
	switch v {
	case SSL2:
		return "SSLv2"
	case SSL3:
		return "SSLv3"
	case TLS10, TLS11, TLS12, TLS13:
		return fmt.Sprintf("1.%d", v-TLS10)
	}
	return fmt.Sprintf("0x%04x", uint16(v))
}

// Suite is a cipher suite by its number in IANA's registry.
type Suite uint16

// String returns the IANA name.
func (s Suite) String() string {
	if name, ok := suiteNames[s]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", uint16(s))
}

// Weak reports whether the suite must not be used: no encryption, no authentication, or a cipher or digest that can be broken
// (RFC 9325 section 4.1; RFC 7465; RFC 8429 for 3DES).
func (s Suite) Weak() bool {
	return slices.ContainsFunc([]string{"NULL", "anon", "EXPORT", "RC4", "RC2", "IDEA", "DES", "3DES", "MD5"}, func(part string) bool {
		return strings.Contains(s.String(), "_"+part)
	})
}

// DHE reports whether the key exchange is finite-field Diffie-Hellman with a key of its own.
func (s Suite) DHE() bool { return strings.HasPrefix(s.String(), "TLS_DHE_") }

// ecdhe reports whether the key exchange is elliptic-curve Diffie-Hellman with a key of its own.
func (s Suite) ecdhe() bool {
	return strings.HasPrefix(s.String(), "TLS_ECDHE_") || strings.HasPrefix(s.String(), "TLS_ECDH_anon_")
}

// finite reports whether the ServerKeyExchange has the numbers of a finite field.
func (s Suite) finite() bool { return s.DHE() || strings.HasPrefix(s.String(), "TLS_DH_anon_") }

// since returns the first version that has the suite: AEAD modes and the newer digests came with TLS 1.2 (RFC 5246 appendix A.5).
func (s Suite) since() Version {
	name := s.String()
	switch {
	case s>>8 == 0x13:
		return TLS13
	case strings.HasSuffix(name, "_SHA"), strings.HasSuffix(name, "_MD5"):
		return SSL3
	}
	return TLS12
}

// suites returns those that keep says yes to, in the order of their numbers.
func suites(keep func(Suite) bool) []Suite {
	var list []Suite
	for s := range suiteNames {
		if keep(s) {
			list = append(list, s)
		}
	}
	slices.Sort(list)
	return list
}

// Group is a key exchange group by its number in IANA's registry.
type Group uint16

// groupNames are the groups that are asked for. IANA writes x25519; the reports of imapilot have X25519, as crypto/tls and RFC 7748.
var groupNames = map[Group]string{
	4588: "X25519MLKEM768", 4587: "SecP256r1MLKEM768", 4589: "SecP384r1MLKEM1024", 25497: "X25519Kyber768Draft00",
	29: "X25519", 30: "x448",
	23: "secp256r1", 24: "secp384r1", 25: "secp521r1",
	256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192",
	26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1",
	31: "brainpoolP256r1tls13", 32: "brainpoolP384r1tls13", 33: "brainpoolP512r1tls13",
	19: "secp192r1", 20: "secp224k1", 21: "secp224r1", 22: "secp256k1",
}

// String returns the IANA name.
func (g Group) String() string {
	if name, ok := groupNames[g]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", uint16(g))
}

// AllGroups are the groups that are asked for: the post-quantum ones first, then the usual ones, then the rest.
var AllGroups = []Group{4588, 4587, 4589, 29, 23, 24, 25, 30, 256, 257, 258, 259, 260, 26, 27, 28, 31, 32, 33, 22, 21, 20, 19, 25497}

// GoGroups are those that crypto/tls has.
var GoGroups = []Group{4588, 4587, 4589, 29, 23, 24, 25}

// finiteFields are the groups of RFC 7919.
var finiteFields = []Group{256, 257, 258, 259, 260}

// curves are the groups that TLS 1.2 and older can use: elliptic curves, as RFC 8422 section 5.1.1 and RFC 7027 have them.
var curves = []Group{29, 23, 24, 25, 30, 26, 27, 28, 22, 21, 20, 19}

// AllSuites are the suites for TLS 1.2 and older without DHE, the usual ones first: OpenSSL breaks the connection off when it chooses DHE
// and has no parameters for it.
var AllSuites = slices.Concat(suites(ecdheAEAD), suites(ecdheCBC), suites(staticRSA), suites(weak), suites(others))

// DHESuites are those with DHE that are not weak.
var DHESuites = suites(func(s Suite) bool { return s.DHE() && !s.Weak() })

// TLS13Suites are the suites of TLS 1.3.
var TLS13Suites = suites(func(s Suite) bool { return s.since() == TLS13 })

// GoSuites are those for TLS 1.2 that crypto/tls offers without being told to.
var GoSuites = []Suite{0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014}

// GoTLS13Suites are those for TLS 1.3 that crypto/tls has.
var GoTLS13Suites = []Suite{0x1301, 0x1302, 0x1303}

// The kinds of suites, each of which is asked for apart: where one breaks a server, the others stay known.
func ecdheAEAD(s Suite) bool { return s.ecdhe() && !s.Weak() && s.since() == TLS12 && !isCBC(s) }
func ecdheCBC(s Suite) bool  { return s.ecdhe() && !s.Weak() && isCBC(s) }
func staticRSA(s Suite) bool { return strings.HasPrefix(s.String(), "TLS_RSA_WITH_") && !s.Weak() }
func weak(s Suite) bool      { return s.Weak() && !s.DHE() }
func others(s Suite) bool {
	return s.since() != TLS13 && !s.DHE() && !ecdheAEAD(s) && !ecdheCBC(s) && !staticRSA(s) && !weak(s)
}
func anyDHE(s Suite) bool { return s.DHE() }
func isCBC(s Suite) bool  { return strings.Contains(s.String(), "_CBC_") }

// allSchemes are the signature schemes, those of TLS 1.2 and DSA among them, by their numbers in IANA's registry.
var allSchemes = []uint16{
	0x0403, 0x0503, 0x0603, // ECDSA with SHA-256 and P-256, and so on
	0x0807, 0x0808, // Ed25519, Ed448
	0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, // RSA-PSS, with keys for RSA and for RSA-PSS
	0x0401, 0x0501, 0x0601, // RSA with PKCS #1
	0x081a, 0x081b, 0x081c, // ECDSA with brainpool curves
	0x0904, 0x0905, 0x0906, // ML-DSA
	0x0303, 0x0301, 0x0302, 0x0402, 0x0502, 0x0602, 0x0203, 0x0201, 0x0202, 0x0101, // SHA-224, DSA, SHA-1, MD5
}

// GoSchemes are those of crypto/tls.
var GoSchemes = []uint16{0x0804, 0x0403, 0x0807, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0503, 0x0603, 0x0201, 0x0203}
