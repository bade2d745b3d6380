package imapdial

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// An Injection is what a server does with a command that was sent in the clear, in one write behind STARTTLS.
type Injection uint8

// The outcomes of an injection. Only with Executed the server has the fault.
const (
	InjectionRejected Injection = iota + 1 // the connection or the handshake failed: the command was not kept apart from TLS
	InjectionIgnored                       // the handshake was done, and the command was thrown away
	InjectionInClear                       // it was answered before the handshake, where everyone sees that it is not protected
	InjectionExecuted                      // it was answered inside TLS, as if it had come from there
)

// InjectCommand finds out whether the server takes a command from before the handshake for one from inside (CVE-2011-0411 and its relatives): on
// a connection of its own it sends STARTTLS and NOOP in one write, does the handshake past a failed verification, and looks whose answer comes
// first. Nothing signs in there. A non-nil error is an *[Error]: the trial could not be made.
func InjectCommand(ctx context.Context, ep Endpoint, o *Options) (Injection, error) {
	c := &Conn{
		facts:      Facts{Endpoint: ep, Started: time.Now()},
		transcript: wire.NewTranscript(transcriptLines),
		options:    o.withDefaults(),
	}
	defer c.Close()
	var tag string
	result := InjectionRejected
	steps := []step{
		{StageConnect, c.dial},
		{StageGreeting, c.greet},
		{StageStartTLS, func(context.Context) (err error) { tag, result, err = c.inject(); return err }},
		{StageHandshake, func(ctx context.Context) error { return c.handshake(ctx, false) }},
		{StageCapability, func(context.Context) (err error) { result, err = c.answersTo(tag); return err }},
	}
	for _, s := range steps {
		err := c.bounded(ctx, s.stage, c.options.Timeout, s.do)
		switch {
		case errors.Is(err, errAnswered):
			return result, nil
		case err == nil:
		case ctx.Err() == nil && (s.stage == StageHandshake || s.stage == StageCapability || s.stage == StageStartTLS && isClosed(err)):
			return InjectionRejected, nil
		default:
			return 0, &Error{Stage: s.stage, Endpoint: ep, Err: err}
		}
	}
	return result, nil
}

// errAnswered ends the steps: the outcome is known.
var errAnswered = errors.New("the injected command was answered")

// inject says STARTTLS and the command behind it. It returns the tag of the command.
func (c *Conn) inject() (tag string, result Injection, err error) {
	start := c.raw.NextTag()
	tag = c.raw.NextTag()
	c.raw.Writer().WriteString(start + " STARTTLS\r\n" + tag + " NOOP\r\n")
	if err := c.raw.Writer().Flush(); err != nil {
		return tag, 0, err
	}
	answer, err := c.raw.Await(start, nil)
	if err != nil {
		return tag, 0, err
	}
	if answer.Status != "OK" {
		return tag, InjectionRejected, errAnswered // it takes nothing behind STARTTLS
	}
	if early := c.raw.Buffered(firstBytes); strings.HasPrefix(string(early), tag+" ") {
		return tag, InjectionInClear, errAnswered
	}
	return tag, 0, nil
}

// answersTo tells whether the first answers inside TLS are to the command with tag, which was not sent there.
func (c *Conn) answersTo(tag string) (Injection, error) {
	var untagged []wire.Response
	_, _, err := c.raw.Start(&untagged, wire.Atom("NOOP"))
	if err != nil {
		return 0, err
	}
	for range batchUntagged {
		resp, err := c.raw.ReadResponse()
		switch {
		case err != nil:
			return 0, err
		case resp.Tag == tag:
			return InjectionExecuted, nil
		case resp.Tag != "*":
			return InjectionIgnored, nil // ours: the other one never came
		}
	}
	return 0, wire.ErrTooManyResponses
}
