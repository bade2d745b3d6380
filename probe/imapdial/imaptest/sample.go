package imaptest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// A Folder is a mailbox of a sample, not yet on a server.
type Folder struct {
	Path       []string // from the top, in UTF-8
	SpecialUse string   // such as \Sent, or ""
	Subscribed bool
	Messages   []Message
}

// Fill creates, subscribes and fills the folders, under the server's names.
func (a *Account) Fill(folders []Folder) error {
	for _, f := range folders {
		name := a.Name(f.Path...)
		if err := a.Create(name, f.SpecialUse); err != nil && !exists(err) {
			return fmt.Errorf("create %s: %w", name, err)
		}
		if err := a.Subscribe(name, f.Subscribed); err != nil {
			return fmt.Errorf("subscribe %s: %w", name, err)
		}
		for i, m := range f.Messages {
			if _, err := a.Append(name, m); err != nil {
				return fmt.Errorf("append message %d to %s: %w", i+1, name, err)
			}
		}
	}
	return nil
}

// Upload puts folders into the account that c is signed in to, by CREATE, SUBSCRIBE and APPEND, with the prefix and the
// delimiter that the server tells. A mailbox that exists is filled up. ctx is looked at between commands.
func Upload(ctx context.Context, c *imapclient.Client, folders []Folder) error {
	prefix, delim, err := namespace(c)
	if err != nil {
		return err
	}
	for _, f := range folders {
		name := joinPath(prefix, delim, f.Path)
		if err := uploadFolder(ctx, c, name, f); err != nil {
			return fmt.Errorf("upload %s: %w", name, err)
		}
	}
	return nil
}

// namespace asks for the prefix and the delimiter of the personal namespace.
func namespace(c *imapclient.Client) (prefix, delim string, err error) {
	if !c.Caps().Has(imap.CapNamespace) {
		list, err := c.List("", "", nil).Collect()
		if err != nil {
			return "", "", fmt.Errorf("ask for the delimiter: %w", err)
		}
		if len(list) == 0 {
			return "", "", errors.New("ask for the delimiter: the server told none")
		}
		return "", string(list[0].Delim), nil
	}
	data, err := c.Namespace().Wait()
	if err != nil {
		return "", "", fmt.Errorf("ask for the namespace: %w", err)
	}
	if len(data.Personal) == 0 {
		return "", "", errors.New("the server has no personal namespace")
	}
	return data.Personal[0].Prefix, string(data.Personal[0].Delim), nil
}

func uploadFolder(ctx context.Context, c *imapclient.Client, name string, f Folder) error {
	options := &imap.CreateOptions{}
	if f.SpecialUse != "" && c.Caps().Has(imap.CapCreateSpecialUse) {
		options.SpecialUse = []imap.MailboxAttr{imap.MailboxAttr(f.SpecialUse)}
	}
	if name != inbox {
		if err := c.Create(name, options).Wait(); err != nil && !exists(err) {
			return fmt.Errorf("create: %w", err)
		}
	}
	if f.Subscribed {
		if err := c.Subscribe(name).Wait(); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	for i, m := range f.Messages {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := upload(c, name, m); err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return nil
}

func upload(c *imapclient.Client, name string, m Message) error {
	options := &imap.AppendOptions{Time: m.InternalDate}
	for _, f := range m.Flags {
		options.Flags = append(options.Flags, imap.Flag(f))
	}
	command := c.Append(name, int64(len(m.Body)), options)
	_, writeErr := command.Write(m.Body)
	closeErr := command.Close()
	_, err := command.Wait()
	return errors.Join(err, writeErr, closeErr)
}

// exists reports whether a CREATE was refused because the mailbox is there. Not every server says so with a code.
func exists(err error) bool {
	var refused *imap.Error
	return errors.As(err, &refused) &&
		(refused.Code == imap.ResponseCodeAlreadyExists || strings.Contains(strings.ToLower(refused.Text), "exist"))
}
