package profile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// schema names the form of the file, and its version.
const schema = "imapilot.profile/1"

// file is a profile as it is written down.
type file struct {
	Schema string `json:"schema"`
	Saved  string `json:"saved"`
	Source *side  `json:"source"`
	Dest   *side  `json:"dest"`
}

// side is a Side as it is written down.
type side struct {
	Host         string   `json:"host"`
	Port         uint16   `json:"port"`
	Security     string   `json:"security"`
	Connect      string   `json:"connect,omitempty"`
	Via          string   `json:"via,omitempty"`
	Address      string   `json:"address,omitempty"`
	ServerName   string   `json:"server_name,omitempty"`
	MinTLS       string   `json:"min_tls,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	Pins         []string `json:"pins,omitempty"`
	CAs          string   `json:"ca_certificates,omitempty"`
	Roots        string   `json:"roots,omitempty"`
	User         string   `json:"user,omitempty"`
	AuthzID      string   `json:"authzid,omitempty"`
	Auth         string   `json:"auth,omitempty"`
	PasswordFrom string   `json:"password_from,omitempty"`
}

// versions are the TLS versions that min_tls can be.
var versions = map[string]uint16{"": 0, "1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

var securities = []imapdial.Security{imapdial.TLS, imapdial.STARTTLS, imapdial.Cleartext}

// newSide writes a side down.
func newSide(from *Side) *side {
	a, ep := &from.Account, &from.Account.Endpoint
	s := &side{
		Host: ep.Host, Port: ep.EffectivePort(), Security: ep.Security.String(), Connect: ep.Connect, Via: ep.Via, Address: from.Address,
		ServerName: ep.TLS.ServerName, Groups: strings.Fields(ep.TLS.Groups), Pins: strings.Fields(ep.TLS.Pins),
		CAs: ep.TLS.CAs, Roots: ep.TLS.Roots,
		User: a.User, AuthzID: a.AuthzID, Auth: a.Mechanism, PasswordFrom: reference(a.Secret),
	}
	for name, v := range versions {
		if v == ep.TLS.MinVersion {
			s.MinTLS = name
		}
	}
	return s
}

// reference is how a secret is referred to in a file: what can be read only once will have to be typed. A path is made absolute, since the
// profile may be used from another folder.
func reference(r *secret.Reference) string {
	text := r.String()
	scheme, arg, _ := strings.Cut(text, ":")
	switch scheme {
	case "stdin", "fd":
		return "prompt"
	case "file":
		if path, err := filepath.Abs(arg); err == nil {
			return "file:" + path
		}
	}
	return text
}

// A fieldError is a field that holds what it cannot hold.
type fieldError struct {
	field string
	err   error
}

func (e *fieldError) Error() string { return e.field + ": " + e.err.Error() }

// read reads a side back. name is the side's, for errors.
func (s *side) read(name string) (Side, error) {
	if s == nil {
		return Side{}, &fieldError{name, errors.New("it is missing")}
	}
	if err := s.check(); err != nil {
		return Side{}, &fieldError{name + "." + err.field, err.err}
	}
	a := imapdial.Account{
		User: s.User, AuthzID: s.AuthzID, Mechanism: strings.ToUpper(s.Auth),
		Endpoint: imapdial.Endpoint{Host: s.Host, Port: s.Port, Connect: s.Connect, Via: s.Via, TLS: imapdial.TLSPolicy{
			ServerName: s.ServerName, CAs: s.CAs, Roots: s.Roots, Groups: strings.Join(s.Groups, " "),
		}},
	}
	for _, sec := range securities {
		if s.Security == sec.String() {
			a.Endpoint.Security = sec
		}
	}
	a.Endpoint.TLS.MinVersion = versions[s.MinTLS]
	a.Endpoint.TLS.Pins, _ = imapdial.CanonicalPins(s.Pins)
	if s.PasswordFrom != "" {
		a.Secret, _ = secret.Parse(s.PasswordFrom)
	}
	return Side{Account: a, Address: s.Address}, nil
}

// check finds the first setting that cannot be what it is.
func (s *side) check() *fieldError {
	fail := func(field, format string, args ...any) *fieldError {
		return &fieldError{field, fmt.Errorf(format, args...)}
	}
	switch {
	case s.Host == "":
		return fail("host", "it is missing")
	case s.Port == 0:
		return fail("port", "it is missing")
	case !slices.ContainsFunc(securities, func(sec imapdial.Security) bool { return sec.String() == s.Security }):
		return fail("security", "%q is none of tls, starttls, none", s.Security)
	}
	for _, f := range []struct{ field, text string }{
		{"host", s.Host}, {"connect", s.Connect}, {"address", s.Address}, {"server_name", s.ServerName}, {"user", s.User}, {"authzid", s.AuthzID}, {"auth", s.Auth},
	} {
		if strings.ContainsAny(f.text, "\r\n\x00") {
			return fail(f.field, "a line end or NUL is in it")
		}
	}
	if _, err := imapdial.Via(s.Via, nil); err != nil {
		return fail("via", "%v", err)
	}
	if _, err := netip.ParseAddrPort(s.Address); err != nil && s.Address != "" {
		return fail("address", "%q is not an IP address and a port", s.Address)
	}
	if _, ok := versions[s.MinTLS]; !ok {
		return fail("min_tls", "%q is none of 1.0, 1.1, 1.2, 1.3", s.MinTLS)
	}
	if _, err := imapdial.CanonicalPins(s.Pins); err != nil {
		return fail("pins", "%w", err)
	}
	for _, f := range []struct{ field, pem string }{{"ca_certificates", s.CAs}, {"roots", s.Roots}} {
		if f.pem != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(f.pem)) {
			return fail(f.field, "it holds no certificate in PEM form")
		}
	}
	if _, err := secret.Parse(s.PasswordFrom); err != nil && s.PasswordFrom != "" {
		return fail("password_from", "%w", err)
	}
	return nil
}
