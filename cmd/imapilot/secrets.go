package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"golang.org/x/term"
)

// needed makes sure that t can sign in: a missing user is a mistake on the command line, a missing reference means to ask.
func (f *endpointFlags) needed(t *probe.Target) error {
	if t.User == "" {
		return usagef("the %s has no user", side(t.Role)).withHint("add --%suser, or put it into the URL: imaps://user@host", f.prefix)
	}
	if t.Secret == nil {
		t.Secret, _ = secret.Parse("prompt")
	}
	return nil
}

// resolve follows the references of all targets, in their order, so that two of them can take a line each of stdin and no question
// comes later. A reference remembers what it led to.
func (a *app) resolve(ctx context.Context, targets ...*probe.Target) error {
	warned := map[*secret.Reference]bool{}
	for _, t := range targets {
		if t.Secret == nil {
			continue
		}
		_, err := t.Secret.Resolve(ctx, passwordOf(t), a.asker(t))
		if errors.Is(err, secret.ErrNoTerminal) {
			return &hintedError{err, fmt.Sprintf("say where it is with --%spassword-from env:NAME, file:PATH, fd:N, stdin, cmd:PROGRAM ARGS or cred:NAME", prefixOf(t.Role))}
		}
		if err != nil {
			return err
		}
		if w := t.Secret.Warning(); w != "" && !warned[t.Secret] {
			a.warn("%s", w)
			warned[t.Secret] = true
		}
	}
	return nil
}

// passwordOf names t's secret in errors: "source password".
func passwordOf(t *probe.Target) string {
	if t.Role == probe.RoleServer {
		return "password"
	}
	return side(t.Role) + " password"
}

func side(r probe.Role) string {
	switch r {
	case probe.RoleSource:
		return "source"
	case probe.RoleDest:
		return "destination"
	}
	return "server"
}

// prefixOf is what the endpoint flags of a target with this role start with.
func prefixOf(r probe.Role) string {
	if r == probe.RoleServer {
		return ""
	}
	return string(r) + "-"
}

// asker returns what puts the question for t's secret, or nil when nobody can be asked.
func (a *app) asker(t *probe.Target) secret.Ask {
	if !a.interactive() {
		return nil
	}
	return func(ctx context.Context, label string) (secret.Secret, error) {
		return a.askHidden(ctx, a.masked(fmt.Sprintf("%s of %s on %s: ", label, t.User, t.Host)))
	}
}

// askHidden reads a line from the terminal with its echo off.
func (a *app) askHidden(ctx context.Context, question string) (secret.Secret, error) {
	fd := int(a.stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("the terminal cannot be asked: %w", err)
	}
	fmt.Fprint(a.stderr, question)
	type answer struct {
		line []byte
		err  error
	}
	answered := make(chan answer, 1)
	// A read from a terminal cannot be interrupted: after a signal this goroutine stays until the process ends, which is next.
	go func() {
		line, err := term.ReadPassword(fd)
		answered <- answer{line, err}
	}()
	select {
	case got := <-answered:
		fmt.Fprintln(a.stderr)
		if got.err != nil {
			return secret.Secret{}, fmt.Errorf("%swas not answered: %w", question, got.err)
		}
		return secret.New(got.line), nil
	case <-ctx.Done():
		term.Restore(fd, before)
		fmt.Fprintln(a.stderr)
		return secret.Secret{}, context.Cause(ctx)
	}
}
