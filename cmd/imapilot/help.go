package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const exitCodeHelp = `Exit codes:
   0 done                          14 the server cannot do it
   1 a bug                         15 warnings, with --fail-on warning
   2 usage                         20 not all was copied, or the sides differ
   3 file or secret reference      22 the destination is full
   4 a question, and no terminal   23 the connection was lost
  10 name or network               24 another run is at work
  11 TLS or STARTTLS               25 safety stop
  12 certificate, name or pin      75 the server asks to come back later
  13 sign-in                       129, 130, 143 stopped by a signal
`

const manualHelp = "The manual: go doc github.com/imapilot-project/imapilot/cmd/imapilot\n"

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "shows the help of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), strings.Join(args, " "))
			}
			return target.Help()
		},
	}
}

// help prints the help of cmd: examples first, then commands or flags with their variables, at last the exit codes.
func (a *app) help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	heading := func(s string) { a.heading(w, s) }
	if cmd.HasExample() {
		heading("Examples")
		fmt.Fprintf(w, "%s\n\n", cmd.Example)
	}
	fmt.Fprintf(w, "%s\n\n", about)
	heading("Usage")
	fmt.Fprintf(w, "  %s\n", cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(w)
		heading("Commands")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-12s %s\n", c.Name(), c.Short)
			}
		}
	}
	if cmd.HasAvailableLocalFlags() && cmd.HasParent() {
		fmt.Fprintln(w)
		heading("Flags")
		fmt.Fprint(w, flagTable(cmd.LocalNonPersistentFlags()))
	}
	fmt.Fprintln(w)
	heading("Global flags")
	fmt.Fprint(w, flagTable(cmd.Root().PersistentFlags()))
	fmt.Fprintf(w, "\n%s\n%s", exitCodeHelp, manualHelp)
}

func (a *app) heading(w io.Writer, s string) {
	if a.look().Color {
		s = "\x1b[1m" + s + "\x1b[0m"
	}
	fmt.Fprintf(w, "%s:\n", s)
}

// flagTable lists flags with the variables that stand for them.
func flagTable(flags *pflag.FlagSet) string {
	table := pflag.NewFlagSet("", pflag.ContinueOnError)
	table.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		shown := *f
		if !withoutVariable[f.Name] {
			shown.Usage += " [" + variable(f.Name) + "]"
		}
		table.AddFlag(&shown)
	})
	return table.FlagUsagesWrapped(paperWidth)
}
