package probe

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// Role is which part a target has in the job.
type Role string

// The roles of a target.
const (
	RoleServer Role = "server"
	RoleSource Role = "source"
	RoleDest   Role = "dest"
)

// prefix is what the endpoint flags of a target with this role start with (contract 1.2).
func (r Role) prefix() string {
	switch r {
	case RoleSource:
		return "source-"
	case RoleDest:
		return "dest-"
	}
	return ""
}

// Mode is how a target's TLS is to start, or that the probe shall find out.
type Mode uint8

// The modes of contract 1.1.
const (
	Auto         Mode = iota // imap+auto
	ModeTLS                  // imaps
	ModeSTARTTLS             // imap+starttls
	ModeInsecure             // imap+insecure
)

// schemes are the URL schemes and what they ask for. imap:// means STARTTLS required.
var schemes = map[string]Mode{
	"imap+auto":     Auto,
	"imaps":         ModeTLS,
	"imap+starttls": ModeSTARTTLS,
	"imap":          ModeSTARTTLS,
	"imap+insecure": ModeInsecure,
}

// A Target is what a person gave: the probe turns it into endpoints.
type Target struct {
	Role      Role   // "" means RoleServer
	Input     string // as given, for the report
	Host      string // DNS name in ASCII (A-labels), or IP literal without brackets; "" with Discover
	Port      uint16 // 0: none given
	Mode      Mode
	Discover  string             // user@domain: given in place of a host; its server is looked for, or, as source or dest, it is a finding
	Connect   string             // --connect: host[:port] to dial in place of the look-up
	Via       string             // --via: proxy or SSH host to go through, as imapdial.Via takes it
	TLS       imapdial.TLSPolicy // from --ca-file, --pin, --server-name
	User      string             // "" : no sign-in
	AuthzID   string
	Mechanism string            // --auth; "" for the strongest
	Secret    *secret.Reference // nil: the sign-in is held
}

// accepted ends the errors of ParseTarget.
const accepted = "; accepted are HOST, HOST:PORT, and imaps://, imap+starttls://, imap+insecure:// or imap+auto://[USER@]HOST[:PORT]"

// ParseTarget reads host, host:port, user@domain and the URL forms of contract 1.1. The error says what is wrong and what is accepted;
// a password in a URL is an error and is not repeated. Names with letters outside ASCII become A-labels (RFC 5891).
func ParseTarget(text string) (Target, error) {
	t := Target{Role: RoleServer, Input: text}
	rest := text
	scheme, after, isURL := strings.Cut(text, "://")
	if isURL {
		mode, ok := schemes[strings.ToLower(scheme)]
		if !ok {
			return Target{}, fmt.Errorf("unknown scheme in the target%s", accepted)
		}
		t.Mode, rest = mode, after
	}
	hostport := rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		userinfo := rest[:at]
		hostport = rest[at+1:]
		// From here on no error repeats the text: it may hold a password.
		if strings.Contains(userinfo, ":") {
			return Target{}, errors.New("the target holds a password: give it with --password-from, which keeps it out of the process list and the shell's history")
		}
		if !isURL {
			return parseAddress(t, userinfo, hostport)
		}
		user, err := url.PathUnescape(userinfo)
		if err != nil || userinfo == "" || strings.ContainsAny(userinfo, "@/?#") || hasControl(user) || !utf8.ValidString(user) {
			return Target{}, errors.New("the user name in the target is not percent-encoded: write @ as %40, : as %3A, % as %25")
		}
		t.User = user
	}
	if isURL {
		hostport = strings.TrimSuffix(hostport, "/")
	}
	var err error
	t.Host, t.Port, err = splitHostPort(hostport)
	if err != nil {
		return Target{}, err
	}
	return t, nil
}

// parseAddress reads user@domain without a scheme: an e-mail address, whose server would have to be discovered.
func parseAddress(t Target, user, domain string) (Target, error) {
	host, port, err := splitHostPort(domain)
	if err != nil || user == "" || hasControl(user) || port != 0 {
		return Target{}, fmt.Errorf("the target is neither a host nor an e-mail address%s", accepted)
	}
	t.Discover = user + "@" + host
	return t, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// splitHostPort reads host, host:port, an IPv6 literal, and [literal]:port.
func splitHostPort(s string) (host string, port uint16, err error) {
	var portText string
	hasPort := false
	switch {
	case strings.HasPrefix(s, "["):
		inside, after, ok := strings.Cut(s[1:], "]")
		if !ok {
			return "", 0, fmt.Errorf("the target has a [ without a ]%s", accepted)
		}
		addr, err := netip.ParseAddr(inside)
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", 0, errors.New("what stands in brackets in the target is not an IPv6 address")
		}
		host = addr.Unmap().String()
		if portText, hasPort = strings.CutPrefix(after, ":"); !hasPort && after != "" {
			return "", 0, fmt.Errorf("only :PORT may follow the brackets in the target%s", accepted)
		}
	case strings.Count(s, ":") > 1: // an IPv6 literal without brackets, hence without a port
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return "", 0, fmt.Errorf("the target has too many colons; an IPv6 address with a port is written [ADDRESS]:PORT%s", accepted)
		}
		return addr.Unmap().String(), 0, nil
	default:
		host, portText, hasPort = strings.Cut(s, ":")
		if host, err = canonicalHost(host); err != nil {
			return "", 0, err
		}
	}
	if !hasPort {
		return host, 0, nil
	}
	n, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("the port in the target is not a number from 1 to 65535")
	}
	return host, uint16(n), nil
}

// lookupProfile maps names to A-labels for look-up (RFC 5891 section 5). Underscores are let through: there are
// such hosts, and resolvers and certificates carry them.
var lookupProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.Transitional(false))

// canonicalHost checks a host name or IPv4 literal and returns it in lower case, with A-labels, without the dot of the root.
func canonicalHost(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("the target has no host%s", accepted)
	}
	host, err := lookupProfile.ToASCII(s)
	if err != nil || !utf8.ValidString(s) {
		return "", errors.New("the host in the target is not a valid name")
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String(), nil
	}
	// RFC 1035 section 2.3.4: 63 octets a label, 253 the name as text.
	if len(host) > 253 {
		return "", errors.New("the host in the target is longer than 253 octets")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return "", errors.New("the host in the target is not a valid name: each part between dots is 1 to 63 letters, digits, - or _")
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "", errors.New("the host in the target ends in a number but is not an IPv4 address")
	}
	return host, nil
}

func validLabel(label string) bool {
	if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// A UsageError says that a target cannot be probed as it was given. It is a mistake of the invocation, not of a server.
type UsageError struct {
	Target string // as given
	Reason string
}

func (e *UsageError) Error() string { return e.Target + ": " + e.Reason }

// prepare checks that the target can be probed at all, and brings names that did not pass ParseTarget into its form.
func (t *Target) prepare(allowPlaintext bool) error {
	if t.Role == "" {
		t.Role = RoleServer
	}
	if t.Input == "" {
		t.Input = t.Host
	}
	switch {
	case t.Discover == "" && t.Host == "":
		return &UsageError{t.Input, "no host was given"}
	case t.Mode == ModeInsecure && !allowPlaintext:
		return &UsageError{t.Input, "imap+insecure sends the password readable for everyone on the way; --allow-plaintext permits it"}
	}
	if t.Discover != "" && t.Role == RoleServer {
		if _, err := netip.ParseAddr(domainOf(t.Discover)); err == nil {
			return &UsageError{t.Input, "an address of a computer stands where the domain of an e-mail address belongs"}
		}
		if t.User == "" {
			t.User = t.Discover // what nearly all providers take
		}
	}
	if t.Discover == "" {
		host, port, err := splitHostPort(t.Host)
		if err != nil || port != 0 {
			return &UsageError{t.Input, "the host is not a valid name or address"}
		}
		t.Host = host
	}
	if t.TLS.ServerName != "" {
		name, port, err := splitHostPort(t.TLS.ServerName)
		if err != nil || port != 0 {
			return &UsageError{t.Input, "the name given with --" + t.Role.prefix() + "server-name is not a valid host name"}
		}
		t.TLS.ServerName = name
	}
	if t.TLS.CAs != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.TLS.CAs)) {
		return &UsageError{t.Input, "the file given with --" + t.Role.prefix() + "ca-file holds no certificate"}
	}
	if t.Connect != "" {
		if _, _, err := splitHostPort(t.Connect); err != nil {
			return &UsageError{t.Input, "what was given with --" + t.Role.prefix() + "connect is not HOST or HOST:PORT"}
		}
	}
	return nil
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
