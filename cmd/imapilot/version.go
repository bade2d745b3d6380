package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "prints the version",
		Example: `  imapilot version
  imapilot version -o json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := a.supports("version", formatText, formatJSON); err != nil {
				return err
			}
			return a.deliver(document{
				formatText: func(w io.Writer, _ look) error {
					_, err := fmt.Fprintln(w, versionLine())
					return err
				},
				formatJSON: func(w io.Writer, _ look) error {
					return encodeJSON(w, versionInfo{"imapilot.version/1", version(), commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH}, "  ")
				},
			}, exitOK)
		},
	}
}

// versionInfo is what version -o json prints.
type versionInfo struct {
	Schema  string `json:"schema"`
	Version string `json:"version"`
	Commit  string `json:"commit"` // "" when the build does not know it
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func versionLine() string {
	return fmt.Sprintf("imapilot %s (%s, %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is the module's version that the go command recorded, or "devel" for a build from a working folder.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// commit is the revision that the go command recorded, or "".
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
