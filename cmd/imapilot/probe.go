package main

import (
	"context"
	"io"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render"
	"github.com/spf13/cobra"
)

func newProbe(a *app) *cobra.Command {
	var f endpointFlags
	cmd := &cobra.Command{
		Use:   "probe TARGET...",
		Short: "diagnoses one or more servers",
		Long: `probe connects to each server on its IMAP ports, looks at every step from the
name to the sign-in, explains what is wrong, and prints the settings that work.
With a user and a password it also signs in, once.

A TARGET is host, host:port, or a URL:
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
		RunE: func(cmd *cobra.Command, args []string) error { return a.probe(cmd.Context(), &f, args) },
	}
	f.register(cmd.Flags(), "")
	return cmd
}

func (a *app) probe(ctx context.Context, f *endpointFlags, args []string) error {
	if err := a.supports("probe", formatText, formatJSON, formatNDJSON); err != nil {
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
	outcome, err := prober.Run(ctx, targets...)
	if err != nil {
		return err
	}
	return a.deliverReport(outcome.Report)
}

// prober returns a Prober with the global flags in it.
func (a *app) prober() probe.Prober {
	return probe.Prober{
		Version:        version(),
		Timeout:        a.global.timeout,
		SignInTimeout:  a.global.signInTimeout(),
		AllowPlaintext: a.global.allowPlaintext,
		Dial:           a.dialOptions(),
	}
}

// deliverReport prints a finished report and returns the error with its exit code.
func (a *app) deliverReport(r *probe.Report) error {
	a.applyFailOn(r)
	a.logReport(r)
	return a.deliver(reportDocument(r), r.ExitCode)
}

// applyFailOn puts --fail-on warning into effect: the report's exit code is that of the command.
func (a *app) applyFailOn(r *probe.Report) {
	if a.global.failOn == "warning" && r.Verdict == probe.Warning && r.ExitCode == exitOK {
		r.ExitCode = exitWarning
	}
}

func reportDocument(r *probe.Report) document {
	return document{
		formatText:   func(w io.Writer, l look) error { return render.Text(w, r, render.Options(l)) },
		formatJSON:   func(w io.Writer, _ look) error { return render.JSON(w, r) },
		formatNDJSON: func(w io.Writer, _ look) error { return render.NDJSON(w, r) },
	}
}
