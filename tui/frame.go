package tui

import (
	"math"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// Sizes at which the layout changes, in cells.
const (
	compactWidth  = 60 // below: words only, no boxes
	compactHeight = 16
	pairWidth     = 80 // from here on both sides stand beside each other
	wideWidth     = 120
	roomyHeight   = 24 // from here on blank rows and hints
	tallHeight    = 30 // from here on the equivalent command and larger panes
	maxWidth      = 160
)

// width returns the cells that s takes on the screen; escape sequences take none.
func width(s string) int { return ansi.StringWidth(s) }

// fit makes s exactly w cells wide: cut at its end, or filled with blanks.
func (t *theme) fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if width(s) > w {
		s = ansi.Truncate(s, w, t.tail(w))
	}
	return s + strings.Repeat(" ", max(w-width(s), 0))
}

// fitRight is fit with s at the right end.
func (t *theme) fitRight(s string, w int) string {
	if width(s) >= w {
		return t.fit(s, w)
	}
	return strings.Repeat(" ", w-width(s)) + s
}

// tail is what stands for the part that was cut off, where there is room for it.
func (t *theme) tail(w int) string {
	if w <= width(t.ellipsis) {
		return ""
	}
	return t.ellipsis
}

// middle cuts s in its middle: both ends tell names of hosts and folders apart.
func (t *theme) middle(s string, w int) string {
	return layout.Style{ASCII: t.ascii}.CutMiddle(s, w)
}

// sides puts left and right at the two ends of w cells. Left gives way.
func (t *theme) sides(left, right string, w int) string {
	if width(right) >= w {
		return t.fit(right, w)
	}
	return t.fit(left, w-width(right)) + right
}

// wrap breaks s into lines of at most w cells, at blanks alone where it can: a flag or a name stays in one piece. There is always
// a first line.
func wrap(s string, w int) []string {
	if w < 1 {
		return []string{""}
	}
	out := []string{""}
	for word := range strings.FieldsSeq(s) {
		last := len(out) - 1
		switch {
		case out[last] == "":
			out[last] = word
		case width(out[last])+1+width(word) <= w:
			out[last] += " " + word
			continue
		default:
			out = append(out, word)
		}
		for last = len(out) - 1; width(out[last]) > w; last++ {
			head := ansi.Truncate(out[last], w, "")
			if head == "" { // a character wider than the line
				break
			}
			out = append(out, strings.TrimPrefix(out[last], head))
			out[last] = head
		}
	}
	return out
}

// A box is a frame with a title and room for a remark at the upper right and one at the lower left.
type box struct {
	title, right, bottom string
	focused              bool
}

// draw puts lines into the frame, w cells wide and h lines high with it. The first cell of each line is the padding
// column, where a row's mark goes. What does not fit is cut.
func (t *theme) draw(b box, lines []string, w, h int) []string {
	if w < 4 || h < 2 {
		return nil
	}
	style := t.border
	title := b.title
	if b.focused {
		style = t.focusedBorder
		title = t.bold.Render(title)
	}
	horizontal, vertical := t.frame[4], style.Render(t.frame[5])
	edge := func(left, label, remark, right string) string {
		if label != "" {
			label = " " + label + " "
		}
		if remark != "" {
			remark = " " + remark + " " + horizontal
		}
		room := w - 3
		if width(label)+width(remark) > room {
			remark = ""
		}
		if width(label) > room {
			label = t.fit(label, room)
		}
		line := strings.Repeat(horizontal, max(room-width(label)-width(remark), 0))
		return style.Render(left+horizontal) + label + style.Render(line) + style.Render(remark) + style.Render(right)
	}
	out := make([]string, 0, h)
	out = append(out, edge(t.frame[0], title, b.right, t.frame[1]))
	for i := range h - 2 {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		out = append(out, vertical+t.fit(line, w-2)+vertical)
	}
	return append(out, edge(t.frame[3], b.bottom, "", t.frame[2]))
}

// beside joins blocks of lines from left to right. They have equal heights.
func beside(blocks ...[]string) []string {
	if len(blocks) == 0 {
		return nil
	}
	out := make([]string, len(blocks[0]))
	for i := range out {
		for _, b := range blocks {
			if i < len(b) {
				out[i] += b[i]
			}
		}
	}
	return out
}

// over draws a dialog in the middle of lines.
func (t *theme) over(lines, dialog []string, w int) []string {
	if len(dialog) == 0 {
		return lines
	}
	out := append([]string(nil), lines...)
	top := max((len(out)-len(dialog))/2, 0)
	left := max((w-width(dialog[0]))/2, 0)
	for i, d := range dialog {
		if top+i >= len(out) {
			break
		}
		below := t.fit(out[top+i], w)
		out[top+i] = ansi.Truncate(below, left, "") + d + ansi.TruncateLeft(below, left+width(d), "")
	}
	return out
}

// scrolled returns the offset of a text after a key; the end is cut to what there is when it is drawn.
func scrolled(offset int, msg tea.KeyMsg) int {
	switch {
	case key.Matches(msg, keyUp):
		offset--
	case key.Matches(msg, keyDown):
		offset++
	case key.Matches(msg, keyPageUp):
		offset -= 10
	case key.Matches(msg, keyPageDn):
		offset += 10
	case key.Matches(msg, keyHome):
		offset = 0
	case key.Matches(msg, keyEnd):
		offset = math.MaxInt32
	}
	return max(offset, 0)
}

// A scroll is a window on a list of rows, with a cursor in it.
type scroll struct{ cursor, top int }

// move shifts the cursor by n within total rows.
func (s *scroll) move(n, total int) {
	s.cursor = min(max(s.cursor+n, 0), max(total-1, 0))
}

// window returns the rows to show of total when there is room for height. It follows the cursor.
func (s *scroll) window(total, height int) (from, to int) {
	height = max(height, 1)
	s.cursor = min(max(s.cursor, 0), max(total-1, 0))
	s.top = min(s.top, s.cursor, max(total-height, 0))
	s.top = max(s.top, s.cursor-height+1, 0)
	return s.top, min(s.top+height, total)
}
