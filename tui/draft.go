package tui

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// The two sides, as indices.
const (
	source = iota
	dest
)

// sideName and sideFlag name a side to a person and in flags.
var (
	sideName = [2]string{"source", "destination"}
	sideFlag = [2]string{"source", "dest"}
)

// fieldID is a field of a side's form.
type fieldID int

const (
	fieldHost fieldID = iota
	fieldSecurity
	fieldPort
	fieldUser
	fieldPassword
	fieldAdvanced
	fieldCAFile
	fieldPin
	fieldServerName
	fieldConnect
	fieldMechanism
	fieldAuthzID
	numFields
)

// fieldTexts are the labels, and what is said while a field has the focus.
var fieldTexts = [numFields]struct{ label, hint string }{
	fieldHost:       {"Host", "The server's name, such as imap.example.org: the certificate is compared with it. An address (URL) like imaps://user@host:993 fills the other fields too."},
	fieldSecurity:   {"Security", "Automatic tries port 993 with TLS and port 143 with STARTTLS, and never goes on without TLS."},
	fieldPort:       {"Port", "Empty for the usual one. A number alone is examined in the mode chosen above."},
	fieldUser:       {"User", "The name to sign in with, often the whole e-mail address. Without it and a password only the servers are checked."},
	fieldPassword:   {"Password", "Kept in memory only. It is sent once, inside TLS, and not before the certificate and its name are in order."},
	fieldAdvanced:   {"Advanced", "Enter opens and closes: own certificate authority, pinned key, another name or address, sign-in mechanism."},
	fieldCAFile:     {"CA file", "A PEM file with certificates of authorities to trust in addition to the system's."},
	fieldPin:        {"Pin", "sha256/ and the base64 digest of the server's public key: only that key is accepted, whatever its certificate says."},
	fieldServerName: {"Cert name", "The name that the certificate must carry, if it is not the host's."},
	fieldConnect:    {"Connect", "Host or host:port to connect to instead; the name that is checked stays the host's."},
	fieldMechanism:  {"Mechanism", "SASL mechanism, such as PLAIN or SCRAM-SHA-256, or LOGIN for the command. Empty for the strongest that both sides have."},
	fieldAuthzID:    {"Act for", "Open the mailbox of this user with the sign-in of the one above (authorization identity)."},
}

// A sideForm is what a person enters for one side. What it has no field for is kept from the target it began with.
type sideForm struct {
	role           probe.Role
	given          Side
	allowPlaintext bool

	host, port, user        *textField
	security                *choiceField
	modes                   []probe.Mode // of security's choices
	password                *passwordField
	advanced                *foldField
	caFile, pin, serverName *textField
	connect, mechanism      *textField
	authzID                 *textField

	problems [numFields]string
}

func newSideForm(role probe.Role, given Side, allowPlaintext bool) *sideForm {
	t := given.Target
	f := &sideForm{
		role: role, given: given, allowPlaintext: allowPlaintext,
		host:       newTextField(t.Host, ""),
		port:       newTextField(portText(t.Port), "automatic"),
		user:       newTextField(t.User, ""),
		password:   newPasswordField(t.Secret),
		advanced:   &foldField{},
		caFile:     newTextField(given.CAFile, "the system's authorities"),
		pin:        newTextField(t.TLS.Pins, "none"),
		serverName: newTextField(t.TLS.ServerName, "same as host"),
		connect:    newTextField(t.Connect, "directly"),
		mechanism:  newTextField(t.Mechanism, "the strongest"),
		authzID:    newTextField(t.AuthzID, "the user above"),
		modes:      []probe.Mode{probe.Auto, probe.ModeTLS, probe.ModeSTARTTLS},
		security:   &choiceField{choices: []string{"automatic", "TLS, usually 993", "STARTTLS, usually 143"}},
	}
	if t.TLS.CAs != "" && given.CAFile == "" {
		f.caFile.whenEmpty = "given by the command"
	}
	if allowPlaintext {
		f.modes = append(f.modes, probe.ModeInsecure)
		f.security.choices = append(f.security.choices, "no TLS, usually 143")
	}
	f.setMode(t.Mode)
	return f
}

func portText(port uint16) string {
	if port == 0 {
		return ""
	}
	return strconv.Itoa(int(port))
}

func (f *sideForm) control(id fieldID) control {
	return [numFields]control{f.host, f.security, f.port, f.user, f.password, f.advanced,
		f.caFile, f.pin, f.serverName, f.connect, f.mechanism, f.authzID}[id]
}

// last is the last field that is shown.
func (f *sideForm) last() fieldID {
	if f.advanced.open {
		return numFields - 1
	}
	return fieldAdvanced
}

func (f *sideForm) mode() probe.Mode { return f.modes[f.security.at] }

func (f *sideForm) setMode(m probe.Mode) {
	for i, mode := range f.modes {
		if mode == m {
			f.security.at = i
		}
	}
}

// spread takes apart what was entered as host: a URL or host:port fills the other fields too. It returns what is wrong with it, or "".
func (f *sideForm) spread() (problem string) {
	text := f.host.value()
	if text == "" {
		return ""
	}
	text, password := cutPassword(text)
	if password != "" {
		f.password = newPasswordField(secret.Given(secret.New([]byte(password))))
		f.host.set(text) // the password is never seen again
	}
	t, err := probe.ParseTarget(text)
	switch {
	case err != nil:
		return err.Error()
	case t.Discover != "":
		return "this is an e-mail address; here goes the name of its server, such as imap." + t.Discover[strings.LastIndexByte(t.Discover, '@')+1:]
	case t.Mode == probe.ModeInsecure && !f.allowPlaintext:
		return "without TLS everybody on the way can read the password; start with --allow-plaintext if that is what you want"
	}
	if !strings.ContainsAny(text, ":/@") {
		return ""
	}
	f.host.set(t.Host)
	if strings.Contains(text, "://") {
		f.setMode(t.Mode)
		f.port.set(portText(t.Port))
	} else if t.Port != 0 {
		f.port.set(portText(t.Port))
	}
	if t.User != "" {
		f.user.set(t.User)
	}
	return ""
}

// cutPassword takes the password out of a URL that was pasted with one.
func cutPassword(text string) (without, password string) {
	scheme, rest, isURL := strings.Cut(text, "://")
	at := strings.LastIndexByte(rest, '@')
	if !isURL || at < 0 {
		return text, ""
	}
	user, password, found := strings.Cut(rest[:at], ":")
	if !found {
		return text, ""
	}
	if plain, err := url.PathUnescape(password); err == nil {
		password = plain
	}
	return scheme + "://" + user + rest[at:], password
}

// check says what is wrong with a field, or "". With all it also asks for what must not be empty.
func (f *sideForm) check(id fieldID, all bool) string {
	switch id {
	case fieldHost:
		if all && f.host.value() == "" {
			return "the " + sideName[f.side()] + " needs a host"
		}
		return f.spread()
	case fieldPort:
		if text := f.port.value(); text != "" {
			if n, err := strconv.ParseUint(text, 10, 16); err != nil || n == 0 {
				return "a port is a number from 1 to 65535"
			}
		}
	case fieldUser:
		if all && f.user.value() == "" && !f.password.empty() {
			return "a password is there but no user: who signs in?"
		}
	case fieldPin:
		if _, err := imapdial.CanonicalPins(strings.Fields(f.pin.value())); err != nil {
			return err.Error()
		}
	case fieldServerName:
		return namesServer(f.serverName.value(), false)
	case fieldConnect:
		return namesServer(f.connect.value(), true)
	}
	return ""
}

// namesServer says what is wrong with a name or address, or "".
func namesServer(text string, portAllowed bool) string {
	if text == "" {
		return ""
	}
	t, err := probe.ParseTarget(text)
	if err != nil || strings.Contains(text, "://") || t.Discover != "" || t.Port != 0 && !portAllowed {
		if portAllowed {
			return "accepted are HOST and HOST:PORT"
		}
		return "accepted is the name of a host"
	}
	return ""
}

func (f *sideForm) side() int {
	if f.role == probe.RoleDest {
		return dest
	}
	return source
}

// A draft is one side as it is handed to a job. The fields were checked before.
type draft struct {
	target       probe.Target
	caFile       string
	passwordFrom string // the reference's text
	readCAs      bool   // target.TLS.CAs is still to be read from caFile
}

func (f *sideForm) draft() (draft, error) {
	t, err := probe.ParseTarget(targetURL(f.mode(), f.host.value(), f.port.value(), ""))
	if err != nil {
		return draft{}, err
	}
	pins, err := imapdial.CanonicalPins(strings.Fields(f.pin.value()))
	if err != nil {
		return draft{}, err
	}
	t.Role = f.role
	t.TLS = f.given.Target.TLS
	t.TLS.Pins = pins
	t.TLS.ServerName = f.serverName.value()
	t.Connect = f.connect.value()
	t.Mechanism = strings.ToUpper(f.mechanism.value())
	t.AuthzID = f.authzID.value()
	t.User = f.user.value()
	t.Secret = f.password.reference()
	d := draft{target: t, caFile: f.caFile.value(), passwordFrom: f.password.spec()}
	if d.caFile != f.given.CAFile {
		d.target.TLS.CAs = ""
		d.readCAs = d.caFile != ""
	}
	return d, nil
}

// preview is the draft as far as the form is filled in, for the command line: nothing in it was checked.
func (f *sideForm) preview() draft {
	host := f.host.value()
	if host == "" {
		host = "HOST"
	}
	port, _ := strconv.ParseUint(f.port.value(), 10, 16)
	return draft{
		caFile: f.caFile.value(), passwordFrom: f.password.spec(),
		target: probe.Target{
			Mode: f.mode(), Host: host, Port: uint16(port), User: f.user.value(), Connect: f.connect.value(),
			AuthzID: f.authzID.value(), Mechanism: f.mechanism.value(),
			TLS: imapdial.TLSPolicy{Pins: f.pin.value(), ServerName: f.serverName.value()},
		},
	}
}

// targetURL writes a target as the contract's URL.
func targetURL(mode probe.Mode, host, port, user string) string {
	scheme := map[probe.Mode]string{probe.Auto: "imap+auto", probe.ModeTLS: "imaps", probe.ModeSTARTTLS: "imap+starttls", probe.ModeInsecure: "imap+insecure"}[mode]
	at := host
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		at = "[" + host + "]"
	}
	if port != "" {
		at = net.JoinHostPort(host, port)
	}
	if user != "" {
		at = escapeUser(user) + "@" + at
	}
	return scheme + "://" + at
}

// escapeUser percent-encodes a user name for a URL: what url.PathEscape leaves alone and ParseTarget does not take is encoded too.
func escapeUser(user string) string {
	return strings.NewReplacer(":", "%3A", "@", "%40").Replace(url.PathEscape(user))
}

// takeFlags puts a remedy's flags into the form. It reports whether it knows all of them; if not, nothing has changed.
func (f *sideForm) takeFlags(flags map[string]string) bool {
	fields := map[string]*textField{}
	for flag := range flags {
		field := f.flagField(flag)
		if field == nil {
			return false
		}
		fields[flag] = field
	}
	for flag, field := range fields {
		field.set(flags[flag])
		if flag == sideFlag[f.side()] {
			f.spread()
		}
	}
	return len(flags) > 0
}

// flagField is the field that a flag of this side stands for, or nil.
func (f *sideForm) flagField(flag string) *textField {
	name, prefixed := strings.CutPrefix(flag, sideFlag[f.side()]+"-")
	if flag == sideFlag[f.side()] {
		return f.host
	}
	if !prefixed {
		return nil
	}
	return map[string]*textField{"user": f.user, "ca-file": f.caFile, "pin": f.pin, "server-name": f.serverName, "connect": f.connect,
		"auth": f.mechanism, "authzid": f.authzID}[name]
}
