package imaptest_test

import (
	"crypto/tls"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

func TestFlagsKeepTheirCase(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	c := signedIn(t, s, imaptest.TLS)
	body := "Subject: x\r\n\r\nx\r\n"
	command := c.Append("INBOX", int64(len(body)), &imap.AppendOptions{Flags: []imap.Flag{`\Seen`, "$Label1", "MyKeyword"}, Time: time.Date(2020, 2, 3, 4, 5, 6, 0, time.FixedZone("", 7200))})
	io.WriteString(command, body)
	command.Close()
	data, err := command.Wait()
	if err != nil || data.UID != 1 || data.UIDValidity == 0 {
		t.Fatalf("APPEND: %+v, %v", data, err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{`\FLAGGED`, "mykeyword"}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{Flags: true, InternalDate: true, RFC822Size: true}).Collect()
	if err != nil || len(messages) != 1 {
		t.Fatalf("FETCH: %v, %v", messages, err)
	}
	if got, want := messages[0].Flags, []imap.Flag{`\Seen`, "$Label1", "MyKeyword", `\Flagged`}; !reflect.DeepEqual(got, want) {
		t.Errorf("flags %v, want %v", got, want)
	}
	want := []imaptest.Message{{UID: 1, Flags: []string{"$Label1", "MyKeyword", `\Flagged`, `\Seen`}, InternalDate: time.Date(2020, 2, 3, 2, 5, 6, 0, time.UTC), Body: []byte(body)}}
	got := a.Messages("INBOX")
	got[0].InternalDate = got[0].InternalDate.UTC()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("stored %+v, want %+v", got, want)
	}
	err = c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{`\Foo`}}, nil).Close()
	if refused := new(imap.Error); !errors.As(err, &refused) || refused.Type != imap.StatusResponseTypeBad {
		t.Errorf(`STORE \Foo: %v, want BAD`, err)
	}
}

func TestMailboxNames(t *testing.T) {
	s, a := start(t, imaptest.Config{Delim: '.', Prefix: "INBOX.", RefuseName: func(name string) bool { return strings.ContainsAny(name, "%*") }})
	c := signedIn(t, s, imaptest.TLS)
	namespace, err := c.Namespace().Wait()
	if err != nil || !reflect.DeepEqual(namespace.Personal, []imap.NamespaceDescriptor{{Prefix: "INBOX.", Delim: '.'}}) {
		t.Fatalf("NAMESPACE: %+v, %v", namespace, err)
	}
	for name, want := range map[string]bool{
		"INBOX.Größe.Ö": true, "Outside": false, "INBOX.a..b": false, "INBOX.100%": false, "INBOX": false, "inbox": false, "INBOX.": false,
	} {
		if err := c.Create(name, nil).Wait(); (err == nil) != want {
			t.Errorf("CREATE %s: %v, want success %t", name, err, want)
		}
	}
	sent := &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrSent}}
	if err := c.Create("INBOX.Sent", sent).Wait(); err != nil {
		t.Error(err)
	}
	if err := c.Create("INBOX.Sent.", nil).Wait(); err == nil {
		t.Error("a mailbox was made twice, once with a delimiter at its end")
	}
	if err := c.Subscribe("INBOX.Größe.Ö").Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Subscribe("INBOX.None").Wait(); err == nil {
		t.Error("subscribed to a mailbox that is not there")
	}
	list, err := c.List("", "*", &imap.ListOptions{ReturnSubscribed: true, ReturnSpecialUse: true, ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]imap.MailboxAttr{}
	for _, data := range list {
		got[data.Mailbox] = data.Attrs
	}
	want := map[string][]imap.MailboxAttr{
		"INBOX":         {imap.MailboxAttrHasChildren},
		"INBOX.Größe":   {imap.MailboxAttrNoSelect, imap.MailboxAttrHasChildren},
		"INBOX.Größe.Ö": {imap.MailboxAttrHasNoChildren, imap.MailboxAttrSubscribed},
		"INBOX.Sent":    {imap.MailboxAttrHasNoChildren, imap.MailboxAttrSent},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("LIST: %v, want %v", got, want)
	}
	for pattern, want := range map[string]int{"%": 1, "INBOX.%": 2, "inbox": 1, "INBOX.*": 3} {
		if list, err := c.List("", pattern, nil).Collect(); err != nil || len(list) != want {
			t.Errorf("LIST %s: %d mailboxes, %v; want %d", pattern, len(list), err, want)
		}
	}
	if list, err := c.List("", "*", &imap.ListOptions{SelectSubscribed: true}).Collect(); err != nil || len(list) != 1 {
		t.Errorf("LIST (SUBSCRIBED): %v, %v", list, err)
	}
	if err := c.Rename("INBOX.Größe", "INBOX.Klein", nil).Wait(); err != nil {
		t.Error(err)
	}
	var names []string
	for _, m := range a.Mailboxes() {
		names = append(names, m.Name)
	}
	if want := []string{"INBOX", "INBOX.Klein", "INBOX.Klein.Ö", "INBOX.Sent"}; !slices.Equal(names, want) {
		t.Errorf("after RENAME %v, want %v", names, want)
	}
	if got, want := a.Name("a.b", "c"), "INBOX.a-b.c"; got != want {
		t.Errorf("Name gives %s, want %s", got, want)
	}
}

func TestExamineIsEnforced(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	if _, err := a.Append("INBOX", imaptest.Message{Flags: []string{`\Deleted`}, Body: []byte("a: b\r\n\r\nc")}); err != nil {
		t.Fatal(err)
	}
	before := a.Messages("INBOX")
	c := signedIn(t, s, imaptest.TLS)
	data, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || len(data.PermanentFlags) != 0 {
		t.Fatalf("EXAMINE: %+v, %v", data, err)
	}
	if _, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{}}}).Collect(); err != nil {
		t.Error(err)
	}
	if err := c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsSet}, nil).Close(); err == nil {
		t.Error("STORE was carried out")
	}
	if err := c.UIDExpunge(imap.UIDSetNum(1)).Close(); err == nil {
		t.Error("UID EXPUNGE was carried out")
	}
	if err := c.UnselectAndExpunge().Wait(); err != nil {
		t.Error(err)
	}
	if after := a.Messages("INBOX"); !reflect.DeepEqual(after, before) {
		t.Errorf("after EXAMINE %v, before %v", after, before)
	}
	if s.Count("EXAMINE") != 1 || s.Count("SELECT") != 0 || s.Count("STORE", "FETCH") != 2 {
		t.Error("counts are wrong")
	}
}

func TestBodySectionsAreServedAsStored(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	odd := "From: J\xfcrgen <j@example.org>\r\nno colon here\r\nSubject: one\r\n two\r\nX-Y: z\r\n\r\nbody\xff\r\n"
	if _, err := a.Append("INBOX", imaptest.Message{Body: []byte(odd)}); err != nil {
		t.Fatal(err)
	}
	c := signedIn(t, s, imaptest.TLS)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(odd, "body")
	for _, tt := range []struct {
		section imap.FetchItemBodySection
		want    string
	}{
		{imap.FetchItemBodySection{Peek: true}, odd},
		{imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 5, Size: 8}}, odd[5:13]},
		{imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 500, Size: 8}}, ""},
		{imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader}, header},
		{imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierText}, "body\xff\r\n"},
		{imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"subject", "x-y"}}, "Subject: one\r\n two\r\nX-Y: z\r\n\r\n"},
	} {
		messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{&tt.section}}).Collect()
		if err != nil || len(messages) != 1 {
			t.Fatalf("FETCH: %v, %v", messages, err)
		}
		if got := string(messages[0].BodySection[0].Bytes); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.section, got, tt.want)
		}
	}
	if flags := a.Messages("INBOX")[0].Flags; flags != nil {
		t.Errorf("BODY.PEEK set %v", flags)
	}
}

func TestSearch(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	for i, subject := range []string{"Hello", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Hello again"} {
		m := imaptest.Message{InternalDate: time.Date(2020+i, 1, 2, 0, 0, 0, 0, time.UTC), Body: []byte("Message-ID: <" + subject[:2] + ">\r\nSubject: " + subject + "\r\nDate: Thu, 02 Jan 2020 10:00:00 +0000\r\n\r\ntext" + strings.Repeat("x", 100*i))}
		if i == 2 {
			m.Flags = []string{`\Seen`}
		}
		if _, err := a.Append("INBOX", m); err != nil {
			t.Fatal(err)
		}
	}
	c := signedIn(t, s, imaptest.TLS)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	header := func(k, v string) []imap.SearchCriteriaHeaderField {
		return []imap.SearchCriteriaHeaderField{{Key: k, Value: v}}
	}
	for _, tt := range []struct {
		name     string
		criteria imap.SearchCriteria
		want     []imap.UID
	}{
		{"all", imap.SearchCriteria{}, []imap.UID{1, 2, 3}},
		{"by header", imap.SearchCriteria{Header: header("Message-Id", "<He>")}, []imap.UID{1, 3}},
		{"by encoded header", imap.SearchCriteria{Header: header("Subject", "grüße")}, []imap.UID{2}},
		{"by flag", imap.SearchCriteria{Flag: []imap.Flag{imap.FlagSeen}}, []imap.UID{3}},
		{"without flag", imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, []imap.UID{1, 2}},
		{"by date", imap.SearchCriteria{Since: time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), Before: time.Date(2022, 1, 2, 0, 0, 0, 0, time.UTC)}, []imap.UID{2}},
		{"by date sent", imap.SearchCriteria{SentBefore: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)}, nil},
		{"by size", imap.SearchCriteria{Larger: 250}, []imap.UID{3}},
		{"by range to the last", imap.SearchCriteria{UID: []imap.UIDSet{{{Start: 2, Stop: 0}}}}, []imap.UID{2, 3}},
		{"by number", imap.SearchCriteria{SeqNum: []imap.SeqSet{imap.SeqSetNum(1)}}, []imap.UID{1}},
		{"by text", imap.SearchCriteria{Text: []string{"AGAIN"}}, []imap.UID{3}},
		{"by body", imap.SearchCriteria{Body: []string{"hello"}}, nil},
		{"not", imap.SearchCriteria{Not: []imap.SearchCriteria{{UID: []imap.UIDSet{imap.UIDSetNum(2)}}}}, []imap.UID{1, 3}},
		{"or", imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{{Larger: 250}, {Body: []string{"TEXT"}, NotFlag: []imap.Flag{imap.FlagSeen}}}}}, []imap.UID{1, 2, 3}},
	} {
		data, err := c.UIDSearch(&tt.criteria, nil).Wait()
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := data.AllUIDs(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestClientsHearOfChanges(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	for range 3 {
		if _, err := a.Append("INBOX", imaptest.Message{Body: []byte("a: b\r\n\r\n")}); err != nil {
			t.Fatal(err)
		}
	}
	c := signedIn(t, s, imaptest.TLS)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove("INBOX", 1, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append("INBOX", imaptest.Message{Body: []byte("a: c\r\n\r\n")}); err != nil {
		t.Fatal(err)
	}
	if err := a.SetFlags("INBOX", 2, `\Seen`); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	if got := c.Mailbox().NumMessages; got != 2 {
		t.Errorf("the client knows of %d messages, want 2", got)
	}
	if err := a.Create("Copies", ""); err != nil {
		t.Fatal(err)
	}
	copied, err := c.Copy(imap.SeqSet{{Start: 1, Stop: 0}}, "Copies").Wait()
	if err != nil || copied.SourceUIDs.String() != "2,4" || copied.DestUIDs.String() != "1:2" {
		t.Errorf("COPY: %+v, %v", copied, err)
	}
	if _, err := c.Move(imap.UIDSetNum(2), "Copies").Wait(); err != nil {
		t.Error(err)
	}
	if got := len(a.Messages("INBOX")); got != 1 {
		t.Errorf("%d messages after MOVE, want 1", got)
	}
	if err := a.Renumber("INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop().Wait(); err == nil {
		t.Error("the connection outlived a new UIDVALIDITY")
	}
}

func TestIdleEnds(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	heard := make(chan uint32, 1)
	conn, err := tls.Dial("tcp", s.Address(), &tls.Config{RootCAs: ca.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(data *imapclient.UnilateralDataMailbox) {
		if data.NumMessages != nil {
			heard <- *data.NumMessages
		}
	}}})
	defer c.Close()
	if err := c.Login("alice", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append("INBOX", imaptest.Message{Body: []byte("a: b\r\n\r\n")}); err != nil {
		t.Fatal(err)
	}
	if n := <-heard; n != 1 {
		t.Errorf("heard of %d messages, want 1", n)
	}
	if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
		t.Error(err)
	}
	if _, err := c.Idle(); err != nil {
		t.Fatal(err)
	}
	s.Close() // during IDLE: must not hang
}
