package faulty

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parse reads a script from text, for files in testdata. One step a line; blank lines and lines that start with # are skipped:
//
//	S: TEXT        send TEXT and CRLF; {tag} is the tag of the last command
//	s: TEXT        send TEXT without CRLF; \r \n \t \xHH \\ and the like are understood as in Go
//	C: NAME        read a command and fail unless it is called so; * takes any
//	tls            do a handshake with cfg
//	wait DURATION
//	hello          wait until the client has sent something
//	serve          go on as a [Dialog] does after its greeting, with cfg
//	stall          ignore what comes until the client goes
//	close          in good order
//	cut            with FIN alone
//	reset          with RST
//
// The error names the line.
func Parse(text string, cfg *tls.Config) (Script, error) {
	var steps []Script
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		step, err := parseStep(line, cfg)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		steps = append(steps, step)
	}
	return func(c *Conn) {
		for _, step := range steps {
			step(c)
		}
	}, nil
}

var plainSteps = map[string]Script{
	"hello": (*Conn).AwaitData,
	"stall": (*Conn).Stall,
	"close": (*Conn).Close,
	"cut":   (*Conn).Cut,
	"reset": (*Conn).Reset,
}

func parseStep(line string, cfg *tls.Config) (Script, error) {
	if step := plainSteps[line]; step != nil {
		return step, nil
	}
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case "S:":
		return func(c *Conn) { c.Line(strings.ReplaceAll(arg, "{tag}", c.tag)) }, nil
	case "s:":
		octets, err := strconv.Unquote(`"` + strings.ReplaceAll(arg, `"`, `\"`) + `"`)
		if err != nil {
			return nil, fmt.Errorf("s: %q: %w", arg, err)
		}
		return func(c *Conn) { c.Send(strings.ReplaceAll(octets, "{tag}", c.tag)) }, nil
	case "C:":
		if arg == "*" {
			return func(c *Conn) { c.Command() }, nil
		}
		return func(c *Conn) { c.Expect(arg) }, nil
	case "wait":
		d, err := time.ParseDuration(arg)
		if err != nil {
			return nil, err
		}
		return func(c *Conn) { c.Wait(d) }, nil
	}
	if verb != "tls" && verb != "serve" || arg != "" {
		return nil, fmt.Errorf("unknown step %q", line)
	}
	if verb == "serve" {
		return Dialog{TLS: cfg}.Commands, nil
	}
	if cfg == nil {
		return nil, errors.New("tls without a certificate")
	}
	return func(c *Conn) { c.StartTLS(cfg) }, nil
}
