package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/spf13/cobra"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "tells what a finding means and what to do, offline",
		Long:  "explain prints the long text of a finding code. Without a code it lists all of them.",
		Example: `  imapilot explain cert.expired
  imapilot explain`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("explain takes one code").withHint("imapilot explain lists them")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.supports("explain", formatText); err != nil {
				return err
			}
			text := catalogue()
			if len(args) == 1 {
				var err error
				if text, err = explanation(args[0]); err != nil {
					return err
				}
			}
			return a.deliver(document{formatText: func(w io.Writer, _ look) error {
				_, err := io.WriteString(w, text)
				return err
			}}, exitOK)
		},
	}
}

// explanation returns the long text of a code under a heading.
func explanation(code string) (string, error) {
	code = strings.ToLower(strings.TrimSpace(code))
	entry, ok := finding.Lookup(finding.Code(code))
	if !ok {
		e := usagef("there is no finding code %q", code).withHint("imapilot explain lists them")
		if match := closest(code, codes()); match != "" {
			e.hint = "did you mean " + match + "?"
		}
		return "", e
	}
	text, _ := finding.Explain(entry.Code)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", entry.Code, entry.Title)
	fmt.Fprintf(&b, "severity: %s\nwho can solve it: %s\n", entry.Severity, entry.Responsible)
	if entry.Ref != "" {
		fmt.Fprintf(&b, "standard: %s\n", entry.Ref)
	}
	fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(text))
	return b.String(), nil
}

// areas are what the first part of a code stands for.
var areas = map[string]string{
	"input": "what was given", "dns": "names", "net": "the network", "imap": "IMAP before sign-in", "starttls": "STARTTLS", "tls": "TLS",
	"cert": "certificates", "local": "this computer", "auth": "sign-in", "account": "the account", "pair": "both servers together",
}

// catalogue lists every code under its area; the areas stand in the order of the connection.
func catalogue() string {
	var order []string
	entries := map[string][]finding.Entry{}
	width := 0
	for _, e := range finding.Catalogue() {
		area, _, _ := strings.Cut(string(e.Code), ".")
		if entries[area] == nil {
			order = append(order, area)
		}
		entries[area] = append(entries[area], e)
		width = max(width, len(e.Code))
	}
	// pair.same-mailbox is seen first of all; the rest of its area comes last.
	if i := slices.Index(order, "pair"); i >= 0 {
		order = append(slices.Delete(order, i, i+1), "pair")
	}
	var b strings.Builder
	for _, area := range order {
		fmt.Fprintf(&b, "%s: %s\n", area, areas[area])
		for _, e := range entries[area] {
			fmt.Fprintf(&b, "  %-*s  %-5s  %s\n", width, e.Code, e.Severity, e.Title)
		}
		b.WriteString("\n")
	}
	b.WriteString("imapilot explain CODE tells what one means and what to do\n")
	return b.String()
}

func codes() []string {
	var all []string
	for _, e := range finding.Catalogue() {
		all = append(all, string(e.Code))
	}
	return all
}
