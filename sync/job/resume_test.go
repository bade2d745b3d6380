package job_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/sync/job"
	"github.com/imapilot-project/imapilot/sync/profile"
)

// known runs a preflight on the pair and returns a further job that goes by its profile, saved and loaded.
func known(t *testing.T, p *pair) *job.Job {
	t.Helper()
	r := preflight(t, p.job)
	settings := p.job.Validated()
	if settings == nil {
		t.Fatalf("nothing to save; findings %+v", r.Findings)
	}
	p.job.Close()
	path := filepath.Join(t.TempDir(), "pair.profile")
	if err := profile.Save(path, settings); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), password) {
		t.Errorf("%v, or the password is in the profile: %s", err, text)
	}
	loaded, err := profile.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	j := &job.Job{Known: loaded, StateDir: p.job.StateDir,
		Source: job.TargetOf(probe.RoleSource, loaded.Source.Account), Dest: job.TargetOf(probe.RoleDest, loaded.Dest.Account)}
	j.Source.Secret, j.Dest.Secret = p.job.Source.Secret, p.job.Dest.Secret // as if typed again
	t.Cleanup(j.Close)
	return j
}

func begin(t *testing.T, j *job.Job) *probe.Report {
	t.Helper()
	r, err := j.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// probed reports whether the report is that of a whole preflight.
func probed(r *probe.Report) bool { return len(r.Targets[0].Endpoints) > 0 }

func TestAFreshProfileGoesStraightToTheSignIn(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{Security: imaptest.STARTTLS, Delim: '.', Prefix: "INBOX."})
	if err := p.from.Fill(imaptest.Sample()); err != nil {
		t.Fatal(err)
	}
	j := known(t, p)
	before := p.source.Connections()
	p.source.ResetCounts()
	r := begin(t, j)
	if probed(r) || r.Verdict != probe.Ready || r.Schema != "imapilot.preflight/1" {
		t.Errorf("got %+v, findings %+v", r, r.Findings)
	}
	for id, want := range map[string]probe.Status{"pair.mailbox": probe.Pass, "pair.space": probe.Pass, "pair.names": probe.Pass, "pair.sizes": probe.Skip, "pair.estimate": probe.Skip} {
		if got := check(t, r, id).Status; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	if rec := r.Targets[1].Recommended; rec == nil || rec.Security != "starttls" || rec.Address != p.dest.Address() || rec.MinTLS != "1.2" || rec.Auth == "" {
		t.Errorf("recommended %+v", rec)
	}
	if s, err := j.Sync(t.Context()); err != nil || s.Verdict != "complete" || s.Messages.Copied != r.Pair.Messages {
		t.Fatalf("got %+v, %v", s, err)
	}
	if n, in := p.source.Connections()-before, p.source.Count("LOGIN", "AUTHENTICATE"); n != 1 || in != 1 {
		t.Errorf("%d connections and %d sign-ins at the source", n, in)
	}
	if again := j.Validated(); again == nil || *again != *withSecrets(j.Known, j) {
		t.Errorf("a run by the profile validates %+v\nwant %+v", again, j.Known)
	}
}

// withSecrets is a profile with the references of a job.
func withSecrets(k *profile.Profile, j *job.Job) *profile.Profile {
	with := *k
	with.Source.Account.Secret, with.Dest.Account.Secret = j.Source.Secret, j.Dest.Secret
	return &with
}

func TestWhatIsNotTheProfilesIsCheckedAgain(t *testing.T) {
	for name, change := range map[string]func(j *job.Job){
		"an old profile":          func(j *job.Job) { j.Known.Saved = time.Now().Add(-profile.Fresh - time.Second) },
		"one from the future":     func(j *job.Job) { j.Known.Saved = time.Now().Add(time.Hour) },
		"another mechanism":       func(j *job.Job) { j.Source.Mechanism = "LOGIN" },
		"another name":            func(j *job.Job) { j.Dest.TLS.ServerName = "127.0.0.2" },
		"the mode is to be found": func(j *job.Job) { j.Source.Mode = probe.Auto },
		"no profile":              func(j *job.Job) { j.Known = nil },
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, imaptest.Config{}, imaptest.Config{})
			j := known(t, p)
			change(j)
			if r := begin(t, j); !probed(r) || r.Verdict != probe.Ready {
				t.Errorf("probed %v, verdict %s, findings %+v", probed(r), r.Verdict, r.Findings)
			}
		})
	}
}

func TestAServerThatChangedIsDiagnosed(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	j := known(t, p)
	p.dest.SetCertificate(imaptest.NewCA("stranger").Issue(imaptest.Leaf{}))
	if r := begin(t, j); !probed(r) || r.Verdict != probe.Blocked || r.ExitCode != 12 || j.Validated() != nil {
		t.Errorf("probed %v, verdict %s, exit %d", probed(r), r.Verdict, r.ExitCode)
	}
	if p.dest.Count("LOGIN", "AUTHENTICATE") != 1 {
		t.Error("a password went to the stranger")
	}
}

func TestARefusedSignInIsNotTriedAgain(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	j := known(t, p)
	p.to.SetPassword("another")
	p.dest.ResetCounts()
	r, err := j.Begin(t.Context())
	var refused *imapdial.SignInError
	if r != nil || !errors.As(err, &refused) || !strings.Contains(err.Error(), "destination") || strings.Contains(err.Error(), password) {
		t.Errorf("got %+v, %v", r, err)
	}
	if n := p.dest.Count("LOGIN", "AUTHENTICATE"); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
	if _, err := j.Plan(t.Context()); !errors.Is(err, job.ErrNoPreflight) {
		t.Errorf("a plan is made: %v", err)
	}
}

func TestAProfileDoesNotHideHarm(t *testing.T) {
	p := start(t, imaptest.Config{Delim: '/'}, imaptest.Config{Delim: '.'})
	j := known(t, p)
	for _, name := range []string{"x.y", "x_y"} {
		if err := p.from.Create(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	if r := begin(t, j); probed(r) || r.Verdict != probe.Blocked || r.ExitCode != 14 || check(t, r, "pair.names").Status != probe.Fail {
		t.Errorf("collision: verdict %s, exit %d, findings %v", r.Verdict, r.ExitCode, codes(r))
	}
	j.Dest, j.Known.Dest = j.Source, j.Known.Source
	j.Dest.Role = probe.RoleDest
	if r := begin(t, j); probed(r) || r.Verdict != probe.Blocked || r.ExitCode != 2 || check(t, r, "pair.mailbox").Status != probe.Fail {
		t.Errorf("same mailbox: verdict %s, exit %d, findings %v", r.Verdict, r.ExitCode, codes(r))
	}
}

func TestCleartextOfAProfileNeedsConsent(t *testing.T) {
	p := start(t, imaptest.Config{Security: imaptest.Cleartext}, imaptest.Config{})
	p.job.Source.Mode, p.job.Prober.AllowPlaintext = probe.ModeInsecure, true
	j := known(t, p)
	var usage *probe.UsageError
	if _, err := j.Begin(t.Context()); !errors.As(err, &usage) {
		t.Errorf("got %v", err)
	}
	j.Prober.AllowPlaintext = true
	if r := begin(t, j); probed(r) || r.Targets[0].Recommended.Security != "none" || r.Targets[0].Recommended.MinTLS != "" {
		t.Errorf("got %+v", r.Targets[0])
	}
}
