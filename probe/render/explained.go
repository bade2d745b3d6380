package render

import "strings"

// A section of a long text: a heading, and the paragraphs and commands below it.
type section struct {
	Heading string
	Parts   []part
}

// A part is a paragraph, or the lines of a command.
type part struct {
	Text    string
	Command string
}

// sectionsOf cuts a long text of the catalogue: headings stand at the margin, paragraphs two columns in, commands four.
func sectionsOf(text string) []section {
	var sections []section
	var current *part
	for line := range strings.SplitSeq(text, "\n") {
		body := strings.TrimRight(line, " ")
		switch {
		case body == "":
			current = nil
			continue
		case !strings.HasPrefix(body, " "):
			sections = append(sections, section{Heading: body})
			current = nil
			continue
		case len(sections) == 0:
			sections = append(sections, section{})
		}
		last := &sections[len(sections)-1]
		command, isCommand := strings.CutPrefix(body, "    ")
		if current == nil || isCommand != (current.Command != "") {
			last.Parts = append(last.Parts, part{})
			current = &last.Parts[len(last.Parts)-1]
		}
		if isCommand {
			current.Command = strings.TrimPrefix(current.Command+"\n"+command, "\n")
		} else {
			current.Text = strings.TrimSpace(current.Text + " " + strings.TrimSpace(body))
		}
	}
	return sections
}
