package main

import (
	"net"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/redact"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/sync/render"
	"github.com/spf13/cobra"
)

// redacting are the commands whose every output can be masked; those in harmless show no names.
var (
	redacting = []string{"probe", "preflight", "plan", "sync", "verify"}
	harmless  = []string{"explain", "version", "help", "bash", "zsh", "fish", "powershell"}
)

// startMasking puts --redact into effect, or refuses it where names would get out all the same.
func (a *app) startMasking(cmd *cobra.Command) error {
	if !a.global.redact {
		return nil
	}
	switch {
	case slices.Contains(harmless, cmd.Name()):
	case !slices.Contains(redacting, cmd.Name()):
		return usagef("%s cannot mask names", cmd.CommandPath()).withHint("--redact is for %s", strings.Join(redacting, ", "))
	case a.global.logFile != "", cmd.Flags().Changed("log-level"):
		return usagef("the log holds names: --redact cannot be used with it").withHint("leave out --log-file and --log-level")
	}
	a.masks = redact.New()
	return nil
}

// masked masks the names in a text of ours.
func (a *app) masked(text string) string {
	if a.masks == nil {
		return text
	}
	return a.masks.Text(text)
}

// meetTarget makes the names in t known, so that they are masked wherever they stand.
func (a *app) meetTarget(t *probe.Target) {
	if a.masks == nil {
		return
	}
	a.masks.User(t.User)
	a.masks.User(t.AuthzID)
	a.masks.User(t.Discover)
	connect := t.Connect
	if host, _, err := net.SplitHostPort(connect); err == nil {
		connect = host
	}
	for _, host := range []string{t.Host, t.TLS.ServerName, connect} {
		a.masks.Host(host)
	}
}

// meetFolders makes the names of all folders of a job known.
func (a *app) meetFolders(j *job.Job) {
	if a.masks == nil {
		return
	}
	for _, name := range j.Mailboxes() {
		a.masks.Folder(name)
	}
}

func (a *app) maskedReport(r *probe.Report) *probe.Report {
	if a.masks == nil {
		return r
	}
	return a.masks.Report(r)
}

// maskedFlags leaves out the values: a path often holds a name.
func (a *app) maskedFlags(given []map[string]string) []map[string]string {
	if a.masks == nil {
		return given
	}
	masked := make([]map[string]string, len(given))
	for i, flags := range given {
		masked[i] = map[string]string{}
		for name := range flags {
			masked[i][name] = strings.ToUpper(name[strings.LastIndexByte(name, '-')+1:])
		}
	}
	return masked
}

func (a *app) maskedPlan(p *mailsync.Plan) *mailsync.Plan {
	if a.masks == nil {
		return p
	}
	return render.RedactPlan(p, a.masks)
}

func (a *app) maskedSummary(s *mailsync.Summary) *mailsync.Summary {
	if a.masks == nil {
		return s
	}
	return render.RedactSummary(s, a.masks)
}

func (a *app) maskedVerification(v *mailsync.Verification) *mailsync.Verification {
	if a.masks == nil {
		return v
	}
	return render.RedactVerification(v, a.masks)
}

func (a *app) maskedEvent(e mailsync.Event) mailsync.Event {
	if a.masks == nil {
		return e
	}
	return render.RedactEvent(e, a.masks)
}
