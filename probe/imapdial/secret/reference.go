package secret

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// accepted lists the forms that Parse takes, for its errors.
const accepted = "prompt, env:NAME, file:PATH, fd:N, stdin, cmd:PROGRAM ARGS or cred:NAME"

// ErrNoTerminal says that a secret had to be asked for and nobody can be asked.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// errEmpty is the cause when a reference exists and yields no octet.
var errEmpty = errors.New("it is empty")

// A ReferenceError says that a reference leads to nothing: a missing variable, an empty file, a command that ended
// with an error.
type ReferenceError struct {
	Label     string // whose secret it is, as given to Resolve
	Reference string // textual form
	Err       error  // why
}

func (e *ReferenceError) Error() string {
	return fmt.Sprintf("%s from %s: %v", e.Label, e.Reference, e.Err)
}

// Unwrap returns the cause.
func (e *ReferenceError) Unwrap() error { return e.Err }

type kind string

const (
	fromPrompt  kind = "prompt"
	fromEnv     kind = "env"
	fromFile    kind = "file"
	fromFD      kind = "fd"
	fromStdin   kind = "stdin"
	fromCommand kind = "cmd"
	fromCred    kind = "cred"
)

// readAgain reports whether a later look can show a renewed secret.
func (k kind) readAgain() bool {
	return k == fromEnv || k == fromFile || k == fromCommand || k == fromCred
}

// A Reference says where a secret is: prompt, env:NAME, file:PATH, fd:N, stdin,
// cmd:PROGRAM ARGS or cred:NAME. file, fd, stdin and cmd give their first line without its line end, the others
// the value less one line end. It is safe for concurrent use. The secret it led to is remembered until Forget.
type Reference struct {
	kind kind
	arg  string   // what follows the colon
	args []string // for cmd: program and arguments
	fd   int      // for fd

	resolving chan struct{} // holds one token while a Resolve is at work

	mu      sync.Mutex // guards what follows
	held    Secret
	warning string
}

// Ask puts a question to the person and returns the answer. label says whose
// secret is wanted.
type Ask func(ctx context.Context, label string) (Secret, error)

// Parse reads the textual form. The error names what is accepted and never repeats more of
// text than its scheme: what was given in its place may be the password itself.
func Parse(text string) (*Reference, error) {
	scheme, arg, colon := strings.Cut(text, ":")
	r := newReference(kind(scheme))
	r.arg = arg
	switch r.kind {
	case fromPrompt, fromStdin:
		if colon {
			return nil, fmt.Errorf("secret reference %s: nothing can follow it", scheme)
		}
		return r, nil
	case fromEnv, fromFile, fromFD, fromCommand, fromCred:
		if err := r.parseArg(); err != nil {
			return nil, fmt.Errorf("secret reference %s: %w", scheme, err)
		}
		return r, nil
	case "keyring":
		return nil, errors.New("secret reference keyring: this version cannot read a keyring; use " + accepted)
	}
	return nil, errors.New("a secret is given by reference: " + accepted)
}

func newReference(k kind) *Reference {
	return &Reference{kind: k, resolving: make(chan struct{}, 1)}
}

func (r *Reference) parseArg() error {
	if r.arg == "" || strings.ContainsRune(r.arg, 0) {
		return errors.New("a name must follow the colon; accepted are " + accepted)
	}
	switch r.kind {
	case fromEnv:
		if strings.Contains(r.arg, "=") {
			return errors.New("the name of a variable has no equals sign")
		}
	case fromFD:
		fd, err := strconv.ParseUint(r.arg, 10, 31)
		if err != nil {
			return errors.New("the number of an open file must follow the colon")
		}
		r.fd = int(fd)
	case fromCommand:
		args, err := splitWords(r.arg)
		if err != nil {
			return err
		}
		r.args = args
	case fromCred:
		// systemd.exec: credentials are files of one folder.
		if strings.ContainsAny(r.arg, `/\`) || r.arg == "." || r.arg == ".." {
			return errors.New("the name of a credential is a file name without a path")
		}
	}
	return nil
}

// Given returns a reference to a secret that a person typed. Its text is "prompt".
func Given(s Secret) *Reference {
	r := newReference(fromPrompt)
	r.held = s
	return r
}

// Resolve returns the secret. label names it in the question and in errors ("source password").
// Where two references read the same stdin or fd, each takes the next line in the order of the calls.
// Errors: *[ReferenceError] when the reference leads to nothing, [ErrNoTerminal] when it is prompt and ask is
// nil, what ask returned, the context's cause.
func (r *Reference) Resolve(ctx context.Context, label string, ask Ask) (Secret, error) {
	if r == nil || r.kind == "" {
		return Secret{}, &ReferenceError{Label: label, Reference: "nowhere", Err: errors.New("no reference was given")}
	}
	select {
	case r.resolving <- struct{}{}:
		defer func() { <-r.resolving }()
	case <-ctx.Done():
		return Secret{}, fmt.Errorf("%s from %s: %w", label, r, context.Cause(ctx))
	}
	if s := r.remembered(); !s.Empty() {
		return s, nil
	}
	s, err := r.read(ctx, label, ask)
	if err != nil {
		return Secret{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = s
	return s, nil
}

func (r *Reference) remembered() Secret {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

// read goes where the reference points, and sorts the errors.
func (r *Reference) read(ctx context.Context, label string, ask Ask) (Secret, error) {
	if r.kind == fromPrompt {
		if ask == nil {
			return Secret{}, fmt.Errorf("%s: %w", label, ErrNoTerminal)
		}
		s, err := ask(ctx, label)
		if err == nil && s.Empty() {
			err = &ReferenceError{Label: label, Reference: r.String(), Err: errors.New("nothing was typed")}
		}
		return s, err
	}
	b, err := r.fetch(ctx)
	if err == nil && len(b) == 0 {
		err = errEmpty
	}
	switch {
	case err == nil:
		return New(b), nil
	case ctx.Err() != nil:
		return Secret{}, fmt.Errorf("%s from %s: %w", label, r, context.Cause(ctx))
	}
	return Secret{}, &ReferenceError{Label: label, Reference: r.String(), Err: err}
}

// Forget drops what Resolve remembered if it can be read again (file, cmd, env, cred), so that a
// reconnect gets a renewed secret. What can be read only once (prompt, stdin, fd) stays.
func (r *Reference) Forget() {
	if r == nil || !r.kind.readAgain() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = Secret{}
}

// Warning returns what a person should know of the reference, such as a file that others can read,
// or "". It is valid after Resolve.
func (r *Reference) Warning() string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.warning
}

func (r *Reference) warn(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warning = text
}

// String returns the textual form, which holds no secret.
func (r *Reference) String() string {
	if r == nil {
		return ""
	}
	switch r.kind {
	case fromPrompt, fromStdin:
		return string(r.kind)
	}
	return string(r.kind) + ":" + r.arg
}
