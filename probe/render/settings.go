package render

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// settings writes the settings that were found to work, as flags that can be pasted.
func (v *view) settings() {
	title := false
	for i, t := range v.report.Targets {
		if t.Recommended == nil {
			continue
		}
		if !title {
			v.Blank()
			v.Line(layout.Span{Text: "Settings that work", Tone: layout.Strong})
			title = true
		}
		for _, settings := range settingsOf(t, givenFor(v.given, i)) {
			for i, l := range layout.Command(settings, v.Columns()-2) {
				indent := "  "
				if i > 0 {
					indent = "    "
				}
				v.Line(layout.Plain(indent+strings.TrimLeft(l, " ")), layout.Span{})
			}
		}
		if n := t.Recommended.Connections; n > 0 && n < 4 {
			v.Line(layout.Plain("  at most " + layout.Counted(int64(n), "connection", "connections") + " at once"))
		}
	}
}

// settingsOf are the flags of a target with settings: those of its side, or of both where a server may become either.
func settingsOf(t *probe.TargetReport, given map[string]string) []string {
	if t.Role == probe.RoleServer || t.Role == "" {
		return []string{flags("source", t, given), flags("dest", t, given)}
	}
	return []string{flags(string(t.Role), t, given)}
}

func givenFor(given []map[string]string, target int) map[string]string {
	if target < len(given) {
		return given[target]
	}
	return nil
}

// flags writes the settings of a target as the flags of one side.
func flags(side string, t *probe.TargetReport, given map[string]string) string {
	r := t.Recommended
	words := []string{"--" + side, shellQuote(targetURL(t))}
	add := func(name, value string) {
		if value != "" {
			words = append(words, "--"+side+"-"+name, shellQuote(value))
		}
	}
	if r.ServerName != r.Host {
		add("server-name", r.ServerName)
	}
	add("connect", connectFlag(t))
	if r.Pin != nil {
		add("pin", *r.Pin)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		add(name, given[name])
	}
	add("auth", r.Auth)
	if r.Security == "none" {
		words = append(words, "--allow-plaintext")
	}
	return strings.Join(words, " ")
}

// targetURL is the target as a URL of the contract, section 1.1.
func targetURL(t *probe.TargetReport) string {
	r := t.Recommended
	scheme, usual := "imaps", 993
	switch r.Security {
	case "starttls":
		scheme, usual = "imap+starttls", 143
	case "none":
		scheme, usual = "imap+insecure", 143
	}
	host := r.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if r.Port != usual {
		host = net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	}
	if user := userOf(t); user != "" {
		host = url.User(user).String() + "@" + host
	}
	return fmt.Sprintf("%s://%s", scheme, host)
}

// userOf is the user that signed in, or the one in what was given, or "".
func userOf(t *probe.TargetReport) string {
	for _, e := range t.Endpoints {
		for _, c := range e.Checks {
			if user, ok := c.Facts["user"].(string); ok && c.ID == "auth.login" && user != "" {
				return user
			}
		}
	}
	if u, err := url.Parse(t.Input); err == nil && u.User != nil {
		return u.User.Username()
	}
	return ""
}

// connectFlag is the address to connect to when the look-up was replaced by one that was given: then the dns check was skipped although the
// host is a name.
func connectFlag(t *probe.TargetReport) string {
	if _, err := netip.ParseAddr(t.Recommended.Host); err == nil {
		return ""
	}
	for _, c := range t.Checks {
		if c.ID == "dns.lookup" && c.Status == probe.Skip {
			return t.Recommended.Address
		}
	}
	return ""
}

// shellQuote makes an argument safe for a POSIX shell.
func shellQuote(arg string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:/+=@%,", r)
	}
	arg = layout.Clean(arg)
	if arg != "" && strings.TrimFunc(arg, plain) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
