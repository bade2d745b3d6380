//go:build unix

package tui

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A pane is a real terminal, by tmux, with a shell in it.
type pane struct {
	t   *testing.T
	dir string // of the server's socket
}

// openPane starts a tmux server of its own, 80 cells wide and 24 lines high.
func openPane(t *testing.T) *pane {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		if os.Getenv("IMAPILOT_TEST_REQUIRE") == "all" {
			t.Fatal("tmux is required and not installed")
		}
		t.Skip("tmux is not installed")
	}
	p := &pane{t: t, dir: t.TempDir()}
	p.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "env", "-u", "NO_COLOR", "-u", "CI", "LC_ALL=C.UTF-8", "PS1=ready$ ", "ENV=", "sh")
	t.Cleanup(func() { p.tmux("kill-server") })
	p.waitFor("ready$")
	return p
}

func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-L", "imapilot"}, args...)...)
	cmd.Env = append(os.Environ(), "TMUX_TMPDIR="+p.dir, "TMUX=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

// keys presses keys by tmux's names.
func (p *pane) keys(names ...string) {
	p.t.Helper()
	p.tmux(append([]string{"send-keys"}, names...)...)
}

// types types text as it is.
func (p *pane) types(text string) {
	p.t.Helper()
	p.tmux("send-keys", "-l", text)
}

// command types a line and presses enter.
func (p *pane) command(line string) {
	p.t.Helper()
	p.types(line)
	p.keys("Enter")
}

func (p *pane) screen() string {
	p.t.Helper()
	return p.tmux("capture-pane", "-p")
}

func (p *pane) waitFor(text string) {
	p.t.Helper()
	wait(p.t, text, func() bool { return strings.Contains(p.screen(), text) }, p.screen)
}

func (p *pane) waitForAll(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.waitFor(text)
	}
}

// isWhole fails unless the terminal is as a shell expects it.
func (p *pane) isWhole() {
	p.t.Helper()
	if got := p.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}"); got != "0 1" {
		p.t.Errorf("alternate screen and cursor are %s, want 0 1", got)
	}
	p.command("clear; echo settings: $(stty -a | tr ' ' '\\n' | grep -cxE 'icanon|echo|isig|opost;?')")
	p.waitFor("settings: 4")
}

// start runs the wizard in the shell.
func (p *pane) start(kind string) {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	p.command(fmt.Sprintf("clear; %s=%s '%s'; echo exit code: $?", appVariable, kind, self))
	p.waitForAll("Source", "Destination", "f1 help")
}

func TestTheWizardInATerminal(t *testing.T) {
	t.Parallel()
	p := openPane(t)
	p.start("plain")

	// The form: what is typed arrives, a password does not show.
	p.waitFor("imap.old-isp.example")
	p.keys("Tab", "Tab", "Tab", "Tab", "C-u")
	p.types("x y")
	p.waitFor("3 characters")
	p.waitFor("▌Password   •••")
	p.keys("C-r")
	p.waitFor("▌Password   x y")
	p.keys("C-r")
	p.waitFor("▌Password   •••")

	// Check, with a look at the detail and back to the form.
	p.keys("C-n")
	p.waitForAll("✓ Port 993", "ready, 1 warning", "cert.expires-soon")
	p.keys("Enter")
	p.waitFor("imapilot explain cert.expires-soon")
	p.keys("Escape")
	p.waitFor("▌! Certificate") // the detail is closed; two escapes at once would be another key
	p.keys("Escape")
	p.waitFor("3 characters")
	p.keys("C-n")

	// Plan, in other sizes.
	p.waitFor("n plans the copy")
	p.keys("n")
	p.waitForAll("60 852 messages to copy", "Archive/2019")
	p.tmux("resize-window", "-x", "120", "-y", "40")
	p.waitFor("Listen/va")
	p.tmux("resize-window", "-x", "50", "-y", "12")
	p.waitFor("41 206/41 208")
	p.tmux("resize-window", "-x", "80", "-y", "24")
	p.waitFor("29 more below")

	// Review, copy, summary.
	p.keys("n")
	p.waitForAll("Start copying", "imapilot sync --source")
	p.keys("Enter")
	p.waitForAll("INBOX", "74 %", "asks to slow down")
	p.waitForAll("in the source", "exit code 0")
	p.keys("q")
	p.waitForAll("exit code: 0", "complete", "checked after copy")
	p.isWhole()
	if all := p.tmux("capture-pane", "-p", "-S", "-"); strings.Contains(all, canary) {
		t.Error("the password is in the terminal's history")
	}
}

func TestTheWizardIsSuspendedAndComesBack(t *testing.T) {
	t.Parallel()
	p := openPane(t)
	p.start("endless-sync")
	p.keys("C-n")
	p.waitFor("n plans the copy")
	p.keys("C-z")
	p.waitFor("ready$")
	p.isWhole()
	p.command("clear; fg")
	p.waitForAll("n plans the copy", "Source")
	p.keys("n")
	p.waitFor("n reviews")
	p.keys("n")
	p.waitFor("Start copying")
	p.keys("Enter")
	p.waitFor("asks to slow down")
	p.keys("C-c")
	p.waitForAll("code 130", "not reached", "ready$")
	p.isWhole()
}
