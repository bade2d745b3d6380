package wire

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits bound what a server may make us hold or wait for. Zero fields take the defaults.
type Limits struct {
	Line     int           // octets of one response, literals that stream through left out; default 1 MiB
	Literal  int64         // octets of one literal that streams through; default 1 GiB
	Untagged int           // untagged responses while one command is pending; default 5,000,000
	Depth    int           // nesting of parentheses in a response; default 50
	Idle     time.Duration // longest silence while a command is pending; default 2 min
}

// The defaults of Limits.
const (
	// 1 MiB holds the longest FETCH metadata, LIST line or response code that a person could make use of.
	defaultLine = 1 << 20
	// 1 GiB: no server is known to take a message of half that size. It streams, and costs no memory.
	defaultLiteral = 1 << 30
	// Mailboxes of some millions of messages exist, and one command may ask the flags of all of them.
	defaultUntagged = 5_000_000
	// Each level of multipart is a level in BODYSTRUCTURE; mail in use has under ten. go-imap recurses for each.
	defaultDepth = 50
	// Servers answer a SEARCH or a LIST of a large store within seconds, from cold disks within a minute.
	defaultIdle = 2 * time.Minute
)

// Bounds that no caller needs to set. go-imap collects what these count in memory.
const (
	// searchLines is how many times the bound of a line the search results of one command may have: without ESEARCH
	// the answer for a million messages is one line of 8 MiB.
	searchLines = 8
	// otherLines is the same for QUOTA and all else that is neither LIST nor FETCH. Some kilobytes are usual.
	otherLines = 4
	// listLines is the same for LIST and STATUS, and maxListed the number of responses: of the shortest go-imap makes 250 octets.
	listLines = 64
	maxListed = 250_000
	// maxAttributes bounds the attributes of one mailbox. Fewer are defined.
	maxAttributes = 50
	// maxMended bounds the table of mailbox names that had to be replaced, by count, and maxMendedOctets by size.
	maxMended       = 10_000
	maxMendedOctets = 1 << 20
	// maxCodeSet bounds the UID sets of COPYUID: go-imap inserts each range into a sorted slice, which takes
	// quadratic time when a server lists them backwards. Ours have at most 8 KiB.
	maxCodeSet = 32 << 10
	// maxLine bounds Limits.Line: tokens have offsets of 32 bits.
	maxLine = math.MaxInt32
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Line:     min(orDefault(l.Line, defaultLine), maxLine),
		Literal:  orDefault(l.Literal, defaultLiteral),
		Untagged: orDefault(l.Untagged, defaultUntagged),
		Depth:    orDefault(l.Depth, defaultDepth),
		Idle:     orDefault(l.Idle, defaultIdle),
	}
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// A LimitError says that the server passed a bound of [Limits] or one of the fixed ones. The connection is closed.
type LimitError struct {
	What  string // what there was too much of: "octets in one response"
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the server sent more than %d %s", e.Limit, e.What)
}

// An IdleError says that nothing moved in either direction for too long while a command was pending. The connection is closed.
type IdleError struct {
	Command string        // name of the oldest command without an answer; "" when its sending was stuck
	After   time.Duration // the bound that was passed
}

func (e *IdleError) Error() string {
	if e.Command == "" {
		return fmt.Sprintf("the server took no octet for %v", e.After)
	}
	return fmt.Sprintf("no octet came for %v while %s waited for its answer", e.After, e.Command)
}

// Timeout reports true, as net.Error has it.
func (e *IdleError) Timeout() bool { return true }

// A ByeError says that the server announced that it closes the connection, and did (RFC 9051 section 7.1.5).
type ByeError struct {
	Code string // response code in upper case, or ""
	Text string // the server's words, printable
}

func (e *ByeError) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("the server closed the connection and said: [%s] %s", e.Code, e.Text)
	}
	return "the server closed the connection and said: " + e.Text
}

// A SyntaxError says that what the server sent cannot be told apart into responses any more: going on could mean to
// take a part of a message for one. The connection is closed.
type SyntaxError struct {
	Line string // printable, cut
}

func (e *SyntaxError) Error() string { return "the server sent what is no response: " + e.Line }

// fromConnection reports whether err comes from the connection below, so that a BYE explains it better.
func fromConnection(err error) bool {
	_, limit := errors.AsType[*LimitError](err)
	_, syntax := errors.AsType[*SyntaxError](err)
	return !limit && !syntax
}
