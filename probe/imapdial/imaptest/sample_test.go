package imaptest_test

import (
	"bytes"
	"net/mail"
	"reflect"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

func TestSampleIsWhatItsCommentSays(t *testing.T) {
	folders := imaptest.Sample()
	if !reflect.DeepEqual(folders, imaptest.Sample()) {
		t.Error("two calls differ")
	}
	var messages, octets, empty, withoutID, raw8bit, attachments, nested int
	keys, years, uses := map[string]int{}, map[int]bool{}, map[string]bool{}
	for _, f := range folders {
		if len(f.Messages) == 0 {
			empty++
		}
		nested = max(nested, len(f.Path))
		uses[f.SpecialUse] = true
		for _, m := range f.Messages {
			messages++
			octets += len(m.Body)
			years[m.InternalDate.Year()] = true
			keys[string(m.Body)]++
			if bytes.Contains(bytes.ReplaceAll(m.Body, []byte("\r\n"), nil), []byte("\n")) {
				t.Errorf("%v: bare LF", f.Path)
			}
			parsed, err := mail.ReadMessage(bytes.NewReader(m.Body))
			if err != nil {
				t.Fatalf("%v: %v\n%.300s", f.Path, err, m.Body)
			}
			if parsed.Header.Get("Message-Id") == "" {
				withoutID++
			}
			header, _, _ := bytes.Cut(m.Body, []byte("\r\n\r\n"))
			if bytes.ContainsFunc(header, func(r rune) bool { return r > 0x7e }) {
				raw8bit++
			}
			if bytes.Contains(m.Body, []byte("Content-Disposition: attachment")) {
				attachments++
			}
		}
	}
	t.Logf("%d messages, %d octets, %d without Message-ID, %d with 8-bit header, %d attachments", messages, octets, withoutID, raw8bit, attachments)
	if messages < 150 || messages > 300 || octets < 2e6 || octets > 8e6 {
		t.Errorf("%d messages of %d octets", messages, octets)
	}
	if empty != 1 || withoutID < 3 || raw8bit < 5 || attachments < 10 || nested != 3 || len(years) < 9 || len(uses) != 6 {
		t.Errorf("empty %d, without ID %d, 8-bit %d, attachments %d, nested %d, years %d, uses %d", empty, withoutID, raw8bit, attachments, nested, len(years), len(uses))
	}
	twins := 0
	for _, n := range keys {
		if n > 1 {
			twins += n
		}
	}
	if twins != 4 {
		t.Errorf("%d twins, want 4", twins)
	}
}

func TestUploadPutsTheSameMailThereAsFill(t *testing.T) {
	s, filled := start(t, imaptest.Config{})
	uploaded := s.AddAccount("bob", "secret")
	if err := filled.Fill(imaptest.Sample()); err != nil {
		t.Fatal(err)
	}
	c := connect(t, s, imaptest.TLS)
	if err := c.Login("bob", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	if err := imaptest.Upload(t.Context(), c, imaptest.Sample()); err != nil {
		t.Fatal(err)
	}
	boxes := filled.Mailboxes()
	for i, other := range uploaded.Mailboxes() {
		want := boxes[i]
		want.UIDValidity = other.UIDValidity
		want.Subscribed = want.Subscribed || strings.HasPrefix(want.Name, "INBOX")
		if other != want {
			t.Errorf("uploaded %+v, want %+v", other, want)
		}
		a, b := filled.Messages(want.Name), uploaded.Messages(want.Name)
		if len(a) != len(b) {
			t.Fatalf("%s: %d uploaded, %d filled", want.Name, len(b), len(a))
		}
		for i := range a {
			if !bytes.Equal(a[i].Body, b[i].Body) || !reflect.DeepEqual(a[i].Flags, b[i].Flags) || !a[i].InternalDate.Equal(b[i].InternalDate) {
				t.Errorf("%s: message %d differs: %v %s, %v %s", want.Name, i+1, a[i].Flags, a[i].InternalDate, b[i].Flags, b[i].InternalDate)
			}
		}
	}
}
