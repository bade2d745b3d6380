package wire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// flood writes text again and again until the client goes.
func flood(p *peer, text string) {
	block := strings.Repeat(text, 1+8192/len(text))
	for p.say(block) == nil {
	}
}

func TestBoundsEndTheConnection(t *testing.T) {
	small := wire.Limits{Line: 10_000, Literal: 10_000, Untagged: 1000, Depth: 10}
	deep := strings.Repeat("(", 1000)
	for _, tt := range []struct {
		name    string
		command string
		limits  wire.Limits
		send    func(*peer)
		what    string
	}{
		{"an endless line", "noop", small, func(p *peer) { flood(p, "* OK ") }, "octets in one response"},
		{"an endless line under the defaults", "noop", wire.Limits{}, func(p *peer) { flood(p, "x") }, "octets in one response"},
		{"an endless quoted name", "list", small, func(p *peer) { p.say("* LIST () \"/\" \""); flood(p, "a") }, "octets in one response"},
		{"an endless search result", "search", wire.Limits{Line: 100_000}, func(p *peer) { p.say("* SEARCH"); flood(p, " 1") }, "octets in one response"},
		{"endless EXISTS", "noop", small, func(p *peer) { flood(p, "* 1 EXISTS\r\n") }, "responses to one command"},
		{"endless unknown data", "noop", small, func(p *peer) { flood(p, "* X\r\n") }, "responses to one command"},
		{"endless FETCH", "fetch", small, func(p *peer) { flood(p, "* 1 FETCH (UID 1)\r\n") }, "responses to one command"},
		{"endless LIST under the defaults", "list", wire.Limits{}, func(p *peer) { flood(p, "* LIST () NIL a\r\n") }, "mailboxes in answer to one command"},
		{"endless long names", "list", small, func(p *peer) { flood(p, "* LIST () NIL "+strings.Repeat("n", 8000)+"\r\n") }, "octets of LIST and STATUS in answer to one command"},
		{"endless search results", "search", small, func(p *peer) {
			flood(p, "* SEARCH 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34\r\n")
		}, "octets of search results in answer to one command"},
		{"endless quota", "quota", small, func(p *peer) { flood(p, "* QUOTA \"\" ("+strings.Repeat("A 1 1 ", 50)+")\r\n") }, "octets in answer to one command, messages left out"},
		{"deep nesting", "fetch", small, func(p *peer) { p.say("* 1 FETCH (BODYSTRUCTURE " + deep); flood(p, "\r\n") }, "levels of parentheses in one response"},
		{"a giant literal in a name", "list", wire.Limits{}, func(p *peer) { p.say("* LIST () NIL {99999999999}\r\n"); flood(p, "a") }, "octets in one response"},
		{"a giant literal in an envelope", "fetch", wire.Limits{}, func(p *peer) { p.say("* 1 FETCH (UID 1 ENVELOPE ({2000000}\r\n"); flood(p, "a") }, "octets in one response"},
		{"many literals in an envelope", "fetch", small, func(p *peer) { p.say("* 1 FETCH (UID 1 ENVELOPE ("); flood(p, "{1}\r\na ") }, "octets in one response"},
		{"a giant message", "fetch", small, func(p *peer) { p.say("* 1 FETCH (UID 1 BODY[] {10001}\r\n"); flood(p, "a") }, "octets in one literal"},
		{"a literal that no number holds", "fetch", wire.Limits{}, func(p *peer) { p.say("* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n"); flood(p, "a") }, "octets in one literal"},
		{"endless items between messages", "fetch", small, func(p *peer) { p.say("* 1 FETCH (UID 1"); flood(p, " BODY[] {1}\r\na") }, "octets in one response"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, conn := client(t, wire.Options{Limits: tt.limits}, func(p *peer) {
				p.command()
				tt.send(p)
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := await(t, c, results[tt.command]); err == nil {
				t.Error("the command succeeds")
			}
			wantLimit(t, conn, tt.what)
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 200<<20 {
				t.Errorf("%d MiB are held", grown>>20)
			}
		})
	}
}

func TestManyMailboxesAreNoFlood(t *testing.T) {
	const n = 2000
	c, conn := client(t, wire.Options{Limits: wire.Limits{Line: 10_000}}, func(p *peer) {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "* LIST (\\HasNoChildren) \"/\" box%d\r\n* STATUS box%d (MESSAGES %d UIDVALIDITY 1)\r\n", i, i, i)
		}
		p.serve(b.String())
	})
	got, err := await(t, c, results["list status"])
	if err != nil || strings.Count(got, "messages=") != n {
		t.Errorf("%d mailboxes, %v (Err %v)", strings.Count(got, "messages="), err, conn.Err())
	}
}

// The endless loop of go-imap in a list of capabilities cannot even be ended by closing the connection.
func TestParenthesesInCapabilities(t *testing.T) {
	c, conn := client(t, wire.Options{}, func(p *peer) { p.serve("* CAPABILITY IMAP4rev1 (X)\r\n* OK [CAPABILITY A (B) C] x\r\n") })
	got, err := await(t, c, results["capability"])
	if err != nil || got != "IMAP4rev1 X" {
		t.Errorf("the client has %q, %v (Err %v)", got, err, conn.Err())
	}
	if got := names(c.Caps()); got != "A C" {
		t.Errorf("the code left it with %q", got)
	}
}

func TestGreetingIsMendedToo(t *testing.T) {
	for _, caps := range [][]string{nil, {"IMAP4rev1", "(X)", "a]b", "", "UIDPLUS"}} {
		o := wire.Options{Greeting: "* PREAUTH [CAPABILITY IMAP4rev1 (X) UIDPLUS ] hi", Caps: caps}
		c, _ := client(t, o, func(p *peer) { p.serve("") })
		if got := names(c.Caps()); got != "IMAP4rev1 UIDPLUS" || c.State() != imap.ConnStateAuthenticated {
			t.Errorf("with Caps %q the client has %q, state %v", caps, got, c.State())
		}
	}
}

func TestGreetingOfTheServerItself(t *testing.T) {
	ours, theirs := net.Pipe()
	go func() {
		p := &peer{theirs, bufio.NewReader(theirs)}
		p.say("* OK [CAPABILITY IMAP4rev1 (] hi\r\n")
		p.serve("")
	}()
	conn := wire.NewConn(ours, wire.Options{})
	c := imapclient.New(conn, nil)
	defer theirs.Close()
	defer conn.Close()
	if err := c.WaitGreeting(); err != nil || c.State() != imap.ConnStateNotAuthenticated {
		t.Errorf("the state is %v, %v", c.State(), err)
	}
}

func TestByeExplainsTheEnd(t *testing.T) {
	c, conn := client(t, wire.Options{}, func(p *peer) {
		p.command()
		p.say("* BYE [unavailable] back\x1b[5m at noon\r\n")
	})
	if _, err := await(t, c, results["noop"]); err == nil {
		t.Fatal("the command succeeds")
	}
	bye, ok := conn.Err().(*wire.ByeError)
	if !ok || *bye != (wire.ByeError{Code: "UNAVAILABLE", Text: "back at noon"}) {
		t.Errorf("Err is %#v, want the BYE", conn.Err())
	}
}

func TestByeAloneIsNoError(t *testing.T) {
	c, conn := client(t, wire.Options{}, func(p *peer) { p.serve("* BYE soon\r\n") })
	if _, err := await(t, c, results["noop"]); err != nil {
		t.Fatal(err)
	}
	if err := conn.Err(); err != nil {
		t.Errorf("Err is %v while the connection lives", err)
	}
}

func TestEndsOfTheConnection(t *testing.T) {
	for _, tt := range []struct{ name, send, want string }{
		{"between two responses", "* 1 EXISTS\r\n", "the server closed the connection before it answered UID FETCH: unexpected EOF"},
		{"within a line", "* 1 EXI", "the connection ended within a response: unexpected EOF"},
		{"within a literal that is held", "* LIST () NIL {10}\r\nabc", "the connection ended within a literal, 7 octets short: unexpected EOF"},
		{"within a message", "* 1 FETCH (UID 1 BODY[] {1000}\r\nabc", "the connection ended within a literal, 997 octets short: unexpected EOF"},
		{"behind a message", "* 1 FETCH (UID 1 BODY[] {3}\r\nabc", "the connection ended within a response: unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, conn := client(t, wire.Options{}, func(p *peer) {
				p.command()
				p.say(tt.send)
			})
			if _, err := await(t, c, results["fetch"]); err == nil {
				t.Error("the command succeeds")
			}
			if got := conn.Err(); got == nil || got.Error() != tt.want || !errors.Is(got, io.ErrUnexpectedEOF) {
				t.Errorf("Err is %v, want %s", got, tt.want)
			}
		})
	}
}

// go-imap on its own hands out the three octets and no error.
func TestMessageCutShortIsAnErrorToItsReader(t *testing.T) {
	c, _ := client(t, wire.Options{}, func(p *peer) {
		p.command()
		p.say("* 1 FETCH (UID 1 BODY[] {1000}\r\nabc")
	})
	body := func(c *imapclient.Client) (string, error) {
		msg := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Next()
		for item := msg.Next(); item != nil; item = msg.Next() {
			if section, ok := item.(imapclient.FetchItemDataBodySection); ok {
				b, err := io.ReadAll(section.Literal)
				return string(b), err
			}
		}
		return "", errors.New("no body")
	}
	got, err := await(t, c, body)
	if got != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the body reads %q, %v; want io.ErrUnexpectedEOF", got, err)
	}
}

// go-imap races with itself when a literal ends in an error; -race sees it.
func TestCutAtEveryOctet(t *testing.T) {
	dialog := "* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[] {12}\r\nhello\r\nyou\r\n MODSEQ (7))\r\n" +
		"* 2 FETCH (UID 2 ENVELOPE (NIL {2}\r\nab NIL NIL NIL NIL NIL NIL NIL NIL) BODY[TEXT] {3}\r\nabc)\r\n* OK fine\r\nT1 OK done\r\n"
	for cut := range len(dialog) + 1 {
		c, conn := client(t, wire.Options{}, func(p *peer) {
			p.command()
			p.say(dialog[:cut])
		})
		_, err := await(t, c, results["fetch"])
		if complete := cut == len(dialog); complete != (err == nil) {
			t.Errorf("cut at %d of %d: %v", cut, len(dialog), err)
		}
		<-c.Closed()
		if want := cut < len(dialog); errors.Is(conn.Err(), io.ErrUnexpectedEOF) != want {
			t.Errorf("cut at %d of %d: Err is %v", cut, len(dialog), conn.Err())
		}
	}
}

func TestCleanEndIsEOF(t *testing.T) {
	c, conn := client(t, wire.Options{}, func(p *peer) {
		tag, _ := p.command()
		p.say(tag + " OK done\r\n")
	})
	if _, err := await(t, c, results["noop"]); err != nil {
		t.Fatal(err)
	}
	<-c.Closed()
	if err := conn.Err(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Err is %v, want io.EOF", err)
	}
}

// closes counts how often a connection is closed.
type closes struct {
	net.Conn
	n atomic.Int32
}

func (c *closes) Close() error {
	c.n.Add(1)
	return c.Conn.Close()
}

func TestConnectionBelowIsClosed(t *testing.T) {
	for name, send := range map[string]string{"after its end": "", "after a limit": strings.Repeat("x", 2000), "while it lives": "T1 OK\r\n"} {
		ours, theirs := net.Pipe()
		below := &closes{Conn: ours}
		c, conn := clientOn(t, wire.Options{Limits: wire.Limits{Line: 1000}}, below, theirs, func(p *peer) {
			p.command()
			p.say(send)
			if send != "" {
				p.command()
			}
		})
		await(t, c, results["noop"])
		conn.Close()
		if below.n.Load() == 0 {
			t.Errorf("%s Close leaves it open", name)
		}
	}
}

func TestLineThatIsNoResponse(t *testing.T) {
	for _, line := range []string{"hello world", "T1 what", "(\"a\" NIL)", "T1", "\x00\x01", " * OK", "* 1 FETCH (UID 1 ENVELOPE (\"a {20}"} {
		c, conn := client(t, wire.Options{}, func(p *peer) {
			p.command()
			p.say(line + "\r\nT1 OK done\r\n")
		})
		if _, err := await(t, c, results["noop"]); err == nil {
			t.Errorf("%q: the command succeeds", line)
		}
		if _, ok := errors.AsType[*wire.SyntaxError](conn.Err()); !ok {
			t.Errorf("%q: Err is %v, want a *SyntaxError", line, conn.Err())
		}
	}
}

func TestIdle(t *testing.T) {
	const idle = time.Minute
	for _, tt := range []struct {
		name    string
		command string
		serve   func(*peer)
		after   time.Duration // 0: the command is answered
	}{
		{"no answer", "noop", func(p *peer) { p.command(); p.command() }, idle},
		{"an answer in time", "noop", func(p *peer) {
			tag, _ := p.command()
			time.Sleep(idle - time.Second)
			p.say(tag + " OK\r\n")
			p.command()
		}, 0},
		{"progress counts", "noop", func(p *peer) {
			tag, _ := p.command()
			for _, c := range "* OK slow\r\n" + tag + " OK slow\r\n" {
				time.Sleep(idle - time.Second)
				p.say(string(c))
			}
			p.command()
		}, 0},
		{"silence within a message", "fetch", func(p *peer) {
			p.command()
			time.Sleep(idle / 2)
			p.say("* 1 FETCH (UID 1 BODY[] {1000}\r\nabc")
			p.command()
		}, idle + idle/2},
		{"a server that does not read", "noop", func(p *peer) {
			time.Sleep(time.Hour)
		}, idle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, conn := client(t, wire.Options{Limits: wire.Limits{Idle: idle}}, tt.serve)
				start := time.Now()
				_, err := results[tt.command](c)
				took := time.Since(start)
				if tt.after == 0 {
					if err != nil || conn.Err() != nil {
						t.Errorf("error %v, Err %v", err, conn.Err())
					}
					return
				}
				if _, ok := conn.Err().(*wire.IdleError); !ok || err == nil || took != tt.after {
					t.Errorf("after %v error %v, Err %v; want an *IdleError after %v", took, err, conn.Err(), tt.after)
				}
			})
		})
	}
}

func TestSilenceWithoutACommandIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := client(t, wire.Options{Limits: wire.Limits{Idle: time.Minute}}, func(p *peer) { p.serve("+ idling\r\n§ OK\r\n") })
		for range 3 {
			time.Sleep(time.Hour)
			if err := c.Noop().Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestIDLEMayBeSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := client(t, wire.Options{Limits: wire.Limits{Idle: time.Minute}}, func(p *peer) {
			tag, _ := p.command()
			p.say("+ idling\r\n")
			p.command()
			p.say(tag + " OK\r\n")
			p.command()
		})
		cmd, err := c.Idle()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		if err := cmd.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil || conn.Err() != nil {
			t.Errorf("error %v, Err %v", err, conn.Err())
		}
	})
}

// A destination that is slow must not make its source look silent.
func TestSlowConsumerIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := client(t, wire.Options{Limits: wire.Limits{Idle: time.Minute}}, func(p *peer) {
			tag, _ := p.command()
			for uid := range 300 {
				p.say(fmt.Sprintf("* %d FETCH (UID %d BODY[] {5}\r\nhello)\r\n", uid+1, uid+1))
			}
			p.say(tag + " OK\r\n")
			p.command()
		})
		cmd := c.Fetch(imap.UIDSet{{Start: 1}}, &imap.FetchOptions{UID: true})
		n := 0
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			time.Sleep(10 * time.Minute)
			n++
		}
		if err := cmd.Close(); err != nil || n != 300 {
			t.Errorf("%d messages, %v (Err %v)", n, err, conn.Err())
		}
	})
}

func TestLiteralsOfACommand(t *testing.T) {
	var got string
	c, conn := client(t, wire.Options{Transcript: wire.NewTranscript(10)}, func(p *peer) {
		tag, rest := p.command()
		got = rest
		p.say("+ go on\r\n")
		b := make([]byte, len("é{3}")+2)
		io.ReadFull(p.br, b)
		got += "|" + string(b)
		p.say(tag + " OK\r\n")
		p.serve("")
	})
	_, err := await(t, c, func(c *imapclient.Client) (struct{}, error) {
		_, err := c.Search(&imap.SearchCriteria{Text: []string{"é{3}"}}, nil).Wait()
		return struct{}{}, err
	})
	if err != nil {
		t.Fatalf("%v (Err %v)", err, conn.Err())
	}
	if want := "SEARCH CHARSET UTF-8 TEXT {5}|é{3}\r\n"; got != want {
		t.Errorf("the server got %q, want %q", got, want)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Error(err)
	}
}

// Ours do not go this way, but what passes in a literal must never be taken for a command.
func TestAppendThroughTheLibrary(t *testing.T) {
	const message = "Subject: x\r\n\r\nT9 NOOP {3}\r\n=D0=B8 and {5}"
	for _, capability := range []string{"IMAP4rev1", "LITERAL-"} {
		tr := wire.NewTranscript(20)
		o := wire.Options{Transcript: tr, Caps: []string{capability}, Greeting: "* PREAUTH [CAPABILITY X] hi"}
		c, conn := client(t, o, func(p *peer) {
			for range 3 {
				tag, rest := p.command()
				if !strings.HasSuffix(rest, "+}") {
					p.say("+ go on\r\n")
				}
				io.ReadFull(p.br, make([]byte, len(message)+2))
				p.say(tag + " OK [APPENDUID 1 2] stored\r\n")
			}
			p.serve("")
		})
		for range 3 {
			_, err := await(t, c, func(c *imapclient.Client) (*imap.AppendData, error) {
				cmd := c.Append("box", int64(len(message)), nil)
				io.WriteString(cmd, message)
				cmd.Close()
				return cmd.Wait()
			})
			if err != nil {
				t.Fatalf("%v (Err %v)", err, conn.Err())
			}
		}
		if err := c.Noop().Wait(); err != nil {
			t.Error(err)
		}
		for _, l := range tr.Lines() {
			if l.Sent && strings.Contains(l.Text, "D0=B8") {
				t.Errorf("the transcript has a line of the message: %q", l.Text)
			}
		}
	}
}

func TestTranscriptAndHook(t *testing.T) {
	tr := wire.NewTranscript(20)
	var hooked []string
	o := wire.Options{Transcript: tr, Line: func(text string) { hooked = append(hooked, text) }}
	c, _ := client(t, o, func(p *peer) {
		p.serve("* 1 FETCH (UID 1 BODY[] {3}\r\na\x1bb FLAGS (x]))\r\n* LIST () NIL {3}\r\nab)\r\n* OK \x1b[1mhi\r\n")
	})
	if _, err := await(t, c, results["fetch"]); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, l := range tr.Lines() {
		kept = append(kept, fmt.Sprint(l.Sent, " ", l.Text))
	}
	wantKept := "true T1 UID FETCH 1:* (UID FLAGS)|false * 1 FETCH (UID 1 BODY[] {3} FLAGS (x]))|false * LIST () NIL {3}|false * OK hi|false T1 OK done"
	if got := strings.Join(kept, "|"); got != wantKept {
		t.Errorf("the transcript is\n%s, want\n%s", got, wantKept)
	}
	wantHooked := "* 1 FETCH (UID 1 BODY[] {3} FLAGS (x]))|* LIST () NIL {3}|* OK \x1b[1mhi|T1 OK done"
	if got := strings.Join(hooked, "|"); got != wantHooked {
		t.Errorf("the hook got\n%q, want\n%q", got, wantHooked)
	}
}

func TestStats(t *testing.T) {
	c, conn := client(t, wire.Options{}, func(p *peer) { p.serve("") })
	before := time.Now()
	if err := c.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	s := conn.Stats()
	if s.Sent != int64(len("T1 NOOP\r\n")) || s.Received != int64(len("T1 OK still here\r\n")) || s.Last.Before(before) {
		t.Errorf("Stats are %+v", s)
	}
}

func TestCloseFromAnywhere(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 50 {
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		conn := wire.NewConn(ours, wire.Options{Greeting: greeting})
		c := imapclient.New(conn, nil)
		conn.ReaderDone(c.Closed())
		noop := c.Noop()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { conn.Close() })
		}
		wg.Wait()
		if err := noop.Wait(); err == nil {
			t.Fatal("NOOP succeeds on a closed connection")
		}
		<-c.Closed()
		if err := conn.Close(); err != net.ErrClosed {
			t.Errorf("another Close gives %v", err)
		}
		if err := conn.Err(); err != nil {
			t.Errorf("after Close Err is %v", err)
		}
		theirs.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+2; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}

// failingWrites fails every write after the first n octets.
type failingWrites struct {
	net.Conn
	mu   sync.Mutex
	left int
}

func (c *failingWrites) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left -= len(p); c.left < 0 {
		return 0, errors.New("no route")
	}
	return c.Conn.Write(p)
}

// Without ReaderDone go-imap sends on a channel that its other goroutine closes; -race sees it.
func TestWriteFailsWhileResponsesArrive(t *testing.T) {
	for range 100 {
		ours, theirs := net.Pipe()
		c, conn := clientOn(t, wire.Options{}, &failingWrites{Conn: ours, left: 20}, theirs, func(p *peer) {
			p.command()
			flood(p, "* LIST () NIL a\r\n")
		})
		cmd := c.List("", "*", nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			for cmd.Next() != nil {
			}
		})
		if err := c.Noop().Wait(); err == nil {
			t.Fatal("NOOP succeeds")
		}
		wg.Wait()
		if err := conn.Err(); err == nil || !strings.Contains(err.Error(), "sending to the server: no route") {
			t.Fatalf("Err is %v", err)
		}
	}
}
