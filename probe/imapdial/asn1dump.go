package imapdial

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxDump bounds the lines of a dump, maxDumpDepth how deep it looks.
const (
	maxDump      = 120
	maxDumpDepth = 12
)

// DumpASN1 shows DER that no parser of certificates accepts, one element a line, indented by depth. It is printable and bounded, whatever der is.
func DumpASN1(der []byte) []string {
	var d dump
	d.elements(der, 0)
	return d.lines
}

type dump struct{ lines []string }

func (d *dump) line(depth int, format string, args ...any) {
	if len(d.lines) < maxDump {
		d.lines = append(d.lines, strings.Repeat("  ", depth)+wire.Printable(fmt.Sprintf(format, args...)))
	}
}

func (d *dump) elements(der cryptobyte.String, depth int) {
	for !der.Empty() && len(d.lines) < maxDump {
		var body cryptobyte.String
		var tag cbasn1.Tag
		rest := der
		if !der.ReadAnyASN1(&body, &tag) {
			d.line(depth, "not DER: %s", shortHex(rest))
			return
		}
		constructed := tag&0x20 != 0
		if constructed && depth < maxDumpDepth {
			d.line(depth, "%s", tagName(tag))
			d.elements(body, depth+1)
			continue
		}
		d.line(depth, "%s %s", tagName(tag), elementText(tag, body))
	}
}

func tagName(tag cbasn1.Tag) string {
	names := map[cbasn1.Tag]string{
		cbasn1.BOOLEAN: "BOOLEAN", cbasn1.INTEGER: "INTEGER", cbasn1.BIT_STRING: "BIT STRING", cbasn1.OCTET_STRING: "OCTET STRING",
		cbasn1.NULL: "NULL", cbasn1.OBJECT_IDENTIFIER: "OID", cbasn1.UTF8String: "UTF8String", cbasn1.PrintableString: "PrintableString",
		cbasn1.IA5String: "IA5String", cbasn1.T61String: "T61String", cbasn1.UTCTime: "UTCTime", cbasn1.GeneralizedTime: "GeneralizedTime",
		cbasn1.SEQUENCE: "SEQUENCE", cbasn1.SET: "SET",
	}
	if name, ok := names[tag]; ok {
		return name
	}
	if tag&0xc0 == 0x80 {
		return fmt.Sprintf("[%d]", tag&0x1f)
	}
	return fmt.Sprintf("tag 0x%02x", uint8(tag))
}

// elementText is the value of a primitive element: text as text, numbers and identifiers in their usual form, all else in hexadecimal.
func elementText(tag cbasn1.Tag, body cryptobyte.String) string {
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, cbasn1.T61String, cbasn1.UTCTime, cbasn1.GeneralizedTime:
		if len(body) > 100 {
			return fmt.Sprintf("%q…", body[:100])
		}
		return fmt.Sprintf("%q", body)
	case cbasn1.OBJECT_IDENTIFIER:
		var id asn1.ObjectIdentifier
		element := append([]byte{byte(tag), byte(len(body))}, body...)
		if _, err := asn1.Unmarshal(element, &id); err == nil && len(body) < 128 {
			return id.String()
		}
	case cbasn1.INTEGER:
		if len(body) > 0 && body[0]&0x80 != 0 {
			return shortHex(body) + " (negative)"
		}
	}
	return shortHex(body)
}

func shortHex(b []byte) string {
	if len(b) > 32 {
		return fmt.Sprintf("%s… (%d octets)", hex.EncodeToString(b[:32]), len(b))
	}
	return hex.EncodeToString(b)
}
