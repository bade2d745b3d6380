package wire

import (
	"sync"
	"time"
	"unicode/utf8"
)

// Bounds of a transcript: it is for a person who looks for the last words before a failure.
const (
	maxShown     = 2 << 10   // octets of one line; what is longer is cut
	maxKeptOctet = 256 << 10 // octets of all lines together
)

// A Line is one line of a transcript.
type Line struct {
	Time time.Time
	Sent bool   // by us; else by the server
	Text string // without CRLF, printable, secrets masked as they were written, literals folded to {n}
}

// A Transcript keeps the last lines of a connection, in a ring bounded by count and octets. It is safe for concurrent
// use. The nil Transcript keeps nothing.
type Transcript struct {
	mu     sync.Mutex
	ring   []Line
	oldest int
	kept   int
	octets int
}

// NewTranscript returns a transcript of at most lines lines.
func NewTranscript(lines int) *Transcript {
	return &Transcript{ring: make([]Line, max(lines, 0))}
}

// Add appends a line, made printable and cut to 2 KiB.
func (t *Transcript) Add(sent bool, text string) {
	if t == nil || len(t.ring) == 0 {
		return
	}
	line := Line{Time: time.Now(), Sent: sent, Text: shortened(text)}
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.kept == len(t.ring) || t.kept > 0 && t.octets+len(line.Text) > maxKeptOctet {
		t.octets -= len(t.ring[t.oldest].Text)
		t.ring[t.oldest] = Line{}
		t.oldest = (t.oldest + 1) % len(t.ring)
		t.kept--
	}
	t.ring[(t.oldest+t.kept)%len(t.ring)] = line
	t.kept++
	t.octets += len(line.Text)
}

// shortened returns text printable and cut.
func shortened(text string) string {
	if len(text) <= maxShown {
		return Printable(text)
	}
	cut := maxShown
	for cut > maxShown-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return Printable(text[:cut]) + "…"
}

// Lines returns a copy of what is kept, oldest first.
func (t *Transcript) Lines() []Line {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := make([]Line, t.kept)
	for i := range lines {
		lines[i] = t.ring[(t.oldest+i)%len(t.ring)]
	}
	return lines
}
