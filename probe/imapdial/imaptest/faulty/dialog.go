package faulty

import (
	"crypto/tls"
	"slices"
	"strings"
)

// A Dialog is a small IMAP server that knows what happens before and at sign-in: CAPABILITY, NOOP, ID, LOGOUT, STARTTLS, LOGIN,
// AUTHENTICATE PLAIN and, after it, what is asked of an account before the work: NAMESPACE, LIST, GETQUOTAROOT, MYRIGHTS, STATUS, SELECT, EXAMINE
// and UNSELECT, for an empty inbox. Every password is right unless Refuse says otherwise. Its zero value greets in the
// clear and offers no TLS.
type Dialog struct {
	TLS *tls.Config // certificate and settings, for ImplicitTLS and STARTTLS

	ImplicitTLS bool
	Greeting    string // without CRLF; "" means an OK with the capabilities

	Before string // capabilities before TLS; "" means IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED, or without TLS IMAP4rev1 SASL-IR AUTH=PLAIN
	Inside string // capabilities inside TLS; "" means IMAP4rev1 SASL-IR AUTH=PLAIN
	After  string // capabilities after sign-in; "" means IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE

	// Refuse, unless "", is the answer to any sign-in, without the tag: NO [AUTHENTICATIONFAILED] no.
	Refuse string

	// On replaces the answer to commands by name in upper case.
	On map[string]func(c *Conn, tag, args string)
}

// Serve is a [Script].
func (d Dialog) Serve(c *Conn) {
	if d.ImplicitTLS {
		c.StartTLS(d.TLS)
	}
	greeting := d.Greeting
	if greeting == "" {
		greeting = "* OK [CAPABILITY " + d.capabilities(c, false) + "] ready"
	}
	c.Line(greeting)
	d.Commands(c)
}

// Commands answers commands until the client logs out or goes: what Serve does after the greeting.
func (d Dialog) Commands(c *Conn) {
	signedIn := false
	for !c.over() {
		tag, name, args := c.Command()
		if c.over() {
			return
		}
		if answer := d.On[name]; answer != nil {
			answer(c, tag, args)
			continue
		}
		switch name {
		case "CAPABILITY":
			c.Line("* CAPABILITY " + d.capabilities(c, signedIn))
			c.Line(tag + " OK done")
		case "NOOP":
			c.Line(tag + " OK done")
		case "ID":
			c.Line("* ID NIL")
			c.Line(tag + " OK done")
		case "STARTTLS":
			d.startTLS(c, tag)
		case "LOGIN", "AUTHENTICATE":
			signedIn = d.signIn(c, tag, name, args) || signedIn
		case "NAMESPACE":
			c.Line(`* NAMESPACE (("" "/")) NIL NIL`)
			c.Line(tag + " OK done")
		case "LIST", "GETQUOTAROOT", "MYRIGHTS", "STATUS", "SELECT", "EXAMINE", "UNSELECT":
			inbox(c, tag, name, signedIn)
		case "LOGOUT":
			c.Line("* BYE see you")
			c.Line(tag + " OK done")
			return
		default:
			c.Line(tag + " BAD unknown command")
		}
	}
}

// inbox answers what is asked about the mailbox.
func inbox(c *Conn, tag, name string, signedIn bool) {
	if !signedIn {
		c.Line(tag + " BAD sign in first")
		return
	}
	code := ""
	switch name {
	case "LIST":
		c.Line(`* LIST () "/" INBOX`)
	case "GETQUOTAROOT":
		c.Line(`* QUOTAROOT INBOX ""`)
		c.Line(`* QUOTA "" (STORAGE 10 512)`)
	case "MYRIGHTS":
		c.Line("* MYRIGHTS INBOX lrswipkxtecda")
	case "STATUS":
		c.Line("* STATUS INBOX (APPENDLIMIT 1048576)")
	case "SELECT", "EXAMINE":
		c.Line("* 0 EXISTS")
		c.Line("* OK [UIDVALIDITY 7] valid")
		c.Line("* OK [UIDNEXT 1] next")
		if code = "[READ-WRITE] "; name == "EXAMINE" {
			code = "[READ-ONLY] "
		}
	}
	c.Line(tag + " OK " + code + "done")
}

func (d Dialog) capabilities(c *Conn, signedIn bool) string {
	first := func(given, otherwise string) string {
		if given != "" {
			return given
		}
		return otherwise
	}
	switch {
	case signedIn:
		return first(d.After, "IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE")
	case c.Secured():
		return first(d.Inside, "IMAP4rev1 SASL-IR AUTH=PLAIN")
	case d.TLS != nil && !d.ImplicitTLS:
		return first(d.Before, "IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED")
	}
	return first(d.Before, "IMAP4rev1 SASL-IR AUTH=PLAIN")
}

func (d Dialog) startTLS(c *Conn, tag string) {
	if d.TLS == nil || c.Secured() {
		c.Line(tag + " BAD not here")
		return
	}
	c.Line(tag + " OK begin")
	c.StartTLS(d.TLS)
}

// signIn answers LOGIN or AUTHENTICATE and reports whether the client is in.
func (d Dialog) signIn(c *Conn, tag, name, args string) bool {
	if slices.Contains(strings.Fields(d.capabilities(c, false)), "LOGINDISABLED") {
		c.Line(tag + " NO [PRIVACYREQUIRED] not without TLS")
		return false
	}
	if name == "AUTHENTICATE" {
		mechanism, initial, _ := strings.Cut(args, " ")
		if !strings.EqualFold(mechanism, "PLAIN") {
			c.Line(tag + " NO mechanism not supported")
			return false
		}
		if initial == "" {
			c.Line("+ ")
			initial = c.ReadLine()
		}
		if initial == "*" {
			c.Line(tag + " BAD cancelled")
			return false
		}
	}
	if d.Refuse != "" {
		c.Line(tag + " " + d.Refuse)
		return false
	}
	c.Line(tag + " OK [CAPABILITY " + d.capabilities(c, true) + "] welcome")
	return c.Err() == nil
}
