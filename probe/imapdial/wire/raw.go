// Package wire is IMAP as bytes: a bounded reader and a command writer for the
// exchanges we speak ourselves (greeting, STARTTLS, sign-in, APPEND), the
// transcript of a connection, and the net.Conn that go-imap rides on. It knows
// the grammar and its dangers, nothing of what a command is for.
package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// Bounds of what a Raw holds for a server. A greeting or a sign-in needs a fraction of them.
const (
	rawLine     = 64 << 10 // octets of a line; CAPABILITY lists have under 2 KiB
	rawLiteral  = 64 << 10 // octets of a literal in a response
	rawUntagged = 200      // untagged responses to one command
	rawStart    = 256      // octets of a line that never ended, kept to tell what it was
)

// ErrLineTooLong means that a line passed the bound of a [Raw].
var ErrLineTooLong = fmt.Errorf("the server sent a line of more than %d octets", rawLine)

// ErrTooManyResponses means that a command was answered by more untagged responses than a [Raw] holds.
var ErrTooManyResponses = fmt.Errorf("the server sent more than %d responses to one command", rawUntagged)

// A Raw speaks IMAP on a bare connection, one command at a time or, for those who pipeline, one response at a time. Deadlines are
// those of the connection. It is used by one goroutine at a time, except that one may write while another reads.
type Raw struct {
	conn       net.Conn
	br         *bufio.Reader
	bw         *bufio.Writer
	transcript *Transcript
	tags       int
	// NonSync allows non-synchronizing literals: the server has LITERAL+ (RFC 7888).
	NonSync bool
}

// NewRaw returns a Raw on c that records what passes in t, which may be nil.
func NewRaw(c net.Conn, t *Transcript) *Raw {
	return &Raw{conn: c, br: bufio.NewReaderSize(c, 16<<10), bw: bufio.NewWriterSize(c, 64<<10), transcript: t}
}

// An Arg is one part of a command line.
type Arg struct {
	text    []byte
	literal bool // send as a literal
	masked  bool // write mask in place of it in the transcript
}

const mask = "<secret>"

// Atom is text that goes out as it is.
func Atom(s string) Arg { return Arg{text: []byte(s)} }

// String is a string: quoted where that can carry it, else a literal (RFC 9051 section 4.3).
func String(s string) Arg {
	b := []byte(s)
	if quotable(b) {
		return Arg{text: quote(b)}
	}
	return Arg{text: b, literal: true}
}

// SecretString is String for a secret: the transcript shows a mask.
func SecretString(s secret.Secret) Arg {
	b := s.Reveal()
	if quotable(b) {
		return Arg{text: quote(b), masked: true}
	}
	return Arg{text: b, literal: true, masked: true}
}

// SecretAtom is Atom for text that holds a secret: the transcript shows a mask.
func SecretAtom(b []byte) Arg { return Arg{text: b, masked: true} }

// quotable reports whether b can stand in a quoted string: no CR, LF, NUL, and nothing outside ASCII, which
// IMAP4rev1 servers do not take there (RFC 3501 section 4.3). Long ones go as literals.
func quotable(b []byte) bool {
	for _, c := range b {
		if c == '\r' || c == '\n' || c == 0 || c >= 0x80 {
			return false
		}
	}
	return len(b) <= 1000
}

func quote(b []byte) []byte {
	q := []byte{'"'}
	for _, c := range b {
		if c == '"' || c == '\\' {
			q = append(q, '\\')
		}
		q = append(q, c)
	}
	return append(q, '"')
}

// ReadResponse returns the next response from the server, literals folded. Errors: [ErrLineTooLong], io.ErrUnexpectedEOF
// when the connection ends within a line, io.EOF when it ends between two, and those of the connection. Beside an error the
// Response has no Tag, and as Raw the start of the line as far as it came.
func (r *Raw) ReadResponse() (Response, error) {
	var line []byte
	for {
		part, err := r.readPart(rawLine - len(line))
		line = append(line, part...)
		if err != nil {
			if err == io.EOF && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return Response{Raw: Printable(string(line[:min(len(line), rawStart)]))}, err
		}
		n, ok := literalSize(line)
		if !ok {
			resp := ParseResponse(string(line))
			r.transcript.Add(false, resp.Raw)
			return resp, nil
		}
		if n > rawLiteral {
			return Response{}, fmt.Errorf("the server announced a literal of %d octets, more than %d", n, rawLiteral)
		}
		if _, err := r.br.Discard(int(n)); err != nil {
			return Response{}, unexpected(err)
		}
	}
}

// readPart reads up to the end of a line and returns it without CRLF or LF.
func (r *Raw) readPart(limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.br.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > limit {
			return line, ErrLineTooLong
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return line, err
		}
		line = line[:len(line)-1]
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		return line, nil
	}
}

// literalSize returns the n of a line that ends in {n} or {n+}.
func literalSize(line []byte) (int64, bool) {
	if len(line) == 0 || line[len(line)-1] != '}' {
		return 0, false
	}
	s := string(line)
	i := strings.LastIndexByte(s, '{')
	if i < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(s[i+1:len(s)-1], "+"), 10, 62)
	return int64(n), err == nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Buffered returns a copy of at most n octets that came and were not read yet. It does not wait.
func (r *Raw) Buffered(n int) []byte {
	b, _ := r.br.Peek(min(n, r.br.Buffered()))
	return append([]byte(nil), b...)
}

// NextTag returns a new tag.
func (r *Raw) NextTag() string {
	r.tags++
	return "A" + strconv.Itoa(r.tags)
}

// Start sends a command. Where an argument needs a synchronizing literal it waits for the server's consent; a server that
// answers otherwise has answered the command, and that answer is returned as tagged (its Tag is set).
// Untagged responses on the way are appended to untagged.
func (r *Raw) Start(untagged *[]Response, args ...Arg) (tag string, tagged Response, err error) {
	tag = r.NextTag()
	r.bw.WriteString(tag)
	shown := tag
	for _, a := range args {
		r.bw.WriteByte(' ')
		shown += " "
		if a.masked {
			shown += mask
		} else if !a.literal {
			shown += string(a.text)
		}
		if !a.literal {
			r.bw.Write(a.text)
			continue
		}
		plus := ""
		if r.NonSync {
			plus = "+" // RFC 7888 section 4
		}
		fmt.Fprintf(r.bw, "{%d%s}\r\n", len(a.text), plus)
		shown += fmt.Sprintf("{%d%s}", len(a.text), plus)
		if !r.NonSync {
			if err := r.bw.Flush(); err != nil {
				return tag, Response{}, err
			}
			resp, err := r.Await(tag, untagged)
			if err != nil || resp.Tag == tag {
				r.transcript.Add(true, shown)
				return tag, resp, err
			}
		}
		r.bw.Write(a.text)
	}
	r.bw.WriteString("\r\n")
	r.transcript.Add(true, Printable(shown))
	return tag, Response{}, r.bw.Flush()
}

// Await reads up to the next continuation request or the tagged answer to tag, whichever comes first. A server that says
// BYE has shortly to end: when no answer comes then, BYE is the answer, with Tag "*".
func (r *Raw) Await(tag string, untagged *[]Response) (Response, error) {
	var bye Response
	for n := 0; ; n++ {
		resp, err := r.ReadResponse()
		switch {
		case err != nil && bye.Status != "":
			return bye, nil
		case err != nil:
			return Response{}, err
		case resp.Tag == tag, resp.Tag == "+":
			return resp, nil
		case resp.Status == "BYE" && bye.Status == "": // only the first moves the deadline: a hundred more must not keep us
			bye = resp
			r.conn.SetReadDeadline(time.Now().Add(byeWait))
		}
		if n >= rawUntagged {
			return Response{}, ErrTooManyResponses
		}
		if untagged != nil {
			*untagged = append(*untagged, resp)
		}
	}
}

// byeWait is how long after a BYE the answer to a command may still come (RFC 9051 section 7.1.5).
const byeWait = 2 * time.Second

// Do sends a command and returns its answer and the untagged responses that came with it. NO and BAD are answers, not errors. An
// unexpected continuation request is the answer too (Tag "+").
func (r *Raw) Do(args ...Arg) (untagged []Response, tagged Response, err error) {
	tag, tagged, err := r.Start(&untagged, args...)
	if err != nil || tagged.Tag != "" {
		return untagged, tagged, err
	}
	tagged, err = r.Await(tag, &untagged)
	return untagged, tagged, err
}

// Continue answers a continuation request with one line.
func (r *Raw) Continue(a Arg) error {
	r.bw.Write(a.text)
	r.bw.WriteString("\r\n")
	if a.masked {
		r.transcript.Add(true, mask)
	} else {
		r.transcript.Add(true, Printable(string(a.text)))
	}
	return r.bw.Flush()
}

// Writer returns the buffered writer, for those who build commands themselves. They flush.
func (r *Raw) Writer() *bufio.Writer { return r.bw }

// Detach gives the connection back, with what was read ahead still to be read from it. The Raw is spent.
func (r *Raw) Detach() net.Conn {
	if r.br.Buffered() == 0 {
		return r.conn
	}
	return &prefixed{Conn: r.conn, prefix: r.Buffered(r.br.Buffered())}
}

// A prefixed is a net.Conn that yields prefix before what its Conn does.
type prefixed struct {
	net.Conn
	prefix []byte
}

func (c *prefixed) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		c.prefix = c.prefix[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
