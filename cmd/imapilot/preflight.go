package main

import (
	"context"

	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/spf13/cobra"
)

func newPreflight(a *app) *cobra.Command {
	var p pairFlags
	cmd := &cobra.Command{
		Use:   "preflight --source URL --dest URL",
		Short: "diagnoses both servers, then what matters of the two together",
		Long: `preflight probes both servers at once and then checks the pair. Without a
password the checks that need a sign-in are held back; it never asks for one
unless told to with --source-password-from prompt.`,
		Example: `  imapilot preflight --source imaps://old.example --dest imaps://new.example
  imapilot preflight --source imaps://anna@old.example --source-password-from env:OLD \
                     --dest imaps://anna@new.example --dest-password-from env:NEW -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.preflight(cmd.Context(), &p) },
	}
	p.register(cmd.Flags())
	return cmd
}

func (a *app) preflight(ctx context.Context, p *pairFlags) error {
	if err := a.supports("preflight", formatText, formatJSON, formatNDJSON); err != nil {
		return err
	}
	j, err := a.job(ctx, p, mailsync.Settings{}, false)
	if err != nil {
		return err
	}
	defer j.Close()
	report, err := j.Preflight(ctx)
	if err != nil {
		return err
	}
	return a.deliverReport(report)
}
