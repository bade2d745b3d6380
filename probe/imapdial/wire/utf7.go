package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// mailboxBase64 is the base64 of modified UTF-7: "," in place of "/" and no padding (RFC 3501 section 5.1.3).
var mailboxBase64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// CheckMailbox reports why no command can carry name as a mailbox name, or nil.
func CheckMailbox(name string) error {
	switch {
	case name == "":
		return errors.New("the mailbox name is empty")
	case !utf8.ValidString(name):
		return errors.New("the mailbox name is not UTF-8")
	case strings.ContainsAny(name, "\r\n\x00"):
		return errors.New("the mailbox name contains a line end or NUL")
	}
	return nil
}

// EncodeMailbox returns name, which is UTF-8, as a quoted string in modified UTF-7 (RFC 3501 section 5.1.3). The name has passed CheckMailbox.
func EncodeMailbox(name string) string { return string(quote([]byte(EncodeUTF7(name)))) }

// EncodeUTF7 returns s in modified UTF-7.
func EncodeUTF7(s string) string {
	var b strings.Builder
	var shifted []rune
	flush := func() {
		if len(shifted) == 0 {
			return
		}
		var octets []byte
		for _, u := range utf16.Encode(shifted) {
			octets = append(octets, byte(u>>8), byte(u))
		}
		b.WriteString("&" + mailboxBase64.EncodeToString(octets) + "-")
		shifted = shifted[:0]
	}
	for _, r := range s {
		if r < ' ' || r > '~' {
			shifted = append(shifted, r)
			continue
		}
		flush()
		if r == '&' {
			b.WriteString("&-")
		} else {
			b.WriteRune(r)
		}
	}
	flush()
	return b.String()
}
