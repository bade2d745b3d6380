package provider

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheFileCanBeRead(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	date, err := time.Parse(time.DateOnly, d.Date)
	if err != nil || date.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) || !Date().Equal(date) {
		t.Errorf("the file has the date %q (%v)", d.Date, err)
	}
	if len(d.Providers) < 10 || len(d.Refusals) < 10 {
		t.Errorf("%d providers and %d refusals", len(d.Providers), len(d.Refusals))
	}
}

func TestEveryHintHasAText(t *testing.T) {
	names := map[string]bool{}
	for _, p := range All() {
		if p.Name == "" || names[p.Name] || len(p.Hints) == 0 || len(p.Hosts)+len(p.MX)+len(p.Banners) == 0 {
			t.Errorf("%q has no name of its own, no hint, or nothing to know it by", p.Name)
		}
		names[p.Name] = true
		for kind, text := range p.Hints {
			if !slices.Contains(kinds, kind) {
				t.Errorf("%s has a hint of the unknown kind %q", p.Name, kind)
			}
			if text == "" || strings.HasSuffix(text, ".") || strings.ContainsAny(text, "!\r\n\t") || len(text) > 300 {
				t.Errorf("%s: the hint %s is against the rules for messages: %q", p.Name, kind, text)
			}
		}
		if p.form != nil && p.Hints[AppPassword] == "" || p.OAuthOnly && p.Hints[OAuthOnly] == "" {
			t.Errorf("%s asks for what it has no hint for", p.Name)
		}
		for _, host := range slices.Concat(p.Hosts, p.MX) {
			if host != strings.ToLower(host) || strings.HasPrefix(host, ".") {
				t.Errorf("%s: the host %q is not written as it is compared", p.Name, host)
			}
		}
		if p.Server != "" && Of(p.Server, "") != p {
			t.Errorf("%s is not known by its own server", p.Name)
		}
	}
}

func TestEveryRefusalIsReached(t *testing.T) {
	for _, r := range loaded().Refusals {
		if r.Text != strings.ToLower(r.Text) || r.Kind != "" && !slices.Contains(kinds, r.Kind) || r.Kind == "" && r.Why == "" {
			t.Errorf("the refusal %+v is not written as it is compared, or of an unknown kind", r)
		}
		if got := Meaning("x " + strings.ToUpper(r.Text) + " y"); got != r.Kind {
			t.Errorf("%q means %q, want %q", r.Text, got, r.Kind)
		}
	}
}

func TestOf(t *testing.T) {
	tests := []struct{ host, greeting, want string }{
		{"imap.gmail.com", "", "Gmail"},
		{"IMAP.Gmail.com.", "", "Gmail"},
		{"p01-imap.mail.me.com", "", "iCloud"},
		{"notimap.gmail.com.example.org", "", ""},
		{"mail.example.org", "Gimap ready for requests from 192.0.2.1 k8mb1", "Gmail"},
		{"mail.example.org", "The Microsoft Exchange IMAP4 service is ready.", "Exchange Server"},
		{"outlook.office365.com", "The Microsoft Exchange IMAP4 service is ready. [QQBBAFAAUgAw]", "Microsoft 365 and Outlook.com"},
		{"mail.example.org", "Dovecot (Debian) ready.", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		got := ""
		if p := Of(tt.host, tt.greeting); p != nil {
			got = p.Name
		}
		if got != tt.want {
			t.Errorf("Of(%q, %q) = %q, want %q", tt.host, tt.greeting, got, tt.want)
		}
	}
}

func TestOfMX(t *testing.T) {
	for host, want := range map[string]string{
		"aspmx.l.google.com.":                      "imap.gmail.com",
		"example-org.mail.protection.outlook.com.": "outlook.office365.com",
		"in1-smtp.messagingengine.com.":            "imap.fastmail.com",
		"example-org.i-v1.mx.microsoft.":           "outlook.office365.com",
		"mail.example.org.":                        "",
		"google.com.example.org.":                  "",
	} {
		got := ""
		if p := OfMX(host); p != nil {
			got = p.Server
		}
		if got != want {
			t.Errorf("OfMX(%q) has the server %q, want %q", host, got, want)
		}
	}
}

func TestWantsAppPassword(t *testing.T) {
	gmail, icloud, other := Of("imap.gmail.com", ""), Of("imap.mail.me.com", ""), Of("imap.gmx.net", "")
	tests := []struct {
		p        *Provider
		password string
		want     bool
	}{
		{gmail, "abcd efgh ijkl mnop", false},
		{gmail, "abcdefghijklmnop", false},
		{gmail, "Tr0ub4dor&3", true},
		{icloud, "abcd-efgh-ijkl-mnop", false},
		{icloud, "correct horse", true},
		{other, "Tr0ub4dor&3", false},
		{nil, "Tr0ub4dor&3", false},
	}
	for _, tt := range tests {
		if got := tt.p.WantsAppPassword([]byte(tt.password)); got != tt.want {
			t.Errorf("%+v with %q: got %t, want %t", tt.p, tt.password, got, tt.want)
		}
	}
	if hint := (*Provider)(nil).Hint(AppPassword); hint != "" {
		t.Errorf("no provider has the hint %q", hint)
	}
}

// FuzzMeaning looks for panics on words of any kind.
func FuzzMeaning(f *testing.F) {
	f.Add("Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)")
	f.Fuzz(func(t *testing.T, words string) {
		if kind := Meaning(words); kind != "" && !slices.Contains(kinds, kind) {
			t.Errorf("%q means %q", words, kind)
		}
		Of(words, words)
		OfMX(words)
	})
}
