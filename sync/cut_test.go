package mailsync

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// trickyMail is a few messages among which a careless retry loses or doubles some: without Message-Id, exact twins, one
// Message-Id on different messages, different messages of one key and one size.
func trickyMail() []imaptest.Folder {
	at := time.Date(2021, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600))
	mail := func(minutes int, flags []string, lines ...string) imaptest.Message {
		return imaptest.Message{Flags: flags, InternalDate: at.Add(time.Duration(minutes) * time.Minute), Body: []byte(strings.Join(lines, "\r\n") + "\r\n")}
	}
	return []imaptest.Folder{
		{Path: []string{"INBOX"}, Messages: []imaptest.Message{
			mail(1, []string{`\Seen`}, "Message-Id: <a@x>", "Subject: one", "", "body"),
			mail(2, nil, "From: a@x", "Subject: no id", "", "body"),
			mail(3, nil, "Message-Id: <twin@x>", "", "the same"),
			mail(4, []string{`\Flagged`, "Work"}, "Message-Id: <twin@x>", "", "the same"),
			mail(4, []string{`\Flagged`, "Work"}, "Message-Id: <twin@x>", "", "the same"),
			mail(5, nil, "Message-Id: <twin@x>", "", "as large"),
			mail(6, nil, "Message-Id: <twin@x>", "", "and another size"),
			mail(7, nil, "X-Nothing: 1", "", "no key at all"),
			mail(8, nil, "X-Nothing: 1", "", "no key at ALL"),
		}},
		{Path: []string{"Sub", "Böx"}, Subscribed: true, Messages: []imaptest.Message{
			mail(1, []string{`\Seen`}, "Message-Id: <a@x>", "Subject: one", "", "body"),
		}},
	}
}

// contentsOf returns all mail of an account in a form that can be compared: a line a message, with its mailbox in the account's hierarchy.
func contentsOf(a *testAccount) []string {
	var list []string
	for _, box := range a.Mailboxes() {
		if box.NoSelect {
			continue
		}
		list = append(list, hierarchy(a, box.Name))
		for _, m := range a.Messages(box.Name) {
			flags := slices.Clone(m.Flags)
			slices.Sort(flags)
			list = append(list, fmt.Sprintf("%s: %q %v %s", hierarchy(a, box.Name), m.Body, flags, m.InternalDate.UTC().Format(time.RFC3339)))
		}
	}
	slices.Sort(list)
	return list
}

// hierarchy returns a mailbox name with "/" and without prefix.
func hierarchy(a *testAccount, name string) string {
	delimiter := string(a.config.Delim)
	if a.config.Delim == 0 {
		delimiter = "/"
	}
	return strings.ReplaceAll(strings.TrimPrefix(name, a.config.Prefix), delimiter, "/")
}

func checkSame(t *testing.T, got, want *testAccount) {
	t.Helper()
	g, w := contentsOf(got), contentsOf(want)
	if !slices.Equal(g, w) {
		t.Errorf("got  %s\nwant %s", strings.Join(g, "\n     "), strings.Join(w, "\n     "))
	}
}

// checkNothingLeft runs once more and finds that there is nothing to do.
func checkNothingLeft(t *testing.T, source, dest *testAccount) {
	t.Helper()
	dest.server.ResetCounts()
	s := runSync(t, source, dest)
	if n := dest.server.Count("APPEND", "STORE", "CREATE"); n != 0 || s.Messages.Copied != 0 || s.ExitCode != 0 {
		t.Errorf("the second run sent %d APPEND, STORE and CREATE: %+v", n, s)
	}
}

// cutStep is how many octets further each trial of TestCutAnywhere cuts. Every octet takes some minutes.
var cutStep = flag.Int("cutstep", 97, "octets between the cuts of TestCutAnywhere")

// TestCutAnywhere cuts each connection after every few octets, in either direction.
func TestCutAnywhere(t *testing.T) {
	cleartext := imaptest.Config{Security: imaptest.Cleartext}
	for _, c := range []struct {
		name       string
		source     bool // the source's connection is cut
		connection int
		config     imaptest.Config
	}{
		{"the connection that writes", false, 2, cleartext},
		{"the connection that writes, without UIDPLUS", false, 2, imaptest.Config{Security: imaptest.Cleartext, Without: []imap.Cap{"UIDPLUS"}}},
		{"the connection that writes, without LITERAL+", false, 2, imaptest.Config{Security: imaptest.Cleartext, Without: []imap.Cap{"LITERAL+"}}},
		{"the destination's control", false, 1, cleartext},
		{"the source", true, 1, cleartext},
	} {
		for _, up := range []bool{true, false} {
			direction := "from the server"
			if up {
				direction = "to the server"
			}
			t.Run(c.name+", "+direction, func(t *testing.T) {
				t.Parallel()
				cutEverywhere(t, c.source, c.connection, c.config, up)
			})
		}
	}
}

func cutEverywhere(t *testing.T, atSource bool, connection int, config imaptest.Config, up bool) {
	step := int64(*cutStep)
	trials, cut := 0, true
	undisturbed := 2 // connections
	if atSource {
		undisturbed = 1
	}
	for after := int64(1); cut; after += step {
		trials++
		kind := faulty.Close
		if trials%3 == 0 {
			kind = faulty.Reset
		}
		damage := faulty.Damage{Kind: kind, After: after}
		source := startAccount(t, imaptest.Config{Security: imaptest.Cleartext})
		dest := startAccount(t, config)
		fill(t, source, trickyMail())
		target := dest
		if atSource {
			target = source
		}
		proxy, err := faulty.NewProxy(target.server.Address(), func(n int) faulty.Fault {
			switch {
			case n == connection && up:
				return faulty.Fault{Up: damage}
			case n == connection:
				return faulty.Fault{Down: damage}
			}
			return faulty.Fault{}
		})
		if err != nil {
			t.Fatal(err)
		}
		target.port = proxy.Port()
		s, err := Sync(t.Context(), source.side(), dest.side(), testSettings())
		cut = proxy.Connections() > undisturbed || s.ExitCode != 0
		if err != nil || s.ExitCode != 0 {
			t.Errorf("cut after %d octets: %v, %+v", after, err, s)
		}
		checkSame(t, dest, source)
		checkNothingLeft(t, source, dest)
		proxy.Close()
		source.server.Close()
		dest.server.Close()
		if t.Failed() {
			t.Fatalf("cut after %d octets (%d)", after, kind)
		}
	}
	t.Logf("%d trials", trials)
}
