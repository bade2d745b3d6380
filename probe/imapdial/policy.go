package imapdial

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// A TLSPolicy says which servers to accept. The zero value is the strict
// policy: TLS 1.2 or later, and a chain to a system root for the endpoint's host.
type TLSPolicy struct {
	ServerName string // name the certificate must carry, if not the endpoint's host
	Roots      string // PEM; replaces the system's roots; "" means the system's
	CAs        string // PEM; roots in addition to these (--ca-file)
	Pins       string // "sha256/BASE64 …" as CanonicalPins gives it; a matching SPKI takes the place of chain, name and dates
	MinVersion uint16 // as in crypto/tls; 0 means TLS 1.2
	Groups     string // IANA names in order of preference, space-separated; "" means crypto/tls's own
}

// CanonicalPins returns pins, each "sha256/" and the base64 of the SHA-256 of a SubjectPublicKeyInfo (RFC 7469 section 2.4), in the form that
// TLSPolicy.Pins holds. The error names the pin that is none.
func CanonicalPins(pins []string) (string, error) {
	var out []string
	for _, p := range pins {
		text, ok := strings.CutPrefix(strings.TrimSpace(p), "sha256/")
		sum, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		if !ok || err != nil || len(sum) != sha256.Size {
			return "", fmt.Errorf("pin %q is not sha256/ and the base64 of 32 octets", p)
		}
		out = append(out, "sha256/"+base64.StdEncoding.EncodeToString(sum))
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " "), nil
}

// Pin returns the canonical pin of a certificate's key.
func Pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

type group struct {
	name string
	id   tls.CurveID
}

// groups are the key exchange groups of crypto/tls by their IANA names.
var groups = []group{
	{"X25519MLKEM768", tls.X25519MLKEM768},
	{"SecP256r1MLKEM768", tls.SecP256r1MLKEM768},
	{"SecP384r1MLKEM1024", tls.SecP384r1MLKEM1024},
	{"X25519", tls.X25519},
	{"secp256r1", tls.CurveP256},
	{"secp384r1", tls.CurveP384},
	{"secp521r1", tls.CurveP521},
}

// GroupName returns the IANA name of a key exchange group.
func GroupName(id tls.CurveID) string {
	for _, g := range groups {
		if g.id == id {
			return g.name
		}
	}
	if id == 0 {
		return "" // RSA key exchange has none
	}
	return fmt.Sprintf("0x%04x", uint16(id))
}

// config returns the settings of a handshake, all but VerifyConnection, where all that decides on a certificate stands. No ALPN is offered: some
// servers break off on it, none needs it.
func (ep Endpoint) config() (*tls.Config, error) {
	c := &tls.Config{
		ServerName:         asciiName(ep.ServerName()), // crypto/tls sends no SNI for an IP address (RFC 6066 section 3)
		MinVersion:         tls.VersionTLS12,           // RFC 8996: nothing older unless a person asked for it
		InsecureSkipVerify: true,                       // VerifyConnection verifies, and sees the chain even when it fails
	}
	if ep.TLS.MinVersion != 0 {
		c.MinVersion = ep.TLS.MinVersion
	}
	if c.MinVersion < tls.VersionTLS12 {
		c.CipherSuites = legacySuites()
	}
	for _, name := range strings.Fields(ep.TLS.Groups) {
		i := slices.IndexFunc(groups, func(g group) bool { return strings.EqualFold(g.name, name) })
		if i < 0 {
			return nil, fmt.Errorf("unknown TLS group %q", name)
		}
		c.CurvePreferences = append(c.CurvePreferences, groups[i].id)
	}
	return c, nil
}

// legacySuites are crypto/tls's own, and those with RSA key exchange and AES, without which servers of the time of TLS 1.0 cannot be reached.
// RC4 and 3DES stay out.
func legacySuites() []uint16 {
	suites := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384}
	for _, s := range tls.CipherSuites() {
		suites = append(suites, s.ID)
	}
	return suites
}

// roots builds the pool that chains must end in.
func (p TLSPolicy) roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if p.Roots != "" {
		if !pool.AppendCertsFromPEM([]byte(p.Roots)) {
			return nil, fmt.Errorf("the given roots hold no certificate")
		}
	} else if system, err := x509.SystemCertPool(); err == nil {
		pool = system // without one on this machine the pool is empty: FaultNoRoots
	}
	if p.CAs != "" && !pool.AppendCertsFromPEM([]byte(p.CAs)) {
		return nil, fmt.Errorf("the CA file holds no certificate")
	}
	return pool, nil
}
