package probe

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// subjectWith is an endpoint of which these facts are known.
func subjectWith(sec imapdial.Security, facts imapdial.Facts) *subject {
	return &subject{target: &Target{}, ep: imapdial.Endpoint{Host: "h", Security: sec}, family: ipv4, facts: &facts}
}

// TestAlerts sees each alert in a real handshake: the peer sends the record and nothing else.
func TestAlerts(t *testing.T) {
	tests := []struct {
		alert uint8
		want  string
	}{
		{40, "tls.handshake-failed block server"},
		{42, "tls.handshake-failed block server"},
		{70, "tls.version-too-old block server"},
		{71, "tls.no-common-cipher block server"},
		{80, "tls.handshake-failed block server"},
		{112, "tls.name-rejected block server"},
		{116, "tls.client-certificate-required block server"},
		{200, "tls.handshake-failed block server"},
	}
	for _, tt := range tests {
		w := newWorld(t, map[uint16]faulty.Script{993: func(c *faulty.Conn) {
			c.AwaitData()
			c.Send(string([]byte{0x15, 3, 3, 0, 2, 2, tt.alert}))
			c.Stall()
		}})
		r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
		checkEnding(t, w, r, ending{[]string{tt.want}, Blocked, 11, ""})
		if f := one(t, r, tt.want); f.Evidence["alert"] != int(tt.alert) {
			t.Errorf("alert %d: got evidence %v", tt.alert, f.Evidence)
		}
	}
}

// TestLibraryErrors holds the texts of crypto/tls that have no type. Those that a server of crypto/tls cannot be brought to cause are given as text.
func TestLibraryErrors(t *testing.T) {
	tests := []struct {
		text string
		want string
	}{
		{"tls: server selected unsupported protocol version 300", "tls.version-too-old block server"},
		{"tls: server chose an unconfigured cipher suite", "tls.no-common-cipher block server"},
		{"tls: server selected unsupported group", "tls.no-common-group block server"},
		{"tls: server selected unsupported curve", "tls.no-common-group block server"},
		{"tls: failed to parse certificate from server: x509: negative serial number", "cert.unparsable block server"},
		{"tls: invalid signature by the server certificate: crypto/rsa: 768-bit keys are insecure (see …)", "cert.weak-key block server"},
		{"tls: server's Finished message was incorrect", "tls.handshake-failed block server"},
	}
	for _, tt := range tests {
		s := subjectWith(imapdial.TLS, imapdial.Facts{Err: &imapdial.Error{Stage: imapdial.StageHandshake, Err: errors.New(tt.text)}})
		out := handshake(s)
		if len(out.findings) != 1 || line(out.findings[0]) != tt.want || statusOf(out) != Fail {
			t.Errorf("%s: got %+v", tt.text, out.findings)
		}
	}
}

func TestUnparsableCertificate(t *testing.T) {
	cert := testCA().Issue(imaptest.Leaf{})
	der := slices.Clone(cert.Certificate[0])
	version := []byte{0xa0, 3, 2, 1, 2, 2} // [0] INTEGER v3, and the tag of the serial number
	at := bytes.Index(der, version) + len(version) + 1
	der[at] |= 0x80 // a negative serial number
	cert.Certificate[0], cert.Leaf = der, nil
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(&tls.Config{Certificates: []tls.Certificate{cert}})})
	r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
	blocked(t, w, r, "cert.unparsable block server")
	if status(r.Targets[0].Endpoints[0], "tls.handshake") != Fail {
		t.Errorf("got %v", statuses(r.Targets[0].Endpoints[0]))
	}
}

func TestPlaintextInPlaceOfTheHandshakeIsAnInjection(t *testing.T) {
	script := faulty.Dialog{TLS: goodTLS(), On: map[string]func(*faulty.Conn, string, string){
		"STARTTLS": func(c *faulty.Conn, tag, _ string) {
			c.Line(tag + " OK begin")
			c.AwaitData()
			c.Line("* OK [ALERT] read this")
			c.Stall()
		}}}.Serve
	w := newWorld(t, map[uint16]faulty.Script{143: script})
	r := run(t, w.prober(), withPassword(target(t, "imap://127.0.0.1"))).Report
	checkEnding(t, w, r, ending{[]string{"starttls.injection high server"}, Blocked, 11, ""})
	if f := one(t, r, "starttls.injection high server"); f.Check != "tls.handshake" {
		t.Errorf("got %+v", f)
	}
}

func TestGreetingCutShort(t *testing.T) {
	facts := imapdial.Facts{Err: &imapdial.Error{Stage: imapdial.StageGreeting, Err: io.ErrUnexpectedEOF}, FirstBytes: []byte("* O\x1b[2J")}
	out := greeting(subjectWith(imapdial.STARTTLS, facts))
	if len(out.findings) != 1 || line(out.findings[0]) != "imap.not-imap block server" || out.findings[0].Evidence["first_bytes"] != "* O" {
		t.Errorf("got %+v", out.findings)
	}
}

func TestProtocols(t *testing.T) {
	for first, want := range map[string]string{
		"* OK ready": "IMAP", "* bye": "IMAP", "+OK ready": "POP3", "220 mail ESMTP": "SMTP", "220 FTP server": "FTP", "SSH-2.0-x": "SSH",
		"HTTP/1.1 400": "HTTP", "<html>": "HTTP", "\x16\x03\x01\x00": "TLS", "\x15\x03\x03": "TLS", "\x16\x09\x01": "", "hello": "", "": "",
	} {
		if got := protocolOf([]byte(first)); got != want {
			t.Errorf("protocolOf(%q): got %q, want %q", first, got, want)
		}
	}
}
