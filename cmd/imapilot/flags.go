package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/spf13/pflag"
)

// globalFlags are those of every command.
type globalFlags struct {
	output         format
	reports        []string
	timeout        time.Duration
	allowPlaintext bool
	legacyTLS      bool
	failOn         string
	color          string
	ascii          bool
	noInput        bool
	logFile        string
	logLevel       string
	stateDir       string
	profile        string
	saveProfile    string
	quiet, verbose bool
	redact         bool
	resolver       string
}

const defaultTimeout = 10 * time.Second

func (g *globalFlags) register(fs *pflag.FlagSet) {
	g.output, g.failOn, g.color, g.logLevel, g.timeout = formatText, "", "auto", "info", defaultTimeout
	fs.VarP(oneOf(&g.output, formatText, formatJSON, formatNDJSON, formatMarkdown, formatHTML, formatJUnit, formatSARIF), "output", "o", "`format` of what goes to stdout: text, json, ndjson, markdown, html, junit or sarif")
	fs.StringArrayVar(&g.reports, "report", nil, "also write the result to `file`, in the format of its extension: .txt, .json, .ndjson, .md, .html, .xml (JUnit), .sarif (repeatable)")
	fs.Var((*durationValue)(&g.timeout), "timeout", "longest `time` for each step: 10s, 1m30s, or a number of seconds; sign-in may take three times as long")
	fs.BoolVar(&g.allowPlaintext, "allow-plaintext", false, "permit imap+insecure:// targets, where anyone on the way can read the password and the mail")
	fs.BoolVar(&g.legacyTLS, "legacy-tls", false, "permit TLS 1.0 and 1.1 for this run, for servers that have nothing newer; never SSL")
	fs.Var((*resolverValue)(&g.resolver), "resolver", "look names up at this name server alone: `host[:port]`")
	fs.Var(oneOf(&g.failOn, "warning"), "fail-on", "with `warning`: a preflight or probe that ends with warnings stops the command with exit code 15")
	fs.Var(oneOf(&g.color, "auto", "always", "never"), "color", "`when` to use colour: auto, always or never")
	fs.BoolVar(&g.ascii, "ascii", false, "draw with ASCII characters only")
	fs.BoolVar(&g.noInput, "no-input", false, "never ask; exit with code 4 where a question is needed")
	fs.StringVar(&g.logFile, "log-file", "", "append a diagnostic log to `file`; secrets are never in it")
	fs.Var(oneOf(&g.logLevel, "debug", "info", "warn", "error"), "log-level", "`level` of the log: debug, info, warn or error; without --log-file it goes to stderr")
	fs.StringVar(&g.stateDir, "state-dir", "", "`folder` for locks (default $XDG_STATE_HOME/imapilot)")
	fs.StringVar(&g.profile, "profile", "", "preflight, plan, sync, verify: take both sides' settings from `file`; flags given beside it come first")
	fs.StringVar(&g.saveProfile, "save-profile", "", "preflight, plan, sync, verify: write the settings that were found good to `file`, without secrets")
	fs.BoolVar(&g.redact, "redact", false, "mask user names, hosts, addresses and folder names in all output; the same name has the same mask")
	fs.BoolVarP(&g.quiet, "quiet", "q", false, "write nothing to stderr but errors")
	fs.BoolVarP(&g.verbose, "verbose", "v", false, "show more in text output")
}

// check looks at what a single flag cannot know.
func (g *globalFlags) check() error {
	for _, path := range g.reports {
		if _, err := formatOf(path); err != nil {
			return err
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return &fileError{fmt.Errorf("report %s: there is no folder %s", path, filepath.Dir(path))}
		}
	}
	if path := g.saveProfile; path != "" {
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return &fileError{fmt.Errorf("--save-profile %s: there is no folder %s", path, filepath.Dir(path))}
		}
	}
	return nil
}

// signInTimeout keeps the proportion of the defaults, 10 and 30 seconds: servers delay the answer to a wrong password.
func (g *globalFlags) signInTimeout() time.Duration { return 3 * g.timeout }

// stateFolder is --state-dir, or where the XDG Base Directory Specification puts it.
func (g *globalFlags) stateFolder() (string, error) {
	if g.stateDir != "" {
		return g.stateDir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "imapilot"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("there is no folder for the state: %v", err).withHint("name one with --state-dir")
	}
	return filepath.Join(home, ".local", "state", "imapilot"), nil
}

// A choice is a flag with a closed set of values.
type choice[T ~string] struct {
	value    *T
	accepted []T
}

func oneOf[T ~string](value *T, accepted ...T) *choice[T] { return &choice[T]{value, accepted} }

func (c *choice[T]) String() string {
	if c.value == nil { // pflag asks a zero value for its default
		return ""
	}
	return string(*c.value)
}
func (c *choice[T]) Type() string { return "string" }
func (c *choice[T]) Set(s string) error {
	if !slices.Contains(c.accepted, T(s)) {
		return fmt.Errorf("accepted: %s", joined(c.accepted))
	}
	*c.value = T(s)
	return nil
}

func joined[T ~string](values []T) string {
	s := make([]string, len(values))
	for i, v := range values {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
}

// A durationValue is a Go duration, or a bare number of seconds. It is above zero.
type durationValue time.Duration

func (d *durationValue) String() string { return time.Duration(*d).String() }
func (d *durationValue) Type() string   { return "duration" }
func (d *durationValue) Set(s string) error {
	parsed, err := time.ParseDuration(s)
	if seconds, e := strconv.ParseFloat(s, 64); e == nil && seconds < math.MaxInt32 {
		parsed, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || parsed <= 0 {
		return fmt.Errorf("accepted: a time above zero such as 10s or 1m30s, or a number of seconds")
	}
	*d = durationValue(parsed)
	return nil
}

// A resolverValue is the name server that look-ups go to, as host:port; "" for the system's.
type resolverValue string

func (r *resolverValue) String() string { return string(*r) }
func (r *resolverValue) Type() string   { return "string" }
func (r *resolverValue) Set(s string) error {
	server, err := dns.ParseServer(s)
	if err != nil {
		return fmt.Errorf("%w; accepted: HOST or HOST:PORT", err)
	}
	*r = resolverValue(server)
	return nil
}
