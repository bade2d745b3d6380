package wire_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// odd lines are what kills or hangs go-imap without a Conn below it, or what it must go on reading. After
// each the client answers NOOP as before.
var odd = []struct {
	name    string
	command string // of results
	lines   string // what the server says before its OK; § is the command's
	want    string // what the client makes of it
}{
	// Data that go-imap does not know.
	{"unknown data is dropped", "noop", "* XYZZY 1 2\r\n* VANISHED (EARLIER) 1:4\r\n* LSUB () \"/\" a\r\n* 3 FOO\r\n*\r\n* \r\n", ""},
	{"unknown data with a literal is dropped", "noop", "* XYZZY {12}\r\n* BYE no\r\nx) y\r\n", ""},
	{"an empty line is dropped", "noop", "\r\n\n\r\n", ""},
	{"a lone LF ends a line", "status", "* STATUS box (MESSAGES 3)\n", `"box" next=0 validity=0 messages=3`},
	{"a stray continuation request is dropped", "noop", "+ go on\r\n+\r\n", ""},
	{"the answer to an unknown command is dropped", "noop", "Z9 OK what\r\nT99 NO that\r\n", ""},
	{"counts with impossible numbers are dropped", "noop", "* 4294967296 EXISTS\r\n* 0 EXPUNGE\r\n* -1 EXISTS\r\n* 5 EXISTS\r\n", ""},

	// Status responses.
	{"a response code without its bracket", "noop", "* OK [ALERT now what\r\n* OK fine\r\n", ""},
	{"a response code without its bracket in the tagged answer", "noop", "§ OK [APPENDUID 1 2 done\r\n", ""},
	{"a code of another grammar", "noop", "* OK [Error=\"x ] y\" Proxy=\"a\"] hello\r\n§ OK [Error=\"x\" Proxy=y] hello\r\n", ""},
	{"no text at all", "noop", "* OK\r\n* NO \r\n§ OK\r\n", ""},
	{"a code and no text", "noop", "* OK [ALERT]\r\n§ OK [READ-ONLY] \r\n", ""},
	{"control characters in the text", "noop", "* OK a\rb\x00c\x1b[31m\r\n§ OK a\rb\r\n", ""},
	{"UIDVALIDITY above 32 bits is unknown", "select", "* 2 EXISTS\r\n* OK [UIDVALIDITY 4294967296] x\r\n* OK [UIDNEXT 7] x\r\n",
		`2 flags=[] permanent=[] next=7 validity=0`},
	{"UIDVALIDITY that is no number", "select", "* OK [UIDVALIDITY abc] x\r\n* OK [UIDNEXT] x\r\n* OK [HIGHESTMODSEQ -1] x\r\n* OK [NOMODSEQ 1] x\r\n",
		`0 flags=[] permanent=[] next=0 validity=0`},
	{"odd flags are left out", "select",
		"* FLAGS ( \\Seen a]b \"quoted\" we{ird \\ x%y \\Answered )\r\n* OK [PERMANENTFLAGS (\\* k a]b $Forwarded )] x\r\n",
		`0 flags=[\Seen quoted \Answered] permanent=[\* k $Forwarded] next=0 validity=0`},
	{"FLAGS is NIL", "select", "* FLAGS NIL\r\n* FLAGS\r\n* OK [PERMANENTFLAGS NIL] x\r\n* OK [PERMANENTFLAGS] x\r\n",
		`0 flags=[] permanent=[] next=0 validity=0`},
	{"COPYUID", "copy", "§ OK [COPYUID 5 1:3,7 10:13] x\r\n", `5 1:3,7 10:13`},
	{"COPYUID in small letters", "copy", "§ OK [copyuid 5 1 10] x\r\n", `5 1 10`},
	{"COPYUID with empty sets", "copy", "§ OK [COPYUID 5  ] x\r\n", `0  `},
	{"COPYUID without end", "copy", "§ OK [COPYUID 5 1:* 1] x\r\n", `0  `},
	{"COPYUID with zeros and words", "copy", "* OK [COPYUID 5 0 x] y\r\n§ OK [COPYUID 99999999999 1 1] x\r\n", `0  `},
	{"APPENDUID with a set", "noop", "§ OK [APPENDUID 1 2:3] x\r\n", ""},

	// CAPABILITY.
	{"the list of capabilities is ours", "capability", "* CAPABILITY IMAP4rev1 IMAP4rev2 UTF8=ACCEPT\r\n", "IMAP4rev1 UIDPLUS"},
	{"a list with parentheses", "capability", "* CAPABILITY IMAP4rev1 (X) \r\n", "IMAP4rev1 UIDPLUS"},
	{"a code with parentheses", "noop", "* OK [CAPABILITY IMAP4rev1 (X)] x\r\n§ OK [CAPABILITY (] y\r\n", ""},
	{"a code with a space at its end", "noop", "* OK [CAPABILITY IMAP4rev1 ] x\r\n§ OK [CAPABILITY ] y\r\n", ""},

	// LIST.
	{"attributes are NIL", "list", "* LIST NIL \"/\" a\r\n* LIST \"/\" b\r\n", `"a" "/" []; "b" "/" []`},
	{"the delimiter is nil or empty", "list", "* LIST () nil a\r\n* LIST () \"\" b\r\n* LIST () NIL c\r\n", `"a" "\x00" []; "b" "\x00" []; "c" "\x00" []`},
	{"the delimiter is not quoted", "list", "* LIST () / a/b\r\n", `"a/b" "/" []`},
	{"the delimiter is an unescaped backslash", "list", "* LIST () \"\\\" \"a\\\\b\"\r\n* LIST () \"\\\\\" INBOX\r\n", `"a\\b" "\\" []; "INBOX" "\\" []`},
	{"the delimiter is a word", "list", "* LIST () \"//\" a\r\n", `"a" "\x00" []`},
	{"a percent sign without quotes", "list", "* LIST () \"/\" 50%off\r\n* LIST () \"/\" a*b]{c}\r\n", `"50%off" "/" []; "a*b]{c}" "/" []`},
	{"a space without quotes", "list", "* LIST () \"/\" My  Folder\r\n", `"My  Folder" "/" []`},
	{"a literal", "list", "* LIST () \"/\" {5}\r\na\"\\b \r\n* LIST () \"/\" {3+}\r\nINB\r\n", `"a\"\\b " "/" []; "INB" "/" []`},
	{"the root", "list", "* LIST (\\Noselect) \"/\" \"\"\r\n", `"" "/" [\Noselect]`},
	{"INBOX in any case", "list", "* LIST () \"/\" iNbOx\r\n", `"INBOX" "/" []`},
	{"modified UTF-7", "list", "* LIST () \"/\" \"Entw&APw-rfe &- &2D3eAA-\"\r\n", `"Entwürfe & 😀" "/" []`},
	{"latin1", "list", "* LIST () \"/\" \"Entw\xfcrfe\"\r\n", `"Entw�rfe�1" "/" []`},
	{"a bare ampersand", "list", "* LIST () \"/\" \"R&D\"\r\n* LIST () \"/\" \"R&D/x\"\r\n* LIST () \"/\" \"R&D\"\r\n", `"R&D�1" "/" []; "R&D/x�2" "/" []; "R&D�1" "/" []`},
	{"modified UTF-7 that is not canonical", "list", "* LIST () \"/\" &AGE-\r\n* LIST () \"/\" &AOQ-&AOQ-\r\n* LIST () \"/\" &2D0-\r\n",
		`"&AGE-�1" "/" []; "&AOQ-&AOQ-�2" "/" []; "&2D0-�3" "/" []`},
	{"raw UTF-8", "list", "* LIST () \"/\" \"Entwürfe\"\r\n", `"Entwürfe�1" "/" []`},
	{"control characters", "list", "* LIST () \"/\" \"a\tb\"\r\n* LIST () \"/\" \"\x1b]0;x\x07\"\r\n* LIST () \"/\" {4}\r\na\r\nb\r\n",
		`"a�b�1" "/" []; "�]0;x��2" "/" []; "a��b�3" "/" []`},
	{"a quote in the name", "list", "* LIST () \"/\" \"a\"b\"\r\n", `"\"a\"b\"�1" "/" []`},
	{"a quote that nothing closes", "list", "* LIST () \"/\" \"a\r\n", `"\"a�1" "/" []`},
	{"parentheses without quotes", "list", "* LIST () \"/\" a(1)b)\r\n", `"a(1)b)�1" "/" []`},
	{"extended data", "list", "* LIST (\\HasChildren) \"/\" a (\"X\" (1 (2)) \"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"b\"))\r\n", `"a" "/" [\HasChildren] children=true`},
	{"odd attributes", "list", "* LIST (\\Sent (\\x) a]b \\*x) \"/\" a\r\n", `"a" "/" [\Sent \x]`},
	{"nothing but the word", "list", "* LIST\r\n* LIST ()\r\n* LIST () \"/\"\r\n* LIST (\r\n", ""},
	{"the status beside it has the same name", "list status", "* LIST () \"/\" R&D\r\n* STATUS R&D (MESSAGES 3)\r\n", `"R&D�1" "/" [] "R&D�1" next=0 validity=0 messages=3`},

	// STATUS.
	{"impossible values", "status", "* STATUS box (MESSAGES -1 UIDNEXT 4294967296 UIDVALIDITY 5 UNSEEN NIL X-FOO (1 2) RECENT 1)\r\n", `"box" next=0 validity=5`},
	{"the list is missing", "status", "* STATUS box\r\n* STATUS\r\n* STATUS (MESSAGES 1)\r\n", `"" next=0 validity=0`},
	{"the list is empty", "status", "* STATUS \"box\" ()\r\n", `"box" next=0 validity=0`},
	{"the limit is nil", "status", "* STATUS box (APPENDLIMIT nil MESSAGES 2)\r\n", `"box" next=0 validity=0 messages=2`},

	// SEARCH and others.
	{"a search result out of order", "search", "* SEARCH 9 3 4 3 5\r\n", "3:5,9"},
	{"a search result with odd words", "search", "* SEARCH  9 x 4294967296 0 3  (MODSEQ 7)\r\n", "3,9"},
	{"a search result in two parts", "search", "* SEARCH 1 2\r\n* SEARCH 3\r\n", "1:3"},
	{"an empty search result", "search", "* SEARCH\r\n", ""},
	{"an extended search result", "search", "* ESEARCH (TAG \"§\") UID COUNT 3 ALL 7,1:2 X 5\r\n§ OK x\r\n", "1:2,7"},
	{"an extended search result without end", "search", "* ESEARCH (TAG \"§\") UID ALL 1:* MIN x\r\n§ OK x\r\n", "none"},
	{"an extended search result with a broken head", "search", "* ESEARCH (X\r\n* ESEARCH (TAG\r\n* ESEARCH UID\r\n", "none"},
	{"an extended search result without a tag", "search", "* ESEARCH UID ALL 4\r\n", "4"},
	{"a sort result", "sort", "* SORT 5 3 x 9\r\n", "[5 3 9]"},
	{"namespaces", "namespace", "* NAMESPACE ((\"\" \"/\" \"X\" (\"y\"))(\"#a/\" nil)) NIL\r\n", `[{"" '/'} {"#a/" '\x00'}] [] []`},
	{"namespaces without sense", "namespace", "* NAMESPACE (x) ((5 \"/\")) ((\"a\"))\r\n", `[] [] []`},
	{"quota with impossible values", "quota", "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 1 -1 MESSAGE  2  5 X 99999999999999999999 1)\r\n", `[{ map[MESSAGE:{2 5}]}]`},
	{"quota without a list", "quota", "* QUOTA\r\n* QUOTA \"\"\r\n* QUOTAROOT\r\n", `[]`},
	{"ID with NIL values", "id", "* ID (\"name\" \"Cyrus\" \"os\" NIL \"version\" \"3\")\r\n", `"Cyrus"`},
	{"ID, then an unknown item of STATUS", "status", "* ID (\"name\" NIL)\r\n* STATUS box (XYZ 1 MESSAGES 2)\r\n", `"box" next=0 validity=0 messages=2`},
	{"ID is NIL", "id", "* ID NIL\r\n* ID\r\n", `""`},

	// FETCH.
	{"an unknown item", "fetch", "* 1 FETCH (UID 1 X-GM-MSGID 12 X-GM-LABELS (\"\\\\Inbox\" a) EMAILID (M1) SAVEDATE NIL FLAGS (\\Seen))\r\n", `uid=1 flags=[\Seen]`},
	{"an unknown item with a literal", "fetch", "* 1 FETCH (UID 1 RFC822 {15}\r\n* BYE) (\r\n{1}\r\n FLAGS (\\Seen))\r\n", `uid=1 flags=[\Seen]`},
	{"FLAGS NIL in FETCH", "fetch", "* 1 FETCH (UID 1 FLAGS NIL RFC822.SIZE 5)\r\n", `uid=1 size=5`},
	{"odd flags in FETCH", "fetch", "* 1 FETCH (UID 1 FLAGS ( \\Seen a]b \"k\" \x9fx \\Flagged ))\r\n", `uid=1 flags=[\Seen k \Flagged]`},
	{"impossible dates", "fetch", "* 1 FETCH (UID 1 INTERNALDATE NIL)\r\n* 2 FETCH (UID 2 INTERNALDATE \"\")\r\n* 3 FETCH (UID 3 INTERNALDATE \"00-Jan-0000 00:00:00 +0000\")\r\n" +
		"* 4 FETCH (UID 4 INTERNALDATE \"17-Jul-1996 02:44:25 GMT\")\r\n* 5 FETCH (UID 5 INTERNALDATE \"17-Jul-96 02:44:25 +0000\")\r\n* 6 FETCH (UID 6 INTERNALDATE \" 7-Jul-1996 02:44:25 +0100\")\r\n",
		`uid=1; uid=2; uid=3; uid=4; uid=5; uid=6 date=1996-07-07T01:44:25Z`},
	{"impossible sizes", "fetch", "* 1 FETCH (UID 1 RFC822.SIZE NIL)\r\n* 2 FETCH (RFC822.SIZE -1 UID 2)\r\n* 3 FETCH (RFC822.SIZE 99999999999999999999 UID 3)\r\n", `uid=1; uid=2; uid=3`},
	{"impossible UIDs", "fetch", "* 1 FETCH (UID 0 RFC822.SIZE 5)\r\n* 2 FETCH (UID NIL)\r\n* 3 FETCH (UID 3)\r\n", `uid=3`},
	{"mod-sequences", "fetch", "* 1 FETCH (UID 1 MODSEQ (12345678901))\r\n* 2 FETCH (UID 2 MODSEQ 5)\r\n* 3 FETCH (UID 3 MODSEQ (x))\r\n", `uid=1 modseq=12345678901; uid=2; uid=3`},
	{"no list at all", "fetch", "* 1 FETCH\r\n* 1 FETCH NIL\r\n* 1 FETCH ()\r\n* 1 FETCH FLAGS {3}\r\nabc\r\n* 99999999999 FETCH (UID 5)\r\n* 2 FETCH (UID 2)\r\n", `uid=2`},
	{"a list that nothing closes", "fetch", "* 1 FETCH (UID 1 FLAGS (\\Seen\r\n* 2 FETCH (UID 2\r\n", `uid=1 flags=[\Seen]; uid=2`},
	{"more than the list", "fetch", "* 1 FETCH (UID 1) FLAGS (\\Seen)\r\n", `uid=1`},
	{"names without values", "fetch", "* 1 FETCH (UID 1 FLAGS)\r\n* 2 FETCH (UID 2 (x) BODY[] )\r\n", `uid=1; uid=2`},
	{"a body", "fetch", "* 1 FETCH (UID 1 BODY[] {12}\r\n* OK\r\n{99}\r\n FLAGS (\\Seen))\r\n", `uid=1 flags=[\Seen] body[]="* OK\r\n{99}\r\n"`},
	{"an empty body", "fetch", "* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n", `uid=1 body[]=""`},
	{"a body without a space before it", "fetch", "* 1 FETCH (UID 1 BODY[]{3}\r\nabc)\r\n", `uid=1 body[]="abc"`},
	{"a body that is quoted or nil", "fetch", "* 1 FETCH (UID 1 BODY[] \"a \\\"{3}\")\r\n* 2 FETCH (UID 2 BODY[TEXT] nil)\r\n", `uid=1 body[]="a \"{3}"; uid=2 body[TEXT]=""`},
	{"fields of a header", "fetch", "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (\"Message-Id\" X]Y)] {3}\r\nabc)\r\n* 2 FETCH (UID 2 BODY[1.2.HEADER.FIELDS.NOT (\"A\" b)]<7> {3}\r\nabc)\r\n",
		`uid=1; uid=2 body[HEADER]="abc"`},
	{"sections that are none", "fetch", "* 1 FETCH (UID 1 BODY[1.] {3}\r\nabc BODY[HEADER.FIELDS] {1}\r\nx BODY[99999999999] {1}\r\nx BODY[]<x> {1}\r\nx)\r\n", `uid=1`},
	{"a binary part", "fetch", "* 1 FETCH (UID 1 BINARY[1.2] ~{4}\r\na\x00\r\n BINARY.SIZE[1] 5 BINARY[x] {1}\r\nx)\r\n", "uid=1 binary=\"a\\x00\\r\\n\""},
	{"an envelope", "fetch", "* 1 FETCH (UID 1 ENVELOPE (NIL {5}\r\na\r\n)b nil ((nil NIL \"joe\" \"x\")(NIL NIL \"a\" NIL)) NIL NIL NIL NIL NIL \"<m@x>\"))\r\n", "uid=1 subject=\"a\\r\\n)b\" from=[]"},
	{"envelopes that are none", "fetch", "* 1 FETCH (UID 1 ENVELOPE NIL)\r\n* 2 FETCH (UID 2 ENVELOPE (\"d\" \"a \"b\" c\" NIL NIL NIL NIL NIL NIL NIL \"<m@x>\"))\r\n" +
		"* 3 FETCH (UID 3 ENVELOPE (\"d\" \"s\" NIL NIL NIL NIL NIL NIL NIL))\r\n* 4 FETCH (ENVELOPE (\"d\" \"s UID 4)\r\n* 5 FETCH (UID 5)\r\n", `uid=1; uid=2; uid=3; uid=5`},
	{"structures", "fetch", "* 1 FETCH (UID 1 BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"x\") NIL NIL \"7bit\" -1 5 nil NIL NIL NIL (1 x%)))\r\n" +
		"* 2 FETCH (UID 2 BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL NIL 5 1)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (\"a\" \"b\" NIL NIL NIL NIL 1) 3 NIL (\"inline\" (\"x\" \"y\")) (\"en\" \"de\") \"loc\") \"mixed\" (\"boundary\" \"q\") NIL NIL NIL))\r\n",
		`uid=1 structure=text/plain; uid=2 structure=multipart/mixed`},
	{"structures that are none", "fetch", "* 1 FETCH (UID 1 BODY NIL)\r\n* 2 FETCH (UID 2 BODYSTRUCTURE (\"text\" \"plain\" (\"charset\") NIL NIL \"7bit\" 1 5))\r\n* 3 FETCH (UID 3 BODYSTRUCTURE ((\"a\" \"b\" NIL NIL NIL NIL x) \"mixed\"))\r\n" +
		"* 4 FETCH (UID 4 BODYSTRUCTURE (\"mixed\"))\r\n* 5 FETCH (UID 5 BODY ())\r\n* 6 FETCH (UID 6 BODY (\"a\" \"b\" (\"\" \"x\") NIL NIL NIL 1))\r\n", `uid=1; uid=2; uid=3; uid=4; uid=5; uid=6`},
}

func TestClientSurvivesOddLines(t *testing.T) {
	for _, tt := range odd {
		t.Run(tt.name, func(t *testing.T) {
			c, conn := client(t, wire.Options{Caps: []string{"IMAP4rev1", "UIDPLUS"}}, func(p *peer) { p.serve(tt.lines) })
			got, err := await(t, c, results[tt.command])
			if err != nil {
				t.Fatalf("%s: %v (Err %v)", tt.command, err, conn.Err())
			}
			if got != tt.want {
				t.Errorf("the client saw\n%s, want\n%s", got, tt.want)
			}
			if err := c.Noop().Wait(); err != nil {
				t.Errorf("NOOP after it: %v (Err %v)", err, conn.Err())
			}
			if err := conn.Err(); err != nil {
				t.Errorf("Err: %v", err)
			}
		})
	}
}

func TestMendsAreCounted(t *testing.T) {
	lines := "* 1 FETCH (UID 1 FLAGS (a]b))\r\n* 2 FETCH (UID 2 FLAGS (\x1bc]d \\Seen))\r\n* XYZZY\r\n"
	c, conn := client(t, wire.Options{}, func(p *peer) { p.serve(lines) })
	if _, err := await(t, c, results["fetch"]); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(conn.Mends())
	want := "[{a flag that no command can carry was left out a]b 2} {a response that is not in use here was dropped * XYZZY 1}]"
	if got != want {
		t.Errorf("Mends gives\n%s, want\n%s", got, want)
	}
}

func TestMendedNamesLeadBackToTheirOctets(t *testing.T) {
	c, conn := client(t, wire.Options{}, func(p *peer) {
		p.serve("* LIST () \"/\" \"R&D\"\r\n* LIST () \"/\" ok\r\n* LIST () \"/\" \"\xff\\\"\"\r\n* STATUS \"R&D\" ()\r\n")
	})
	if _, err := await(t, c, results["list"]); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%q", conn.Mended())
	want := `[{"R&D�1" "R&D"} {"�\"�2" "\xff\""}]`
	if got != want {
		t.Errorf("Mended gives %s, want %s", got, want)
	}
}

func TestTooManyMendedNamesEndTheConnection(t *testing.T) {
	c, conn := client(t, wire.Options{}, func(p *peer) {
		var b strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&b, "* LIST () \"/\" \"R&D%d\"\r\n", i)
		}
		p.serve(b.String())
	})
	if _, err := await(t, c, results["list"]); err == nil {
		t.Error("LIST succeeds")
	}
	wantLimit(t, conn, "mailbox names that are no modified UTF-7")
}

// await runs f and fails the test when it takes too long: go-imap hangs on some of what is tried here.
func await[T, R any](t *testing.T, c T, f func(T) (R, error)) (R, error) {
	t.Helper()
	type answer struct {
		r   R
		err error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := f(c)
		done <- answer{r, err}
	}()
	select {
	case a := <-done:
		return a.r, a.err
	case <-time.After(10 * time.Second):
		t.Fatal("no answer within 10 s")
		panic("unreachable")
	}
}

func wantLimit(t *testing.T, conn *wire.Conn, what string) {
	t.Helper()
	err := conn.Err()
	limit, ok := err.(*wire.LimitError)
	if !ok || limit.What != what {
		t.Errorf("Err is %v (%T), want a *LimitError about %s", err, err, what)
	}
}
