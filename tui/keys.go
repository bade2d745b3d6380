package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
)

// bind returns a binding of keys whose help is label and what it does.
func bind(label, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(label, does))
}

// The bindings. What the code matches on is what the help shows. Left out on purpose: ctrl+a and ctrl+b (the prefixes of screen and
// tmux), ctrl+s and ctrl+q (flow control), ctrl+i, ctrl+m and ctrl+h (tab, enter and backspace).
var (
	keyInterrupt = bind("ctrl+c", "stop", "ctrl+c")
	keySuspend   = bind("ctrl+z", "suspend", "ctrl+z")
	keyHelp      = bind("?", "help", "?", "f1")
	keyHelpForm  = bind("f1", "help", "f1")
	keyQuit      = bind("q", "quit", "q")
	keyClose     = bind("any key", "closes this") // for the help alone

	keyNextField = bind("tab", "next", "tab", "down")
	keyPrevField = bind("shift+tab", "back", "shift+tab", "up")
	keyEnter     = bind("enter", "next", "enter")
	keyChange    = bind("left/right", "change", "left", "right", " ")
	keyReveal    = bind("ctrl+r", "show password", "ctrl+r")
	keyCopySides = bind("ctrl+y", "copy source to destination", "ctrl+y")
	keyCheckNow  = bind("ctrl+n", "check both servers", "ctrl+n")

	keyUp     = bind("up/down", "move", "up", "k", "ctrl+p")
	keyDown   = bind("down", "down", "down", "j")
	keyPageUp = bind("pgup/pgdn", "page", "pgup")
	keyPageDn = bind("pgdn", "page", "pgdown")
	keyHome   = bind("home/end", "ends", "home", "g")
	keyEnd    = bind("end", "end", "end", "G")
	keySide   = bind("tab", "other side", "tab", "shift+tab", "left", "right")
	keyOpen   = bind("enter", "detail", "enter")
	keyShut   = bind("esc", "close", "esc", "enter", "q")
	keyBack   = bind("esc", "back", "esc")
	keyNext   = bind("n", "next step", "n", "ctrl+n")
	keyAgain  = bind("r", "check again", "r", "R")
	keyReread = bind("r", "read again", "r", "R")
	keyEdit   = bind("e", "edit field", "e")
	keyFault  = bind("f", "next finding", "f")
	keyApply  = bind("1-9", "apply fix", "1", "2", "3", "4", "5", "6", "7", "8", "9")

	keyCommand  = bind("c", "command", "c")
	keyLetter   = bind("w", "text to send", "w")
	keyChoose   = bind("enter", "do it", "enter")
	keyStop     = bind("q", "stop safely", "q")
	keyFailures = bind("f", "failed only", "f")
	keyRetry    = bind("r", "run again", "r")
	keyLeave    = bind("q", "leave", "q")
	keyKeep     = bind("esc", "keep going", "esc")
	keyStopNow  = bind("s", "stop", "s")
)

// helpGap is between two bindings in a row.
const helpGap = 3

// helpRows lays out bindings over rows lines of w cells. What does not fit is left out from the end, all but the last binding:
// that is the one that leads to the whole list.
func (t *theme) helpRows(bindings []key.Binding, rows, w int) []string {
	out := make([]string, rows)
	if rows == 0 || len(bindings) == 0 {
		return out
	}
	rest, last := bindings[:len(bindings)-1], t.oneRow(bindings[len(bindings)-1:])
	row, room := 0, w-1
	if all := t.oneRow(bindings); width(all) <= room {
		out[0], rest, last = all, nil, ""
	}
	for _, b := range rest {
		next := t.oneRow([]key.Binding{b})
		if row < rows-1 && !joins(out[row], next, room) {
			row++
		}
		if row == rows-1 && !joins(out[row], next, room-helpGap-width(last)) {
			break
		}
		out[row] = joined(out[row], next)
	}
	if last != "" {
		out[rows-1] = joined(out[rows-1], last)
	}
	for i := range out {
		out[i] = t.fit(" "+out[i], w)
	}
	return out
}

// joins tells that next has room behind row.
func joins(row, next string, room int) bool { return width(joined(row, next)) <= room }

func joined(row, next string) string {
	if row == "" {
		return next
	}
	return row + strings.Repeat(" ", helpGap) + next
}

// oneRow is the help of bindings beside each other.
func (t *theme) oneRow(bindings []key.Binding) string {
	row := ""
	for _, b := range bindings {
		row = joined(row, t.accent.Render(b.Help().Key)+" "+b.Help().Desc)
	}
	return row
}

// helpList is the whole list of bindings, one a line.
func (t *theme) helpList(bindings []key.Binding) []string {
	const column = 12
	var out []string
	for _, b := range bindings {
		out = append(out, " "+t.fit(t.accent.Render(b.Help().Key), column)+" "+b.Help().Desc)
	}
	return out
}
