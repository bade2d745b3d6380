package main

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/imapilot-project/imapilot"

// mayImport holds the arrows of the design: which packages of ours a package may import, tests apart. A package that is not listed here
// has no place yet: put it in with its reason.
var mayImport = map[string][]string{
	"cmd/imapilot": {"tui", "tui/termguard", "sync/job", "probe", "sync", "probe/finding", "probe/render", "probe/render/layout", "probe/render/redact", "sync/render", "sync/profile", "probe/dns",
		"probe/imapdial", "probe/imapdial/secret", "probe/imapdial/wire", "probe/imapdial/imaptest"},
	"tui": {"tui/termguard", "sync/job", "probe", "sync", "probe/finding", "probe/render", "probe/render/layout", "sync/render", "sync/profile",
		"probe/imapdial", "probe/imapdial/secret", "probe/imapdial/wire"},
	"tui/termguard": {},
	"sync/job":      {"probe", "sync", "probe/finding", "probe/imapdial", "probe/imapdial/secret", "probe/imapdial/wire", "sync/profile"},
	"sync/profile":  {"probe/imapdial", "probe/imapdial/secret"},
	"sync/render":   {"sync", "probe/finding", "probe/render/layout", "probe/render/redact"},
	"sync":          {"probe/imapdial", "probe/imapdial/secret", "probe/imapdial/wire", "probe/finding", "probe/provider", "sync/journal"},
	"sync/journal":  {},

	"probe": {"probe/imapdial", "probe/imapdial/secret", "probe/imapdial/wire", "probe/finding", "probe/dns", "probe/hello", "probe/netpath",
		"probe/provider"},
	"probe/finding":           {},
	"probe/render":            {"probe", "probe/finding", "probe/render/layout"},
	"probe/render/layout":     {"probe/imapdial/wire"},
	"probe/render/redact":     {"probe", "probe/finding"},
	"probe/imapdial":          {"probe/imapdial/secret", "probe/imapdial/wire", "probe/imapdial/tcpinfo"},
	"probe/imapdial/wire":     {"probe/imapdial/secret"},
	"probe/imapdial/secret":   {},
	"probe/imapdial/tcpinfo":  {},
	"probe/imapdial/imaptest": {},
	"probe/dns":               {},
	"probe/hello":             {},
	"probe/netpath":           {},
	"probe/provider":          {},

	// For tests alone.
	"probe/imapdial/imaptest/faulty":     {"probe/imapdial/imaptest"},
	"probe/imapdial/imaptest/realserver": {"probe/imapdial/imaptest"},
	"probe/netpath/netlab":               {"probe/imapdial/imaptest/realserver"},
}

// frontEndOnly may stand in the dependencies of cmd and tui, and of no engine.
var frontEndOnly = []string{
	"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/charmbracelet/bubbletea", "github.com/charmbracelet/lipgloss",
	modulePath + "/tui", modulePath + "/cmd/imapilot",
}

// notInTheCommand are for tests alone.
var notInTheCommand = []string{
	"testing", modulePath + "/probe/imapdial/imaptest/faulty", modulePath + "/probe/imapdial/imaptest/realserver", modulePath + "/probe/netpath/netlab",
	"github.com/rogpeppe/go-internal/testscript", "github.com/creack/pty",
}

type listedPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Module     *struct{ Main bool }
}

// ours returns the packages of this module.
func ours(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports,Deps,Module", modulePath+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var own []listedPackage
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listedPackage
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && p.Module.Main {
			own = append(own, p)
		}
	}
	if len(own) < 10 {
		t.Fatalf("go list found %d packages of ours", len(own))
	}
	return own
}

func TestArrowsPointOneWay(t *testing.T) {
	for _, p := range ours(t) {
		name := strings.TrimPrefix(p.ImportPath, modulePath+"/")
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s has no place in the arrows: give it one in mayImport", name)
			continue
		}
		for _, imported := range p.Imports {
			short, isOurs := strings.CutPrefix(imported, modulePath+"/")
			if isOurs && !slices.Contains(allowed, short) {
				t.Errorf("%s must not import %s", name, short)
			}
		}
	}
}

func TestEnginesKnowNoFrontEnd(t *testing.T) {
	for _, p := range ours(t) {
		name := strings.TrimPrefix(p.ImportPath, modulePath+"/")
		if name == "tui" || strings.HasPrefix(name, "cmd/") {
			continue
		}
		for _, d := range frontEndOnly {
			if slices.Contains(p.Deps, d) {
				t.Errorf("%s depends on %s", name, d)
			}
		}
	}
}

func TestCommandHoldsNothingOfTheTests(t *testing.T) {
	for _, p := range ours(t) {
		if p.ImportPath != modulePath+"/cmd/imapilot" {
			continue
		}
		for _, d := range notInTheCommand {
			if slices.Contains(p.Deps, d) {
				t.Errorf("the command depends on %s", d)
			}
		}
		return
	}
	t.Error("go list did not list the command")
}
