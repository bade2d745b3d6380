package imapdial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// Append writes msgs to mailbox (UTF-8, with the server's own delimiter) and returns an outcome for each, in order and always len(msgs) of
// them. The error is that of the connection, or of a mailbox name that no command can carry; a refusal is an outcome, not an error.
//
// Where the server has LITERAL+ the messages go out without waiting, as far as their APPEND line holds nothing new to this server: some servers that reject the line run
// the message after it as commands (seen on Dovecot 2.3). What is new goes as a synchronizing literal first.
func (w *Writer) Append(ctx context.Context, mailbox string, msgs []Message) ([]Outcome, error) {
	a := &appending{Writer: w, ctx: ctx, mailbox: mailbox, msgs: msgs, out: make([]Outcome, len(msgs)), waiting: map[string]int{}}
	if w.dead != nil {
		return a.out, w.dead
	}
	if err := wire.CheckMailbox(mailbox); err != nil {
		return a.out, err
	}
	stop := context.AfterFunc(ctx, func() { closeNow(w.conn) })
	defer stop()
	err := a.run()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		w.dead = err
		closeNow(w.conn)
		a.doubt()
	}
	return a.out, err
}

// Appendable returns those of flags that an APPEND or STORE line can carry: the system flags except \Recent, which no client may
// set, and keywords that are atoms (RFC 9051 sections 2.3.2 and 9).
func Appendable(flags []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool {
		if name, system := strings.CutPrefix(f, `\`); system {
			return !slices.ContainsFunc(systemFlags, func(s string) bool { return strings.EqualFold(s, name) })
		}
		return f == "" || strings.ContainsFunc(f, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
		})
	})
}

var systemFlags = []string{"Answered", "Flagged", "Deleted", "Seen", "Draft"}

// appending is one call of Append.
type appending struct {
	*Writer
	ctx     context.Context
	mailbox string
	msgs    []Message
	out     []Outcome
	waiting map[string]int // tag → index of messages sent whole and not answered
}

// window bounds the messages that are under way: their answers must fit in the buffers of the connection, since
// nobody reads while we write.
const window = 64

func (a *appending) run() error {
	if err := a.choose(); err != nil {
		return err
	}
	for i := range a.msgs {
		a.refresh()
		line, news := a.line(i)
		var err error
		if a.literal && len(news) == 0 {
			err = a.send(i, line)
		} else {
			err = a.ask(i, line, news)
		}
		if err != nil {
			return err
		}
		for len(a.waiting) >= window {
			if err := a.answer(); err != nil {
				return err
			}
		}
	}
	return a.drain()
}

// choose selects the mailbox that is written to: Dovecot opens one anew for every APPEND unless it is selected, which
// takes longer the more it holds. A refusal is left to APPEND, whose answer says more.
func (a *appending) choose() error {
	if a.selected == a.mailbox {
		return nil
	}
	a.refresh()
	_, tagged, err := a.raw.Do(wire.Atom("SELECT"), wire.Atom(wire.EncodeMailbox(a.mailbox)))
	if err != nil {
		return err
	}
	a.selected = ""
	if tagged.Status == "OK" {
		a.selected = a.mailbox
	}
	return nil
}

// refresh gives the next step its time: progress, not duration, is what counts.
func (a *appending) refresh() { a.conn.SetDeadline(time.Now().Add(a.idle)) }

// line returns the APPEND command of message i up to its literal, and what in it this server has not accepted before.
func (a *appending) line(i int) (line string, news []string) {
	m := a.msgs[i]
	note := func(what string) {
		if !a.proven[what] {
			news = append(news, what)
		}
	}
	note("mailbox " + a.mailbox)
	line = "APPEND " + wire.EncodeMailbox(a.mailbox)
	if flags := Appendable(m.Flags); len(flags) > 0 {
		line += " (" + strings.Join(flags, " ") + ")"
		for _, f := range flags {
			note("flag " + f)
		}
	}
	if y := m.InternalDate.Year(); !m.InternalDate.IsZero() && y > 0 && y < 10000 {
		line += m.InternalDate.Format(` "_2-Jan-2006 15:04:05 -0700"`) // RFC 9051 section 9, date-time
		if y < 1971 || y > 2037 {
			news = append(news, "") // such a date may be refused though others are not: it never becomes proven
		}
	}
	return line, news
}

// send writes message i with a non-synchronizing literal and does not wait.
func (a *appending) send(i int, line string) error {
	tag := a.raw.NextTag()
	bw := a.raw.Writer()
	fmt.Fprintf(bw, "%s %s {%d+}\r\n", tag, line, a.msgs[i].Size)
	if err := a.body(i, bw); err != nil {
		return err
	}
	a.waiting[tag] = i
	_, err := bw.WriteString("\r\n")
	return err
}

// ask writes message i with a synchronizing literal: the line is judged before the message is sent.
func (a *appending) ask(i int, line string, news []string) error {
	if err := a.drain(); err != nil {
		return err
	}
	a.refresh()
	tag := a.raw.NextTag()
	bw := a.raw.Writer()
	fmt.Fprintf(bw, "%s %s {%d}\r\n", tag, line, a.msgs[i].Size)
	if err := bw.Flush(); err != nil {
		return err
	}
	resp, err := a.raw.Await(tag, nil)
	if err != nil {
		return err
	}
	if resp.Tag == "+" {
		if err := a.body(i, bw); err != nil {
			return err
		}
		a.waiting[tag] = i
		if _, err := bw.WriteString("\r\n"); err != nil {
			return err
		}
		if err := a.drain(); err != nil {
			return err
		}
		a.learn(i, news)
		return nil
	}
	return a.settle(i, resp)
}

// learn notes what the server accepted.
func (a *appending) learn(i int, news []string) {
	if a.out[i].State != Stored {
		return
	}
	for _, n := range news {
		if n != "" {
			a.proven[n] = true
		}
	}
}

// body writes the octets of message i. When it fails before the last of them was handed over, the literal stays cut off.
func (a *appending) body(i int, bw *bufio.Writer) error {
	m := a.msgs[i]
	for left := m.Size; left > 0; {
		a.refresh()
		n, err := io.CopyN(bw, m.Body, min(left, bodyChunk))
		left -= n
		if err != nil {
			a.out[i].State = Incomplete
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("a message was cut off %d octets before its end: %w", left, err)
		}
	}
	return nil
}

// bodyChunk is how much of a message may pass between two looks at the clock.
const bodyChunk = 256 << 10

// drain flushes and waits for all answers.
func (a *appending) drain() error {
	for len(a.waiting) > 0 {
		if err := a.answer(); err != nil {
			return err
		}
	}
	return nil
}

// answer flushes and waits for the next tagged answer.
func (a *appending) answer() error {
	a.refresh()
	if err := a.raw.Writer().Flush(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		resp, err := a.raw.ReadResponse()
		if err != nil {
			return err
		}
		if i, ok := a.waiting[resp.Tag]; ok {
			delete(a.waiting, resp.Tag)
			return a.settle(i, resp)
		}
		if n > untaggedBound {
			return wire.ErrTooManyResponses
		}
	}
}

// untaggedBound is how many other responses may come before an answer.
const untaggedBound = 1000

// settle records the tagged answer to message i.
func (a *appending) settle(i int, resp wire.Response) error {
	o := &a.out[i]
	o.Response = resp
	switch resp.Status {
	case "OK":
		o.State = Stored
		if resp.Code == "APPENDUID" { // RFC 4315 section 3
			validity, uid, _ := strings.Cut(resp.Arg, " ")
			o.UIDValidity, o.UID = number(validity), number(uid)
		}
		return nil
	case "NO":
		o.State = Rejected
		return nil
	case "BAD":
		o.State = Rejected
		if len(a.waiting) == 0 {
			return nil
		}
		// What follows was sent without waiting and may have been taken for commands.
	}
	return &CommandError{Command: "APPEND", Response: resp}
}

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

// doubt marks what was sent whole and never answered.
func (a *appending) doubt() {
	for _, i := range a.waiting {
		a.out[i].State = InDoubt
	}
}
