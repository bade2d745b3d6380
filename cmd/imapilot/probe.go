package main

import (
	"context"
	"io"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/render"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newProbe(a *app) *cobra.Command {
	var f endpointFlags
	var fetch fetchFlags
	var levels levelFlags
	var path pathFlags
	cmd := &cobra.Command{
		Use:   "probe TARGET...",
		Short: "diagnoses one or more servers",
		Long: `probe connects to each server on its IMAP ports, looks at every step from the
name to the sign-in, explains what is wrong, and prints the settings that work.
With a user and a password it also signs in, once.

A TARGET is host, host:port, user@domain, whose server is then looked for, or a URL:
  imaps://[user@]host[:port]           TLS from the first byte
  imap+starttls://… or imap://…        STARTTLS, required
  imap+auto://…                        find out; the default
  imap+insecure://…                    no TLS; only with --allow-plaintext`,
		Example: `  imapilot probe imap.example.org
  imapilot probe imaps://anna@imap.example.org --password-from prompt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("probe needs a server to look at").withHint("imapilot probe imap.example.org")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.probe(cmd.Context(), &f, levels, fetch, path, args)
		},
	}
	f.register(cmd.Flags(), "")
	levels.register(cmd.Flags())
	fetch.register(cmd.Flags())
	path.register(cmd.Flags())
	return cmd
}

// levelFlags say how deep probe goes beyond the quick look.
type levelFlags struct {
	full  bool
	audit bool
	idle  time.Duration
}

func (l *levelFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&l.full, "full", false, "also list the TLS versions, cipher suites and key exchange groups that each port accepts: up to 60 connections a port")
	fs.BoolVar(&l.audit, "audit", false, "make the intrusive checks too: a command put behind STARTTLS, and one connection after the other, with the sign-in if there is one, until the server refuses")
	fs.Var((*durationValue)(&l.idle), "idle", "leave one connection idle for this `time`, then see whether it still works: 5m, or a number of seconds")
	fs.Lookup("idle").DefValue = "" // none, which the value itself cannot say
}

// apply puts the flags into the prober.
func (l levelFlags) apply(p *probe.Prober) {
	p.Full, p.Audit, p.Idle = l.full, l.audit, l.idle
}

func (a *app) probe(ctx context.Context, f *endpointFlags, levels levelFlags, fetch fetchFlags, path pathFlags, args []string) error {
	if err := a.supports("probe", reportFormats...); err != nil {
		return err
	}
	reference, err := f.reference()
	if err != nil {
		return err
	}
	targets := make([]probe.Target, len(args))
	for i, text := range args {
		if targets[i], err = a.target(text, probe.RoleServer, f); err != nil {
			return err
		}
		targets[i].Secret = reference
	}
	if err := a.resolve(ctx, &targets[0]); err != nil { // the reference is the same for all
		return err
	}
	prober := a.prober()
	levels.apply(&prober)
	fetch.apply(&prober)
	if err := path.apply(&prober); err != nil {
		return err
	}
	outcome, err := prober.Run(ctx, targets...)
	if err != nil {
		return err
	}
	given := make([]map[string]string, len(targets))
	for i := range given {
		given[i] = f.given()
	}
	return a.deliverReport(outcome.Report, given...)
}

// prober returns a Prober with the global flags in it.
func (a *app) prober() probe.Prober {
	p := probe.Prober{
		Version:        version(),
		Timeout:        a.global.timeout,
		SignInTimeout:  a.global.signInTimeout(),
		AllowPlaintext: a.global.allowPlaintext,
		Dial:           a.dialOptions(),
	}
	if a.global.resolver != "" {
		p.DNS, p.NamesFromDNS = &dns.Client{Servers: []string{a.global.resolver}}, true
	}
	return p
}

// reportFormats are those of probe and preflight.
var reportFormats = []format{formatText, formatJSON, formatNDJSON, formatMarkdown, formatHTML, formatJUnit, formatSARIF}

// deliverReport prints a finished report and returns the error with its exit code. given are the flags of each target that the report
// does not hold.
func (a *app) deliverReport(r *probe.Report, given ...map[string]string) error {
	a.applyFailOn(r)
	a.logReport(r)
	return a.deliver(a.reportDocument(r, given...), r.ExitCode)
}

// applyFailOn puts --fail-on warning into effect: the report's exit code is that of the command.
func (a *app) applyFailOn(r *probe.Report) {
	if a.global.failOn == "warning" && r.Verdict == probe.Warning && r.ExitCode == exitOK {
		r.ExitCode = exitWarning
	}
}

func (a *app) reportDocument(r *probe.Report, given ...map[string]string) document {
	r = a.maskedReport(r)
	options := func(l look) render.Options {
		return render.Options{Color: l.Color, ASCII: l.ASCII, Verbose: l.Verbose, Width: l.Width, Given: a.maskedFlags(given)}
	}
	return document{
		formatText:     func(w io.Writer, l look) error { return render.Text(w, r, options(l)) },
		formatJSON:     func(w io.Writer, _ look) error { return render.JSON(w, r) },
		formatNDJSON:   func(w io.Writer, _ look) error { return render.NDJSON(w, r) },
		formatMarkdown: func(w io.Writer, l look) error { return render.Markdown(w, r, options(l)) },
		formatHTML:     func(w io.Writer, l look) error { return render.HTML(w, r, options(l)) },
		formatJUnit:    func(w io.Writer, _ look) error { return render.JUnit(w, r) },
		formatSARIF:    func(w io.Writer, _ look) error { return render.SARIF(w, r) },
	}
}

// given are the flags that the settings of a target need and its report does not hold.
func (f *endpointFlags) given() map[string]string {
	given := map[string]string{}
	for flag, value := range map[string]string{"ca-file": f.caFile, "via": f.via} {
		if value != "" {
			given[flag] = value
		}
	}
	return given
}
