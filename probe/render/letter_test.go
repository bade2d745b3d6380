package render

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/render/layout"
)

func TestLetterOfARemedy(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Letter
	}{
		{"one line is what to do", "try another network", Letter{Head: "try another network"}},
		{"the rest is to be sent", "send this to them:\nConnections vanish.\n\nPlease look:\n  tcpdump -n tcp port 993\n", Letter{"send this to them:",
			[]LetterLine{{"Connections vanish.", false}, {"", false}, {"Please look:", false}, {"tcpdump -n tcp port 993", true}}}},
		{"control characters make none", "said \x1b[2J\nready", Letter{Head: "said  ready"}},
		{"nor does a carriage return", "one\r\ntwo", Letter{Head: "one two"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := LetterOf(test.text); got.Head != test.want.Head || !slices.Equal(got.Body, test.want.Body) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestLetterFitsAndLosesNoWord(t *testing.T) {
	letter := LetterOf(letterText)
	for width := 40; width <= 120; width++ {
		lines := letter.Wrapped(width)
		for _, line := range lines {
			if n := layout.Width(line); n > min(width, letterWidth) {
				t.Errorf("at %d columns a line has %d: %s", width, n, line)
			}
		}
		_, body, _ := strings.Cut(letterText, "\n")
		got := strings.Fields(strings.ReplaceAll(strings.Join(lines, " "), ` \ `, " "))
		if want := strings.Fields(body); !slices.Equal(got, want) {
			t.Errorf("at %d columns the words are %q, want %q", width, got, want)
		}
	}
}

// TestLetterCanBeCopiedFromTheText looks for the letter in a row of whole lines: nothing stands before them.
func TestLetterCanBeCopiedFromTheText(t *testing.T) {
	for _, o := range []Options{{}, {ASCII: true}, {Color: true}, {Verbose: true, Width: 60}} {
		width := o.Width
		if width == 0 {
			width = layout.DefaultWidth
		}
		want := "\n\n" + strings.Join(LetterOf(letterText).Wrapped(width), "\n") + "\n\n"
		if got := text(t, pathDropped(), o); !strings.Contains(got, want) {
			t.Errorf("with %+v there is no\n%s\nin\n%s", o, want, got)
		}
	}
}

func TestLetterKeepsItsLinesInEveryFormat(t *testing.T) {
	whole := strings.Join(LetterOf(letterText).Wrapped(letterWidth), "\n")
	if got := string(written(t, ".xml", pathDropped())); !strings.Contains(got, "\n"+whole+"\n") {
		t.Errorf("JUnit has it not in whole lines:\n%s", got)
	}
	if got, want := string(written(t, ".md", pathDropped())), "  ```text\n  "+strings.ReplaceAll(whole, "\n", "\n  ")+"\n  ```\n"; !strings.Contains(got, want) {
		t.Errorf("Markdown has it not as a block:\n%s", got)
	}
	var log sarifLog
	if err := json.Unmarshal(written(t, ".sarif", pathDropped()), &log); err != nil {
		t.Fatal(err)
	}
	if got := log.Runs[0].Results[0].Properties.Remedies[1]; !strings.HasSuffix(got, ":\n"+whole) {
		t.Errorf("SARIF has the remedy\n%s", got)
	}
	_, paragraph, _ := strings.Cut(letterText, "\n")
	if got := checkHTML(t, "dropped", written(t, ".html", pathDropped())); !strings.Contains(got, paragraph) {
		t.Errorf("the page has not\n%s", paragraph)
	}
}
