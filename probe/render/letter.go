package render

import (
	"strings"

	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// A Letter is the text of a remedy that has a part which is ready to be sent to somebody: what to do stands on its first line, and the others are
// paragraphs, each on one line; those that begin with two blanks are commands.
type Letter struct {
	Head string
	Body []LetterLine // empty: there is nothing to send
}

// A LetterLine is a paragraph of a letter, or a command; it is never wrapped. An empty one is a blank line.
type LetterLine struct {
	Text    string
	Command bool
}

// letterWidth is how wide the lines of a letter are at most: programs for mail break longer ones (RFC 3676 section 4.2 has 78).
const letterWidth = 76

// LetterOf cuts the text of a remedy. A text with control characters other than line ends is not one of ours, and so no letter.
func LetterOf(text string) Letter {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		if lines[i] = strings.TrimRight(line, " "); layout.Clean(lines[i]) != lines[i] {
			return Letter{Head: layout.Clean(text)}
		}
	}
	l := Letter{Head: lines[0]}
	for _, line := range lines[1:] {
		command, ok := strings.CutPrefix(line, "  ")
		l.Body = append(l.Body, LetterLine{strings.TrimSpace(command), ok})
	}
	return l
}

// Wrapped are the lines of the letter's body for a terminal or a text of some width, without anything around them, so that they can be copied.
func (l Letter) Wrapped(width int) []string {
	width = min(width, letterWidth)
	var lines []string
	for _, part := range l.Body {
		if !part.Command {
			lines = append(lines, layout.Wrap(part.Text, width)...)
			continue
		}
		for _, line := range layout.Command(part.Text, width-2) {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}

// Text is the whole, the letter behind what to do, with wrapped lines.
func (l Letter) Text(width int) string {
	return strings.Join(append([]string{l.Head}, l.Wrapped(width)...), "\n")
}
