package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// variable returns the name of the environment variable that stands for a flag.
func variable(flag string) string {
	return "IMAPILOT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// withoutVariable are flags that ask for something else than the command does.
var withoutVariable = map[string]bool{"help": true, "version": true}

// applyEnvironment sets every flag that was not given on the command line from its variable. An empty variable counts as not
// set. One of a repeatable flag holds its values with commas between them.
func applyEnvironment(flags *pflag.FlagSet, getenv func(string) string) error {
	var failure error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		value := getenv(name)
		if failure != nil || f.Changed || value == "" || withoutVariable[f.Name] {
			return
		}
		values := []string{value}
		if _, repeatable := f.Value.(pflag.SliceValue); repeatable {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if err := flags.Set(f.Name, v); err != nil {
				failure = usagef("%s: %q is not a value of --%s: %v", name, v, f.Name, cause(err))
				return
			}
		}
	})
	return failure
}

// cause leaves out pflag's words around what a Value said: they name a flag that nobody gave.
func cause(err error) error {
	if invalid, ok := err.(*pflag.InvalidValueError); ok {
		return invalid.Unwrap()
	}
	return err
}
