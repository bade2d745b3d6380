package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/tui"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newDemo(a *app) *cobra.Command {
	var hold, wizard bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "does the whole job on two servers of its own",
		Long: `demo starts two IMAP servers with TLS and sample mail on 127.0.0.1, with
certificates from a CA made on the spot, and runs preflight, sync and verify on
them: the same commands, checks and copying as with yours. Then it breaks the
servers in some ways and shows what imapilot says of it. Nothing leaves this
computer, and nothing stays on it.`,
		Example: `  imapilot demo
  imapilot demo --hold`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if hold && wizard {
				return usagef("--hold and --wizard cannot be used together")
			}
			if err := a.supports("demo", formatText); err != nil {
				return err
			}
			if len(a.global.reports) > 0 {
				return usagef("demo has no result to report")
			}
			return a.demo(cmd, hold, wizard)
		},
	}
	cmd.Flags().BoolVar(&hold, "hold", false, "keep the servers up afterwards and print how to reach them")
	cmd.Flags().BoolVar(&wizard, "wizard", false, "open the wizard on the servers instead")
	return cmd
}

func (a *app) demo(cmd *cobra.Command, hold, wizard bool) error {
	// When a reader such as head goes away, the servers and their files still go in order: writing fails then. To catch the
	// signal would not do, since Go raises it for sockets too once it is asked for.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	ctx := cmd.Context()
	d, err := a.startDemo(cmd.Flags())
	if err != nil {
		return err
	}
	defer d.close()
	if wizard {
		source, err := d.old.side(probe.RoleSource)
		if err != nil {
			return err
		}
		dest, err := d.new.side(probe.RoleDest)
		if err != nil {
			return err
		}
		a.global.stateDir = d.env[variable("state-dir")]
		return a.wizard(ctx, source, dest)
	}
	if err := d.tell(ctx); err != nil {
		return err
	}
	if !hold {
		return nil
	}
	d.explainHold()
	<-ctx.Done()
	if stopped := signalOf(ctx); stopped != nil {
		return status(stopped.ExitCode()) // as it was told, not an error
	}
	return context.Cause(ctx)
}

// A demo is a stage with two servers.
type demo struct {
	app      *app
	dir      string            // holds ca.pem and the passwords, and is removed at the end
	env      map[string]string // variables of the commands: the demo's own global flags
	ca       *imaptest.CA
	old, new *demoServer
	folders  int // what the old server holds
	messages int64
	octets   int64
}

// A demoServer is one of the two, and how to reach it.
type demoServer struct {
	*imaptest.Server
	url, passwordFrom, caFile string
}

const demoUser = "anna"

// spareUser has an empty account on the new server, to copy into while --hold keeps it up.
const spareUser = "spare"

func (a *app) startDemo(flags *pflag.FlagSet) (_ *demo, err error) {
	d := &demo{app: a, ca: imaptest.NewCA("imapilot demo CA"), env: map[string]string{}}
	if d.dir, err = os.MkdirTemp("", "imapilot-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Name != "hold" && f.Name != "wizard" {
			d.env[variable(f.Name)] = f.Value.String()
		}
	})
	d.env[variable("state-dir")] = filepath.Join(d.dir, "state")
	if err := os.WriteFile(filepath.Join(d.dir, "ca.pem"), []byte(d.ca.RootPEM()), 0o600); err != nil {
		return nil, err
	}
	if err := d.startOld(); err != nil {
		return nil, err
	}
	if err := d.startNew(); err != nil {
		return nil, err
	}
	for _, flag := range d.pairFlags(d.new.url) {
		d.env[variable(flag.name)] = flag.value
	}
	return d, nil
}

// startOld starts a server with TLS from the first byte and the sample mail.
func (d *demo) startOld() error {
	s, err := imaptest.Start(imaptest.Config{Security: imaptest.TLS, Certificate: d.ca.Issue(imaptest.Leaf{})})
	if err != nil {
		return err
	}
	d.old = &demoServer{Server: s, url: fmt.Sprintf("imaps://%s@%s", demoUser, s.Address())}
	password, err := d.newPassword(d.old, "old.pass")
	if err != nil {
		return err
	}
	sample := imaptest.Sample()
	for _, f := range sample {
		d.folders++
		d.messages += int64(len(f.Messages))
		for _, m := range f.Messages {
			d.octets += int64(len(m.Body))
		}
	}
	return s.AddAccount(demoUser, password).Fill(sample)
}

// startNew starts a server with STARTTLS that keeps its folders below INBOX, with a dot between their names, and has a folder for sent
// mail of its own.
func (d *demo) startNew() error {
	s, err := imaptest.Start(imaptest.Config{
		Security: imaptest.STARTTLS, Certificate: d.ca.Issue(imaptest.Leaf{}),
		Delim: '.', Prefix: "INBOX.",
	})
	if err != nil {
		return err
	}
	d.new = &demoServer{Server: s, url: fmt.Sprintf("imap+starttls://%s@%s", demoUser, s.Address())}
	password, err := d.newPassword(d.new, "new.pass")
	if err != nil {
		return err
	}
	s.AddAccount(spareUser, password)
	account := s.AddAccount(demoUser, password)
	return account.Create(account.Name("Sent Messages"), `\Sent`)
}

// newPassword makes a password for s, writes it into a file of that name, and notes where it is.
func (d *demo) newPassword(s *demoServer, name string) (string, error) {
	password := rand.Text()
	path := filepath.Join(d.dir, name)
	s.passwordFrom, s.caFile = "file:"+path, filepath.Join(d.dir, "ca.pem")
	return password, os.WriteFile(path, []byte(password+"\n"), 0o600)
}

func (d *demo) close() {
	for _, s := range []*demoServer{d.old, d.new} {
		if s != nil {
			s.Close()
		}
	}
	os.RemoveAll(d.dir)
}

// result is where the commands leave their result as JSON.
func (d *demo) result() string { return filepath.Join(d.dir, "result.json") }

// side is s as the wizard takes it.
func (s *demoServer) side(role probe.Role) (tui.Side, error) {
	t, err := probe.ParseTarget(s.url)
	if err != nil {
		return tui.Side{}, err
	}
	t.Role = role
	if t.TLS.CAs, err = readCAs(s.caFile); err != nil {
		return tui.Side{}, err
	}
	if t.Secret, err = secret.Parse(s.passwordFrom); err != nil {
		return tui.Side{}, err
	}
	return tui.Side{Target: t, CAFile: s.caFile}, nil
}
