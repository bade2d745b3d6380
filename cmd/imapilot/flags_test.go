package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/spf13/pflag"
)

func TestDurationsAreGoDurationsOrSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "1m30s": 90 * time.Second, "250ms": 250 * time.Millisecond,
		"7": 7 * time.Second, "0.5": 500 * time.Millisecond, "2.5s": 2500 * time.Millisecond,
	} {
		var d durationValue
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%q is %v, %v, want %v", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{"", "soon", "0", "-1", "-5s", "NaN", "Inf", "1e30", "0s"} {
		var d durationValue
		if err := d.Set(text); err == nil {
			t.Errorf("%q is accepted as %v", text, time.Duration(d))
		}
	}
}

func TestConnectIsAHostWithOrWithoutAPort(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "imap.example.org": "imap.example.org", "imap.example.org:1993": "imap.example.org:1993", "192.0.2.1": "192.0.2.1",
		"192.0.2.1:143": "192.0.2.1:143", "2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "[2001:db8::1]:993": "[2001:db8::1]:993",
	} {
		if got, err := connectAddress(text); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"host:", "host:0", "host:65536", "host:imaps", ":993", "a b", "imaps://host", "user@host", "[host]", "host/x"} {
		if got, err := connectAddress(text); err == nil {
			t.Errorf("%q is accepted as %q", text, got)
		}
	}
}

func TestCAFileYieldsItsCertificatesAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	ca := imaptest.NewCA("flags")
	_, key, err := imaptest.WriteFiles(dir, "leaf", ca.Issue(imaptest.Leaf{}))
	if err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	mixed := filepath.Join(dir, "mixed.pem")
	if err := os.WriteFile(mixed, []byte("a comment\n"+string(private)+ca.RootPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readCAs(mixed)
	if err != nil || got != ca.RootPEM() {
		t.Errorf("readCAs gives %q, %v, want the root alone", got, err)
	}
	if _, err := readCAs(key); err == nil {
		t.Error("a file with a key alone is accepted")
	}
	broken := filepath.Join(dir, "broken.pem")
	if err := os.WriteFile(broken, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCAs(broken); err == nil {
		t.Error("a broken certificate is accepted")
	}
}

func TestEveryFlagCanBeSetByItsVariable(t *testing.T) {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	root := newRoot(a)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" || cmd.Name() == "help" {
			continue
		}
		cmd.InheritedFlags() // merges the global flags in
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if withoutVariable[f.Name] {
				return
			}
			value := map[string]string{
				"bool": "true", "duration": "3", "stringArray": "a.json",
			}[f.Value.Type()]
			switch f.Name {
			case "output":
				value = "json"
			case "fail-on":
				value = "warning"
			case "color":
				value = "never"
			case "log-level":
				value = "debug"
			case "flags":
				value = "mirror"
			}
			if value == "" {
				value = "something"
			}
			err := applyEnvironment(cmd.Flags(), func(name string) string {
				if name == "IMAPILOT_"+strings.ReplaceAll(strings.ToUpper(f.Name), "-", "_") {
					return value
				}
				return ""
			})
			if err != nil || !f.Changed {
				t.Errorf("%s --%s was not set by its variable: %v", cmd.Name(), f.Name, err)
			}
		})
	}
}

func TestClosestMatch(t *testing.T) {
	names := []string{"probe", "preflight", "plan", "sync", "verify", "demo", "explain", "version", "source-password-from", "timeout"}
	for name, want := range map[string]string{
		"prob": "probe", "porbe": "probe", "snyc": "sync", "verfy": "verify", "Sync": "sync", "plna": "plan", "source-password": "source-password-from",
		"timeot": "timeout", "x": "", "zzzzzz": "", "imapsync": "", "sy": "",
	} {
		if got := closest(name, names); got != want {
			t.Errorf("closest to %q is %q, want %q", name, got, want)
		}
	}
}
