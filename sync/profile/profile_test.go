package profile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

const canary = "Canary-7f3a/q Zw&9"

var (
	roots = imaptest.NewCA("profile roots").RootPEM()
	cas   = imaptest.NewCA("profile CAs").RootPEM()
)

// full is a side in which every field says something.
func full(t *testing.T) Side {
	t.Helper()
	pins, err := imapdial.CanonicalPins([]string{"sha256/" + strings.Repeat("A", 43) + "=", "sha256/" + strings.Repeat("B", 42) + "A="})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := secret.Parse("env:PASSWORD")
	if err != nil {
		t.Fatal(err)
	}
	a := imapdial.Account{
		User: `anna "a" <b>`, AuthzID: "shop", Mechanism: "SCRAM-SHA-256", Secret: ref,
		Endpoint: imapdial.Endpoint{Host: "old.example", Port: 1993, Security: imapdial.STARTTLS, Connect: "[2001:db8::1]:993", Via: "socks5://proxy.example:1080", TLS: imapdial.TLSPolicy{
			ServerName: "imap.old.example", Roots: roots, CAs: cas, Pins: pins, MinVersion: versions["1.3"], Groups: "X25519 secp256r1",
		}},
	}
	fillRest(reflect.ValueOf(&a).Elem())
	return Side{a, "192.0.2.7:1993"}
}

// fillRest gives strings and numbers that are still empty a value, so that a field which is added one day is part of the round trip.
func fillRest(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.Kind() == reflect.Struct:
			fillRest(f)
		case f.IsZero() && f.Kind() == reflect.String:
			f.SetString("socks5://proxy.example:1080")
		case f.IsZero() && f.CanInt():
			f.SetInt(1)
		case f.IsZero() && f.CanUint():
			f.SetUint(1)
		case f.IsZero() && f.Kind() == reflect.Bool:
			f.SetBool(true)
		}
	}
}

func TestWhatIsSavedIsLoaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pair.profile")
	want := &Profile{Saved: time.Date(2026, 11, 25, 19, 15, 1, 5e8, time.FixedZone("", 3600)), Source: full(t),
		Dest: Side{Account: imapdial.Account{Endpoint: imapdial.Endpoint{Host: "127.0.0.1", Port: 993}}}}
	if err := Save(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Saved.Equal(want.Saved.Truncate(time.Second)) {
		t.Errorf("saved is %v, want %v", got.Saved, want.Saved)
	}
	if got, want := got.Source.Account.Secret.String(), want.Source.Account.Secret.String(); got != want {
		t.Errorf("the reference is %q, want %q", got, want)
	}
	got.Source.Account.Secret, want.Source.Account.Secret = nil, nil
	if got.Source != want.Source || got.Dest != want.Dest {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestThePinnedAccountIsReachedWhereItAnswered(t *testing.T) {
	s := Side{Account: imapdial.Account{Endpoint: imapdial.Endpoint{Host: "a", Port: 993}}, Address: "192.0.2.1:993"}
	if got := s.Pinned().Endpoint; got.Connect != "192.0.2.1:993" || got.Host != "a" || s.Account.Endpoint.Connect != "" {
		t.Errorf("got %+v of %+v", got, s)
	}
	s.Address = ""
	if got := s.Pinned(); got != s.Account {
		t.Errorf("got %+v", got)
	}
}

func TestAProfileIsItsOwnersAloneAndReplacedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pair.profile")
	if err := os.WriteFile(path, []byte("older and readable for all"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, &Profile{Saved: time.Now(), Source: full(t), Dest: full(t)}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("there are %v, %v", entries, err)
	}
	if err := Save(filepath.Join(dir, "absent", "x"), &Profile{}); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestSecretsAreReferences(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for given, want := range map[string]string{
		"prompt": "prompt", "stdin": "prompt", "fd:3": "prompt", "env:OLD": "env:OLD", "cred:old": "cred:old",
		"cmd:pass show old": "cmd:pass show old", "file:/etc/old.pass": "file:/etc/old.pass", "file:old.pass": "file:" + filepath.Join(dir, "old.pass"),
	} {
		ref, err := secret.Parse(given)
		if err != nil {
			t.Fatal(err)
		}
		if got := reference(ref); got != want {
			t.Errorf("%s is saved as %s, want %s", given, got, want)
		}
	}
	typed := imapdial.Account{Secret: secret.Given(secret.New([]byte(canary))), Endpoint: imapdial.Endpoint{Host: "h", Port: 993}}
	data, err := encode(&Profile{Source: Side{Account: typed}, Dest: Side{Account: imapdial.Account{Endpoint: typed.Endpoint}}})
	if err != nil || strings.Contains(string(data), canary[:10]) || !strings.Contains(string(data), `"password_from": "prompt"`) {
		t.Errorf("%v: %s", err, data)
	}
}

func TestAgeDecides(t *testing.T) {
	now := time.Date(2026, 11, 25, 19, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]bool{
		0: true, time.Second: true, Fresh - time.Second: true, Fresh: false, 24 * time.Hour: false, -time.Minute: false,
	} {
		if got := (&Profile{Saved: now.Add(-age)}).IsFresh(now); got != want {
			t.Errorf("after %v fresh is %v", age, got)
		}
	}
}

func TestABadProfileIsExplained(t *testing.T) {
	good := `{"schema": "imapilot.profile/1", "saved": "2026-11-25T19:00:00Z",
"source": {"host": "a", "port": 993, "security": "tls"},
"dest": {"host": "b", "port": 143, "security": "starttls"}}`
	if _, err := decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"no JSON", good, "hello", "line 1: "},
		{"an empty file", good, "", "line 1: "},
		{"a comma too many", `"tls"},`, `"tls"},,`, "line 2: "},
		{"a list", good, "[]", "line 1: a array stands where the object belongs"},
		{"something behind", `"starttls"}}`, `"starttls"}}` + "\n{}", "line 4: "},
		{"another schema", "profile/1", "profile/2", `schema: it is "imapilot.profile/2" and not`},
		{"no time", `"saved": "2026-11-25T19:00:00Z",`, "", `saved: "" is not a time`},
		{"a bad time", "2026-11-25T19:00:00Z", "yesterday", `saved: "yesterday" is not a time`},
		{"no source", `"source": {"host": "a", "port": 993, "security": "tls"},`, "", "source: it is missing"},
		{"no host", `"host": "b", `, "", "dest.host: it is missing"},
		{"no port", `"port": 143, `, "", "dest.port: it is missing"},
		{"a port that is text", "143", `"imap"`, "line 3: dest.port: a string cannot stand here"},
		{"a port that is too high", "143", "70000", "line 3: dest.port: a number 70000 cannot stand here"},
		{"no security", `, "security": "tls"`, "", `source.security: "" is none of`},
		{"an unknown security", `"starttls"`, `"auto"`, `dest.security: "auto" is none of tls, starttls, none`},
		{"an unknown setting", `"host": "a"`, `"host": "a", "insecure": true`, `source."insecure": there is no such setting`},
		{"a setting in capitals", `"host": "a"`, `"Host": "a"`, `source."Host": there is no such setting`},
		{"an address that is a name", `"host": "a"`, `"host": "a", "address": "a:993"`, `source.address: "a:993" is not an IP address and a port`},
		{"a pin that is none", `"host": "a"`, `"host": "a", "pins": ["sha256/x"]`, "source.pins: "},
		{"a certificate that is none", `"host": "a"`, `"host": "a", "ca_certificates": "x"`, "source.ca_certificates: "},
		{"an old TLS", `"host": "a"`, `"host": "a", "min_tls": "SSLv3"`, "source.min_tls: "},
		{"a line end in the user", `"host": "a"`, `"host": "a", "user": "a\r\nb"`, "source.user: "},
		{"a password in place of a reference", `"host": "a"`, `"host": "a", "password_from": "` + canary + `"`, "source.password_from: "},
	} {
		_, err := decode([]byte(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s…", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), canary[:10]) {
			t.Errorf("%s: the error repeats the password: %v", c.name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema": "imapilot.profile/1", "saved": "2026-11-25T19:00:00Z", "source": {"host": "a", "port": 993, "security": "tls", "pins": [], "groups": ["X25519"]}, "dest": {"host": "b", "port": 143, "security": "none", "min_tls": "1.3", "password_from": "env:X"}}`))
	f.Add([]byte(`{"source": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decode(data)
		if err != nil {
			return
		}
		again, err := encode(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(again); err != nil {
			t.Errorf("what was read cannot be read again: %v: %s", err, again)
		}
	})
}
