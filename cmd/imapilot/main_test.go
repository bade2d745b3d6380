package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// goRace keeps the race detector from waiting a second at the end of each process.
const goRace = "atexit_sleep_ms=10"

func TestMain(m *testing.M) {
	os.Setenv("GORACE", goRace)
	testscript.Main(m, map[string]func(){"imapilot": main})
}

// TestScripts runs the real main in processes of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
			env.Setenv("GORACE", goRace)
			env.Setenv("TERM", "xterm-256color")
			env.Values[scriptKey{}] = &scriptServers{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"json":     cmdJSON,
			"ndjson":   cmdNDJSON,
			"servers":  cmdServers,
			"server":   cmdServer,
			"freeport": cmdFreePort,
			"nocanary": cmdNoCanary,
			"nonames":  cmdNoNames,
			"zone":     cmdZone,
		},
	})
}

// cmdExits runs a command that must end with an exit code: exits CODE PROGRAM ARGS…
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	keepForCanary(ts)
}

// cmdJSON checks that a file or stdout is exactly one JSON object that holds values: json FILE PATH=VALUE… A path has dots between
// keys and indices, and len for the length of a list.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: json FILE PATH=VALUE…")
	}
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		ts.Fatalf("%s is not a JSON object: %v", args[0], err)
	}
	if _, err := d.Token(); err != io.EOF {
		ts.Fatalf("%s holds more than one object", args[0])
	}
	checkPaths(ts, object, args[1:])
}

// cmdNDJSON checks that stdout or a file is one JSON object on each line, numbered without a gap, and that the first or last one
// holds values: ndjson FILE first|last PATH=VALUE…
func cmdNDJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ndjson FILE first|last PATH=VALUE…")
	}
	var events []map[string]any
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var e map[string]any
		if err := d.Decode(&e); err != nil {
			ts.Fatalf("not a JSON object: %v: %s", err, line)
		}
		for _, key := range []string{"event", "seq", "t"} {
			if e[key] == nil {
				ts.Fatalf("no %s in %s", key, line)
			}
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		ts.Fatalf("%s holds no event", args[0])
	}
	e := events[0]
	if args[1] == "last" {
		e = events[len(events)-1]
	}
	checkPaths(ts, e, args[2:])
}

func checkPaths(ts *testscript.TestScript, object map[string]any, wants []string) {
	for _, arg := range wants {
		path, want, _ := strings.Cut(arg, "=")
		got, err := valueAt(object, path)
		if err != nil {
			ts.Fatalf("%s: %v", path, err)
		}
		if got != want {
			ts.Fatalf("%s is %s, want %s", path, got, want)
		}
	}
}

func valueAt(v any, path string) (string, error) {
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[key]
			if !ok {
				return "", fmt.Errorf("there is no %s", key)
			}
			v = next
		case []any:
			if key == "len" {
				v = len(x)
				continue
			}
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				return "", fmt.Errorf("there is no %s in a list of %d", key, len(x))
			}
			v = x[i]
		default:
			return "", fmt.Errorf("there is no %s in %v", key, v)
		}
	}
	return fmt.Sprint(v), nil
}

// cmdFreePort sets a variable to a port of 127.0.0.1 where nothing listens: freeport NAME
func cmdFreePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}
