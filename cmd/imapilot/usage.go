package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is a command line that cannot be carried out. It repeats no argument that may hold a password.
type usageError struct{ msg, hint string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) *usageError {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}

func (e *usageError) withHint(format string, args ...any) *usageError {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// asUsage turns what cobra says of a command line into a usageError.
func asUsage(root *cobra.Command, err error) error {
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*fileError](err); ok {
		return err
	}
	// cobra has no type for this one.
	var name string
	if _, e := fmt.Sscanf(err.Error(), "unknown command %q", &name); e != nil {
		return usagef("%v", err).withHint("%s", helpHint(root))
	}
	return unknownCommand(root, name)
}

func unknownCommand(root *cobra.Command, name string) *usageError {
	if !isWord(name) {
		return usagef("the first argument is not a command").withHint("%s probe TARGET checks a server", root.Name())
	}
	e := usagef("there is no command %s", name).withHint("%s --help lists the commands", root.Name())
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if match := closest(name, names); match != "" {
		e.hint = "did you mean " + match + "?"
	}
	return e
}

// isWord reports whether s is what a command could be called, so that it may be repeated.
func isWord(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return len(s) < 20
}

// noArguments is the Args of commands that take none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := usagef("%s takes no arguments, only flags", cmd.CommandPath()).withHint("%s", helpHint(cmd))
	if cmd.Flags().Lookup("source") != nil {
		e.hint = "the servers are given with --source URL and --dest URL"
	}
	return e
}

// flagError says which flag is unknown and offers the closest one.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if syntax, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usagef("%.3s… is not how a flag is written", syntax.GetSpecifiedFlag()).withHint("%s", helpHint(cmd))
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return usagef("%v", err).withHint("%s", helpHint(cmd))
	}
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		return usagef("%s has no flag -%s", cmd.CommandPath(), name).withHint("%s", helpHint(cmd))
	}
	e := usagef("%s has no flag --%s", cmd.CommandPath(), name).withHint("%s", helpHint(cmd))
	if cmd.Flags().Lookup("source-"+name) != nil {
		e.hint = fmt.Sprintf("did you mean --source-%s or --dest-%s?", name, name)
		return e
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if match := closest(name, names); match != "" {
		e.hint = "did you mean --" + match + "?"
	}
	return e
}

func helpHint(cmd *cobra.Command) string { return cmd.CommandPath() + " --help lists the flags" }
