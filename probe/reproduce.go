package probe

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// openssl returns the s_client line that shows the endpoint without imapilot, with options added. It connects to the
// address that was examined and asks for the name.
func (s *subject) openssl(options ...string) string {
	args := []string{"openssl", "s_client", "-connect", quote(s.address.String())}
	if s.ep.Security == imapdial.STARTTLS {
		args = append(args, "-starttls", "imap")
	}
	name := s.ep.ServerName()
	if _, err := netip.ParseAddr(name); err == nil {
		args = append(args, "-noservername") // RFC 6066 section 3: no addresses in SNI
	} else {
		args = append(args, "-servername", quote(name))
	}
	args = append(args, options...)
	return strings.Join(append(args, "</dev/null"), " ")
}

// verifyOption makes openssl check the name too.
func (s *subject) verifyOption() string {
	name := s.ep.ServerName()
	if _, err := netip.ParseAddr(name); err == nil {
		return "-verify_ip " + quote(name)
	}
	return "-verify_hostname " + quote(name)
}

// ncat returns the line that opens the port and shows what comes, after sending commands, one a line.
func (s *subject) ncat(commands ...string) string {
	line := "ncat -v -w 10 " + quote(s.address.Addr().String()) + " " + strconv.Itoa(int(s.address.Port()))
	if len(commands) == 0 {
		return line
	}
	return `(sleep 1; printf '` + strings.Join(commands, `\r\n`) + `\r\n'; sleep 2) | ` + line
}

// session returns the line that opens an interactive session up to the sign-in.
func (s *subject) session() string {
	if s.ep.Security == imapdial.Cleartext {
		return s.ncat()
	}
	return strings.TrimSuffix(s.openssl("-crlf", "-quiet"), " </dev/null")
}

// quote makes an argument safe for a POSIX shell.
func quote(arg string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:[]/", r)
	}
	if arg != "" && strings.TrimFunc(arg, plain) == "" && !strings.ContainsAny(arg, "[]") {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
