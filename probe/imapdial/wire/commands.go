package wire

import (
	"bytes"
	"slices"
	"strings"
)

// commands knows which commands are under way, from what goes out and the tagged responses that come in. Sign-in is
// over, so nothing secret passes.
type commands struct {
	pending []command

	line    []byte // the command that is being sent, literals folded
	part    int    // where what follows its last literal begins in line
	literal int64  // octets of its literal still to pass
	started bool   // its first part was looked at
}

type command struct {
	tag, name string
	consents  int // continuation requests that the server owes
}

// sent takes octets on their way out and returns the commands that they complete, for the transcript.
func (c *commands) sent(p []byte) []string {
	var complete []string
	for len(p) > 0 {
		if c.literal > 0 {
			n := min(c.literal, int64(len(p)))
			c.literal -= n
			p = p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			c.line = append(c.line, p...)
			break
		}
		c.line = append(c.line, p[:end]...)
		p = p[end:]
		if c.endOfLine() {
			complete = append(complete, string(c.line))
			c.line, c.part, c.started = c.line[:0], 0, false
		}
	}
	return complete
}

// endOfLine looks at a line that has been written whole, and reports whether it ends the command.
func (c *commands) endOfLine() bool {
	part := bytes.TrimRight(c.line[c.part:], "\r\n")
	c.line = c.line[:c.part+len(part)]
	if !c.started {
		c.start()
	}
	n, ok := literalSize(part)
	if !ok {
		return true
	}
	c.literal, c.part = n, len(c.line)
	if part[len(part)-2] != '+' { // RFC 9051 section 4.3: the server must consent
		c.expectConsent()
	}
	return false
}

// start registers the command that line begins.
func (c *commands) start() {
	words := strings.Fields(string(c.line[:min(len(c.line), 64)]))
	c.started = true
	if len(words) < 2 { // DONE ends IDLE (RFC 9051 section 6.3.13)
		return
	}
	name := strings.ToUpper(words[1])
	if name == "UID" && len(words) > 2 {
		name += " " + strings.ToUpper(words[2])
	}
	c.pending = append(c.pending, command{tag: words[0], name: name})
	if name == "IDLE" {
		c.expectConsent()
	}
}

func (c *commands) expectConsent() {
	if n := len(c.pending); n > 0 {
		c.pending[n-1].consents++
	}
}

// consented takes note of a continuation request and reports whether one was due.
func (c *commands) consented() bool {
	for i := range c.pending {
		if c.pending[i].consents > 0 {
			c.pending[i].consents--
			return true
		}
	}
	return false
}

// finish takes note of a tagged response and reports whether its command was under way.
func (c *commands) finish(tag string) bool {
	i := slices.IndexFunc(c.pending, func(p command) bool { return p.tag == tag })
	if i < 0 {
		return false
	}
	c.pending = slices.Delete(c.pending, i, i+1)
	return true
}

// oldest returns the name of the command that has waited longest for its answer, or "". IDLE is none: during it
// a server may be silent for half an hour.
func (c *commands) oldest() string {
	for _, p := range c.pending {
		if p.name != "IDLE" {
			return p.name
		}
	}
	return ""
}
