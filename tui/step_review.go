package tui

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// maxWarnings bounds what the review repeats of the check.
const maxWarnings = 3

// maxReview keeps the review's lines short enough to read.
const maxReview = 100

// reviewStep says once more what will happen, from the values that the engine will use and not from the form.
type reviewStep struct{ choice int }

var reviewChoices = [...]string{"Start copying", "Back to the plan"}

func (r *reviewStep) bindings(*wizard) []key.Binding {
	return []key.Binding{keyChoose, bind("up/down", "choose", "up", "down"), keyCommand, keyBack, keyQuit, keyHelp}
}

func (r *reviewStep) press(w *wizard, msg tea.KeyMsg) tea.Cmd {
	switch {
	case key.Matches(msg, keyUp), key.Matches(msg, keyDown):
		r.choice = 1 - r.choice
	case key.Matches(msg, keyBack), key.Matches(msg, keyChoose) && r.choice == 1:
		r.choice = 0
		w.at = stepPlan
	case key.Matches(msg, keyChoose):
		return w.copying.start(w)
	case key.Matches(msg, keyCommand):
		w.showCommand = "sync"
	case key.Matches(msg, keyQuit):
		return w.quit(0, nil)
	}
	return nil
}

func (r *reviewStep) observe(*wizard, *snapshot) {}

func (r *reviewStep) finished(*wizard, any) tea.Cmd { return nil }

func (r *reviewStep) status(w *wizard) string {
	t := w.theme
	if n := len(w.check.warnings()); n > 0 {
		return t.warn.Render(t.markWarn) + " " + layout.Counted(int64(n), "warning", "warnings") + " of the check; nothing is written before you start"
	}
	return t.ok.Render(t.markOK) + " nothing is written before you start"
}

func (r *reviewStep) body(w *wizard, wide, high int) []string {
	t := w.theme
	across := min(wide, maxReview)
	lines := r.lines(w, across-2)
	command := layout.Command(w.command("sync"), across-2)
	tail := len(reviewChoices) + 2
	if high >= roomyHeight-4 {
		tail += min(len(command), 4)
	}
	out := t.draw(box{title: "Before it starts", focused: true}, lines, across, min(len(lines)+2, max(high-tail, 3)))
	out = append(out, "")
	for i, choice := range reviewChoices {
		cursor := " "
		if i == r.choice {
			cursor, choice = t.accent.Render(t.selected), t.bold.Render(choice)
		}
		out = append(out, "  "+cursor+" "+choice)
	}
	out = append(out, "")
	if room := high - len(out); len(command) > room {
		command = append(command[:max(room-1, 0)], "  "+t.ellipsis+" c shows all of it")
	}
	for _, l := range command {
		out = append(out, " "+t.muted.Render(l))
	}
	return indent(out, (wide-across)/2)
}

func indent(lines []string, by int) []string {
	if by <= 0 {
		return lines
	}
	for i := range lines {
		lines[i] = strings.Repeat(" ", by) + lines[i]
	}
	return lines
}

// lines are the facts, each with a label.
func (r *reviewStep) lines(w *wizard, wide int) []string {
	const column = 9
	t := w.theme
	var out []string
	row := func(label, text string) {
		for i, l := range wrap(text, wide-column-2) {
			if i > 0 {
				label = ""
			}
			out = append(out, " "+t.muted.Render(t.fit(label, column))+l)
		}
	}
	var mechanisms [2]string
	for side, label := range [2]string{"From", "To"} {
		target := w.check.targetOf(side)
		row(label, visible(w.check.drafts[side].target.User))
		if rec := target.Recommended; rec != nil {
			row("", endpointWords(rec))
			mechanisms[side] = rec.Auth
		}
	}
	row("Sign-in", signInWords(mechanisms))
	if p := w.plan.plan; p != nil {
		folders := layout.Counted(int64(len(p.Folders)), "folder", "folders")
		if n := created(p); n > 0 {
			folders += ", " + layout.Count(n) + " of them new"
		}
		row("Copy", fmt.Sprintf("%s of %s, %s; %s", layout.Count(p.ToCopy), layout.Counted(p.Messages, "message", "messages"), layout.Size(p.BytesToCopy), folders))
	}
	row("Delete", "nothing, on either side; nothing is written to the source")
	row("Flags", flagWords(w.settings()))
	row("Checked", ago(w.now.Sub(w.check.ended)))
	warnings := w.check.warnings()
	for i, f := range warnings {
		if i == maxWarnings {
			row("", fmt.Sprintf("and %d more", len(warnings)-i))
			break
		}
		row([2]string{"Warning", ""}[min(i, 1)], wire.Printable(f.Summary))
	}
	if w.cfg.StateDir != "" {
		row("Lock", "in "+visible(w.cfg.StateDir)+", so that no second run copies between these accounts")
	}
	return out
}

func created(p *mailsync.Plan) (n int64) {
	for _, f := range p.Folders {
		if f.Create {
			n++
		}
	}
	return n
}

// endpointWords describes validated settings.
func endpointWords(r *probe.Recommended) string {
	security := map[string]string{"tls": "TLS", "starttls": "STARTTLS", "none": "no TLS"}[r.Security]
	trust := "certificate checked"
	switch {
	case r.Security == "none":
		trust = "everybody on the way can read it"
	case r.Pin != nil:
		trust = "only the pinned key"
	}
	return fmt.Sprintf("%s, %s, %s", net.JoinHostPort(wire.Printable(r.Host), strconv.Itoa(r.Port)), security, trust)
}

func signInWords(mechanisms [2]string) string {
	if mechanisms[source] == mechanisms[dest] {
		return mechanisms[source] + " on both; no fallback to less"
	}
	return fmt.Sprintf("%s at the source, %s at the destination; no fallback", mechanisms[source], mechanisms[dest])
}

func flagWords(s mailsync.Settings) string {
	switch s.Flags {
	case mailsync.FlagsMirror:
		return "made equal to the source's"
	case mailsync.FlagsOff:
		return "copied with new messages; those of messages already there stay as they are"
	}
	return "what the source has is set; none is taken away"
}

func (r *reviewStep) compact(w *wizard, wide, high int) []string {
	var out []string
	for i, choice := range reviewChoices {
		cursor := "  "
		if i == r.choice {
			cursor = w.theme.selected + " "
		}
		out = append(out, cursor+choice)
	}
	return append(out, r.lines(w, wide)...)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
