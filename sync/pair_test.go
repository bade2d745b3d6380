package mailsync

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// testListing makes a listing; a name may be followed by ",\Use" and by ",-" when it cannot be selected.
func testListing(prefix string, delimiter rune, names ...string) *Listing {
	l := &Listing{Prefix: prefix, Delimiter: delimiter, Subscriptions: true}
	for _, n := range names {
		m := Mailbox{Name: n, Delimiter: delimiter, Selectable: true}
		for i := range n {
			if n[i] != ',' {
				continue
			}
			m.Name = n[:i]
			if use := n[i+1:]; use == "-" {
				m.Selectable = false
			} else {
				m.SpecialUse = use
			}
			break
		}
		l.Mailboxes = append(l.Mailboxes, m)
	}
	return l
}

func TestPairMailboxes(t *testing.T) {
	for _, test := range []struct {
		name         string
		source, dest *Listing
		settings     Settings
		want         []string
	}{
		{"the same on both sides", testListing("", '/', "INBOX", "A", "A/B"), testListing("", '/', "INBOX", "A"), Settings{},
			[]string{"INBOX → INBOX there", "A → A there", "A/B → A/B"}},
		{"prefix and delimiter", testListing("", '/', "INBOX", "A/B"), testListing("INBOX.", '.', "INBOX"), Settings{},
			[]string{"INBOX → INBOX there", "A/B → INBOX.A.B (delimiter, prefix)"}},
		{"prefix and delimiter, the other way round", testListing("INBOX.", '.', "INBOX", "INBOX.A.B"), testListing("", '/', "INBOX"), Settings{},
			[]string{"INBOX → INBOX there", "INBOX.A.B → A/B (delimiter, prefix)"}},
		{"INBOX in any case", testListing("Inbox/", '/', "Inbox", "Inbox/A"), testListing("", '/', "INBOX"), Settings{},
			[]string{"Inbox → INBOX there", "Inbox/A → A (prefix)"}},
		{"the destination's delimiter inside a name", testListing("", '/', "v1.2/x"), testListing("", '.'), Settings{},
			[]string{`v1.2/x → v1_2.x ("." is the destination's delimiter, "_" takes its place in a name, delimiter) changed`}},
		{"a slash inside a name", testListing("", '.', "in/out"), testListing("", '/'), Settings{},
			[]string{`in/out → in_out ("/" is the destination's delimiter, "_" takes its place in a name) changed`}},
		{"what no command can carry", testListing("", '/', "a\r\nb"), testListing("", '/'), Settings{},
			[]string{"a\r\nb → a__b (\"/\" is the destination's delimiter, \"_\" takes its place in a name) changed"}},
		{"no hierarchy at the destination", testListing("", '/', "A/B"), testListing("", 0), Settings{},
			[]string{"A/B → A_B (the destination has no hierarchy, delimiter) changed"}},
		{"what cannot be selected is left out", testListing("", '/', "A,-", "A/B"), testListing("", '/', "A,-"), Settings{}, []string{"A/B → A/B"}},
		{"a parent that cannot be selected yet", testListing("", '/', "A"), testListing("", '/', "A,-"), Settings{}, []string{"A → A"}},
		{"special use", testListing("", '/', `Sent,\Sent`, "Sent/2020"), testListing("", '/', `Gesendet,\Sent`), Settings{},
			[]string{`Sent → Gesendet there (special use \Sent) changed`, "Sent/2020 → Sent/2020"}},
		{"special use with the name that it would have anyway", testListing("", '/', `Sent,\Sent`), testListing("", '/', `Sent,\Sent`), Settings{},
			[]string{`Sent → Sent there (special use \Sent)`}},
		{"special use is switched off", testListing("", '/', `Sent,\Sent`), testListing("", '/', `Gesendet,\Sent`), Settings{NoSpecialUse: true}, []string{"Sent → Sent"}},
		{"two mailboxes become one by special use", testListing("", '/', `Sent,\Sent`, "Sent Items"), testListing("", '/', `Sent Items,\Sent`), Settings{},
			[]string{`Sent → Sent Items there (special use \Sent) changed`, "Sent Items → Sent Items there"}},
		{"letters that are composed in another way", testListing("", '/', "Bu\u0308cher"), testListing("", '/', "B\u00fccher"), Settings{}, []string{"Bu\u0308cher → B\u00fccher there"}},
		{"names that are new stay as they are", testListing("", '/', "Bu\u0308cher"), testListing("", '/'), Settings{}, []string{"Bu\u0308cher → Bu\u0308cher"}},
		{"children of INBOX keep their name", testListing("", '/', "INBOX", "INBOX/A", "A"), testListing("INBOX.", '.', "INBOX"), Settings{},
			[]string{"INBOX → INBOX there", "INBOX/A → INBOX.INBOX.A (delimiter, prefix)", "A → INBOX.A (prefix)"}},
		{"children of INBOX on both sides", testListing("INBOX.", '.', "INBOX", "INBOX.A"), testListing("INBOX/", '/', "INBOX"), Settings{},
			[]string{"INBOX → INBOX there", "INBOX.A → INBOX/A (prefix)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			pairings, err := PairMailboxes(test.source, test.dest, test.settings)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range pairings {
				s := p.Source.Name + " → " + p.Dest
				if p.Exists {
					s += " there"
				}
				if p.Why != "" {
					s += fmt.Sprintf(" (%s)", p.Why)
				}
				if p.Changed {
					s += " changed"
				}
				got = append(got, s)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestCollisions(t *testing.T) {
	for _, test := range []struct {
		name         string
		source, dest *Listing
	}{
		{"a delimiter and what takes its place", testListing("", '/', "x.y", "x_y"), testListing("INBOX.", '.')},
		{"a mailbox that would become INBOX", testListing("Mail/", '/', "INBOX", "Mail/INBOX"), testListing("", '/', "INBOX")},
		{"no hierarchy", testListing("", '/', "a/b", "a_b"), testListing("", 0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := PairMailboxes(test.source, test.dest, Settings{})
			var collision *CollisionError
			if !errors.As(err, &collision) || len(collision.Sources) != 2 || collision.ExitCode() != 14 {
				t.Errorf("got %v, want a collision of two mailboxes", err)
			}
		})
	}
}

func TestNamespaces(t *testing.T) {
	cyrus := &namespaces{own: []string{"INBOX."}, foreign: []string{"user.", ""}}
	dovecot := &namespaces{own: []string{""}, foreign: []string{"shared/"}}
	for _, test := range []struct {
		n    *namespaces
		name string
		want bool
	}{
		{cyrus, "INBOX", true}, {cyrus, "INBOX.a", true}, {cyrus, "inbox.a", true}, {cyrus, "user.bob", false}, {cyrus, "news", false},
		{dovecot, "INBOX", true}, {dovecot, "a", true}, {dovecot, "shared/x", false}, {dovecot, "shared", false}, {dovecot, "shared2", true},
	} {
		if got := test.n.personal(test.name); got != test.want {
			t.Errorf("%q: got personal %v, want %v", test.name, got, test.want)
		}
	}
}

func TestGuessOfThePrefix(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  string
	}{
		{[]string{"INBOX", "INBOX.a", "INBOX.b"}, "INBOX."},
		{[]string{"INBOX", "INBOX.a", "b"}, ""},
		{[]string{"INBOX"}, ""},
	} {
		l := testListing("", '.', test.names...)
		if l.guess(); l.Prefix != test.want {
			t.Errorf("%q: got prefix %q, want %q", test.names, l.Prefix, test.want)
		}
	}
}

func TestDecodeUTF7(t *testing.T) {
	for in, want := range map[string]string{
		"INBOX.": "INBOX.", "a&-b": "a&b", "gr&APw-n": "grün", "&2D3eAA-": "😀", "&broken": "&broken", "&*-": "&*-", "": "",
	} {
		if got := decodeUTF7(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
