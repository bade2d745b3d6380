package tui

import (
	"os"
	"time"

	"golang.org/x/term"
)

// giveBack undoes what bubbletea may have switched on: bracketed paste, the alternate screen, the hidden cursor, colours.
const giveBack = "\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[0m"

// A screen is the terminal as it was before the wizard.
type screen struct {
	in, out *os.File
	state   *term.State
}

// openScreen remembers how the terminal is set.
func openScreen(in, out *os.File) *screen {
	s := &screen{in: in, out: out}
	if state, err := term.GetState(int(in.Fd())); err == nil {
		s.state = state
	}
	return s
}

// restore makes the terminal what it was. bubbletea has done so too when it ended well; where it could not, abandoned is true. A terminal that
// does not read any more is not waited for.
func (s *screen) restore(abandoned bool) {
	if abandoned {
		written := make(chan struct{})
		go func() {
			defer close(written)
			s.out.WriteString(giveBack)
		}()
		select {
		case <-written:
		case <-time.After(killGrace):
		}
	}
	if s.state != nil {
		term.Restore(int(s.in.Fd()), s.state)
	}
}
