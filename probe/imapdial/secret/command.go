package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode"
)

// maxComplaint bounds what is kept of a command's stderr: enough for its last lines.
const maxComplaint = 4 << 10

// lingering is how long a command's children may hold its output open after it has ended or was killed.
const lingering = 2 * time.Second

// runCommand runs args without a shell and returns the first line of its standard output.
func runCommand(ctx context.Context, args []string) ([]byte, error) {
	stdout := &bounded{max: maxSecret, failure: errTooLong}
	stderr := &bounded{max: maxComplaint}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout = stdout
	cmd.Stderr = stderr
	cmd.WaitDelay = lingering
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case stdout.passed:
		return nil, fmt.Errorf("the command wrote %w", errTooLong)
	case err != nil && cmd.ProcessState == nil:
		return nil, fmt.Errorf("the command cannot be run: %w", err)
	case err != nil:
		if complaint := printable(stderr.buf.String()); complaint != "" {
			return nil, fmt.Errorf("the command ended with %w and said: %s", err, complaint)
		}
		return nil, fmt.Errorf("the command ended with %w", err)
	}
	line, _, found := bytes.Cut(stdout.buf.Bytes(), []byte("\n"))
	if found {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	return line, nil
}

// bounded keeps the first max octets. Past them it drops the rest, or fails if failure is set.
type bounded struct {
	max     int
	failure error
	buf     bytes.Buffer
	passed  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.max - b.buf.Len()
	if len(p) <= room {
		return b.buf.Write(p)
	}
	b.passed = true
	b.buf.Write(p[:room])
	if b.failure != nil {
		return room, b.failure
	}
	return len(p), nil
}

// printable puts s on one line and keeps what a person can read.
func printable(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}

// splitWords splits at white space; single and double quotes keep it. Nothing else is special.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord := false
	for _, c := range s {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case unicode.IsSpace(c):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("a program must follow the colon")
	}
	return words, nil
}
