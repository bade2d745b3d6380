package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/imapilot-project/imapilot/probe/render/redact"
	"github.com/imapilot-project/imapilot/tui"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// An app is one run of the command: its streams, the global flags, and what was made of them.
//
// stdout carries the result in exactly one format. Everything else goes to stderr: questions, warnings, progress, errors.
type app struct {
	stdin, stdout, stderr *os.File
	getenv                func(string) string

	global  globalFlags
	log     *slog.Logger
	masks   *redact.Masks // nil without --redact
	release func()        // gives the signals back to whoever wants them: the wizard has a terminal to restore

	closers []io.Closer // what lasts until the end of the run: the log file
	parsed  bool        // the command line was understood; an error before that is one of usage
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) (code int) {
	defer a.close()
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(a.stderr, "error: internal error: %v\n%s", v, debug.Stack())
			code = exitBug
		}
	}()
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.parsed {
		err = asUsage(root, err)
	}
	if err != nil {
		if stopped := signalOf(ctx); stopped != nil && !isReported(err) {
			err = stopped
		}
		a.printError(err)
	}
	return exitCode(err)
}

func (a *app) close() {
	for _, c := range a.closers {
		c.Close()
	}
}

// newRoot builds the whole command tree anew: cobra keeps the values of flags in it.
func newRoot(a *app) *cobra.Command {
	cobra.MousetrapHelpText = "" // a double click on Windows opens the wizard
	a.log = slog.New(slog.DiscardHandler)
	root := &cobra.Command{
		Use: "imapilot",
		Long: `imapilot checks two IMAP servers, explains every fault, and copies mailboxes
with exactly the settings that were validated. Without arguments it opens the
wizard in a terminal.`,
		Example: `  imapilot probe imap.example.org
  imapilot sync --source imaps://anna@old.example --dest imaps://anna@new.example`,
		Version:            version(),
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // asUsage offers the closest match
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.prepare(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !a.interactive() || !isTerminal(a.stdout) {
				cmd.SetOut(a.stderr)
				cmd.Help()
				return exitStatus(exitUsage)
			}
			return a.wizard(cmd.Context(), tui.Side{}, tui.Side{})
		},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetHelpFunc(a.help)
	root.SetVersionTemplate(versionLine() + "\n")
	root.SetFlagErrorFunc(flagError)
	a.global.register(root.PersistentFlags())
	root.AddCommand(newProbe(a), newPreflight(a), newPlan(a), newSync(a), newVerify(a), newDemo(a), newExplain(a), newVersion(a))
	root.SetHelpCommand(newHelp())
	addCompletion(root)
	return root
}

// addCompletion makes cobra's command insist on the name of a shell.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	cmd, _, err := root.Find([]string{"completion"})
	if err != nil {
		panic("internal error: cobra has no completion command")
	}
	cmd.Short = "prints the completion script of a shell"
	cmd.Use = "completion SHELL"
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(*cobra.Command, []string) error {
		return usagef("completion needs the name of a shell: bash, zsh, fish or powershell")
	}
}

// prepare runs before every command, when the command line has been parsed: variables fill in the flags that were not given.
func (a *app) prepare(cmd *cobra.Command) error {
	if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
		a.parsed = true
		return nil
	}
	if err := refuseProfile(cmd); err != nil { // before the variables, which hold for all commands of a shell
		return err
	}
	if err := applyEnvironment(cmd.Flags(), a.getenv); err != nil {
		return err
	}
	if err := a.global.check(); err != nil {
		return err
	}
	if err := a.startMasking(cmd); err != nil {
		return err
	}
	a.parsed = true
	if err := a.openLog(cmd.Flags().Changed("log-level")); err != nil {
		return err
	}
	a.log.Info("started", "version", version(), "command", cmd.CommandPath())
	return nil
}

// interactive reports whether a person can be asked.
func (a *app) interactive() bool { return !a.global.noInput && isTerminal(a.stdin) }

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
