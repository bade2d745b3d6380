package wire_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

const greeting = "* PREAUTH [CAPABILITY IMAP4rev1 UIDPLUS] signed in"

// A peer is the server's end of a connection.
type peer struct {
	net.Conn
	br *bufio.Reader
}

// command reads a command line and returns its tag and the rest, or "" when the connection has ended.
func (p *peer) command() (tag, rest string) {
	line, err := p.br.ReadString('\n')
	if err != nil {
		return "", ""
	}
	tag, rest, _ = strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	return tag, rest
}

// say writes text as it is. A client that is gone is no error here.
func (p *peer) say(text string) error {
	_, err := p.Write([]byte(text))
	return err
}

// serve answers every command with lines and OK, until the client goes.
func (p *peer) serve(lines string) {
	for {
		tag, rest := p.command()
		switch {
		case tag == "":
			return
		case rest == "NOOP":
			p.say(tag + " OK still here\r\n")
		default:
			p.say(strings.ReplaceAll(lines, "§", tag)) // its own answer, or one that uses the tag
			if !strings.Contains(lines, "§") {
				p.say(tag + " OK done\r\n")
			}
		}
	}
}

// client returns a go-imap client on a Conn whose server does what serve says.
func client(t testing.TB, o wire.Options, serve func(*peer)) (*imapclient.Client, *wire.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	return clientOn(t, o, ours, theirs, serve)
}

func clientOn(t testing.TB, o wire.Options, ours, theirs net.Conn, serve func(*peer)) (*imapclient.Client, *wire.Conn) {
	t.Helper()
	if o.Greeting == "" {
		o.Greeting = greeting
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer theirs.Close()
		serve(&peer{theirs, bufio.NewReader(theirs)})
	}()
	conn := wire.NewConn(ours, o)
	c := imapclient.New(conn, nil)
	conn.ReaderDone(c.Closed())
	t.Cleanup(func() {
		conn.Close()
		theirs.Close()
		<-served
		select {
		case <-c.Closed():
		case <-time.After(10 * time.Second):
			t.Error("the library's reader still runs")
		}
	})
	if err := c.WaitGreeting(); err != nil {
		t.Fatalf("greeting: %v", err)
	}
	return c, conn
}

// results run a command and say what the client makes of the answer.
var results = map[string]func(*imapclient.Client) (string, error){
	"list": func(c *imapclient.Client) (string, error) {
		return list(c, nil)
	},
	"list status": func(c *imapclient.Client) (string, error) {
		return list(c, &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDValidity: true}})
	},
	"status": func(c *imapclient.Client) (string, error) {
		d, err := c.Status("box", &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true}).Wait()
		return statusText(d), err
	},
	"select": func(c *imapclient.Client) (string, error) {
		d, err := c.Select("INBOX", nil).Wait()
		return fmt.Sprintf("%d flags=%v permanent=%v next=%d validity=%d", d.NumMessages, d.Flags, d.PermanentFlags, d.UIDNext, d.UIDValidity), err
	},
	"capability": func(c *imapclient.Client) (string, error) {
		d, err := c.Capability().Wait()
		return names(d), err
	},
	"search": func(c *imapclient.Client) (string, error) {
		d, err := c.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
		if d.All == nil {
			return "none", err
		}
		return d.All.String(), err
	},
	"sort": func(c *imapclient.Client) (string, error) {
		d, err := c.UIDSort(&imapclient.SortOptions{
			SortCriteria:   []imapclient.SortCriterion{{Key: imapclient.SortKeyDate}},
			SearchCriteria: &imap.SearchCriteria{},
		}).Wait()
		return fmt.Sprint(d), err
	},
	"copy": func(c *imapclient.Client) (string, error) {
		d, err := c.Copy(imap.UIDSetNum(1), "box").Wait()
		return fmt.Sprintf("%d %v %v", d.UIDValidity, d.SourceUIDs, d.DestUIDs), err
	},
	"namespace": func(c *imapclient.Client) (string, error) {
		d, err := c.Namespace().Wait()
		return fmt.Sprintf("%q %q %q", d.Personal, d.Other, d.Shared), err
	},
	"quota": func(c *imapclient.Client) (string, error) {
		d, err := c.GetQuotaRoot("INBOX").Wait()
		return fmt.Sprint(d), err
	},
	"id": func(c *imapclient.Client) (string, error) {
		d, err := c.ID(nil).Wait()
		return fmt.Sprintf("%q", d.Name), err
	},
	"fetch": func(c *imapclient.Client) (string, error) {
		cmd := c.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Flags: true, UID: true})
		var out []string
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			buf, err := msg.Collect()
			if err != nil {
				return strings.Join(out, "; "), err
			}
			out = append(out, messageText(buf))
		}
		return strings.Join(out, "; "), cmd.Close()
	},
	"noop": func(c *imapclient.Client) (string, error) {
		return "", c.Create("x", nil).Wait()
	},
}

func list(c *imapclient.Client, o *imap.ListOptions) (string, error) {
	boxes, err := c.List("", "*", o).Collect()
	var out []string
	for _, b := range boxes {
		text := fmt.Sprintf("%q %q %v", b.Mailbox, string(b.Delim), b.Attrs)
		if b.ChildInfo != nil {
			text += fmt.Sprintf(" children=%v", b.ChildInfo.Subscribed)
		}
		if b.Status != nil {
			text += " " + statusText(b.Status)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; "), err
}

func statusText(d *imap.StatusData) string {
	text := fmt.Sprintf("%q next=%d validity=%d", d.Mailbox, d.UIDNext, d.UIDValidity)
	if d.NumMessages != nil {
		text += fmt.Sprintf(" messages=%d", *d.NumMessages)
	}
	return text
}

func names(caps imap.CapSet) string {
	var l []string
	for c := range caps {
		l = append(l, string(c))
	}
	slices.Sort(l)
	return strings.Join(l, " ")
}

func messageText(b *imapclient.FetchMessageBuffer) string {
	text := fmt.Sprintf("uid=%d", b.UID)
	if b.Flags != nil {
		text += fmt.Sprintf(" flags=%v", b.Flags)
	}
	if !b.InternalDate.IsZero() {
		text += " date=" + b.InternalDate.UTC().Format(time.RFC3339)
	}
	if b.RFC822Size != 0 {
		text += fmt.Sprintf(" size=%d", b.RFC822Size)
	}
	if b.ModSeq != 0 {
		text += fmt.Sprintf(" modseq=%d", b.ModSeq)
	}
	if b.Envelope != nil {
		text += fmt.Sprintf(" subject=%q from=%v", b.Envelope.Subject, b.Envelope.From)
	}
	if b.BodyStructure != nil {
		text += " structure=" + b.BodyStructure.MediaType()
	}
	for _, s := range b.BodySection {
		text += fmt.Sprintf(" body[%s]=%q", s.Section.Specifier, s.Bytes)
	}
	for _, s := range b.BinarySection {
		text += fmt.Sprintf(" binary=%q", s.Bytes)
	}
	return text
}
