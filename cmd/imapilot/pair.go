package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/sync/profile"
	"github.com/spf13/pflag"
)

// pairFlags name the two sides of a migration.
type pairFlags struct {
	source, dest           string
	sourceFlags, destFlags endpointFlags
}

func (p *pairFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&p.source, "source", "", "server to copy from: `URL` such as imaps://anna@old.example")
	fs.StringVar(&p.dest, "dest", "", "server to copy to: `URL`")
	p.sourceFlags.register(fs, "source-")
	p.destFlags.register(fs, "dest-")
}

// given are the flags of both sides that the settings need and a report does not hold.
func (p *pairFlags) given() []map[string]string {
	return []map[string]string{p.sourceFlags.given(), p.destFlags.given()}
}

// settingsFlags are the choices of plan, sync and verify.
type settingsFlags struct {
	flags        string
	noSpecialUse bool
}

func (s *settingsFlags) register(fs *pflag.FlagSet) {
	s.flags = "add"
	fs.Var(oneOf(&s.flags, "add", "mirror", "off"), "flags", "flags of messages that are on both sides, `mode`: add sets what the source has, mirror makes them equal, off leaves them")
	fs.BoolVar(&s.noSpecialUse, "no-special-use", false, "keep folder names where both sides mark the same special use, such as \\Sent")
}

func (s *settingsFlags) settings(live *mailsync.Live) mailsync.Settings {
	mode := map[string]mailsync.FlagMode{"add": mailsync.FlagsAdd, "mirror": mailsync.FlagsMirror, "off": mailsync.FlagsOff}
	return mailsync.Settings{Flags: mode[s.flags], NoSpecialUse: s.noSpecialUse, Live: live}
}

// job makes a Job of the flags. With signIn both sides need a user, and a secret that is not given is asked for. The caller closes it.
func (a *app) job(ctx context.Context, p *pairFlags, settings mailsync.Settings, signIn bool) (*job.Job, error) {
	var err error
	j := &job.Job{Prober: a.prober(), Settings: settings}
	if j.StateDir, err = a.global.stateFolder(); err != nil {
		return nil, err
	}
	if j.Known, err = a.loadProfile(); err != nil {
		return nil, err
	}
	var source, dest *profile.Side
	if j.Known != nil {
		source, dest = &j.Known.Source, &j.Known.Dest
	}
	if j.Source, err = a.sideTarget(p.source, probe.RoleSource, &p.sourceFlags, source, signIn); err != nil {
		return nil, err
	}
	if j.Dest, err = a.sideTarget(p.dest, probe.RoleDest, &p.destFlags, dest, signIn); err != nil {
		return nil, err
	}
	return j, a.resolve(ctx, &j.Source, &j.Dest)
}

// sideTarget makes the target of one side, of what was given and of what a profile knows beside that (nil: there is none).
func (a *app) sideTarget(text string, role probe.Role, f *endpointFlags, known *profile.Side, signIn bool) (probe.Target, error) {
	var t probe.Target
	var err error
	switch {
	case text != "":
		t, err = a.target(text, role, f)
	case known != nil:
		t, err = a.knownTarget(role, f, known)
	default:
		err = usagef("--%s is missing", role).withHint("--%s imaps://user@host", role)
	}
	if err != nil {
		return t, err
	}
	if t.Secret, err = f.reference(); err != nil {
		return t, err
	}
	if known != nil && t.Discover == "" && t.Host == known.Account.Endpoint.Host {
		fillFrom(&t, known)
	}
	a.meetTarget(&t)
	if signIn && t.Discover == "" { // an address in place of a host is the preflight's to explain
		err = f.needed(&t)
	}
	return t, err
}

// checked runs the quick preflight that plan, sync and verify start with, or goes by a fresh profile. When it blocks, its report goes to stdout in place of the
// command's own result, and the error carries its exit code. Its warnings go to stderr.
func (a *app) checked(ctx context.Context, j *job.Job, given ...map[string]string) error {
	report, err := j.Begin(ctx)
	if err != nil {
		return err
	}
	a.applyFailOn(report)
	a.logReport(report)
	a.meetFolders(j)
	if report.ExitCode != exitOK {
		return a.deliver(a.blockedDocument(report, given...), report.ExitCode)
	}
	if err := a.keepProfile(j); err != nil {
		return err
	}
	report = a.maskedReport(report)
	for _, f := range report.Findings {
		if f.Severity != finding.Info {
			a.warn("%s: %s (%s)", place(report, f), f.Summary, f.Code)
		}
	}
	return nil
}

// place says where a finding was made: "source imap.example.org:993/tls".
func place(r *probe.Report, f finding.Finding) string {
	if f.Target == nil {
		return "the pair"
	}
	t := r.Targets[*f.Target]
	if f.Endpoint == nil {
		return side(t.Role) + " " + t.Host
	}
	return side(t.Role) + " " + *f.Endpoint
}

// blockedDocument is the report of a preflight that blocks, in every format that plan, sync and verify have between them.
func (a *app) blockedDocument(r *probe.Report, given ...map[string]string) document {
	d := a.reportDocument(r, given...)
	shown := a.maskedReport(r)
	d[formatNDJSON] = func(w io.Writer, _ look) error {
		var report bytes.Buffer
		if err := render.NDJSON(&report, shown); err != nil {
			return err
		}
		// The event's own fields stand in the same object.
		_, err := fmt.Fprintf(w, `{"event":"preflight","seq":1,"t":%q,%s`, time.Now().UTC().Format(time.RFC3339Nano), bytes.TrimPrefix(report.Bytes(), []byte("{")))
		return err
	}
	return d
}
