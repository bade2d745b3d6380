package imapdial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// An Answer is what came of one command of a batch.
type Answer struct {
	Command  string
	Untagged []wire.Response // those that came since the answer before it
	Tagged   wire.Response   // zero when none came
	Took     time.Duration   // from the sending of the batch
}

// OK reports whether the server did what the command asks for.
func (a Answer) OK() bool { return a.Tagged.Status == "OK" }

// DoAll sends commands without literals in one go and reads their answers, under the deadline of one stage before sign-in: the round trip is
// paid once (RFC 9051 section 5.5). The commands must not depend on each other's success. It returns one Answer for each command, also beside an error,
// which is that of the connection; a BYE without an answer is returned as an error, too.
func (s *Session) DoAll(ctx context.Context, commands ...string) ([]Answer, error) {
	if s.spent {
		return nil, errSpent
	}
	answers := make([]Answer, len(commands))
	for i, command := range commands {
		if strings.ContainsAny(command, "\r\n\x00") {
			return nil, errors.New("a command cannot contain a line end or NUL")
		}
		answers[i].Command = command
	}
	err := s.conn.bounded(ctx, StageSignIn, s.conn.options.Timeout, func(context.Context) error { return s.doAll(answers) })
	return answers, err
}

func (s *Session) doAll(answers []Answer) error {
	begin := time.Now()
	tags := make([]string, len(answers))
	w := s.conn.raw.Writer() // one write: servers that get the commands one by one let Nagle's algorithm hold back their answers
	for i, a := range answers {
		tags[i] = s.conn.raw.NextTag()
		w.WriteString(tags[i] + " " + a.Command + "\r\n")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var untagged []wire.Response
	for left := len(answers); left > 0; {
		resp, err := s.conn.raw.ReadResponse()
		if err != nil {
			return withBye(err, untagged)
		}
		i := slices.Index(tags, resp.Tag)
		if resp.Tag == "" || i < 0 {
			if len(untagged) == batchUntagged {
				return wire.ErrTooManyResponses
			}
			untagged = append(untagged, resp)
			continue
		}
		answers[i].Tagged, answers[i].Untagged, answers[i].Took = resp, untagged, time.Since(begin)
		tags[i], untagged = "", nil
		left--
	}
	return nil
}

// batchUntagged bounds the untagged responses to one command of a batch; EXAMINE has under 20.
const batchUntagged = 200

// A ByeError is the BYE with which a server ended a session.
type ByeError struct {
	Response wire.Response
	Err      error // of the connection, afterwards
}

func (e *ByeError) Error() string {
	return fmt.Sprintf("the server ended the session: %s", e.Response.Text)
}

func (e *ByeError) Unwrap() error { return e.Err }

// withBye puts a BYE among the last responses in front of the error that followed.
func withBye(err error, last []wire.Response) error {
	for _, r := range last {
		if r.Status == "BYE" {
			return &ByeError{Response: r, Err: err}
		}
	}
	return err
}
