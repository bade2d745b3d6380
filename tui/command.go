package tui

import (
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// commandLine is what to type for the same without the wizard. It holds references, never a secret. recommended, where not nil, are the
// settings that were validated.
func commandLine(verb string, drafts [2]draft, recommended [2]*probe.Recommended, s mailsync.Settings) string {
	words := []string{"imapilot", verb}
	for side, d := range drafts {
		words = append(words, "--"+sideFlag[side], sideURL(d.target, recommended[side]))
	}
	plaintext := false
	for side, d := range drafts {
		flag := func(name, value string) {
			if value != "" {
				words = append(words, "--"+sideFlag[side]+"-"+name, value)
			}
		}
		if d.passwordFrom != "prompt" {
			flag("password-from", d.passwordFrom)
		}
		t := d.target
		flag("ca-file", d.caFile)
		for _, pin := range strings.Fields(t.TLS.Pins) {
			flag("pin", pin)
		}
		flag("server-name", t.TLS.ServerName)
		flag("connect", t.Connect)
		flag("via", t.Via)
		flag("auth", t.Mechanism)
		flag("authzid", t.AuthzID)
		plaintext = plaintext || t.Mode == probe.ModeInsecure
	}
	if plaintext {
		words = append(words, "--allow-plaintext")
	}
	if verb == "sync" {
		switch s.Flags {
		case mailsync.FlagsMirror:
			words = append(words, "--flags", "mirror")
		case mailsync.FlagsOff:
			words = append(words, "--flags", "off")
		}
		if s.NoSpecialUse {
			words = append(words, "--no-special-use")
		}
	}
	for i, word := range words {
		words[i] = shellQuote(word)
	}
	return strings.Join(words, " ")
}

// sideURL writes a side as a URL: with the mode that was validated, so that the command looks for nothing else.
func sideURL(t probe.Target, r *probe.Recommended) string {
	mode, port := t.Mode, portText(t.Port)
	if r != nil {
		switch r.Security {
		case "tls":
			mode, port = probe.ModeTLS, portBeside(r.Port, 993)
		case "starttls":
			mode, port = probe.ModeSTARTTLS, portBeside(r.Port, 143)
		}
	}
	return targetURL(mode, t.Host, port, t.User)
}

// portBeside writes a port, or nothing for the usual one.
func portBeside(port, usual int) string {
	if port == usual {
		return ""
	}
	return strconv.Itoa(port)
}

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// commandLines shows the equivalent command, in three lines.
func (w *wizard) commandLines(verb string, wide int) []string {
	out := make([]string, 3)
	out[0] = " " + w.theme.muted.Render("Equivalent command")
	for i, l := range layout.Command(w.command(verb), wide-4) {
		if i+1 < len(out) {
			out[i+1] = "   " + l
		}
	}
	return out
}

// command is the command line of what the wizard holds now.
func (w *wizard) command(verb string) string {
	drafts := w.check.drafts
	var recommended [2]*probe.Recommended
	if w.at == stepServers {
		for side, f := range w.servers.sides {
			drafts[side] = f.preview()
		}
	} else {
		for side, t := range w.check.targets {
			if t != nil {
				recommended[side] = t.Recommended
			}
		}
	}
	return commandLine(verb, drafts, recommended, w.settings())
}
