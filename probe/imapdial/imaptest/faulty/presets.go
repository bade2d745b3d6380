package faulty

import (
	"crypto/tls"
	"strings"
	"time"
)

// Silent accepts and never speaks.
func Silent(c *Conn) { c.Stall() }

// ClosedAtOnce closes without a byte.
func ClosedAtOnce(c *Conn) { c.Cut() }

// ResetAtOnce resets without a byte.
func ResetAtOnce(c *Conn) { c.Reset() }

// ResetAfterHello waits until the client has sent something, and resets.
func ResetAfterHello(c *Conn) {
	c.AwaitData()
	c.Reset()
}

// Bye greets with BYE and closes; code is a response code such as UNAVAILABLE, or "".
func Bye(code, text string) Script {
	if code != "" {
		text = "[" + code + "] " + text
	}
	return func(c *Conn) { c.Line("* BYE " + text) }
}

// PreAuth greets with PREAUTH in the clear, lists STARTTLS, and would do it.
func PreAuth(cfg *tls.Config) Script {
	return Dialog{TLS: cfg, Greeting: "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome, whoever you are", Before: "IMAP4rev1 STARTTLS"}.Serve
}

// HTTP answers as a web server does: nothing until the client has spoken, then 400.
func HTTP(c *Conn) {
	c.AwaitData()
	c.Send("HTTP/1.1 400 Bad Request\r\nServer: example\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><body><h1>400 Bad Request</h1></body></html>\r\n")
}

// SSH greets as an SSH server.
func SSH(c *Conn) {
	c.Line("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3")
	c.AwaitData()
	c.Line("Invalid SSH identification string.")
}

// SMTP greets and answers as a mail transport.
func SMTP(c *Conn) {
	c.Line("220 mail.example.org ESMTP Postfix (Debian/GNU)")
	for !c.over() {
		if strings.EqualFold(c.ReadLine(), "QUIT") {
			c.Line("221 2.0.0 Bye")
			return
		}
		c.Line("502 5.5.2 Error: command not recognized")
	}
}

// POP3 greets and answers as a POP3 server.
func POP3(c *Conn) {
	c.Line("+OK Dovecot (Debian) ready.")
	for !c.over() {
		if strings.EqualFold(c.ReadLine(), "QUIT") {
			c.Line("+OK Logging out")
			return
		}
		c.Line("-ERR Unknown command.")
	}
}

// Garbage sends octets that are no protocol, with escape sequences among them, then waits.
func Garbage(c *Conn) {
	c.Send("\x00\xff\xfe\x1b]0;title\x07\x1b[31m\x80\x81 \u202e\u2028 * OK\x7f\n\n\x1b[2J\xc3\x28\r\n")
	c.Stall()
}

// Plain is IMAP without TLS: for the port where TLS is expected.
func Plain(c *Conn) { Dialog{}.Serve(c) }

// ImplicitTLS is IMAP with TLS from the first byte: for the port where plain text is expected.
func ImplicitTLS(cfg *tls.Config) Script { return Dialog{TLS: cfg, ImplicitTLS: true}.Serve }

// GoodStartTLS does STARTTLS as it should.
func GoodStartTLS(cfg *tls.Config) Script { return Dialog{TLS: cfg}.Serve }

// onStartTLS is a server in the clear with these capabilities that answers STARTTLS in its own way.
func onStartTLS(capabilities string, answer func(c *Conn, tag string)) Script {
	return Dialog{Before: capabilities, On: map[string]func(*Conn, string, string){
		"STARTTLS": func(c *Conn, tag, _ string) { answer(c, tag) },
	}}.Serve
}

// refusing answers STARTTLS as servers do that do not have it.
func refusing(c *Conn, tag string) { c.Line(tag + " BAD Unknown command") }

// StartTLSAbsent does not list STARTTLS, refuses it, and takes passwords in the clear.
func StartTLSAbsent(c *Conn) { onStartTLS("IMAP4rev1 SASL-IR AUTH=PLAIN", refusing)(c) }

// StartTLSStripped does not list STARTTLS and refuses it, but has LOGINDISABLED.
func StartTLSStripped(c *Conn) { onStartTLS("IMAP4rev1 SASL-IR LOGINDISABLED", refusing)(c) }

// StartTLSMasked lists XXXXXXXX where STARTTLS was, and refuses it.
func StartTLSMasked(c *Conn) { onStartTLS("IMAP4rev1 SASL-IR XXXXXXXX LOGINDISABLED", refusing)(c) }

const listed = "IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED"

// StartTLSHidden does not list STARTTLS, and does it when asked.
func StartTLSHidden(cfg *tls.Config) Script {
	return Dialog{TLS: cfg, Before: "IMAP4rev1 SASL-IR AUTH=PLAIN"}.Serve
}

// StartTLSRefused lists STARTTLS and answers it with answer, such as "NO not now" or "BAD what". The tag is put before it, unless it
// starts with "+" or "*".
func StartTLSRefused(answer string) Script {
	return onStartTLS(listed, func(c *Conn, tag string) {
		if strings.HasPrefix(answer, "+") || strings.HasPrefix(answer, "*") {
			c.Line(answer)
			return
		}
		c.Line(tag + " " + answer)
	})
}

// StartTLSNoAnswer lists STARTTLS and does not answer it.
func StartTLSNoAnswer(c *Conn) { onStartTLS(listed, func(c *Conn, _ string) { c.Stall() })(c) }

// StartTLSCloses lists STARTTLS and closes in answer.
func StartTLSCloses(c *Conn) { onStartTLS(listed, func(c *Conn, _ string) { c.Cut() })(c) }

// StartTLSInjected sends data in the clear in the same segment as its OK, then does the handshake and goes on.
func StartTLSInjected(cfg *tls.Config, data string) Script {
	return Dialog{TLS: cfg, On: map[string]func(*Conn, string, string){
		"STARTTLS": func(c *Conn, tag, _ string) {
			c.Send(tag + " OK begin\r\n" + data)
			c.StartTLS(cfg)
		},
	}}.Serve
}

// EndlessLine greets with a line that never ends, as fast as it is read.
func EndlessLine(c *Conn) {
	c.Send("* OK ")
	for chunk := strings.Repeat("endless ", 2048); !c.over(); {
		c.Send(chunk)
	}
}

// SlowGreeting waits for d, then is script.
func SlowGreeting(d time.Duration, script Script) Script {
	return func(c *Conn) {
		c.Wait(d)
		script(c)
	}
}
