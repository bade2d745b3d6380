package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/spf13/pflag"
)

// endpointFlags say how to reach a server and sign in: bare for probe, where they hold for every target, and with a prefix for the
// two sides of a pair.
type endpointFlags struct {
	prefix       string // "", "source-" or "dest-"
	user         string
	passwordFrom string
	caFile       string
	pins         []string
	serverName   string
	connect      string
	via          string
	mechanism    string
	authzID      string
}

func (f *endpointFlags) register(fs *pflag.FlagSet, prefix string) {
	f.prefix = prefix
	name := func(s string) string { return prefix + s }
	fs.StringVar(&f.user, name("user"), "", "`user` to sign in as; one in the URL comes first")
	fs.StringVar(&f.passwordFrom, name("password-from"), "", "`where` the password is: prompt, env:NAME, file:PATH, fd:N, stdin, cmd:PROGRAM ARGS or cred:NAME")
	fs.StringVar(&f.caFile, name("ca-file"), "", "trust the CA certificates in `file` (PEM) besides the system's")
	fs.StringArrayVar(&f.pins, name("pin"), nil, "accept the server with this key, whatever its certificate says: `sha256/BASE64` (repeatable)")
	fs.StringVar(&f.serverName, name("server-name"), "", "`name` that the certificate must carry and that SNI sends, in place of the host")
	fs.StringVar(&f.connect, name("connect"), "", "connect to `host[:port]` in place of the host; names stay")
	fs.StringVar(&f.via, name("via"), "", "go through a proxy or an SSH host: `socks5://host`, http://host or ssh://user@host")
	fs.StringVar(&f.mechanism, name("auth"), "", "sign-in `mechanism`: "+strings.Join(mechanisms, ", ")+" (default: the strongest that both sides have; the last two take an OAuth access token as the password)")
	fs.StringVar(&f.authzID, name("authzid"), "", "act for this `user` after sign-in")
}

// mechanisms are what --auth takes. LOGIN is the command; the others are SASL mechanisms. The last two are never taken by themselves.
var mechanisms = []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "CRAM-MD5", "LOGIN", "OAUTHBEARER", "XOAUTH2"}

// target reads the text of a target and puts the flags into it.
func (a *app) target(text string, role probe.Role, f *endpointFlags) (probe.Target, error) {
	t, err := probe.ParseTarget(text)
	if err != nil {
		return t, usagef("%v", err)
	}
	a.meetTarget(&t)
	if t.Mode == probe.ModeInsecure && !a.global.allowPlaintext {
		return t, usagef("%s has no TLS: anyone on the way can read the password and the mail", t.Input).
			withHint("use imaps:// or imap+starttls://, or add --allow-plaintext to accept that")
	}
	t.Role = role
	if a.global.legacyTLS {
		t.TLS.MinVersion = tls.VersionTLS10
	}
	err = f.apply(&t)
	a.meetTarget(&t)
	return t, err
}

// apply puts the flags into t. What stands in the URL comes first.
func (f *endpointFlags) apply(t *probe.Target) error {
	if t.User == "" {
		t.User = f.user
	}
	if f.passwordFrom != "" && t.User == "" && t.Discover == "" {
		return usagef("--%spassword-from is given, and no user", f.prefix).withHint("add --%suser, or put the user into the URL: imaps://user@host", f.prefix)
	}
	t.AuthzID = f.authzID
	t.TLS.ServerName = f.serverName
	t.Mechanism = strings.ToUpper(f.mechanism)
	if t.Mechanism != "" && !slices.Contains(mechanisms, t.Mechanism) {
		return usagef("--%sauth: there is no mechanism %q; accepted: %s", f.prefix, f.mechanism, strings.Join(mechanisms, ", "))
	}
	var err error
	if t.Connect, err = connectAddress(f.connect); err != nil {
		return usagef("--%sconnect: %v", f.prefix, err)
	}
	if _, err := imapdial.Via(f.via, nil); err != nil {
		return usagef("--%svia: %v", f.prefix, err)
	}
	t.Via = f.via
	if t.TLS.Pins, err = imapdial.CanonicalPins(f.pins); err != nil {
		return usagef("--%spin: %v", f.prefix, err)
	}
	if t.TLS.CAs, err = readCAs(f.caFile); err != nil {
		return &fileError{fmt.Errorf("--%sca-file %s: %w", f.prefix, f.caFile, err)}
	}
	return nil
}

// reference parses --password-from; nil when it was not given. Targets that share the flags share the reference, so that a
// secret that can be read once is read once.
func (f *endpointFlags) reference() (*secret.Reference, error) {
	if f.passwordFrom == "" {
		return nil, nil
	}
	r, err := secret.Parse(f.passwordFrom)
	if err != nil {
		return nil, usagef("--%spassword-from: %v", f.prefix, err)
	}
	return r, nil
}

// connectAddress checks host[:port]; an IPv6 address with a port stands in brackets.
func connectAddress(s string) (string, error) {
	if bare := strings.Trim(s, "[]"); s == "" || net.ParseIP(bare) != nil {
		return bare, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host = s
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q is not a port", port)
	}
	if host == "" || strings.ContainsAny(host, " /@\t\r\n") || err != nil && strings.ContainsAny(host, ":[]") {
		return "", fmt.Errorf("%q is not host or host:port", s)
	}
	return s, nil
}

// maxCAFile bounds a file of CA certificates; the system's own has under a megabyte.
const maxCAFile = 16 << 20

// readCAs returns the certificates in the PEM file at path, and nothing else that may be in it; "" for no path.
func readCAs(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", withoutPath(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	if err != nil {
		return "", withoutPath(err)
	}
	if len(b) > maxCAFile {
		return "", fmt.Errorf("it has more than %d octets", maxCAFile)
	}
	var out bytes.Buffer
	for {
		var block *pem.Block
		block, b = pem.Decode(b)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "", fmt.Errorf("a certificate in it cannot be read: %w", err)
		}
		pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes})
	}
	if out.Len() == 0 {
		return "", fmt.Errorf("it holds no certificate in PEM form")
	}
	return out.String(), nil
}
