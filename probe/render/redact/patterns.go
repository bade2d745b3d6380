package redact

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// A pattern is the look of names at the beginning of a text. mask returns how much of what was found is a name, and its mask; 0 if none
// of it is.
type pattern struct {
	expression *regexp.Regexp
	mask       func(m *Masks, found string) (int, string)
}

const domain = `(?:[\pL\pN_](?:[\pL\pN_-]*[\pL\pN_])?\.)+\pL(?:[\pL\pN-]*[\pL\pN])?`

// patterns are tried in this order.
var patterns = []pattern{
	{regexp.MustCompile(`^(?:section|appendix) [0-9A-Z.]+`), func(_ *Masks, s string) (int, string) { return len(s), s }}, // no address
	{regexp.MustCompile(`^sha256/[A-Za-z0-9+/]{42,43}=`), func(m *Masks, s string) (int, string) { return len(s), m.Digest(s) }},
	{regexp.MustCompile(`^(?:[0-9a-fA-F]{32,}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){15,})`), func(m *Masks, s string) (int, string) { return len(s), m.Digest(s) }},
	{regexp.MustCompile(`^https?://[^\s"'<>]+`), maskWeb},
	{regexp.MustCompile(`^imap(?:s|\+[a-z]+)?://[^\s/@]+@`), maskUserinfo},
	{regexp.MustCompile(`^[^\s<>()\[\]",;:@/'=]+@` + domain), func(m *Masks, s string) (int, string) { return len(s), m.User(s) }},
	{regexp.MustCompile(`^[^\s<>()\[\]",;:@/'=]+%40` + domain), maskEscaped},
	{regexp.MustCompile(`^[0-9a-fA-F:][0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[\pL\pN.]+)?`), maskAddress},
	{regexp.MustCompile(`^[0-9]+(?:\.[0-9]+){3,}`), maskAddress},
	{regexp.MustCompile(`^` + domain), maskDomain},
	{regexp.MustCompile(`^localhost\b`), func(m *Masks, s string) (int, string) { return len(s), m.Host(s) }},
}

// maskWeb masks the host of a web address and leaves the rest out: it may say who is meant.
func maskWeb(m *Masks, found string) (int, string) {
	scheme, rest, _ := strings.Cut(found, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := rest[strings.LastIndexByte(rest[:end], '@')+1 : end]
	masked := scheme + "://" + m.hostPort(host)
	if end < len(rest) {
		masked += "/..."
	}
	return len(found), masked
}

// maskUserinfo masks the user in a URL.
func maskUserinfo(m *Masks, found string) (int, string) {
	scheme, user, _ := strings.Cut(found, "://")
	user = strings.TrimSuffix(user, "@")
	if name, err := url.PathUnescape(user); err == nil {
		user = name
	}
	return len(found), scheme + "://" + m.User(user) + "@"
}

// maskAddress masks an IP address. What follows it in a sentence may look like a part of it.
func maskAddress(m *Masks, found string) (int, string) {
	for found != "" {
		if a, err := netip.ParseAddr(found); err == nil {
			return len(found), m.address(a)
		}
		shorter := strings.TrimRight(found, ":.")
		if shorter == found {
			return 0, ""
		}
		found = found[:len(found)-1]
	}
	return 0, ""
}

// maskEscaped masks a mail address as it stands in a URL.
func maskEscaped(m *Masks, found string) (int, string) {
	name, err := url.PathUnescape(found)
	if err != nil {
		name = found
	}
	return len(found), m.User(name)
}

// maskDomain masks what looks like a host, but for our own words that do.
func maskDomain(m *Masks, found string) (int, string) {
	_, isCode := finding.Lookup(finding.Code(found))
	if isCode || ownFiles[found] || probe.CheckTitle(found) != found {
		return len(found), found
	}
	return len(found), m.Host(found)
}

// ownFiles are files that our texts name.
var ownFiles = map[string]bool{"resolv.conf": true, "nsswitch.conf": true, "dovecot.conf": true, "main.cf": true}
