package mailsync

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

func verify(t testing.TB, source, dest *testAccount, bodies bool) *Verification {
	t.Helper()
	v, err := Verify(t.Context(), source.side(), dest.side(), testSettings(), bodies)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return v
}

func checkVerify(t testing.TB, source, dest *testAccount, want string) {
	t.Helper()
	before := contentsOf(dest)
	if v := verify(t, source, dest, false); v.Verdict != want {
		t.Errorf("got verdict %s, want %s: %+v", v.Verdict, want, v.Folders)
	}
	if !slices.Equal(contentsOf(dest), before) {
		t.Error("verify has changed the destination")
	}
}

func TestVerifySeesEveryDifference(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(t *testing.T, dest *testAccount)
		mirror  bool
		bodies  bool
		verdict string
		exit    int
		want    string // missing, extra, flags, dates, bodies
	}{
		{"nothing", func(*testing.T, *testAccount) {}, true, true, "equal", 0, "0 0 0 0 0"},
		{"a message is missing", func(t *testing.T, d *testAccount) { d.Remove("INBOX", d.Messages("INBOX")[0].UID) }, false, false, "different", 20, "1 0 0 0 0"},
		{"a message more", func(t *testing.T, d *testAccount) {
			d.Append("INBOX", imaptest.Message{Body: []byte("Subject: x\r\n\r\n")})
		}, false, false, "superset", 0, "0 1 0 0 0"},
		{"a copy more", func(t *testing.T, d *testAccount) { d.Append("INBOX", d.Messages("INBOX")[0]) }, false, false, "superset", 0, "0 1 0 0 0"},
		{"a flag is missing", func(t *testing.T, d *testAccount) { d.SetFlags("INBOX", d.Messages("INBOX")[1].UID) }, false, false, "different", 20, "0 0 1 0 0"},
		{"a flag more", func(t *testing.T, d *testAccount) { d.SetFlags("INBOX", d.Messages("INBOX")[0].UID, `\Answered`) }, false, false, "equal", 0, "0 0 0 0 0"},
		{"a flag more, mirrored", func(t *testing.T, d *testAccount) { d.SetFlags("INBOX", d.Messages("INBOX")[0].UID, `\Answered`) }, true, false, "different", 20, "0 0 1 0 0"},
		{"another date", func(t *testing.T, d *testAccount) {
			m := d.Messages("INBOX")[0]
			d.Remove("INBOX", m.UID)
			m.InternalDate = m.InternalDate.Add(time.Second)
			d.Append("INBOX", m)
		}, false, false, "different", 20, "0 0 0 1 0"},
		{"the same instant in another zone", func(t *testing.T, d *testAccount) {
			m := d.Messages("INBOX")[0]
			d.Remove("INBOX", m.UID)
			m.InternalDate = m.InternalDate.In(time.FixedZone("", -7*3600))
			d.Append("INBOX", m)
		}, false, false, "equal", 0, "0 0 0 0 0"},
		{"another body of the same size, unseen without --bodies", otherBody, false, false, "equal", 0, "0 0 0 0 0"},
		{"another body of the same size", otherBody, false, true, "different", 20, "0 0 0 0 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
			list := mails(4)
			list[1].Flags = []string{`\Seen`, "Work"}
			fill(t, source, inbox(list...))
			fill(t, dest, inbox(list...))
			test.change(t, dest)
			settings := testSettings()
			if test.mirror {
				settings.Flags = FlagsMirror
			}
			v, err := Verify(t.Context(), source.side(), dest.side(), settings, test.bodies)
			if err != nil {
				t.Fatal(err)
			}
			f := v.Folders[0]
			got := fmt.Sprint(len(f.Missing), len(f.Extra), len(f.FlagsDiffer), len(f.DatesDiffer), len(f.BodiesDiffer))
			if v.Verdict != test.verdict || v.ExitCode != test.exit || got != test.want || len(v.Folders) != 1 {
				t.Errorf("got %s, %d, %s: %+v", v.Verdict, v.ExitCode, got, v.Folders)
			}
		})
	}
}

func otherBody(t *testing.T, d *testAccount) {
	m := d.Messages("INBOX")[2]
	d.Remove("INBOX", m.UID)
	m.Body = slices.Clone(m.Body)
	m.Body[len(m.Body)-4] ^= 1
	d.Append("INBOX", m)
}

func TestVerifyListsMailboxes(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	fill(t, source, []imaptest.Folder{{Path: []string{"both"}}, {Path: []string{"empty, missing"}}, {Path: []string{"p", "child"}}})
	fill(t, dest, []imaptest.Folder{{Path: []string{"both"}}, {Path: []string{"only there"}, Messages: mails(2)}, {Path: []string{"p", "child"}}})
	if err := dest.Create("p", ""); err != nil { // a parent that can be selected
		t.Fatal(err)
	}
	v := verify(t, source, dest, false)
	var got []string
	for _, f := range v.Folders {
		name := "-"
		if f.Source != nil {
			name = *f.Source
		}
		got = append(got, fmt.Sprintf("%s → %s %d", name, f.Dest, len(f.Extra)))
	}
	want := []string{"INBOX → INBOX 0", "both → both 0", "empty, missing → empty, missing 0", "p/child → p/child 0", "- → only there 2"}
	if !slices.Equal(got, want) || v.Verdict != "different" {
		t.Errorf("got %s %q, want different %q", v.Verdict, got, want)
	}
}

func TestPlanIsWhatSyncDoes(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{Delim: '.', Prefix: "INBOX."})
	list := mails(4)
	fill(t, dest, inbox(list[0], list[1]))
	list[1].Flags = []string{`\Seen`}
	fill(t, source, []imaptest.Folder{{Path: []string{"INBOX"}, Messages: list}, {Path: []string{"a.b", "c"}, Messages: list[:1]}})
	before := contentsOf(dest)
	plan, err := MakePlan(t.Context(), source.side(), dest.side(), testSettings())
	if err != nil {
		t.Fatal(err)
	}
	octets := int64(len(list[2].Body) + len(list[3].Body))
	want := []FolderPlan{
		{Source: "INBOX", Dest: "INBOX", Messages: 4, ToCopy: 2, BytesToCopy: octets, FlagsToUpdate: 1},
		{Source: "a.b/c", Dest: "INBOX.a_b.c", Create: true, Messages: 1, ToCopy: 1, BytesToCopy: int64(len(list[0].Body))},
	}
	for i := range plan.Folders {
		if plan.Folders[i].Source == "a.b/c" && plan.Folders[i].Why == "" {
			t.Error("a changed name has no reason")
		}
		plan.Folders[i].Why = ""
	}
	if !slices.Equal(plan.Folders, want) || plan.Messages != 5 || plan.ToCopy != 3 || plan.BytesToCopy != octets+int64(len(list[0].Body)) {
		t.Errorf("got  %+v\nwant %+v", plan, want)
	}
	if !slices.Equal(contentsOf(dest), before) || dest.server.Count("APPEND", "STORE", "CREATE", "SUBSCRIBE") != 0 {
		t.Error("a plan has changed the destination")
	}
	s := runSync(t, source, dest)
	if s.Messages.Copied != plan.ToCopy || s.BytesCopied != plan.BytesToCopy || s.Messages.FlagsUpdated != 1 {
		t.Errorf("got %+v, the plan was %+v", s, plan)
	}
}
