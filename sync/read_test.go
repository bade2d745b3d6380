package mailsync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// scripted returns a link to a server that has one mailbox of n messages, UIDs 10, 20, …, and answers UID FETCH as fetch does.
func scripted(t *testing.T, n int, fetch func(c *faulty.Conn, uids []int, items string)) *link {
	t.Helper()
	uid := func(c *faulty.Conn, tag, args string) {
		verb, rest, _ := strings.Cut(args, " ")
		set, items, _ := strings.Cut(rest, " ")
		switch verb {
		case "FETCH":
			fetch(c, uidsOf(set, n), items)
		case "SEARCH":
			line := "* SEARCH"
			for _, u := range uidsOf(strings.TrimPrefix(rest, "UID "), n) {
				line += fmt.Sprint(" ", u)
			}
			c.Line(line)
		}
		c.Line(tag + " OK done")
	}
	server, err := faulty.Serve(faulty.Dialog{On: map[string]func(c *faulty.Conn, tag, args string){
		"EXAMINE": func(c *faulty.Conn, tag, args string) {
			c.Line(fmt.Sprintf("* %d EXISTS", n))
			c.Line("* OK [UIDVALIDITY 7] ok")
			c.Line(tag + " OK [READ-ONLY] done")
		},
		"UID": uid,
	}}.Serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	account := imapdial.Account{
		Endpoint: imapdial.Endpoint{Host: "127.0.0.1", Port: server.Port(), Security: imapdial.Cleartext},
		User:     "alice", Secret: secret.Given(secret.New([]byte("secret"))),
	}
	l := newLink("source", Side{Account: account, Open: func(ctx context.Context) (*imapdial.Session, error) {
		return imapdial.Open(ctx, account, "password", nil, nil)
	}}, Settings{pause: time.Millisecond})
	t.Cleanup(l.drop)
	return l
}

// uidsOf returns the UIDs of a set that exist: ALL, or numbers and ranges.
func uidsOf(set string, n int) []int {
	var out []int
	for i := 1; i <= n; i++ {
		uid := i * 10
		for _, r := range strings.Split(set, ",") {
			from, to, isRange := strings.Cut(r, ":")
			lo, hi := 0, 1<<32
			fmt.Sscan(from, &lo)
			if isRange && to != "*" {
				fmt.Sscan(to, &hi)
			} else if !isRange {
				hi = lo
			}
			if set == "ALL" || lo <= uid && uid <= hi {
				out = append(out, uid)
				break
			}
		}
	}
	return out
}

func header(uid int) string { return fmt.Sprintf("Message-Id: <%d@x>\r\n\r\n", uid) }

// summaryLine is a good answer to what a listing asks for.
func summaryLine(uid int) string {
	h := header(uid)
	return fmt.Sprintf("* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE \" 1-Feb-2020 03:04:05 +0100\" RFC822.SIZE %d BODY[HEADER.FIELDS (Message-Id)] {%d}\r\n%s)",
		uid/10, uid, 1000+uid, len(h), h)
}

func TestReadFromServersThatMisbehave(t *testing.T) {
	for _, test := range []struct {
		name       string
		fetch      func() func(c *faulty.Conn, uids []int, items string)
		want       []uint32
		unreadable []uint32
	}{
		{"a good one", func() func(*faulty.Conn, []int, string) {
			return func(c *faulty.Conn, uids []int, _ string) {
				for _, u := range uids {
					c.Line(summaryLine(u))
				}
			}
		}, []uint32{10, 20, 30, 40, 50}, nil},
		{"the order is upside down, and the connection ends within", func() func(*faulty.Conn, []int, string) {
			var calls atomic.Int64
			return func(c *faulty.Conn, uids []int, _ string) {
				slices.Reverse(uids)
				for i, u := range uids {
					if calls.Load() == 0 && i == 3 {
						calls.Add(1)
						c.Cut()
						return
					}
					c.Line(summaryLine(u))
				}
			}
		}, []uint32{10, 20, 30, 40, 50}, nil},
		{"the connection ends after every message", func() func(*faulty.Conn, []int, string) {
			return func(c *faulty.Conn, uids []int, _ string) {
				c.Line(summaryLine(uids[0]))
				if len(uids) > 1 {
					c.Cut()
				}
			}
		}, []uint32{10, 20, 30, 40, 50}, nil},
		{"a header that is cut off", func() func(*faulty.Conn, []int, string) {
			var calls atomic.Int64
			return func(c *faulty.Conn, uids []int, _ string) {
				for i, u := range uids {
					if calls.Load() == 0 && i == 2 {
						calls.Add(1)
						line := summaryLine(u)
						c.Send(line[:len(line)-12])
						c.Cut()
						return
					}
					c.Line(summaryLine(u))
				}
			}
		}, []uint32{10, 20, 30, 40, 50}, nil},
		{"flags change while it answers", func() func(*faulty.Conn, []int, string) {
			return func(c *faulty.Conn, uids []int, _ string) {
				if len(uids) == 5 {
					c.Line("* 3 FETCH (UID 30 FLAGS (\\Flagged))") // taken for the answer
				}
				for _, u := range uids {
					c.Line(summaryLine(u))
				}
			}
		}, []uint32{10, 20, 30, 40, 50}, nil},
		{"messages are left out", func() func(*faulty.Conn, []int, string) {
			return func(c *faulty.Conn, uids []int, _ string) {
				for _, u := range uids {
					if len(uids) < 5 || u != 20 && u != 40 {
						c.Line(summaryLine(u))
					}
				}
			}
		}, []uint32{10, 20, 30, 40, 50}, nil},
		{"a message is never told of", func() func(*faulty.Conn, []int, string) {
			return func(c *faulty.Conn, uids []int, _ string) {
				for _, u := range uids {
					if u != 30 {
						c.Line(summaryLine(u))
					}
				}
			}
		}, []uint32{10, 20, 40, 50}, []uint32{30}},
		{"the connection ends whenever one message is asked for", func() func(*faulty.Conn, []int, string) {
			return func(c *faulty.Conn, uids []int, _ string) {
				for _, u := range uids {
					if u == 30 {
						c.Cut()
						return
					}
					c.Line(summaryLine(u))
				}
			}
		}, []uint32{10, 20, 40, 50}, []uint32{30}},
		{"a size is missing", func() func(*faulty.Conn, []int, string) {
			return func(c *faulty.Conn, uids []int, _ string) {
				for _, u := range uids {
					line := summaryLine(u)
					if u == 20 {
						line = strings.Replace(line, "RFC822.SIZE 1020 ", "", 1)
					}
					c.Line(line)
				}
			}
		}, []uint32{10, 30, 40, 50}, []uint32{20}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := scripted(t, 5, test.fetch())
			contents, unreadable, err := l.read(t.Context(), "box", "box", false, 1)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint32
			for i, m := range contents.Messages {
				got = append(got, m.UID)
				if m.Size != int64(1000+m.UID) || contents.MessageID(i) != fmt.Sprintf("<%d@x>", m.UID) || m.By != ByMessageID ||
					m.Time().Format(time.RFC3339) != "2020-02-01T03:04:05+01:00" || !slices.Equal(contents.Flags(i), []string{`\Seen`}) {
					t.Errorf("got %+v %q %q", m, contents.MessageID(i), contents.Flags(i))
				}
			}
			if !slices.Equal(got, test.want) || !slices.Equal(unreadable, test.unreadable) || contents.UIDValidity != 7 {
				t.Errorf("got UIDs %d and unreadable %d of UIDVALIDITY %d, want %d and %d", got, unreadable, contents.UIDValidity, test.want, test.unreadable)
			}
		})
	}
}

func TestReadFromAUIDOn(t *testing.T) {
	l := scripted(t, 5, func(c *faulty.Conn, uids []int, _ string) {
		if len(uids) == 0 {
			uids = []int{50} // n:* includes the last message always (RFC 9051 section 9, seq-range)
		}
		for _, u := range uids {
			c.Line(summaryLine(u))
		}
	})
	for from, want := range map[uint32]int{1: 5, 30: 3, 50: 1, 51: 0} {
		contents, _, err := l.read(t.Context(), "box", "box", false, from)
		if err != nil || len(contents.Messages) != want {
			t.Errorf("from %d: got %d messages, %v, want %d", from, len(contents.Messages), err, want)
		}
	}
}

func TestHeadersWhereThereIsNoMessageID(t *testing.T) {
	l := scripted(t, 3, func(c *faulty.Conn, uids []int, items string) {
		for _, u := range uids {
			switch {
			case !strings.Contains(items, "FLAGS"):
				h := fmt.Sprintf("Subject: %d\r\n\r\n", u)
				if u == 30 {
					h = "\r\n"
				}
				c.Line(fmt.Sprintf("* %d FETCH (UID %d BODY[HEADER.FIELDS (Date From To Subject)] {%d}\r\n%s)", u/10, u, len(h), h))
			case u == 10:
				c.Line(summaryLine(u))
			default:
				c.Line(fmt.Sprintf("* %d FETCH (UID %d FLAGS () INTERNALDATE \" 1-Feb-2020 03:04:05 +0100\" RFC822.SIZE %d BODY[HEADER.FIELDS (Message-Id)] \"\")", u/10, u, 1000+u))
			}
		}
	})
	contents, _, err := l.read(t.Context(), "box", "box", false, 1)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []KeyKind
	for _, m := range contents.Messages {
		kinds = append(kinds, m.By)
	}
	if want := []KeyKind{ByMessageID, ByHeaders, ByDigest}; !slices.Equal(kinds, want) {
		t.Errorf("got kinds %d, want %d", kinds, want)
	}
}

// TestBodiesAreNeverMixedUp answers a FETCH of bodies with less, more and other than was asked for.
func TestBodiesAreNeverMixedUp(t *testing.T) {
	var calls atomic.Int64
	l := scripted(t, 5, func(c *faulty.Conn, uids []int, items string) {
		n := calls.Add(1)
		for _, u := range uids {
			b := fmt.Sprintf("body of %d", u)
			whole := fmt.Sprintf("* %d FETCH (UID %d BODY[] {%d}\r\n%s)", u/10, u, len(b), b)
			switch {
			case n == 1 && u == 20:
				c.Line("* 2 FETCH (UID 20 FLAGS (\\Seen))") // taken for the answer: the body is lost
				c.Line(whole)
			case n == 1 && u == 30:
				c.Send(whole[:len(whole)-4])
				c.Cut()
				return
			case u == 40 && len(uids) > 1:
				c.Line("* 4 FETCH (UID 40 BODY[] NIL)")
			case u == 50:
				c.Line("* 5 FETCH (UID 50 BODY[] NIL)")
			default:
				c.Line(whole)
			}
		}
		c.Line("* 9 FETCH (UID 90 BODY[] {3}\r\nabc)")
	})
	got, failed := map[uint32]string{}, []uint32{}
	f := &fetching{
		link: l, name: "box", size: func(uint32) int64 { return 10 },
		take: func(uid uint32, b *body) error {
			data := make([]byte, b.size)
			n, err := b.Read(data)
			for err == nil && n < len(data) {
				var m int
				m, err = b.Read(data[n:])
				n += m
			}
			if err == nil {
				got[uid] = string(data)
			}
			return err
		},
		failed: func(uid uint32, _, text string) { failed = append(failed, uid) },
		gone:   func(uid uint32) { t.Errorf("%d is said to be gone", uid) },
	}
	if err := f.run(t.Context(), []uint32{10, 20, 30, 40, 50}); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []uint32{10, 20, 30, 40} {
		if want := fmt.Sprintf("body of %d", uid); got[uid] != want {
			t.Errorf("got %q, want %q", got[uid], want)
		}
	}
	if len(got) != 4 || !slices.Equal(failed, []uint32{50}) {
		t.Errorf("got %v, failed %d", got, failed)
	}
}
