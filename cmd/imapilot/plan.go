package main

import (
	"context"
	"io"

	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/sync/render"
	"github.com/spf13/cobra"
)

func newPlan(a *app) *cobra.Command {
	var p pairFlags
	var s settingsFlags
	cmd := &cobra.Command{
		Use:   "plan --source URL --dest URL",
		Short: "reads both sides and prints what a sync would do",
		Long: `plan checks both servers, reads both accounts and prints which folders and
messages a sync would copy. It changes nothing.`,
		Example: `  imapilot plan --source imaps://anna@old.example --dest imaps://anna@new.example
  imapilot plan --source imaps://anna@old.example --source-password-from file:old.pass \
                --dest imaps://anna@new.example --dest-password-from file:new.pass -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.supports("plan", formatText, formatJSON); err != nil {
				return err
			}
			return a.withJob(cmd.Context(), &p, &s, a.plan)
		},
	}
	p.register(cmd.Flags())
	s.register(cmd.Flags())
	return cmd
}

// plan prints what a sync would do.
func (a *app) plan(ctx context.Context, j *job.Job) error {
	w := a.watch(ctx, j.Settings.Live, nil)
	plan, err := j.Plan(ctx)
	w.stop()
	if err != nil {
		return err
	}
	plan = a.maskedPlan(plan)
	return a.deliver(document{
		formatText: func(w io.Writer, l look) error { return render.Plan(w, plan, render.Options(l)) },
		formatJSON: func(w io.Writer, _ look) error { return render.JSON(w, plan) },
	}, exitOK)
}

// withJob opens a job for which both sides sign in, runs the preflight, and then do.
func (a *app) withJob(ctx context.Context, p *pairFlags, s *settingsFlags, do func(context.Context, *job.Job) error) error {
	j, err := a.job(ctx, p, s.settings(&mailsync.Live{}), true)
	if err != nil {
		return err
	}
	defer j.Close()
	if err := a.checked(ctx, j, p.given()...); err != nil {
		return err
	}
	return do(ctx, j)
}
