package render

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// hostile is what a server might say to move the cursor, write to the clipboard, or end a table, a tag or a line.
const hostile = "no\x1b[2J \x1b]52;c;aGk=\x07|<script>alert(1)</script> \u202egnirts *bold*\r\nnot ready"

func plan() *mailsync.Plan {
	return &mailsync.Plan{
		Schema: "imapilot.plan/1", Messages: 62560, ToCopy: 21350, BytesToCopy: 10 << 30,
		Folders: []mailsync.FolderPlan{
			{Source: "INBOX", Dest: "INBOX", Messages: 41208, ToCopy: 0, FlagsToUpdate: 12},
			{Source: "Sent Messages", Dest: "Sent", Why: `special use \Sent`, Messages: 8402, ToCopy: 8402, BytesToCopy: 3543348019},
			{Source: "Archive.2019", Dest: "Archive/2019", Create: true, Messages: 6120, ToCopy: 6120, BytesToCopy: 1288490189},
			{Source: "Projekte.Müller und Söhne.Angebote 2019 bis 2024 (alle Fassungen)", Dest: "Projekte/Müller und Söhne/Angebote 2019 bis 2024 (alle Fassungen)", Create: true, Messages: 944, ToCopy: 944, BytesToCopy: 322122547},
			{Source: "受信箱.プロジェクト.二〇一九年度", Dest: "受信箱/プロジェクト/二〇一九年度", Create: true, Messages: 5881, ToCopy: 5881, BytesToCopy: 5583457484},
			{Source: "a/b", Dest: "a_b", Create: true, Why: `"/" is the delimiter`, Messages: 3, ToCopy: 3, BytesToCopy: 9216},
			{Source: "evil\x1b[31m", Dest: "evil", Messages: 2, ToCopy: 0},
		},
	}
}

func complete() *mailsync.Summary {
	return &mailsync.Summary{
		Schema: "imapilot.sync/1", Verdict: "complete", Folders: 42,
		Messages:    mailsync.Counts{Source: 67310, Present: 2, Copied: 67308, FlagsUpdated: 1},
		BytesCopied: 19542101196, DurationMS: 19872000,
		Verified: &mailsync.Verified{Messages: 67310},
	}
}

func partial() *mailsync.Summary {
	s := complete()
	s.Verdict, s.ExitCode = "partial", 20
	s.Messages = mailsync.Counts{Source: 72545, Present: 2, Copied: 67305, Skipped: 5125, Failed: 113}
	s.Verified = &mailsync.Verified{Messages: 67307, Surplus: 2}
	s.Failures = []mailsync.Failure{
		{Folder: "Archive/2019", UID: 5090, Step: "fetch"},
		{Folder: "Archive/2019", UID: 5113, Step: "append", Code: "TOOBIG", ServerText: "Message size exceeds fixed limit"},
		{Folder: "Archive/2019", UID: 5112, Step: "append", Code: "TOOBIG", ServerText: "Message size exceeds fixed limit"},
		{Folder: "受信箱/プロジェクト/二〇一九年度/見積書と請求書の控え", UID: 7, Step: "append", Code: "TOOBIG", ServerText: "Message size exceeds fixed limit"},
		{Folder: "Old%Mail", UID: 0, Step: "create", Code: "CANNOT", ServerText: "Invalid mailbox name"},
		{Folder: "INBOX", UID: 9, Step: "append", ServerText: hostile},
		{Folder: "INBOX", UID: 31, Step: "fetch", Code: "stand-in", ServerText: "This message could not be retrieved"},
	}
	for uid := range uint32(5) {
		s.Failures = append(s.Failures, mailsync.Failure{Folder: "Sent", UID: 100 + uid, Step: "fetch"})
	}
	return s
}

func stopped() *mailsync.Summary {
	return &mailsync.Summary{
		Schema: "imapilot.sync/1", Verdict: "failed", ExitCode: 22, Folders: 42,
		Messages:    mailsync.Counts{Source: 67310, Present: 40000, Copied: 5303, Failed: 1, Remaining: 22006},
		BytesCopied: 3 << 30, DurationMS: 61_000,
		Failures: []mailsync.Failure{{Folder: "INBOX", UID: 45304, Step: "append", Code: "OVERQUOTA", ServerText: "Quota exceeded (mailbox for user is full)"}},
	}
}

func again() *mailsync.Summary {
	return &mailsync.Summary{
		Schema: "imapilot.sync/1", Verdict: "complete", Folders: 1, DurationMS: 820,
		Messages: mailsync.Counts{Source: 1, Present: 1}, Verified: &mailsync.Verified{Messages: 1},
	}
}

func lost() *mailsync.Summary {
	s := complete()
	s.Verdict, s.ExitCode = "partial", 20
	s.Verified = &mailsync.Verified{Messages: 67308, Missing: 2}
	return s
}

func refs(first uint32, n int) []mailsync.MessageRef {
	var list []mailsync.MessageRef
	for i := range n {
		list = append(list, mailsync.MessageRef{
			UID: first + uint32(i), MessageID: fmt.Sprintf("<2024%04d.%x@mail.old-isp.example>", i, 0xdeadbeef+i), Size: int64(1) << (10 + i%13),
			Date: time.Date(2024, 5, 1+i, 12, 3, 0, 0, time.FixedZone("", 7200)),
		})
	}
	return list
}

func different() *mailsync.Verification {
	folder := func(source, dest string, n int64) mailsync.FolderVerify {
		return mailsync.FolderVerify{Source: &source, Dest: dest, SourceMessages: n, DestMessages: n}
	}
	inbox := folder("INBOX", "INBOX", 41208)
	sent := folder("Sent Messages", "Sent", 8402)
	sent.DestMessages, sent.Missing, sent.FlagsDiffer = 8389, refs(5112, 13), refs(7, 1)
	archive := folder("Archive.2019.Projekte mit langem Namen", "Archive/2019/Projekte mit langem Namen", 6120)
	archive.DestMessages, archive.Extra = 6121, []mailsync.MessageRef{{UID: 9, Size: 512, MessageID: hostile}}
	japan := folder("受信箱", "受信箱", 3)
	japan.DatesDiffer, japan.BodiesDiffer = refs(2, 1), refs(3, 1)
	only := mailsync.FolderVerify{Dest: "Notes", DestMessages: 4}
	return &mailsync.Verification{Schema: "imapilot.verify/1", Verdict: "different", ExitCode: 20, Folders: []mailsync.FolderVerify{inbox, sent, archive, japan, only}}
}

func equal() *mailsync.Verification {
	v := different()
	v.Verdict, v.ExitCode, v.Folders = "equal", 0, v.Folders[:1]
	return v
}

func superset() *mailsync.Verification {
	v := different()
	v.Verdict, v.ExitCode = "superset", 0
	v.Folders = []mailsync.FolderVerify{v.Folders[0], v.Folders[2], v.Folders[4]}
	return v
}

func TestGolden(t *testing.T) {
	summaryText := func(s *mailsync.Summary, o Options) func(*bytes.Buffer) error {
		return func(b *bytes.Buffer) error { return Summary(b, s, o) }
	}
	verifyText := func(v *mailsync.Verification, o Options) func(*bytes.Buffer) error {
		return func(b *bytes.Buffer) error { return Verification(b, v, o) }
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"plan.txt":         func(b *bytes.Buffer) error { return Plan(b, plan(), Options{}) },
		"plan-wide.txt":    func(b *bytes.Buffer) error { return Plan(b, plan(), Options{Width: 160}) },
		"plan-nothing.txt": func(b *bytes.Buffer) error { return Plan(b, &mailsync.Plan{}, Options{}) },
		"plan.json":        func(b *bytes.Buffer) error { return JSON(b, plan()) },

		"complete.txt":      summaryText(complete(), Options{}),
		"partial.txt":       summaryText(partial(), Options{}),
		"partial-color.txt": summaryText(partial(), Options{Color: true}),
		"stopped.txt":       summaryText(stopped(), Options{}),
		"again.txt":         summaryText(again(), Options{}),
		"lost.txt":          summaryText(lost(), Options{}),
		"partial.md":        func(b *bytes.Buffer) error { return SummaryMarkdown(b, partial()) },
		"partial.html":      func(b *bytes.Buffer) error { return SummaryHTML(b, partial()) },
		"stopped.json":      func(b *bytes.Buffer) error { return JSON(b, stopped()) },

		"different.txt":         verifyText(different(), Options{}),
		"different-ascii.txt":   verifyText(different(), Options{ASCII: true, Width: 72}),
		"different-verbose.txt": verifyText(different(), Options{Verbose: true, Width: 120}),
		"equal.txt":             verifyText(equal(), Options{}),
		"superset.txt":          verifyText(superset(), Options{}),
		"different.md":          func(b *bytes.Buffer) error { return VerificationMarkdown(b, different()) },
		"different.html":        func(b *bytes.Buffer) error { return VerificationHTML(b, different()) },
		"superset.json":         func(b *bytes.Buffer) error { return JSON(b, superset()) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.Bytes())
			if strings.Contains(name, "color") {
				return
			}
			if i := strings.IndexFunc(b.String(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x202e }); i >= 0 && !strings.HasSuffix(name, ".json") {
				t.Errorf("%s has a control character at %d: %q", name, i, b.String()[max(0, i-20):])
			}
		})
	}
}

func TestLinesFit(t *testing.T) {
	for width := 72; width <= 200; width += 4 {
		o := Options{Width: width}
		for name, write := range map[string]func(*bytes.Buffer) error{
			"plan":         func(b *bytes.Buffer) error { return Plan(b, plan(), o) },
			"summary":      func(b *bytes.Buffer) error { return Summary(b, partial(), o) },
			"verification": func(b *bytes.Buffer) error { return Verification(b, different(), o) },
		} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if strings.HasPrefix(line, "different: ") {
					continue // the verdict stays one line
				}
				if n := layout.Width(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%s at %d columns has a line of %d: %s", name, width, n, line)
				}
			}
		}
	}
}

func TestLastLineIsTheVerdict(t *testing.T) {
	for _, test := range []struct {
		write func(*bytes.Buffer) error
		want  string
	}{
		{func(b *bytes.Buffer) error { return Summary(b, complete(), Options{}) }, "complete"},
		{func(b *bytes.Buffer) error { return Summary(b, partial(), Options{}) }, "partial: 113 not copied, 2 surplus"},
		{func(b *bytes.Buffer) error { return Summary(b, stopped(), Options{}) }, "failed: 1 not copied, 22 006 not reached"},
		{func(b *bytes.Buffer) error { return Summary(b, lost(), Options{}) }, "partial: 2 missing at the destination"},
		{func(b *bytes.Buffer) error { return Verification(b, equal(), Options{}) }, "equal"},
		{func(b *bytes.Buffer) error { return Verification(b, superset(), Options{}) }, "superset: 1 extra"},
		{func(b *bytes.Buffer) error { return Verification(b, different(), Options{}) },
			"different: 13 missing, 1 extra, flags of 1, dates of 1, contents of 1"},
		{func(b *bytes.Buffer) error {
			return Verification(b, &mailsync.Verification{Verdict: "different", Folders: equal().Folders}, Options{})
		}, "different: a folder is missing at the destination"},
		{func(b *bytes.Buffer) error { return Plan(b, plan(), Options{}) }, "21 350 messages to copy, 10.0 GiB"},
		{func(b *bytes.Buffer) error { return Plan(b, &mailsync.Plan{}, Options{}) }, "nothing to copy"},
	} {
		var b bytes.Buffer
		if err := test.write(&b); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if got := lines[len(lines)-1]; got != test.want {
			t.Errorf("the last line is %q, want %q", got, test.want)
		}
	}
}

func TestJSONHasNoNullLists(t *testing.T) {
	source := "INBOX"
	for want, v := range map[string]any{
		`{"schema":"","folders":[],"messages":0,"to_copy":0,"bytes_to_copy":0}`: &mailsync.Plan{},
		`{"schema":"","verdict":"","exit_code":0,"folders":[{"source":"INBOX","dest":"","source_messages":0,"dest_messages":0,"missing":[],"extra":[],"flags_differ":[],"dates_differ":[],"bodies_differ":[]}]}`: &mailsync.Verification{
			Folders: []mailsync.FolderVerify{{Source: &source}},
		},
	} {
		var b, compact bytes.Buffer
		if err := JSON(&b, v); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&compact, b.Bytes()); err != nil {
			t.Fatal(err)
		}
		if compact.String() != want {
			t.Errorf("got  %s\nwant %s", compact.String(), want)
		}
	}
	if err := JSON(&bytes.Buffer{}, 7); err == nil {
		t.Error("JSON accepted a number")
	}
}

func TestUIDList(t *testing.T) {
	many := make([]uint32, 200)
	for i := range many {
		many[i] = uint32(i)*2 + 1
	}
	for _, test := range []struct {
		uids []uint32
		want string
	}{
		{[]uint32{7}, "uid 7"},
		{[]uint32{5113, 5112}, "uid 5112, 5113"},
		{[]uint32{3, 1, 2, 9}, "uid 1-3, 9"},
		{[]uint32{0}, "the whole folder"},
		{[]uint32{4294967295, 4294967294, 1}, "uid 1, 4294967294, 4294967295"},
	} {
		if got := uidList(test.uids); got != test.want {
			t.Errorf("uidList gives %q, want %q", got, test.want)
		}
	}
	if got := uidList(many); !strings.HasSuffix(got, "119 and 140 more") {
		t.Errorf("a long list ends %q", got[len(got)-30:])
	}
}
