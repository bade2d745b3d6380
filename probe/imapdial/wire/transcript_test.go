package wire

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func texts(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		if l.Sent {
			b.WriteString("> " + l.Text + "\n")
		} else {
			b.WriteString("< " + l.Text + "\n")
		}
	}
	return b.String()
}

func TestTranscriptKeepsTheLastLines(t *testing.T) {
	tr := NewTranscript(3)
	for i := range 5 {
		tr.Add(i%2 == 0, fmt.Sprintf("line %d\x1b[0m", i))
	}
	if got, want := texts(tr.Lines()), "> line 2\n< line 3\n> line 4\n"; got != want {
		t.Errorf("Lines gives %q, want %q", got, want)
	}
	lines := tr.Lines()
	lines[0].Text = "changed"
	if texts(tr.Lines()) == texts(lines) {
		t.Error("Lines does not return a copy")
	}
	if lines[0].Time.IsZero() || lines[2].Time.Before(lines[0].Time) {
		t.Errorf("times are %v and %v", lines[0].Time, lines[2].Time)
	}
}

func TestTranscriptIsBoundedByOctets(t *testing.T) {
	tr := NewTranscript(100_000)
	for range 2000 {
		tr.Add(false, strings.Repeat("é", 5000))
	}
	octets := 0
	for _, l := range tr.Lines() {
		octets += len(l.Text)
		if !utf8.ValidString(l.Text) || !strings.HasSuffix(l.Text, "é…") {
			t.Fatalf("a line was cut to %q", l.Text[len(l.Text)-8:])
		}
	}
	if octets > maxKeptOctet || octets < maxKeptOctet-2*maxShown {
		t.Errorf("%d octets are kept, want nearly %d", octets, maxKeptOctet)
	}
}

func TestTranscriptsThatKeepNothing(t *testing.T) {
	for _, tr := range []*Transcript{nil, NewTranscript(0), NewTranscript(-1), {}} {
		tr.Add(true, "x")
		if got := tr.Lines(); len(got) != 0 {
			t.Errorf("Lines gives %v", got)
		}
	}
}

func TestTranscriptIsSafeForConcurrentUse(t *testing.T) {
	tr := NewTranscript(10)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				tr.Add(true, "x")
				tr.Lines()
			}
		})
	}
	wg.Wait()
	if got := len(tr.Lines()); got != 10 {
		t.Errorf("%d lines are kept, want 10", got)
	}
}
