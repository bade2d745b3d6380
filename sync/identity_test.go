package mailsync

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestMessageIDKey(t *testing.T) {
	for _, test := range []struct {
		name, a, b string
		same       bool
	}{
		{"case of the field's name", "Message-ID: <a@b>\r\n", "message-id: <a@b>\r\n", true},
		{"folding", "Message-Id:\r\n <a@b>\r\n", "Message-Id: <a@b>\r\n", true},
		{"white space", "Message-Id:\t <a@b>  \r\n", "Message-Id: <a@b>\r\n", true},
		{"white space inside", "Message-Id: <a\r\n\tb@c>\r\n", "Message-Id: <a b@c>\r\n", true},
		{"blanks before the colon", "Message-Id : <a@b>\r\n", "Message-Id: <a@b>\r\n", true},
		{"line ends", "Message-Id: <a@b>\n\n", "Message-Id: <a@b>\r\n\r\n", true},
		{"Cyrus writes X for octets above 127", "Message-Id: <gr\xfc\xdfe@b>\r\n", "Message-Id: <grXXe@b>\r\n", true},
		{"Dovecot writes 0x80 for NUL", "Message-Id: <a\x00@b>\r\n", "Message-Id: <a\x80@b>\r\n", true},
		{"the first field that is not empty counts", "Message-Id:\r\nMessage-Id: <a@b>\r\nMessage-Id: <c@d>\r\n", "Message-Id: <a@b>\r\n", true},
		{"case of the id", "Message-Id: <A@b>\r\n", "Message-Id: <a@b>\r\n", false},
		{"another field", "X-Message-Id: <a@b>\r\nMessage-Id: <c@d>\r\n", "Message-Id: <a@b>\r\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			aby, a, _ := messageIDKey([]byte(test.a))
			bby, b, _ := messageIDKey([]byte(test.b))
			if aby != ByMessageID || bby != ByMessageID || (a == b) != test.same {
				t.Errorf("got kinds %d and %d, equal %v, want equal %v", aby, bby, a == b, test.same)
			}
		})
	}
}

func TestMessagesWithoutMessageID(t *testing.T) {
	for _, header := range []string{"", "\r\n", "Message-Id:\r\n\r\n", "Message-Id: \t\r\n", "Subject: Message-Id: <a@b>\r\n", "no colon"} {
		if by, _, id := messageIDKey([]byte(header)); by != ByDigest || id != "" {
			t.Errorf("%q: got kind %d and id %q, want none", header, by, id)
		}
	}
	by, key := headersKey([]byte("Subject: s\r\nFrom: f\r\n\r\n"))
	if by2, key2 := headersKey([]byte("FROM:  f\r\nsubject:\r\n s\r\n")); by != ByHeaders || by2 != ByHeaders || key != key2 {
		t.Error("the order of fields changes the key")
	}
	if _, key2 := headersKey([]byte("Subject: f\r\nFrom: s\r\n\r\n")); key == key2 {
		t.Error("fields that change places do not change the key")
	}
	if by, _ := headersKey([]byte("Received: x\r\n\r\n")); by != ByDigest {
		t.Errorf("got kind %d without any of the fields, want none", by)
	}
}

func TestDigestNormalisesLineEnds(t *testing.T) {
	want, err := digestOf(strings.NewReader("a\r\nb\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{"a\nb\n", "a\r\nb", "a\rb\r\n", "a\r\r\nb\n\r"} {
		got, err := digestOf(iotest.OneByteReader(strings.NewReader(same)))
		if err != nil || (got == want) != (same != "a\rb\r\n") {
			t.Errorf("%q: equal %v, %v", same, got == want, err)
		}
	}
	empty, _ := digestOf(strings.NewReader(""))
	if line, _ := digestOf(strings.NewReader("\r\n")); empty != line {
		t.Error("Courier stores an empty message as one line end: they are to be equal")
	}
	if _, err := digestOf(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("ab")))); err == nil {
		t.Error("an error of the reader is lost")
	}
}

func TestBodyIsWhole(t *testing.T) {
	b := &body{size: 5, left: 5, r: strings.NewReader("abc")}
	if data, err := io.ReadAll(b); err != io.ErrUnexpectedEOF || string(data) != "abc" {
		t.Errorf("got %q and %v, want an unexpected end", data, err)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("Message-Id: <a@b>\r\nDate: x\r\n y\r\n\r\n"))
	f.Add([]byte("Subject : \x00\xff\n\tz"))
	f.Fuzz(func(t *testing.T, header []byte) {
		by, key, id := messageIDKey(header)
		if (by == ByMessageID) != (id != "") {
			t.Errorf("kind %d with id %q", by, id)
		}
		// A server may fold lines anew, and end them otherwise.
		again := []byte(strings.ReplaceAll(strings.ReplaceAll(string(header), "\r", ""), "\n ", "\n  "))
		if strings.Contains(string(header), "\r") {
			return
		}
		if by2, key2, _ := messageIDKey(again); by2 != by || key2 != key {
			t.Errorf("%q and %q have different keys", header, again)
		}
		headersKey(header)
	})
}
