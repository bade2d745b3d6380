package mailsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// provide makes the destination's mailbox where it is missing, and subscribes it where the source's is.
func (r *run) provide(ctx context.Context, f *folder) error {
	created := !f.exists
	if created {
		if err := r.create(ctx, f); err != nil {
			return err
		}
		f.exists = true
	}
	return r.subscribe(ctx, f, created)
}

// create makes a mailbox, with its special use where the destination can note it and has none of that use. A parent that the server does not make by itself
// is made first.
func (r *run) create(ctx context.Context, f *folder) error {
	if err := wire.CheckMailbox(f.dest); err != nil {
		return &Refusal{"dest", fmt.Sprintf("create mailbox %q", f.dest), "", err.Error()}
	}
	delete(r.dest.validity, f.dest)
	use := r.newUse(f)
	err := r.createNamed(ctx, f.dest, use)
	if isRefusal(err) && use != "" { // such as [USEATTR] (RFC 6154 section 3)
		use = ""
		err = r.createNamed(ctx, f.dest, "")
	}
	if isRefusal(err) && r.opens(ctx, f) {
		return nil // it is there: a CREATE whose answer was lost, or somebody else's
	}
	if isRefusal(err) {
		for _, parent := range r.parents(f.dest) {
			if perr := r.createNamed(ctx, parent, ""); perr != nil && !isRefusal(perr) {
				return perr
			}
		}
		err = r.createNamed(ctx, f.dest, "")
	}
	if err == nil && use != "" {
		r.madeUses[use] = true
	}
	return err
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*Refusal](err)
	return ok
}

// newUse returns the special use to create a folder with, or "".
func (r *run) newUse(f *folder) string {
	use := f.boxes[0].Source.SpecialUse
	if use == "" || r.madeUses[use] || r.dest.control == nil || !r.dest.control.Has("CREATE-SPECIAL-USE") {
		return ""
	}
	if slices.ContainsFunc(r.destList.Mailboxes, func(m Mailbox) bool { return m.SpecialUse == use }) {
		return ""
	}
	return use
}

func (r *run) createNamed(ctx context.Context, name, use string) error {
	o := &imap.CreateOptions{}
	if use != "" {
		o.SpecialUse = []imap.MailboxAttr{imap.MailboxAttr(use)}
	}
	return r.dest.persist(ctx, func() error {
		return r.dest.do(ctx, fmt.Sprintf("create mailbox %q", name), func(c *imapclient.Client) error {
			return c.Create(name, o).Wait()
		})
	})
}

// opens reports whether the mailbox can be selected.
func (r *run) opens(ctx context.Context, f *folder) bool {
	return r.dest.persist(ctx, func() error {
		_, err := r.dest.choose(ctx, f.dest, true, true)
		return err
	}) == nil
}

// parents returns the names above a mailbox, the highest first, without the prefix of the namespace.
func (r *run) parents(name string) []string {
	if r.destList.Delimiter == 0 {
		return nil
	}
	delimiter := string(r.destList.Delimiter)
	var list []string
	rest := strings.TrimPrefix(name, r.destList.Prefix)
	above := name[:len(name)-len(rest)]
	levels := strings.Split(rest, delimiter)
	for _, l := range levels[:len(levels)-1] {
		above += l
		list = append(list, above)
		above += delimiter
	}
	return list
}

// subscribe subscribes a mailbox whose source is subscribed, unless it is known to be. A server that does not tell what is
// subscribed is asked for new mailboxes only. A refusal changes nothing for the mail, and is left at that.
func (r *run) subscribe(ctx context.Context, f *folder, created bool) error {
	if !slices.ContainsFunc(f.boxes, func(b *box) bool { return b.Source.Subscribed }) || !created && !r.destList.Subscriptions {
		return nil
	}
	if slices.ContainsFunc(r.destList.Mailboxes, func(m Mailbox) bool { return m.Name == f.dest && m.Subscribed }) {
		return nil
	}
	err := r.dest.persist(ctx, func() error {
		return r.dest.do(ctx, fmt.Sprintf("subscribe mailbox %q", f.dest), func(c *imapclient.Client) error {
			return c.Subscribe(f.dest).Wait()
		})
	})
	if isRefusal(err) {
		return nil
	}
	return err
}
