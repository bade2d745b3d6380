package imaptest

import (
	"bytes"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// Whatever a message is, its sections are cut out of it and nothing is lost: header and text together are the message, and the
// fields that are asked for and those that are not are the header.
func FuzzBodySection(f *testing.F) {
	for _, seed := range []string{"", "\r\n", "a: b\r\n\r\nc", "a: b\n\nc", "no colon\r\n\tfolded\r\n\r\n\r\n", " leading\r\na:", "A: 1\r\na: 2\r\nB: 3\r\n", "\xff\x00: \r\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		section := func(s imap.FetchItemBodySection) []byte { return bodySection(body, &s) }
		header := section(imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader})
		text := section(imap.FetchItemBodySection{Specifier: imap.PartSpecifierText})
		if got := append(bytes.Clone(header), text...); !bytes.Equal(got, body) {
			t.Errorf("header and text are %q", got)
		}
		named := section(imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"a"}})
		others := section(imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFieldsNot: []string{"a"}})
		if got, want := visible(named)+visible(others), visible(header); got != want {
			t.Errorf("%d octets of fields in a header of %d, line ends apart", got, want)
		}
		part := section(imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 1, Size: 3}})
		if len(body) > 1 && !bytes.HasPrefix(body[1:], part) || len(part) > 3 {
			t.Errorf("octets 1 to 3 are %q", part)
		}
	})
}

// visible counts the octets that are no line ends.
func visible(b []byte) int {
	return len(b) - bytes.Count(b, []byte("\r")) - bytes.Count(b, []byte("\n"))
}
