package tui

import (
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// emptyStage is a stage without anything filled in.
func emptyStage(t *testing.T) *stage {
	s := newStage(t)
	s.w.cfg.Source, s.w.cfg.Dest = Side{}, Side{}
	s.w.servers = newServersStep(s.w.cfg)
	return s
}

func TestWhatIsPastedIntoHost(t *testing.T) {
	for _, c := range []struct {
		pasted           string
		host, port, user string
		mode             probe.Mode
		problem          string
	}{
		{"imap.example.org", "imap.example.org", "", "", probe.Auto, ""},
		{"  imap.example.org\n", "imap.example.org", "", "", probe.Auto, ""},
		{"imap.example.org:1993", "imap.example.org", "1993", "", probe.Auto, ""},
		{"imaps://anna%40example.org@imap.example.org", "imap.example.org", "", "anna@example.org", probe.ModeTLS, ""},
		{"imap+starttls://anna@[2001:db8::1]:1143", "2001:db8::1", "1143", "anna", probe.ModeSTARTTLS, ""},
		{"2001:db8::1", "2001:db8::1", "", "", probe.Auto, ""},
		{"imap+insecure://imap.example.org", "imap+insecure://imap.example.org", "", "", probe.Auto, "everybody on the way can read the password"},
		{"anna@example.org", "anna@example.org", "", "", probe.Auto, "imap.example.org"},
		{"https://example.org", "https://example.org", "", "", probe.Auto, "unknown scheme"},
		{"one\ntwo", "", "", "", probe.Auto, ""},
	} {
		s := emptyStage(t)
		s.paste(c.pasted)
		f := s.w.servers.form()
		if f.host.value() != c.host || f.port.value() != c.port || f.user.value() != c.user || f.mode() != c.mode {
			t.Errorf("%q: host %q, port %q, user %q, mode %d", c.pasted, f.host.value(), f.port.value(), f.user.value(), f.mode())
		}
		if problem := f.problems[fieldHost]; !strings.Contains(problem, c.problem) || (problem == "") != (c.problem == "") {
			t.Errorf("%q: problem %q, want %q", c.pasted, problem, c.problem)
		}
	}
	s := emptyStage(t)
	s.paste("one\ntwo")
	s.shows("has several lines")
}

func TestAPasswordInAPastedURLGoesToItsField(t *testing.T) {
	s := emptyStage(t)
	s.paste("imaps://anna:" + canary + "%21@imap.example.org")
	f := s.w.servers.form()
	if got := string(f.password.typed.Reveal()); got != canary+"!" {
		t.Errorf("the password is %q", got)
	}
	if f.user.value() != "anna" || f.host.value() != "imap.example.org" {
		t.Errorf("user %q, host %q", f.user.value(), f.host.value())
	}
	if strings.Contains(draw(s.w, 120, 40), canary) {
		t.Error("the password is on the screen")
	}
}

func TestEditingAPassword(t *testing.T) {
	type step = []string
	for _, c := range []struct {
		name string
		keys step
		want string
	}{
		{"typed", step{"a", "b", "c"}, "abc"},
		{"with a blank in it", step{"a", " ", "c"}, "a c"},
		{"corrected at the end", step{"a", "b", "backspace", "c"}, "ac"},
		{"inserted in the middle", step{"a", "c", "left", "b"}, "abc"},
		{"inserted at the beginning", step{"b", "home", "a", "end", "c"}, "abc"},
		{"deleted under the cursor", step{"a", "b", "c", "home", "delete"}, "bc"},
		{"cleared up to the cursor", step{"a", "b", "c", "left", "ctrl+u"}, "c"},
		{"beyond the ends", step{"left", "backspace", "right", "delete", "a", "right", "delete"}, "a"},
		{"outside ASCII", step{"ä", "ß", "left", "€"}, "ä€ß"},
	} {
		f := newPasswordField(nil)
		for _, k := range c.keys {
			f.press(keyMsg(k))
		}
		if got := string(f.typed.Reveal()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPastingAPassword(t *testing.T) {
	for _, c := range []struct{ pasted, want, remark string }{
		{"s3cret", "s3cret", "6 characters"},
		{"s3cret\n", "s3cret", "6 characters"},
		{"s3cret\r\n", "s3cret", "6 characters"},
		{"s3cret\r", "s3cret", "6 characters"},
		{" s3cret", " s3cret", "7 characters, with a space at the beginning"},
		{"s3cret \n", "s3cret ", "7 characters, with a space at the end"},
		{"a\nb", "", ""},
		{"\n", "", ""},
	} {
		f := newPasswordField(nil)
		_, problem := f.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(c.pasted), Paste: true})
		if got := string(f.typed.Reveal()); got != c.want || f.remark() != c.remark {
			t.Errorf("%q: got %q and %q, want %q and %q", c.pasted, got, f.remark(), c.want, c.remark)
		}
		if refused := problem != ""; refused != (c.pasted == "a\nb") {
			t.Errorf("%q: problem %q", c.pasted, problem)
		}
	}
	f := newPasswordField(nil)
	if _, problem := f.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(strings.Repeat("x", maxPassword+1)), Paste: true}); problem == "" {
		t.Error("a password without end is accepted")
	}
}

func TestAPasswordIsShownOnlyWhileItsFieldHasTheFocus(t *testing.T) {
	s := newStage(t)
	s.press("tab", "tab", "tab", "tab")
	s.shows(strings.Repeat("•", len(canary)), "15 characters")
	s.press("ctrl+r")
	s.shows(canary)
	s.press("tab", "shift+tab")
	if strings.Contains(draw(s.w, 80, 24), canary) {
		t.Error("it is still shown after the focus came back")
	}
	s.press("ctrl+r", "ctrl+r")
	if strings.Contains(draw(s.w, 80, 24), canary) {
		t.Error("a second ctrl+r does not hide it")
	}
}

func TestAReferenceStandsInForAPassword(t *testing.T) {
	ref, err := secret.Parse("env:SOURCE_PASSWORD")
	if err != nil {
		t.Fatal(err)
	}
	f := newPasswordField(ref)
	if got := f.view(newTheme(false, false), 30, false); !strings.Contains(got, "from env:SOURCE_PASSWORD") {
		t.Errorf("the field shows %q", got)
	}
	if f.reference() != ref || f.spec() != "env:SOURCE_PASSWORD" || f.empty() {
		t.Error("the reference is not used")
	}
	f.press(keyMsg("x"))
	if f.reference() == ref || f.spec() != "prompt" {
		t.Error("what was typed does not come first")
	}
	f.press(keyMsg("backspace"))
	if f.reference() != ref {
		t.Error("without it the reference does not come back")
	}
	f.press(keyMsg("backspace"))
	if !f.empty() || f.reference() != nil {
		t.Error("backspace in the empty field does not remove the reference")
	}
	prompt, err := secret.Parse("prompt")
	if err != nil {
		t.Fatal(err)
	}
	if f := newPasswordField(prompt); !f.empty() {
		t.Error("a prompt fills the field")
	}
}

func TestFieldsThatNeedAChange(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(f *sideForm)
		field   fieldID
		problem string
	}{
		{"no host", func(f *sideForm) { f.host.set("") }, fieldHost, "needs a host"},
		{"a host that is none", func(f *sideForm) { f.host.set("imap example") }, fieldHost, "not a valid name"},
		{"a port that is no number", func(f *sideForm) { f.port.set("imaps") }, fieldPort, "1 to 65535"},
		{"port 0", func(f *sideForm) { f.port.set("0") }, fieldPort, "1 to 65535"},
		{"a password without user", func(f *sideForm) { f.user.set("") }, fieldUser, "no user"},
		{"a pin that is none", func(f *sideForm) { f.pin.set("sha256/abc") }, fieldPin, "not sha256/"},
		{"a port in the certificate's name", func(f *sideForm) { f.serverName.set("a.example:993") }, fieldServerName, "name of a host"},
		{"a URL to connect to", func(f *sideForm) { f.connect.set("imaps://a.example") }, fieldConnect, "HOST:PORT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			f := s.w.servers.sides[dest]
			c.change(f)
			s.press("ctrl+n")
			if s.w.at != stepServers || s.w.servers.side != dest || s.w.servers.at != c.field {
				t.Errorf("the focus is on side %d, field %d", s.w.servers.side, s.w.servers.at)
			}
			if !strings.Contains(f.problems[c.field], c.problem) {
				t.Errorf("problem %q, want %q in it", f.problems[c.field], c.problem)
			}
		})
	}
}

func TestTheFocusGoesRoundAllFieldsAndIsNeverHeldBack(t *testing.T) {
	s := newStage(t)
	s.w.servers.sides[source].host.set("not a host")
	s.press("shift+tab")
	if s.w.servers.side != dest || s.w.servers.at != fieldAdvanced {
		t.Errorf("before the first field is side %d, field %d", s.w.servers.side, s.w.servers.at)
	}
	for range 2 * (int(fieldAdvanced) + 1) {
		s.press("tab")
	}
	if s.w.servers.side != dest || s.w.servers.at != fieldAdvanced {
		t.Errorf("after a round: side %d, field %d", s.w.servers.side, s.w.servers.at)
	}
	s.press("enter")
	for range 6 {
		s.press("tab")
	}
	if s.w.servers.at != fieldAuthzID {
		t.Errorf("the last of the advanced fields is %d", s.w.servers.at)
	}
}

func TestEnterInsideAPasteDoesNotSubmit(t *testing.T) {
	s := newStage(t)
	now := time.Now()
	s.w.clock = func() time.Time { return now }
	s.w.servers.focus(dest, fieldAdvanced)
	s.w.servers.sides[dest].advanced.open = true
	s.w.servers.at = fieldAuthzID
	s.press("x", "enter")
	if s.w.at != stepServers {
		t.Fatal("an enter right after another key submits the form")
	}
	now = now.Add(time.Second)
	s.press("enter")
	if s.w.at != stepCheck {
		t.Error("enter on the last field does not submit the form")
	}
}

func TestCopyingTheSourcesServer(t *testing.T) {
	s := newStage(t)
	s.w.servers.sides[source].pin.set("sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	s.press("ctrl+y")
	to := s.w.servers.sides[dest]
	if to.host.value() != "imap.old-isp.example" || to.mode() != probe.ModeTLS || to.pin.value() == "" {
		t.Errorf("host %q, mode %d, pin %q", to.host.value(), to.mode(), to.pin.value())
	}
	if to.user.value() != "anna@example.org" {
		t.Errorf("the user became %q", to.user.value())
	}
}

func TestTheDraftKeepsWhatHasNoField(t *testing.T) {
	given := Side{Target: probe.Target{Host: "imap.example.org", Mode: probe.ModeInsecure}, CAFile: "/etc/ca.pem"}
	given.Target.TLS.CAs = "PEM"
	given.Target.TLS.MinVersion = 0x0304
	given.Target.TLS.Groups = "X25519"
	f := newSideForm(probe.RoleDest, given, true)
	d, err := f.draft()
	if err != nil {
		t.Fatal(err)
	}
	if d.target.Role != probe.RoleDest || d.target.TLS != given.Target.TLS || d.target.Mode != probe.ModeInsecure || d.readCAs {
		t.Errorf("the draft is %+v", d)
	}
	f.caFile.set("/etc/other.pem")
	if d, err = f.draft(); err != nil || !d.readCAs || d.target.TLS.CAs != "" {
		t.Errorf("with another file it is %+v, %v", d, err)
	}
	f.caFile.set("")
	if d, err = f.draft(); err != nil || d.readCAs || d.target.TLS.CAs != "" {
		t.Errorf("without a file it is %+v, %v", d, err)
	}
}

func TestAnUnreadableCAFileLeadsBackToItsField(t *testing.T) {
	s := newStage(t)
	s.w.servers.sides[dest].caFile.set(t.TempDir() + "/missing.pem")
	s.press("ctrl+n")
	s.until("the form", func() bool { return s.w.at == stepServers })
	if s.w.servers.side != dest || s.w.servers.at != fieldCAFile {
		t.Errorf("the focus is on side %d, field %d", s.w.servers.side, s.w.servers.at)
	}
	s.shows("no such file")
	if len(s.made) != 0 {
		t.Error("a job was made all the same")
	}
}
