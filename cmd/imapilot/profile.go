package main

import (
	"cmp"
	"slices"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/sync/profile"
	"github.com/spf13/cobra"
)

// profiled are the commands that work with a profile: those with two sides.
var profiled = []string{"preflight", "plan", "sync", "verify"}

// refuseProfile refuses the flags of profiles where they would do nothing.
func refuseProfile(cmd *cobra.Command) error {
	for _, name := range []string{"profile", "save-profile"} {
		if cmd.Flags().Changed(name) && !slices.Contains(profiled, cmd.Name()) {
			return usagef("%s has no use for --%s", cmd.CommandPath(), name).withHint("--%s is for %s", name, joined(profiled))
		}
	}
	return nil
}

// loadProfile reads the file of --profile; nil when it was not given.
func (a *app) loadProfile() (*profile.Profile, error) {
	if a.global.profile == "" {
		return nil, nil
	}
	p, err := profile.Load(a.global.profile)
	if err != nil {
		return nil, &fileError{err}
	}
	return p, nil
}

// keepProfile writes the file of --save-profile after a preflight. What must not be used is not kept.
func (a *app) keepProfile(j *job.Job) error {
	path := a.global.saveProfile
	if path == "" {
		return nil
	}
	p := j.Validated()
	if p == nil {
		a.warn("%s was not written: the settings were not found good", path)
		return nil
	}
	if err := profile.Save(path, p); err != nil {
		return &fileError{err}
	}
	return nil
}

// knownTarget makes the target of a side for which only flags were given beside the profile.
func (a *app) knownTarget(role probe.Role, f *endpointFlags, known *profile.Side) (probe.Target, error) {
	of := job.TargetOf(role, known.Account)
	if of.Mode == probe.ModeInsecure && !a.global.allowPlaintext {
		return of, usagef("the profile has no TLS for the %s: anyone on the way can read the password and the mail", side(role)).
			withHint("add --allow-plaintext to accept that")
	}
	t := probe.Target{Role: role, Input: of.Input, Host: of.Host, Port: of.Port, Mode: of.Mode, User: cmp.Or(f.user, of.User)}
	err := f.apply(&t)
	return t, err
}

// fillFrom gives t, whose host is the profile's, what was not given beside the profile.
func fillFrom(t *probe.Target, known *profile.Side) {
	of := job.TargetOf(t.Role, known.Account)
	if t.Mode == probe.Auto && (t.Port == 0 || t.Port == of.Port) {
		t.Mode, t.Port = of.Mode, of.Port
	}
	if t.Port == 0 && t.Mode == of.Mode {
		t.Port = of.Port
	}
	t.User = cmp.Or(t.User, of.User)
	t.AuthzID = cmp.Or(t.AuthzID, of.AuthzID)
	t.Mechanism = cmp.Or(t.Mechanism, of.Mechanism)
	t.Connect = cmp.Or(t.Connect, of.Connect)
	t.Via = cmp.Or(t.Via, of.Via)
	t.Secret = cmp.Or(t.Secret, of.Secret)
	t.TLS.ServerName = cmp.Or(t.TLS.ServerName, of.TLS.ServerName)
	t.TLS.Roots = cmp.Or(t.TLS.Roots, of.TLS.Roots)
	t.TLS.CAs = cmp.Or(t.TLS.CAs, of.TLS.CAs)
	t.TLS.Pins = cmp.Or(t.TLS.Pins, of.TLS.Pins)
	t.TLS.MinVersion = cmp.Or(t.TLS.MinVersion, of.TLS.MinVersion)
	t.TLS.Groups = cmp.Or(t.TLS.Groups, of.TLS.Groups)
}
