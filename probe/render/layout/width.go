package layout

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Width returns how many columns a terminal takes for s.
func Width(s string) int { return ansi.StringWidth(Clean(s)) }

// Cut shortens s to width columns, at its end, which is how sentences are cut.
func (s Style) Cut(text string, width int) string {
	text = Clean(text)
	if ansi.StringWidth(text) <= width {
		return text
	}
	return ansi.Truncate(text, width, s.ellipsis(width))
}

// CutMiddle shortens s to width columns in its middle, which is how names are cut: their ends tell them apart.
func (s Style) CutMiddle(text string, width int) string {
	text = Clean(text)
	whole := ansi.StringWidth(text)
	if whole <= width {
		return text
	}
	dots := s.ellipsis(width)
	room := width - len([]rune(dots))
	if room < 2 {
		return ansi.Truncate(text, width, "")
	}
	head := ansi.Truncate(text, (room+1)/2, "")
	// A wide character at the border may leave the tail one column too wide.
	skip := whole - room/2
	tail := ansi.TruncateLeft(text, skip, "")
	for ansi.StringWidth(tail) > room/2 {
		skip++
		tail = ansi.TruncateLeft(text, skip, "")
	}
	return head + dots + tail
}

func (s Style) ellipsis(width int) string {
	switch {
	case width < 4:
		return ""
	case s.ASCII:
		return "..."
	}
	return "…"
}

// Pad fills text with blanks on its right up to width columns.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-Width(text)))
}

// PadLeft fills text with blanks on its left up to width columns.
func PadLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-Width(text))) + text
}

// Wrap breaks text into lines of at most width columns, between words; a word that is wider stands alone on its line, uncut: it is
// an address or a pin that must be copied whole. It returns at least one line.
func Wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(Clean(text)) {
		n := ansi.StringWidth(word)
		if line != "" && used+1+n > width {
			lines = append(lines, line)
			line, used = "", 0
		}
		if line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, line)
}

// Command breaks a shell command into lines of at most width columns where the shell allows it: before a word and outside of
// quotes, with a backslash at the end; each part of a pipe begins a line. A comment behind it goes to lines of its own. The lines can be pasted as they are.
func Command(command string, width int) []string {
	command = Clean(command)
	if Width(command) <= width {
		return []string{command}
	}
	words := shellWords(command)
	comment := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "#") })
	if comment < 0 {
		comment = len(words)
	}
	var lines []string
	line := ""
	for _, word := range withValues(words[:comment]) {
		switch {
		case line == "":
			line = word
		case !strings.HasPrefix(word, "| ") && Width(line)+1+Width(word) <= width-2: // room for the backslash
			line += " " + word
		default:
			lines = append(lines, line+` \`)
			line = "  " + word
		}
	}
	lines = append(lines, line)
	if comment == len(words) {
		return lines
	}
	for _, l := range Wrap(strings.TrimLeft(strings.Join(words[comment:], " "), "# "), width-2) {
		lines = append(lines, "# "+l)
	}
	return lines
}

// withValues puts together what should not be broken: an option and its value, a pipe and its command.
func withValues(words []string) []string {
	var units []string
	for _, word := range words {
		if last := len(units) - 1; last >= 0 && takes(units[last], word) {
			units[last] += " " + word
			continue
		}
		units = append(units, word)
	}
	return units
}

// takes reports whether word belongs to what stands before it. Not every option has a value; where one has none, nothing is lost.
func takes(before, word string) bool {
	option := func(s string) bool { return strings.HasPrefix(s, "-") && !strings.Contains(s, " ") }
	return before == "|" || option(before) && !option(word) && !strings.ContainsAny(word[:1], "|<>&;)")
}

// shellWords splits a command at the blanks that stand outside of quotes. The quotes stay.
func shellWords(command string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	escaped := false
	for _, r := range command {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == ' ':
			if word.Len() > 0 {
				words = append(words, word.String())
				word.Reset()
			}
			continue
		}
		word.WriteRune(r)
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words
}
