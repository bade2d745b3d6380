//go:build unix

package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func mustParse(t *testing.T, text string) *Reference {
	t.Helper()
	r, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return r
}

func mustResolve(t *testing.T, r *Reference) string {
	t.Helper()
	s, err := r.Resolve(t.Context(), "source password", nil)
	if err != nil {
		t.Fatalf("Resolve %s: %v", r, err)
	}
	return string(s.Reveal())
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pass word")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	for _, text := range []string{
		"prompt", "stdin", "env:X", "file:/run/secrets/x", "file:a:b", "fd:3", "cmd:pass show mail/x", `cmd:"a b" c`, "cred:imap",
	} {
		if got := mustParse(t, text).String(); got != text {
			t.Errorf("Parse(%q).String() = %q", text, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":               "given by reference",
		"hunter2":        "given by reference",
		"hunter:2":       "given by reference",
		"PROMPT":         "given by reference",
		"prompt:hunter2": "nothing can follow",
		"stdin:hunter2":  "nothing can follow",
		"env:":           "a name must follow",
		"env":            "a name must follow",
		"env:hunter2=x":  "equals sign",
		"file:":          "a name must follow",
		"fd:hunter2":     "number of an open file",
		"fd:-1":          "number of an open file",
		"cmd:":           "a name must follow",
		"cmd:   ":        "a program must follow",
		`cmd:hunter2 "x`: "not closed",
		"cred:../x":      "without a path",
		"cred:..":        "without a path",
		"keyring:":       "cannot read a keyring",
		"keyring":        "cannot read a keyring",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want an error with %q", text, err, want)
			continue
		}
		if strings.Contains(err.Error(), "hunter") {
			t.Errorf("Parse(%q) repeats what may be a password: %v", text, err)
		}
	}
}

func TestFirstLineOfFile(t *testing.T) {
	for content, want := range map[string]string{
		"secret":                 "secret",
		"secret\n":               "secret",
		"secret\r\n":             "secret",
		"secret\r\nuser: x\n":    "secret",
		" sp ace \t\nuser":       " sp ace \t",
		"s\rt\r\r\n":             "s\rt\r",
		"ends with CR\r":         "ends with CR\r",
		strings.Repeat("s", 999): strings.Repeat("s", 999),
	} {
		if got := mustResolve(t, mustParse(t, "file:"+write(t, content))); got != want {
			t.Errorf("a file of %q gives %q, want %q", content, got, want)
		}
	}
}

func TestEnvironmentLosesOneLineEnd(t *testing.T) {
	for value, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\n": "secret", "two\nlines\n\n": "two\nlines\n", " s ": " s ",
	} {
		t.Setenv("SECRET_TEST", value)
		if got := mustResolve(t, mustParse(t, "env:SECRET_TEST")); got != want {
			t.Errorf("a variable of %q gives %q, want %q", value, got, want)
		}
	}
}

func TestCredentialLosesOneLineEnd(t *testing.T) {
	path := write(t, "two\nlines\r\n")
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(path))
	if got := mustResolve(t, mustParse(t, "cred:pass word")); got != "two\nlines" {
		t.Errorf("the credential is %q", got)
	}
}

func TestStdinGivesOneLineToEachReference(t *testing.T) {
	setStdin(t, "first\r\nsecond\nthird")
	for _, want := range []string{"first", "second", "third"} {
		r := mustParse(t, "stdin")
		if got := mustResolve(t, r); got != want {
			t.Errorf("stdin gives %q, want %q", got, want)
		}
		if got := mustResolve(t, r); got != want {
			t.Errorf("asked again it gives %q, want %q", got, want)
		}
	}
	_, err := mustParse(t, "stdin").Resolve(t.Context(), "dest password", nil)
	if _, ok := errors.AsType[*ReferenceError](err); !ok {
		t.Errorf("after its end stdin gives %v", err)
	}
}

func TestConcurrentReadersOfStdinGetWholeLines(t *testing.T) {
	long := strings.Repeat("x", 2000)
	setStdin(t, "a"+long+"\nb"+long+"\n")
	var wg sync.WaitGroup
	got := make([]string, 2)
	for i := range got {
		r := mustParse(t, "stdin")
		wg.Go(func() {
			s, _ := r.Resolve(t.Context(), "password", nil)
			got[i] = string(s.Reveal())
		})
	}
	wg.Wait()
	if got[0] == got[1] || got[0][1:] != long || got[1][1:] != long {
		t.Errorf("lines are mixed: %.20q… and %.20q…", got[0], got[1])
	}
}

func setStdin(t *testing.T, content string) {
	t.Helper()
	f, err := os.Open(write(t, content))
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = f
	t.Cleanup(func() { os.Stdin = old; f.Close() })
}

func TestDescriptorIsReadOnce(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fmt.Fprint(w, "first\nsecond\n")
	ref := fmt.Sprintf("fd:%d", dup(t, r))
	one, two := mustParse(t, ref), mustParse(t, ref)
	if got := mustResolve(t, one) + " " + mustResolve(t, two); got != "first second" {
		t.Errorf("two references give %q", got)
	}
	one.Forget()
	if got := mustResolve(t, one); got != "first" {
		t.Errorf("after Forget the descriptor gives %q", got)
	}
}

func TestCommand(t *testing.T) {
	for text, want := range map[string]string{
		`cmd:echo secret`:                               "secret",
		`cmd:echo  'two  words' "it's"`:                 "two  words it's",
		`cmd:printf 'a\r\nb\n'`:                         "a",
		`cmd:sh -c "echo noise >&2; echo secret; cat"`:  "secret",
		`cmd:echo $HOME *`:                              "$HOME *",
		`cmd:sh -c 'read x; echo "stdin:$x"; echo two'`: "stdin:",
	} {
		if got := mustResolve(t, mustParse(t, text)); got != want {
			t.Errorf("%s gives %q, want %q", text, got, want)
		}
	}
}

func TestReferenceThatYieldsNothing(t *testing.T) {
	t.Setenv("SECRET_TEST_EMPTY", "")
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	for text, want := range map[string]string{
		"env:SECRET_TEST_UNSET":          "source password from env:SECRET_TEST_UNSET: the variable is not set",
		"env:SECRET_TEST_EMPTY":          "it is empty",
		"file:" + write(t, ""):           "it is empty",
		"file:" + write(t, "\nsecret\n"): "it is empty",
		"file:/nonexistent/x":            "/x: no such file or directory",
		"file:" + t.TempDir():            "is a directory",
		"file:/dev/zero":                 "more than 65536 octets",
		"fd:999":                         "bad file descriptor",
		"cred:x":                         "CREDENTIALS_DIRECTORY is not set",
		"cmd:true":                       "it is empty",
		"cmd:/nonexistent/x y":           "the command cannot be run: fork/exec /nonexistent/x: no such file",
		"cmd:yes":                        "the command wrote more than 65536 octets",
		"cmd:sh -c 'echo s; exit 3'":     "the command ended with exit status 3",
		`cmd:sh -c 'printf "\033[31mgpg: no\nkey\007\342\200\256" >&2; exit 2'`: "exit status 2 and said: [31mgpg: no key",
	} {
		_, err := mustParse(t, text).Resolve(t.Context(), "source password", nil)
		refErr, ok := errors.AsType[*ReferenceError](err)
		if !ok {
			t.Errorf("%s: %v (%T), want a *ReferenceError", text, err, err)
			continue
		}
		if got := err.Error(); !strings.Contains(got, want) {
			t.Errorf("%s: error is %q, want it to hold %q", text, got, want)
		}
		if refErr.Reference != text || refErr.Label != "source password" {
			t.Errorf("%s: fields are %q, %q", text, refErr.Reference, refErr.Label)
		}
	}
}

func TestPrompt(t *testing.T) {
	r := mustParse(t, "prompt")
	if _, err := r.Resolve(t.Context(), "source password", nil); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("without ask: %v, want ErrNoTerminal", err)
	}
	asked := 0
	ask := func(ctx context.Context, label string) (Secret, error) {
		asked++
		if asked == 1 {
			return Secret{}, nil
		}
		return New([]byte(label + "!")), nil
	}
	_, err := r.Resolve(t.Context(), "source password", ask)
	if _, ok := errors.AsType[*ReferenceError](err); !ok {
		t.Errorf("an empty answer gives %v, want a *ReferenceError", err)
	}
	for range 2 {
		r.Forget()
		s, err := r.Resolve(t.Context(), "source password", ask)
		if err != nil || string(s.Reveal()) != "source password!" {
			t.Errorf("the answer is %q, %v", s.Reveal(), err)
		}
	}
	if asked != 2 {
		t.Errorf("the person was asked %d times, want 2", asked)
	}
	want := errors.New("gave up")
	refuse := func(context.Context, string) (Secret, error) { return Secret{}, want }
	if _, err := mustParse(t, "prompt").Resolve(t.Context(), "x", refuse); !errors.Is(err, want) {
		t.Errorf("the error of ask became %v", err)
	}
}

func TestGivenIsNotAskedFor(t *testing.T) {
	r := Given(New([]byte(canary)))
	r.Forget()
	if got := mustResolve(t, r); got != canary {
		t.Errorf("it gives %q", got)
	}
	if r.String() != "prompt" {
		t.Errorf("its text is %q", r)
	}
}

func TestForgetLooksAgain(t *testing.T) {
	t.Setenv("SECRET_TEST", "old")
	r := mustParse(t, "env:SECRET_TEST")
	first := mustResolve(t, r)
	t.Setenv("SECRET_TEST", "new")
	second := mustResolve(t, r)
	r.Forget()
	if third := mustResolve(t, r); first != "old" || second != "old" || third != "new" {
		t.Errorf("it gives %q, then %q, after Forget %q", first, second, third)
	}
}

func TestWarningAboutReadableFile(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o644: true, 0o611: false} {
		path := write(t, "secret\n")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		r := mustParse(t, "file:"+path)
		if r.Warning() != "" {
			t.Error("a warning before Resolve")
		}
		mustResolve(t, r)
		if got := r.Warning(); (got != "") != warned || (warned && !strings.Contains(got, path)) {
			t.Errorf("mode %04o gives the warning %q", mode, got)
		}
	}
}

func TestZeroAndNilReference(t *testing.T) {
	for _, r := range []*Reference{nil, {}} {
		if _, err := r.Resolve(t.Context(), "x", nil); err == nil {
			t.Error("it leads to a secret")
		}
		r.Forget()
		_ = r.Warning()
		_ = r.String()
	}
}
