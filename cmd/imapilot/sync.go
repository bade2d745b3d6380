package main

import (
	"context"
	"io"

	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/sync/render"
	"github.com/spf13/cobra"
)

func newSync(a *app) *cobra.Command {
	var p pairFlags
	var s settingsFlags
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "sync --source URL --dest URL",
		Short: "copies what the destination lacks",
		Long: `sync checks both servers, copies every message that the destination lacks with
its flags and date, sets the flags that the source has, and then reads the
destination again and counts. It deletes nothing, and writes nothing to the
source. It can be stopped at any time and run again.`,
		Example: `  imapilot sync --source imaps://anna@old.example --dest imaps://anna@new.example
  imapilot sync --source imaps://anna@old.example --source-password-from file:old.pass \
                --dest imaps://anna@new.example --dest-password-from file:new.pass --dry-run`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun {
				if err := a.supports("sync --dry-run", formatText, formatJSON); err != nil {
					return err
				}
				return a.withJob(cmd.Context(), &p, &s, a.plan)
			}
			if err := a.supports("sync", formatText, formatJSON, formatNDJSON, formatMarkdown, formatHTML); err != nil {
				return err
			}
			return a.withJob(cmd.Context(), &p, &s, a.sync)
		},
	}
	p.register(cmd.Flags())
	s.register(cmd.Flags())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "stop at the plan: print what would be done")
	return cmd
}

// sync copies and prints the summary.
func (a *app) sync(ctx context.Context, j *job.Job) error {
	events, err := a.openEvents()
	if err != nil {
		return err
	}
	w := a.watch(ctx, j.Settings.Live, events)
	summary, err := j.Sync(ctx)
	w.stop()
	begun := summary != nil
	if !begun {
		summary = &mailsync.Summary{Schema: "imapilot.sync/1", Verdict: "failed", Failures: []mailsync.Failure{}}
	}
	settle(ctx, summary, err)
	summary = a.maskedSummary(summary)
	if streamErr := events.end(summary); err == nil {
		err = streamErr
	}
	a.log.Info("sync ended", "verdict", summary.Verdict, "exit_code", summary.ExitCode, "copied", summary.Messages.Copied, "failed", summary.Messages.Failed)
	d := summaryDocument(summary)
	if !begun {
		delete(d, formatText) // the error says it all
	}
	result := a.deliver(d, summary.ExitCode)
	if err != nil && isReported(result) {
		return &codedError{summary.ExitCode, err}
	}
	return result
}

// settle makes the summary's exit code that of the command: a run that a signal stopped has the signal's, and one that an error ended
// is never 0.
func settle(ctx context.Context, s *mailsync.Summary, err error) {
	if stopped := signalOf(ctx); stopped != nil && s.Verdict != "complete" {
		s.ExitCode = stopped.ExitCode()
	}
	if err != nil && s.ExitCode == exitOK {
		s.ExitCode = exitCode(err)
	}
}

// summaryDocument leaves NDJSON out: that was written as it happened.
func summaryDocument(s *mailsync.Summary) document {
	return document{
		formatText:     func(w io.Writer, l look) error { return render.Summary(w, s, render.Options(l)) },
		formatJSON:     func(w io.Writer, _ look) error { return render.JSON(w, s) },
		formatMarkdown: func(w io.Writer, _ look) error { return render.SummaryMarkdown(w, s) },
		formatHTML:     func(w io.Writer, _ look) error { return render.SummaryHTML(w, s) },
	}
}
