package main

import (
	"context"

	"github.com/imapilot-project/imapilot/probe"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/tui"
)

// wizard opens the wizard on what is known of the two sides.
func (a *app) wizard(ctx context.Context, source, dest tui.Side) error {
	stateDir, err := a.global.stateFolder()
	if err != nil {
		return err
	}
	if a.logsToScreen() {
		return usagef("in the wizard a log needs a file").withHint("add --log-file FILE")
	}
	a.release() // the wizard restores the terminal before a signal ends it
	code, err := tui.Run(ctx, tui.Config{
		Version: version(),
		Source:  source,
		Dest:    dest,
		NewJob: func(source, dest probe.Target) *tui.Backend {
			return tui.ForJob(&job.Job{
				Source: source, Dest: dest,
				Prober:   a.prober(),
				Settings: mailsync.Settings{},
				StateDir: stateDir,
			})
		},
		AllowPlaintext: a.global.allowPlaintext,
		StateDir:       stateDir,
		ASCII:          a.global.ascii,
		NoColor:        !a.look().Color,
	})
	if err != nil {
		return err
	}
	return status(code)
}
