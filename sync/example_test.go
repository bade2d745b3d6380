package mailsync_test

import (
	"context"
	"fmt"
	"log"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// side makes a Side of validated settings.
func side(account imapdial.Account, label string) mailsync.Side {
	return mailsync.Side{Account: account, Open: func(ctx context.Context) (*imapdial.Session, error) {
		return imapdial.Open(ctx, account, label, nil, nil)
	}}
}

// Print what a run would do, then do it.
func Example() {
	var from, to imapdial.Account // validated by package probe
	ctx := context.Background()
	source, dest := side(from, "source password"), side(to, "dest password")

	plan, err := mailsync.MakePlan(ctx, source, dest, mailsync.Settings{})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range plan.Folders {
		fmt.Printf("%s → %s: %d of %d messages to copy\n", f.Source, f.Dest, f.ToCopy, f.Messages)
	}

	summary, err := mailsync.Sync(ctx, source, dest, mailsync.Settings{})
	if err != nil {
		log.Print(err)
	}
	fmt.Printf("%s: %d copied, %d failed\n", summary.Verdict, summary.Messages.Copied, summary.Messages.Failed)
}
