package termguard_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/charmbracelet/bubbletea" // what the guard is there for
	"github.com/creack/pty"

	"github.com/imapilot-project/imapilot/tui/termguard"
)

// childVariable makes the test binary act as a guarded command: it links bubbletea and the guard as imapilot does.
const childVariable = "TERMGUARD_TEST_CHILD"

func TestMain(m *testing.M) {
	termguard.Restore()
	if os.Getenv(childVariable) != "" {
		termguard.Restore() // a second call must not matter
		term, set := os.LookupEnv("TERM")
		fmt.Printf("TERM=%q %t\n", term, set)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestTheGuardImportsOnlyOS(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if i.Path.Value != `"os"` {
				t.Errorf("%s imports %s: anything but os can delay the guard until bubbletea has asked", name, i.Path.Value)
			}
		}
	}
}

func TestAGuardedCommandAsksTheTerminalNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, term, want string }{
		{"with TERM set", "xterm-256color", `TERM="xterm-256color" true`},
		{"with TERM empty", "", `TERM="" true`},
		{"with TERM unset", "unset", `TERM="" false`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(self)
			// The race detector would let the process linger for a second at its end.
			cmd.Env = append(terminalEnv(c.term), childVariable+"=1", "GORACE=atexit_sleep_ms=0")
			output, took := onMuteTerminal(t, cmd, nil)
			if bytes.ContainsRune(output, '\x1b') {
				t.Errorf("the terminal was sent an escape sequence: %q", output)
			}
			if took > time.Second {
				t.Errorf("it took %v on a terminal that does not answer; want under 1s", took)
			}
			if !strings.Contains(string(output), c.want) {
				t.Errorf("got %q, want %q in it", output, c.want)
			}
		})
	}
}

func TestTheCommandAsksTheTerminalNothing(t *testing.T) {
	binary := build(t, "github.com/imapilot-project/imapilot/cmd/imapilot")
	for _, line := range []string{"version", "probe --help", "completion bash", "explain cert.expired"} {
		cmd := exec.Command(binary, strings.Fields(line)...)
		cmd.Env = append(terminalEnv("xterm-256color"), "NO_COLOR=1", "XDG_STATE_HOME="+t.TempDir())
		output, took := onMuteTerminal(t, cmd, nil)
		if bytes.ContainsRune(output, '\x1b') || len(output) == 0 {
			t.Errorf("%s wrote %q; want text without escape sequences", line, output)
		}
		if took > time.Second {
			t.Errorf("%s took %v on a terminal that does not answer; want under 1s", line, took)
		}
	}
}

// If this fails, bubbletea has stopped asking and the guard can go.
func TestWithoutTheGuardTheTerminalIsAsked(t *testing.T) {
	cmd := exec.Command(build(t, "./testdata/unguarded"))
	cmd.Env = terminalEnv("xterm-256color")
	asked := func(output []byte) bool { return bytes.ContainsRune(output, '\x1b') }
	if output, _ := onMuteTerminal(t, cmd, asked); !asked(output) {
		t.Errorf("got %q, want an escape sequence", output)
	}
}

// build compiles a command and returns its path.
func build(t *testing.T, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "command")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, pkg)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, output)
	}
	return binary
}

// onMuteTerminal runs cmd on a terminal that never answers until it ends or enough says so, and returns what it wrote and how long it ran.
func onMuteTerminal(t *testing.T, cmd *exec.Cmd, enough func([]byte) bool) ([]byte, time.Duration) {
	t.Helper()
	begin := time.Now()
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	watchdog := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer watchdog.Stop()

	var output []byte
	buf := make([]byte, 4096)
	for {
		n, err := terminal.Read(buf) // EIO once the other end is closed
		output = append(output, buf[:n]...)
		if err != nil {
			break
		}
		if enough != nil && enough(output) {
			cmd.Process.Kill()
			break
		}
	}
	err = cmd.Wait()
	took := time.Since(begin)
	if err != nil && enough == nil {
		t.Fatalf("%v: %v\n%s", cmd, err, output)
	}
	return output, took
}

// terminalEnv is the environment without what changes how programs see a terminal. The term "unset" leaves TERM out.
func terminalEnv(term string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "TERM", "CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORFGBG":
		default:
			env = append(env, entry)
		}
	}
	if term == "unset" {
		return env
	}
	return append(env, "TERM="+term)
}
