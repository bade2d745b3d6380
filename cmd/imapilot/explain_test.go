package main

import (
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/finding"
)

func TestCatalogueHasEveryCodeUnderItsArea(t *testing.T) {
	text := catalogue()
	area := ""
	var listed []string
	for line := range strings.Lines(text) {
		switch words := strings.Fields(line); {
		case len(words) == 0, strings.HasPrefix(line, "imapilot"):
		case !strings.HasPrefix(line, " "):
			area, _, _ = strings.Cut(line, ":")
			if areas[area] == "" {
				t.Errorf("the area %s has no words", area)
			}
		default:
			if !strings.HasPrefix(words[0], area+".") {
				t.Errorf("%s stands under %s", words[0], area)
			}
			listed = append(listed, words[0])
		}
		if n := len(strings.TrimRight(line, "\n")); n > 96 {
			t.Errorf("a line has %d columns: %s", n, line)
		}
	}
	if got, want := len(listed), len(finding.Catalogue()); got != want {
		t.Errorf("%d codes are listed, want %d", got, want)
	}
}
