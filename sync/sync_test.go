package mailsync

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

func TestSyncCopiesEverything(t *testing.T) {
	for _, test := range []struct {
		name         string
		source, dest imaptest.Config
	}{
		{"same hierarchy", imaptest.Config{}, imaptest.Config{}},
		{"STARTTLS, another delimiter and prefix", imaptest.Config{}, imaptest.Config{Security: imaptest.STARTTLS, Delim: '.', Prefix: "INBOX."}},
		{"the other way round", imaptest.Config{Delim: '.', Prefix: "INBOX."}, imaptest.Config{}},
		{"a destination with nothing but IMAP4rev1", imaptest.Config{}, imaptest.Config{Without: extensions}},
		{"a source with nothing but IMAP4rev1", imaptest.Config{Without: extensions}, imaptest.Config{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, dest := startAccount(t, test.source), startAccount(t, test.dest)
			fill(t, source, imaptest.Sample())
			before := contentsOf(source)
			s := runSync(t, source, dest)
			checkSum(t, s)
			if s.Verdict != "complete" || s.ExitCode != 0 || s.Messages.Copied != s.Messages.Source || s.Verified == nil || *s.Verified != (Verified{Messages: s.Messages.Source}) {
				t.Errorf("got %+v, verified %+v", s, s.Verified)
			}
			got, want := contentsOf(dest), slices.Clone(before)
			if test.dest.Delim == '.' { // a name with a dot in it
				for i := range want {
					want[i] = strings.Replace(want[i], "2023.Q4", "2023_Q4", 1)
				}
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			checkNothingLeft(t, source, dest)
			if n := dest.server.Connections(); n != 3 { // two for the first run, one for the second
				t.Errorf("got %d connections to the destination in two runs, want 3", n)
			}
			if n := source.server.Connections(); n != 2 {
				t.Errorf("got %d connections to the source in two runs, want 2", n)
			}
			if n := source.server.Count("SELECT", "STORE", "APPEND", "CREATE", "DELETE", "RENAME", "EXPUNGE", "SUBSCRIBE", "UNSUBSCRIBE", "COPY", "MOVE"); n != 0 {
				t.Errorf("the source got %d commands that could change it", n)
			}
			if after := contentsOf(source); !slices.Equal(after, before) {
				t.Error("the source has changed")
			}
			checkVerify(t, source, dest, "equal")
		})
	}
}

// extensions are those that the engine makes use of.
var extensions = []imap.Cap{
	imap.CapLiteralPlus, imap.CapUIDPlus, imap.CapNamespace, imap.CapChildren, imap.CapListExtended, imap.CapListStatus,
	imap.CapStatusSize, imap.CapSpecialUse, imap.CapCreateSpecialUse, imap.CapMove, imap.CapESearch, imap.CapSearchRes,
}

func TestSubscriptionsAndSpecialUse(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{Delim: '.', Prefix: "INBOX."})
	fill(t, source, []imaptest.Folder{
		{Path: []string{"Sent"}, SpecialUse: `\Sent`, Subscribed: true, Messages: mails(2)},
		{Path: []string{"Ablage"}, SpecialUse: `\Archive`, Messages: mails(2)},
		{Path: []string{"Other"}, Subscribed: true},
	})
	fill(t, dest, []imaptest.Folder{{Path: []string{"Gesendet"}, SpecialUse: `\Sent`, Messages: mails(1)}})
	runSync(t, source, dest)
	var got []string
	for _, m := range dest.Mailboxes() {
		s := m.Name + " " + m.SpecialUse
		if m.Subscribed {
			s += " subscribed"
		}
		got = append(got, s)
	}
	want := []string{"INBOX ", `INBOX.Ablage \Archive`, `INBOX.Gesendet \Sent subscribed`, "INBOX.Other  subscribed"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n := len(dest.Messages("INBOX.Gesendet")); n != 2 {
		t.Errorf("got %d messages in the mailbox of the same use, want 2", n)
	}
}

func TestTwoMailboxesBecomeOneBySpecialUse(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	fill(t, source, []imaptest.Folder{
		{Path: []string{"Sent"}, SpecialUse: `\Sent`, Messages: mails(3)},
		{Path: []string{"Sent Items"}, Messages: mails(2)},
	})
	fill(t, dest, []imaptest.Folder{{Path: []string{"Sent Items"}, SpecialUse: `\Sent`}})
	if s := runSync(t, source, dest); s.Messages.Copied != 5 || s.ExitCode != 0 {
		t.Errorf("got %+v, want all 5 copied: copies are counted, not merged", s)
	}
	if n := len(dest.Messages("Sent Items")); n != 5 {
		t.Errorf("got %d messages, want 5", n)
	}
	checkNothingLeft(t, source, dest)
	checkVerify(t, source, dest, "equal")
}

func TestCollisionStopsBeforeAnythingIsWritten(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{Delim: '.', Prefix: "INBOX."})
	fill(t, source, []imaptest.Folder{{Path: []string{"A"}, Messages: mails(1)}, {Path: []string{"x.y"}}, {Path: []string{"x_y"}}})
	s, err := Sync(t.Context(), source.side(), dest.side(), testSettings())
	var collision *CollisionError
	if !errors.As(err, &collision) || s.Verdict != "failed" || s.ExitCode != 14 || s.Verified != nil {
		t.Errorf("got %v and %+v, want exit code 14", err, s)
	}
	if n := dest.server.Count("CREATE", "APPEND", "SUBSCRIBE", "STORE"); n != 0 {
		t.Errorf("%d commands changed the destination", n)
	}
}

func TestFlagsOfMessagesThatArePresent(t *testing.T) {
	for _, test := range []struct {
		mode    FlagMode
		want    string
		updated int64
	}{
		{FlagsAdd, `[Work \Flagged \Seen]`, 1},
		{FlagsMirror, `[Work \Seen]`, 2},
		{FlagsOff, `[\Flagged]`, 0},
	} {
		source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
		list := mails(3)
		fill(t, dest, inbox(list[0], list[1], list[2]))
		list[0].Flags = []string{`\Seen`, "Work"}
		fill(t, source, inbox(list[0], list[1], list[2]))
		dest.SetFlags("INBOX", dest.Messages("INBOX")[0].UID, `\Flagged`)
		dest.SetFlags("INBOX", dest.Messages("INBOX")[1].UID, `\Answered`)
		settings := testSettings()
		settings.Flags = test.mode
		s, err := Sync(t.Context(), source.side(), dest.side(), settings)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(slices.Values(dest.Messages("INBOX")[0].Flags))
		if text := "[" + strings.Join(got, " ") + "]"; text != test.want || s.Messages.FlagsUpdated != test.updated || s.Messages.Present != 3 {
			t.Errorf("mode %d: got flags %s and %+v, want %s and %d updated", test.mode, text, s.Messages, test.want, test.updated)
		}
	}
}

// TestRefusals refuses commands of the destination, and looks at what the summary says of it.
func TestRefusals(t *testing.T) {
	no := func(code, text string) error {
		return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCode(code), Text: text}
	}
	// only refuses the commands of a name whose numbers are listed, or all of them.
	only := func(name string, err error, numbers ...int) func(imaptest.Command) error {
		return func(c imaptest.Command) error {
			if c.Name == name && (len(numbers) == 0 || slices.Contains(numbers, c.Count)) {
				return err
			}
			return nil
		}
	}
	for _, test := range []struct {
		name      string
		hook      func(imaptest.Command) error
		verdict   string
		exit      int
		copied    int64
		failed    int64
		remaining int64
		failure   string // step and code of the first failure
		event     string // that must have been sent
	}{
		{"too big", only("APPEND", no("TOOBIG", "no"), 3), "partial", 20, 9, 1, 0, "append TOOBIG", "message.failed"},
		{"no code", only("APPEND", no("", "I do not like it"), 3, 4), "partial", 20, 8, 2, 0, "append ", "message.failed"},
		{"over quota", only("APPEND", no("OVERQUOTA", "full"), 4, 5, 6, 7, 8, 9, 10), "stopped", 22, 3, 1, 6, "append OVERQUOTA", ""},
		{"over quota, in words", only("APPEND", no("", "Over quota"), 1), "stopped", 22, 9, 1, 0, "append ", ""},
		{"no mailbox", only("APPEND", no("TRYCREATE", "no such mailbox"), 1), "complete", 0, 10, 0, 0, "", ""},
		{"never a mailbox", only("APPEND", no("TRYCREATE", "no such mailbox")), "partial", 20, 0, 10, 0, "append TRYCREATE", ""},
		{"in use for a moment", only("APPEND", no("INUSE", "wait"), 2, 3), "complete", 0, 10, 0, 0, "", "throttled"},
		{"in use for ever, for one message", only("APPEND", no("INUSE", "wait"), 10, 11, 12, 13, 14, 15, 16), "partial", 20, 9, 1, 0, "append INUSE", "throttled"},
		{"unavailable for ever", only("APPEND", no("UNAVAILABLE", "come back later")), "stopped", 75, 0, 0, 10, "", "throttled"},
		{"the mailbox cannot be opened", only("SELECT", no("NOPERM", "not yours")), "partial", 20, 0, 10, 0, "select NOPERM", "message.failed"},
		{"the mailbox is in use for a moment", only("SELECT", no("INUSE", "wait"), 1), "complete", 0, 10, 0, 0, "", "throttled"},
		{"subscribing is refused", only("SUBSCRIBE", no("", "no")), "complete", 0, 10, 0, 0, "", ""},
		{"connections are lost at every APPEND", only("APPEND", imaptest.ErrHangUp), "stopped", 23, 0, 0, 10, "", "reconnected"},
		{"the connection is lost at one APPEND", only("APPEND", imaptest.ErrHangUp, 5), "complete", 0, 10, 0, 0, "", "reconnected"},
		{"the connection is lost at SELECT", only("SELECT", imaptest.ErrHangUp, 1), "complete", 0, 10, 0, 0, "", "reconnected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
			fill(t, source, inbox(mails(10)...))
			dest.server.SetHooks(imaptest.Hooks{Before: test.hook})
			settings := testSettings()
			settings.Live = new(Live)
			s, err := Sync(t.Context(), source.side(), dest.side(), settings)
			checkSum(t, s)
			m := s.Messages
			if s.Verdict != test.verdict || s.ExitCode != test.exit || m.Copied != test.copied || m.Failed != test.failed || m.Remaining != test.remaining {
				t.Errorf("got %+v (%v)", s, err)
			}
			if (err != nil) != (test.verdict == "stopped") {
				t.Errorf("got error %v with verdict %s", err, s.Verdict)
			}
			failure := ""
			if len(s.Failures) > 0 {
				failure = s.Failures[0].Step + " " + s.Failures[0].Code
			}
			if failure != test.failure {
				t.Errorf("got failures %+v, want %q", s.Failures, test.failure)
			}
			names := events(settings.Live)
			if test.event != "" && !slices.Contains(names, test.event) {
				t.Errorf("got events %q, want %s among them", names, test.event)
			}
			if names[0] != "run.start" || names[len(names)-1] != "run.end" {
				t.Errorf("got events %q", names)
			}
			dest.server.SetHooks(imaptest.Hooks{})
			if s := runSync(t, source, dest); s.Verdict != "complete" {
				t.Errorf("a run without faults: %+v", s)
			}
			checkSame(t, dest, source)
		})
	}
}

func TestMessageThatIsRefusedIsNamed(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	fill(t, source, []imaptest.Folder{{Path: []string{"Böx"}, Messages: mails(2)}})
	dest.server.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		if c.Name == "APPEND" && c.Count == 2 {
			return &imap.Error{Type: imap.StatusResponseTypeNo, Code: "TOOBIG", Text: "too \x1b[31mbig"}
		}
		return nil
	}})
	s := runSync(t, source, dest)
	body := source.Messages("Böx")[1]
	want := Failure{Folder: "Böx", UID: body.UID, Size: int64(len(body.Body)), MessageID: "<1@example.org>", Step: "append", Code: "TOOBIG", ServerText: "too big"}
	if len(s.Failures) != 1 || s.Failures[0] != want {
		t.Errorf("got %+v, want %+v", s.Failures, want)
	}
	if *s.Verified != (Verified{Messages: 1, Missing: 1}) {
		t.Errorf("got %+v, want one message there and one missing", s.Verified)
	}
}

func TestWhatTheSourceSends(t *testing.T) {
	standIn := []byte("Subject: Retrieval using the IMAP4 protocol failed for the following message: 7\r\n\r\nsorry\r\n")
	for _, test := range []struct {
		name    string
		body    func(body []byte) []byte // what FETCH returns in place of the second message
		copied  int64
		failure string
	}{
		{"another size than it said", func(b []byte) []byte { return append(slices.Clone(b), "more\r\n"...) }, 3, ""},
		{"nothing", func([]byte) []byte { return nil }, 2, "fetch "},
		{"a stand-in", func([]byte) []byte { return standIn }, 2, "fetch stand-in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
			fill(t, source, inbox(mails(3)...))
			uid := source.Messages("INBOX")[1].UID
			whole := func(_ string, u uint32, body []byte) []byte {
				if u == uid && bytes.Contains(body, []byte("\r\nbody")) {
					return test.body(body)
				}
				return body
			}
			source.server.SetHooks(imaptest.Hooks{Body: whole})
			s := runSync(t, source, dest)
			checkSum(t, s)
			failure := ""
			if len(s.Failures) > 0 {
				failure = s.Failures[0].Step + " " + s.Failures[0].Code
			}
			if s.Messages.Copied != test.copied || failure != test.failure || (s.ExitCode == 20) != (failure != "") {
				t.Errorf("got %+v", s)
			}
			if failure == "" {
				checkNothingLeft(t, source, dest)
				checkVerify(t, source, dest, "equal")
			}
		})
	}
}

func TestMessageThatVanishesIsSkipped(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	fill(t, source, inbox(mails(5)...))
	uid := source.Messages("INBOX")[2].UID
	source.server.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		if c.Name == "FETCH" && c.Count == 2 {
			return source.Remove("INBOX", uid)
		}
		return nil
	}})
	s := runSync(t, source, dest)
	if s.Messages.Skipped != 1 || s.Messages.Copied != 4 || s.ExitCode != 0 {
		t.Errorf("got %+v, want one skipped", s)
	}
}

// TestPoisonAtTheSource has messages at which the source ends the connection whenever they are asked for.
func TestPoisonAtTheSource(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	fill(t, source, inbox(mails(40)...))
	messages := source.Messages("INBOX")
	source.server.SetHooks(imaptest.Hooks{Body: func(_ string, uid uint32, body []byte) []byte {
		if (uid == messages[2].UID || uid == messages[39].UID) && bytes.Contains(body, []byte("\r\nbody")) {
			source.server.DropConnections()
		}
		return body
	}})
	s := runSync(t, source, dest)
	if s.Messages.Copied != 38 || s.Messages.Failed != 2 || s.ExitCode != 20 {
		t.Errorf("got %+v, want all but two copied", s)
	}
	for _, f := range s.Failures {
		if f.Step != "fetch" {
			t.Errorf("got %+v", f)
		}
	}
}

// A poisonedConn closes when a word passes on its way to the server.
type poisonedConn struct {
	net.Conn
	word string
}

func (c poisonedConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.word)) {
		c.Close()
	}
	return c.Conn.Write(p)
}

// TestPoisonAtTheDestination has messages that do not get through, such as those that a filter on the way takes for an attack.
func TestPoisonAtTheDestination(t *testing.T) {
	for _, test := range []struct {
		poison          []int
		messages        int
		copied, failed  int64
		exit, remaining int
	}{
		{[]int{0}, 30, 29, 1, 20, 0},
		{[]int{29}, 30, 29, 1, 20, 0},
		{[]int{7, 8, 20}, 30, 27, 3, 20, 0},
		{[]int{0}, 1, 0, 0, 23, 1}, // nothing tells a message that kills from a line that is dead
	} {
		source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{Security: imaptest.Cleartext})
		list := mails(test.messages)
		for _, i := range test.poison {
			list[i].Body = append(list[i].Body, "poison\r\n"...)
		}
		fill(t, source, inbox(list...))
		dest.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return poisonedConn{c, "poison"}, err
		}
		s, err := Sync(t.Context(), source.side(), dest.side(), testSettings())
		checkSum(t, s)
		if s.Messages.Copied != test.copied || s.Messages.Failed != test.failed || s.ExitCode != test.exit || s.Messages.Remaining != int64(test.remaining) {
			t.Errorf("poison %d: got %+v, %v", test.poison, s, err)
		}
		if n := len(dest.Messages("INBOX")); n != int(test.copied) {
			t.Errorf("poison %d: got %d messages at the destination", test.poison, n)
		}
	}
}

func TestUIDValidityChanges(t *testing.T) {
	for _, side := range []string{"source", "dest"} {
		t.Run(side, func(t *testing.T) {
			source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
			fill(t, source, inbox(mails(300)...))
			var once atomic.Bool
			dest.server.SetHooks(imaptest.Hooks{After: func(c imaptest.Command) error {
				if c.Name == "APPEND" && c.Count == 3 && once.CompareAndSwap(false, true) {
					if side == "dest" {
						return dest.Renumber("INBOX")
					}
					return source.Renumber("INBOX")
				}
				return nil
			}})
			if side == "source" { // the bodies come in two FETCHes, with a lost connection in between
				source.server.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
					if c.Name == "FETCH" && c.Count == 2 {
						return source.Renumber("INBOX")
					}
					return nil
				}})
			}
			s, err := Sync(t.Context(), source.side(), dest.side(), testSettings())
			checkSum(t, s)
			if s.Verdict != "stopped" || s.ExitCode != 25 || err == nil || s.Messages.Remaining == 0 {
				t.Errorf("got %+v and %v, want a safety stop", s, err)
			}
		})
	}
}

func TestSurplusAndMissingAreSeen(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	fill(t, source, inbox(mails(5)...))
	foreign := imaptest.Message{Body: []byte("Message-Id: <foreign@x>\r\n\r\nother mail\r\n")}
	dest.server.SetHooks(imaptest.Hooks{After: func(c imaptest.Command) error {
		list := dest.Messages("INBOX")
		if c.Name != "APPEND" {
			return nil
		}
		switch c.Count {
		case 2: // a second copy arrives, and other mail
			dest.Append("INBOX", list[1])
			dest.Append("INBOX", foreign)
		case 4: // and what was stored is gone again
			dest.Remove("INBOX", list[0].UID)
		}
		return nil
	}})
	s := runSync(t, source, dest)
	checkSum(t, s)
	if s.Verdict != "partial" || s.ExitCode != 20 || *s.Verified != (Verified{Messages: 4, Missing: 1, Surplus: 1}) {
		t.Errorf("got %+v, %+v", s, s.Verified)
	}
	if len(s.Failures) != 1 || s.Failures[0].MessageID != "<0@example.org>" || s.Messages.Failed != 1 {
		t.Errorf("got %+v, want the missing message named", s.Failures)
	}
}

func TestDestinationThatAltersMail(t *testing.T) {
	for _, without := range [][]imap.Cap{nil, {imap.CapUIDPlus}} {
		source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{Without: without})
		fill(t, source, inbox(mails(5)...))
		dest.server.SetHooks(imaptest.Hooks{Stored: func(_ string, m imaptest.Message) imaptest.Message {
			m.Body = append([]byte("X-Scanned: yes\r\n"), m.Body...)
			return m
		}})
		if s := runSync(t, source, dest); s.ExitCode != 0 || s.Verified.Altered != 5 || s.Verified.Surplus != 0 {
			t.Errorf("got %+v, %+v", s, s.Verified)
		}
		checkNothingLeft(t, source, dest)
		checkVerify(t, source, dest, "equal")
		if v := verify(t, source, dest, true); v.Verdict != "different" || len(v.Folders[0].BodiesDiffer) != 5 {
			t.Errorf("got %+v, want five other bodies", v)
		}
	}
}

func TestFlagsThatAppendForgets(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	list := mails(2)
	list[1].Flags = []string{`\Seen`, "Work"}
	fill(t, source, inbox(list...))
	dest.server.SetHooks(imaptest.Hooks{Stored: func(_ string, m imaptest.Message) imaptest.Message {
		m.Flags = nil
		return m
	}})
	if s := runSync(t, source, dest); s.ExitCode != 0 || s.Messages.FlagsUpdated != 1 {
		t.Errorf("got %+v", s)
	}
	checkSame(t, dest, source)
}

// stopped is a cause as the command has it for a signal.
type stopped struct{}

func (stopped) Error() string { return "stopped by a test" }
func (stopped) ExitCode() int { return 130 }

func TestCancelIsCleanAtEveryMoment(t *testing.T) {
	for n := range 12 {
		source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
		fill(t, source, inbox(mails(20)...))
		ctx, cancel := context.WithCancelCause(t.Context())
		var seen atomic.Int64
		hook := func(imaptest.Command) error {
			if seen.Add(1) == int64(2*n+1) {
				cancel(stopped{})
			}
			return nil
		}
		source.server.SetHooks(imaptest.Hooks{Before: hook})
		dest.server.SetHooks(imaptest.Hooks{Before: hook})
		s, err := Sync(ctx, source.side(), dest.side(), testSettings())
		checkSum(t, s)
		if s.Verdict != "stopped" || s.ExitCode != 130 || !errors.As(err, new(stopped)) {
			t.Errorf("cancelled at command %d: got %+v and %v", 2*n+1, s, err)
		}
		source.server.SetHooks(imaptest.Hooks{})
		dest.server.SetHooks(imaptest.Hooks{})
		runSync(t, source, dest)
		checkSame(t, dest, source)
		cancel(nil)
	}
}

func TestLargeMessagesStream(t *testing.T) {
	source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{})
	var list []imaptest.Message
	for i, m := range mails(6) {
		if i%2 == 0 {
			m.Body = append(m.Body, bytes.Repeat([]byte("0123456789abcdef\r\n"), 100_000+i)...)
		}
		list = append(list, m)
	}
	list = append(list, list[0]) // and a twin of a large one
	fill(t, source, inbox(list...))
	if s := runSync(t, source, dest); s.ExitCode != 0 || s.Messages.Copied != 7 {
		t.Errorf("got %+v", s)
	}
	checkSame(t, dest, source)
	checkNothingLeft(t, source, dest)
}

// TestOneMailboxFails has a mailbox that cannot be read, and one that cannot be made; the others are copied all the same.
func TestOneMailboxFails(t *testing.T) {
	for _, test := range []struct {
		name         string
		source, dest imaptest.Hooks
		config       imaptest.Config
		step         string
	}{
		{"the source does not open it", imaptest.Hooks{Before: refuse("EXAMINE", "B")}, imaptest.Hooks{}, imaptest.Config{}, "select"},
		{"the destination does not open it", imaptest.Hooks{}, imaptest.Hooks{Before: refuse("SELECT", "B")}, imaptest.Config{}, "select"},
		{"the destination does not make it", imaptest.Hooks{}, imaptest.Hooks{}, imaptest.Config{RefuseName: func(name string) bool { return name == "B" }}, "create"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, dest := startAccount(t, imaptest.Config{}), startAccount(t, test.config)
			fill(t, source, []imaptest.Folder{{Path: []string{"A"}, Messages: mails(2)}, {Path: []string{"B"}, Messages: mails(3)}, {Path: []string{"C"}, Messages: mails(4)}})
			source.server.SetHooks(test.source)
			dest.server.SetHooks(test.dest)
			settings := testSettings()
			settings.Live = new(Live)
			s, err := Sync(t.Context(), source.side(), dest.side(), settings)
			checkSum(t, s)
			if err != nil || s.ExitCode != 20 || s.Messages.Copied != 6 || s.Messages.Failed != 3 || *s.Verified != (Verified{Messages: 6, Missing: 3}) {
				t.Errorf("got %+v, %+v, %v", s, s.Verified, err)
			}
			if len(s.Failures) != 1 || s.Failures[0].Folder != "B" || s.Failures[0].UID != 0 || s.Failures[0].Step != test.step {
				t.Errorf("got %+v", s.Failures)
			}
			var states []string
			for _, f := range settings.Live.Snapshot().Folders {
				states = append(states, f.Source+" "+f.State)
			}
			if want := []string{"INBOX done", "A done", "B failed", "C done"}; !slices.Equal(states, want) {
				t.Errorf("got %q, want %q", states, want)
			}
			started, ended := 0, 0
			for _, name := range events(settings.Live) {
				switch name {
				case "folder.start":
					started++
				case "folder.end":
					ended++
				}
			}
			if started != 4 || ended != 4 {
				t.Errorf("got %d folder.start and %d folder.end, want 4", started, ended)
			}
			plan, err := MakePlan(t.Context(), source.side(), dest.side(), testSettings())
			if err != nil || len(plan.Folders) != 4 {
				t.Errorf("got plan %+v, %v", plan, err)
			}
		})
	}
}

// refuse returns a hook that refuses one command on one mailbox.
func refuse(command, mailbox string) func(imaptest.Command) error {
	return func(c imaptest.Command) error {
		if c.Name == command && c.Mailbox == mailbox {
			return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNoPerm, Text: "not yours"}
		}
		return nil
	}
}

// A lateConn gives up after some octets, as a line does that breaks, and what was sent by then arrives later.
type lateConn struct {
	net.Conn
	left *atomic.Int64
}

func (c lateConn) Write(p []byte) (int, error) {
	if c.left.Add(-int64(len(p))) > 0 {
		return c.Conn.Write(p)
	}
	time.AfterFunc(50*time.Millisecond, func() {
		c.Conn.Write(p)
		c.Conn.Close()
	})
	return 0, net.ErrClosed
}

func (c lateConn) Close() error {
	if c.left.Load() > 0 {
		return c.Conn.Close()
	}
	return nil // the octets are on their way
}

func (c lateConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Load() <= 0 {
		return 0, net.ErrClosed
	}
	return n, err
}

// TestLateDelivery has octets of a lost connection arrive after it was given up. The wait before the look is there for them.
func TestLateDelivery(t *testing.T) {
	for _, after := range []int64{400, 700, 1000} {
		source, dest := startAccount(t, imaptest.Config{}), startAccount(t, imaptest.Config{Security: imaptest.Cleartext})
		fill(t, source, inbox(mails(10)...))
		var connections atomic.Int64
		dest.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if connections.Add(1) != 2 || err != nil {
				return c, err
			}
			left := new(atomic.Int64)
			left.Store(after)
			return lateConn{c, left}, nil
		}
		settings := testSettings()
		settings.pause = 300 * time.Millisecond
		settings.Live = new(Live)
		s, err := Sync(t.Context(), source.side(), dest.side(), settings)
		if err != nil || s.ExitCode != 0 || !slices.Contains(events(settings.Live), "reconnected") {
			t.Errorf("after %d octets: got %+v, %v, events %q", after, s, err, events(settings.Live))
		}
		checkSame(t, dest, source)
	}
}
