package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// A demoStep is one command of the demo and what must come of it.
type demoStep struct {
	title  string
	before func() error // what happens to the servers first; nil: nothing
	after  func()       // undoes it
	args   []string
	exit   int
	check  func(result demoResult) error
}

// demoResult holds what the demo looks at in the JSON of all commands.
type demoResult struct {
	Verdict  string
	Messages struct{ Copied, Present int64 }
	Findings []struct{ Code finding.Code }
}

// tell runs all steps. The first that does not go as it should ends the demo.
func (d *demo) tell(ctx context.Context) error {
	started := time.Now()
	out := d.app.stdout
	d.app.title("1. Two servers on this computer")
	fmt.Fprintf(out, "The old one, with TLS from the first byte, has %s messages (%s) in %d folders.\n", layout.Count(d.messages), layout.Size(d.octets), d.folders)
	fmt.Fprintf(out, "The new one, with STARTTLS, is empty and names its folders INBOX.Like.This.\n")
	fmt.Fprintf(out, "Their certificates come from a CA that was made just now. The commands below take\ntheir flags from variables:\n\n")
	for _, flag := range d.pairFlags(d.new.url) {
		fmt.Fprintf(out, "  export %s=%s\n", variable(flag.name), flag.value)
	}
	for i, s := range d.steps() {
		if err := d.run(ctx, i+2, s); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nAll of it went as it should, in %.1f seconds.\n", time.Since(started).Seconds())
	return nil
}

func (d *demo) steps() []demoStep {
	wrong := filepath.Join(d.dir, "wrong.pass")
	return []demoStep{
		{
			title: "Check both servers, and the two together",
			args:  []string{"preflight"},
			check: func(r demoResult) error { return expect(r.Verdict, "ready", "verdict") },
		},
		{
			title: "Copy, with exactly the settings that were found good",
			args:  []string{"sync"},
			check: func(r demoResult) error {
				return firstError(expect(r.Verdict, "complete", "verdict"), expect(r.Messages.Copied, d.messages, "messages copied"))
			},
		},
		{
			title: "Copy again: nothing is left to do",
			args:  []string{"sync"},
			check: func(r demoResult) error {
				return firstError(expect(r.Messages.Copied, int64(0), "messages copied"), expect(r.Messages.Present, d.messages, "messages present"))
			},
		},
		{
			title: "Compare both sides, every octet of every message",
			args:  []string{"verify", "--bodies"},
			check: func(r demoResult) error { return expect(r.Verdict, "equal", "verdict") },
		},
		{
			title: "The old server's certificate has expired",
			before: func() error {
				d.old.SetCertificate(d.ca.Issue(imaptest.Leaf{NotAfter: time.Now().Add(-48 * time.Hour)}))
				return nil
			},
			after: func() { d.old.SetCertificate(d.ca.Issue(imaptest.Leaf{})) },
			args:  []string{"probe", d.old.url, "--ca-file", d.old.caFile},
			exit:  exitCertificate,
			check: func(r demoResult) error { return r.found("cert.expired") },
		},
		{
			title:  "Something on the way to the new server takes STARTTLS out",
			before: func() error { d.new.SetStartTLS(imaptest.StartTLSStripped); return nil },
			after:  func() { d.new.SetStartTLS(imaptest.StartTLSOffered) },
			args:   []string{"probe", d.new.url, "--ca-file", d.new.caFile},
			exit:   exitTLS,
			check:  func(r demoResult) error { return r.found("starttls.stripped") },
		},
		{
			title:  "The password is wrong",
			before: func() error { return os.WriteFile(wrong, []byte("not the password\n"), 0o600) },
			args:   []string{"probe", d.old.url, "--ca-file", d.old.caFile, "--password-from", "file:" + wrong},
			exit:   exitSignIn,
			check:  func(r demoResult) error { return r.found("auth.failed") },
		},
	}
}

// run executes one step's command line as the shell would, without the variables of the surroundings.
func (d *demo) run(ctx context.Context, number int, s demoStep) error {
	d.app.title(fmt.Sprintf("%d. %s", number, s.title))
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	if s.after != nil {
		defer s.after()
	}
	if _, err := fmt.Fprintf(d.app.stdout, "$ imapilot %s\n\n", strings.Join(s.args, " ")); err != nil {
		return &fileError{err}
	}
	sub := &app{
		stdin: d.app.stdin, stdout: d.app.stdout, stderr: d.app.stderr,
		getenv: func(name string) string { return d.env[name] },
	}
	os.Remove(d.result())
	exit := sub.run(ctx, append(slices.Clone(s.args), "--report", d.result()))
	if stopped := signalOf(ctx); stopped != nil {
		return stopped
	}
	if err := d.judge(s, exit); err != nil {
		return &codedError{exitBug, fmt.Errorf("the demo went wrong at step %d: %w", number, err)}
	}
	if s.exit != exitOK {
		fmt.Fprintf(d.app.stdout, "(exit code %d)\n", exit)
	}
	return nil
}

func (d *demo) judge(s demoStep, exit int) error {
	if exit != s.exit {
		return fmt.Errorf("exit code %d instead of %d", exit, s.exit)
	}
	b, err := os.ReadFile(d.result())
	if err != nil {
		return err
	}
	var r demoResult
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	return s.check(r)
}

func (r demoResult) found(code finding.Code) error {
	for _, f := range r.Findings {
		if f.Code == code {
			return nil
		}
	}
	return fmt.Errorf("%s was not found", code)
}

func expect[T comparable](got, want T, what string) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s: %v instead of %v", what, got, want)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// explainHold tells how to use the servers from another terminal.
func (d *demo) explainHold() {
	out := d.app.stdout
	d.app.title("The servers stay up until Ctrl-C")
	fmt.Fprintf(out, "In another terminal, with the variables above or with flags. This copies into an\naccount of the new server that is still empty:\n\n  imapilot sync")
	for _, flag := range d.pairFlags(strings.Replace(d.new.url, demoUser+"@", spareUser+"@", 1)) {
		fmt.Fprintf(out, " \\\n    --%s %s", flag.name, flag.value)
	}
	fmt.Fprintf(out, "\n\nThe passwords are in these files. Only you can read them, and they go when the\ndemo ends.\n")
}

type flagValue struct{ name, value string }

// pairFlags are the flags that lead from the old server to an account of the new one.
func (d *demo) pairFlags(dest string) []flagValue {
	return []flagValue{
		{"source", d.old.url}, {"source-password-from", d.old.passwordFrom}, {"source-ca-file", d.old.caFile},
		{"dest", dest}, {"dest-password-from", d.new.passwordFrom}, {"dest-ca-file", d.new.caFile},
	}
}

// title begins a part of the demo.
func (a *app) title(s string) {
	if a.look().Color {
		s = "\x1b[1m" + s + "\x1b[0m"
	}
	fmt.Fprintf(a.stdout, "\n%s\n\n", s)
}
