package imaptest

import (
	"encoding/base64"
	"fmt"
	"html"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
)

// A builder makes one message in one of several kinds.
type builder struct {
	topic  topic
	number int
	sent   time.Time
	random *rand.Rand
}

const crlf = "\r\n"

// header returns the fields that every kind has, without an empty line.
func (m builder) header() string {
	subject := m.topic.subject
	if m.number%5 == 0 {
		subject = "Re: " + subject
	}
	h := "Return-Path: <" + m.topic.from.Address + ">" + crlf +
		fmt.Sprintf("Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])", m.number%4, m.number%4, m.number%200+1) + crlf +
		fmt.Sprintf("\tby mail.example.org with ESMTPS id %08x; %s", m.random.Uint32(), m.sent.Format(time.RFC1123Z)) + crlf +
		"Date: " + m.sent.Format(time.RFC1123Z) + crlf +
		"From: " + m.topic.from.String() + crlf +
		"To: " + m.topic.to.String() + crlf +
		"Subject: " + mime.QEncoding.Encode("utf-8", subject) + crlf
	if m.number%17 != 0 {
		h += "Message-ID: " + m.id(m.number) + crlf
	}
	if m.number%5 == 0 && m.number > 5 {
		h += "In-Reply-To: " + m.id(m.number-5) + crlf + "References: " + m.id(m.number-5) + crlf
	}
	return h + "MIME-Version: 1.0" + crlf
}

func (m builder) id(number int) string {
	return fmt.Sprintf("<sample.%d.%08x@example.org>", number, uint32(number)*2654435761)
}

func (m builder) boundary(level int) string { return fmt.Sprintf("=_sample_%d_%d", m.number, level) }

// multipart joins parts, each with its own header.
func (m builder) multipart(subtype string, level int, parts ...string) string {
	b := "--" + m.boundary(level) + crlf
	return fmt.Sprintf("Content-Type: multipart/%s; boundary=%q", subtype, m.boundary(level)) + crlf + crlf + b +
		strings.Join(parts, crlf+b) + crlf + "--" + m.boundary(level) + "--" + crlf
}

func (m builder) textPart() string {
	return "Content-Type: text/plain; charset=utf-8" + crlf + "Content-Transfer-Encoding: quoted-printable" + crlf + crlf + quotedPrintable(m.topic.plain())
}

func (m builder) htmlPart() string {
	var page strings.Builder
	page.WriteString("<!DOCTYPE html>\r\n<html><body>\r\n<h1>" + html.EscapeString(m.topic.subject) + "</h1>\r\n")
	for _, paragraph := range m.topic.text {
		page.WriteString("<p>" + html.EscapeString(paragraph) + "</p>\r\n")
	}
	page.WriteString("</body></html>\r\n")
	return "Content-Type: text/html; charset=utf-8" + crlf + "Content-Transfer-Encoding: quoted-printable" + crlf + crlf + quotedPrintable(page.String())
}

// file is a part of size generated octets.
func (m builder) file(contentType, name, disposition string, size int) string {
	octets := make([]byte, size)
	for i := range octets {
		octets[i] = byte(m.random.Uint32())
	}
	return "Content-Type: " + contentType + crlf +
		"Content-Disposition: " + mime.FormatMediaType(disposition, map[string]string{"filename": name}) + crlf +
		"Content-Transfer-Encoding: base64" + crlf + crlf + base64Lines(octets)
}

func (m builder) plain() []byte { return []byte(m.header() + m.textPart()) }

func (m builder) alternative() []byte {
	return []byte(m.header() + m.multipart("alternative", 1, m.textPart(), m.htmlPart()))
}

func (m builder) attachment() []byte {
	size := 8_000 + m.random.IntN(90_000)
	if m.number%70 == 3 {
		size = 700_000
	}
	return []byte(m.header() + m.multipart("mixed", 1, m.textPart(), m.file("application/pdf", m.topic.file, "attachment", size)))
}

func (m builder) inlineImage() []byte {
	related := m.multipart("related", 2, m.htmlPart(), "Content-ID: <image."+fmt.Sprint(m.number)+"@example.org>"+crlf+m.file("image/png", "bild.png", "inline", 6_000))
	return []byte(m.header() + m.multipart("alternative", 1, m.textPart(), related))
}

// forwarded holds a whole message.
func (m builder) forwarded() []byte {
	inner := m
	inner.number += 1_000_000
	inner.sent = m.sent.Add(-26 * time.Hour)
	inner.topic.from, inner.topic.to = m.topic.to, m.topic.from
	return []byte(m.header() + m.multipart("mixed", 1, m.textPart(),
		"Content-Type: message/rfc822"+crlf+"Content-Disposition: inline"+crlf+crlf+string(inner.alternative())))
}

// eightBit has UTF-8 in the body as it is.
func (m builder) eightBit() []byte {
	return []byte(m.header() + "Content-Type: text/plain; charset=utf-8" + crlf + "Content-Transfer-Encoding: 8bit" + crlf + crlf + m.topic.plain())
}

// rawHeader is what programs of the nineties wrote: ISO 8859-1 in header and body, without any encoding.
func (m builder) rawHeader() []byte {
	latin := func(s string) string {
		var b []byte
		for _, r := range s {
			if r > 0xff {
				r = '?'
			}
			b = append(b, byte(r))
		}
		return string(b)
	}
	text := "Grüße aus Köln,\r\nder Käse war übrigens ausgezeichnet.\r\n-- \r\nJürgen Müßig\r\n"
	return []byte("Date: " + m.sent.Format(time.RFC1123Z) + crlf + latin("From: Jürgen Müßig <juergen@example.com>") + crlf + "To: anna.berger@example.org" + crlf +
		latin(fmt.Sprintf("Subject: Grüße Nr. %d aus Köln", m.number)) + crlf + "Message-ID: " + m.id(m.number) + crlf +
		"Content-Type: text/plain; charset=iso-8859-1" + crlf + "Content-Transfer-Encoding: 8bit" + crlf + crlf + latin(text))
}

func quotedPrintable(s string) string {
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(s)) // a strings.Builder takes everything
	w.Close()
	return b.String()
}

// base64Lines encodes octets in lines of 76 characters (RFC 2045 section 6.8).
func base64Lines(octets []byte) string {
	encoded := base64.StdEncoding.EncodeToString(octets)
	var b strings.Builder
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + crlf)
		encoded = encoded[76:]
	}
	b.WriteString(encoded + crlf)
	return b.String()
}

// A topic is what a message is about.
type topic struct {
	from, to mail.Address
	subject  string
	file     string // name of an attachment
	text     []string
}

// plain returns the text as plain text, in lines of moderate length.
func (t topic) plain() string {
	var b strings.Builder
	for _, paragraph := range t.text {
		b.WriteString(wrap(paragraph, 72) + crlf + crlf)
	}
	b.WriteString("-- " + crlf + t.from.Name + crlf)
	return b.String()
}

// wrap breaks s at blanks into lines of about width characters.
func wrap(s string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(s) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString(crlf)
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
