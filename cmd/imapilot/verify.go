package main

import (
	"context"
	"io"

	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/sync/render"
	"github.com/spf13/cobra"
)

func newVerify(a *app) *cobra.Command {
	var p pairFlags
	var s settingsFlags
	var bodies bool
	cmd := &cobra.Command{
		Use:   "verify --source URL --dest URL",
		Short: "compares both sides and changes neither",
		Long: `verify checks both servers, reads both accounts and lists for each folder what
is missing, what is only at the destination, and which flags and dates differ.
It exits with 0 when all of the source is at the destination, else with 20.`,
		Example: `  imapilot verify --source imaps://anna@old.example --dest imaps://anna@new.example
  imapilot verify --source imaps://anna@old.example --source-password-from file:old.pass \
                  --dest imaps://anna@new.example --dest-password-from file:new.pass --bodies`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.supports("verify", formatText, formatJSON, formatMarkdown, formatHTML); err != nil {
				return err
			}
			return a.withJob(cmd.Context(), &p, &s, func(ctx context.Context, j *job.Job) error {
				return a.verify(ctx, j, bodies)
			})
		},
	}
	p.register(cmd.Flags())
	s.register(cmd.Flags())
	cmd.Flags().BoolVar(&bodies, "bodies", false, "compare the SHA-256 of every message too: reads all mail of both sides")
	return cmd
}

func (a *app) verify(ctx context.Context, j *job.Job, bodies bool) error {
	w := a.watch(ctx, j.Settings.Live, nil)
	v, err := j.Verify(ctx, bodies)
	w.stop()
	if err != nil {
		return err
	}
	a.log.Info("verified", "verdict", v.Verdict, "exit_code", v.ExitCode)
	v = a.maskedVerification(v)
	return a.deliver(document{
		formatText:     func(w io.Writer, l look) error { return render.Verification(w, v, render.Options(l)) },
		formatJSON:     func(w io.Writer, _ look) error { return render.JSON(w, v) },
		formatMarkdown: func(w io.Writer, _ look) error { return render.VerificationMarkdown(w, v) },
		formatHTML:     func(w io.Writer, _ look) error { return render.VerificationHTML(w, v) },
	}, v.ExitCode)
}
