package main

import (
	"context"

	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/spf13/cobra"
)

func newPreflight(a *app) *cobra.Command {
	var p pairFlags
	var fetch fetchFlags
	var path pathFlags
	cmd := &cobra.Command{
		Use:   "preflight --source URL --dest URL",
		Short: "diagnoses both servers, then what matters of the two together",
		Long: `preflight probes both servers at once and then checks the pair. Without a
password the checks that need a sign-in are held back; it never asks for one
unless told to with --source-password-from prompt. With --save-profile FILE the
settings that were found good are kept, without secrets; plan, sync and verify
take them with --profile FILE and, within 15 minutes, need no preflight.`,
		Example: `  imapilot preflight --source imaps://old.example --dest imaps://new.example
  imapilot preflight --source imaps://anna@old.example --source-password-from env:OLD \
                     --dest imaps://anna@new.example --dest-password-from env:NEW -o json
  imapilot preflight --profile move.profile --save-profile move.profile`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.preflight(cmd.Context(), &p, fetch, path) },
	}
	p.register(cmd.Flags())
	fetch.register(cmd.Flags())
	path.register(cmd.Flags())
	return cmd
}

func (a *app) preflight(ctx context.Context, p *pairFlags, fetch fetchFlags, path pathFlags) error {
	if err := a.supports("preflight", reportFormats...); err != nil {
		return err
	}
	j, err := a.job(ctx, p, mailsync.Settings{}, false)
	if err != nil {
		return err
	}
	defer j.Close()
	fetch.apply(&j.Prober)
	if err := path.apply(&j.Prober); err != nil {
		return err
	}
	report, err := j.Preflight(ctx)
	if err != nil {
		return err
	}
	a.meetFolders(j)
	result := a.deliverReport(report, p.given()...)
	if err := a.keepProfile(j); err != nil && (result == nil || isReported(result)) {
		return &codedError{max(report.ExitCode, exitFile), err}
	}
	return result
}
