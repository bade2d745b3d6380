package probe

import (
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		text string
		want Target
	}{
		{"imap.example.org", Target{Host: "imap.example.org"}},
		{"IMAP.Example.ORG.", Target{Host: "imap.example.org"}},
		{"imap.example.org:1993", Target{Host: "imap.example.org", Port: 1993}},
		{"mail_1.example.org", Target{Host: "mail_1.example.org"}},
		{"bücher.example", Target{Host: "xn--bcher-kva.example"}},
		{"imaps://BÜCHER.example:993", Target{Host: "xn--bcher-kva.example", Port: 993, Mode: ModeTLS}},
		{"straße.example", Target{Host: "xn--strae-oqa.example"}},
		{"192.0.2.7", Target{Host: "192.0.2.7"}},
		{"192.0.2.7:143", Target{Host: "192.0.2.7", Port: 143}},
		{"2001:db8::1", Target{Host: "2001:db8::1"}},
		{"[2001:DB8::1]", Target{Host: "2001:db8::1"}},
		{"[2001:db8::1]:993", Target{Host: "2001:db8::1", Port: 993}},
		{"imaps://imap.example.org", Target{Host: "imap.example.org", Mode: ModeTLS}},
		{"IMAPS://imap.example.org/", Target{Host: "imap.example.org", Mode: ModeTLS}},
		{"imap://imap.example.org", Target{Host: "imap.example.org", Mode: ModeSTARTTLS}},
		{"imap+starttls://imap.example.org:144", Target{Host: "imap.example.org", Port: 144, Mode: ModeSTARTTLS}},
		{"imap+insecure://127.0.0.1:143", Target{Host: "127.0.0.1", Port: 143, Mode: ModeInsecure}},
		{"imap+auto://imap.example.org", Target{Host: "imap.example.org"}},
		{"imaps://alice@imap.example.org", Target{Host: "imap.example.org", Mode: ModeTLS, User: "alice"}},
		{"imaps://alice%40example.org@imap.example.org:993", Target{Host: "imap.example.org", Port: 993, Mode: ModeTLS, User: "alice@example.org"}},
		{"imaps://a%3Ab%25c@imap.example.org", Target{Host: "imap.example.org", Mode: ModeTLS, User: "a:b%c"}},
		{"imaps://j%C3%B6rg@[2001:db8::1]:993", Target{Host: "2001:db8::1", Port: 993, Mode: ModeTLS, User: "jörg"}},
		{"alice@example.org", Target{Discover: "alice@example.org"}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := ParseTarget(tt.text)
			if err != nil {
				t.Fatalf("ParseTarget(%q): %v", tt.text, err)
			}
			tt.want.Role, tt.want.Input = RoleServer, tt.text
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestParseTargetRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "no host"},
		{"imaps://", "no host"},
		{"imaps://alice@", "no host"},
		{"pop3://pop.example.org", "unknown scheme"},
		{"https://example.org/mail", "unknown scheme"},
		{"imaps://alice:canary@imap.example.org", "holds a password"},
		{"imaps://alice:@imap.example.org", "holds a password"},
		{"alice:canary@imap.example.org", "holds a password"},
		{"imaps://alice@example.org@imap.example.org", "not percent-encoded"},
		{"imaps://50%canary@imap.example.org", "not percent-encoded"},
		{"imaps://a%00b@imap.example.org", "not percent-encoded"},
		{"imaps://a%ffb@imap.example.org", "not percent-encoded"},
		{"imaps://@imap.example.org", "not percent-encoded"},
		{"alice@example.org:993", "neither a host nor an e-mail address"},
		{"imap.example.org:", "not a number from 1 to 65535"},
		{"imap.example.org:0", "not a number from 1 to 65535"},
		{"imap.example.org:65536", "not a number from 1 to 65535"},
		{"imap.example.org:imaps", "not a number from 1 to 65535"},
		{"imap example.org", "not a valid name"},
		{"imap..example.org", "not a valid name"},
		{"-imap.example.org", "not a valid name"},
		{"imap.example.org/INBOX", "not a valid name"},
		{"imap.example.org\r\n", "not a valid name"},
		{strings.Repeat("a", 64) + ".example", "not a valid name"},
		{strings.Repeat("abcdefg.", 32) + "example", "longer than 253"},
		{"192.0.2.256", "ends in a number"},
		{"[2001:db8::1", "without a ]"},
		{"[2001:db8::1]993", "only :PORT"},
		{"[imap.example.org]", "not an IPv6 address"},
		{"[fe80::1%eth0]", "not an IPv6 address"},
		{"2001:db8::1:zz", "too many colons"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := ParseTarget(tt.text)
			if err == nil {
				t.Fatalf("got %+v, want an error", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %q, want it to say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error repeats a password: %q", err)
			}
		})
	}
}

// FuzzParseTarget looks for panics, for targets that nothing can be done with, and for passwords in errors.
func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{
		"imap.example.org:993", "imaps://alice%40example.org@imap.example.org:993", "[2001:db8::1]:143", "alice@example.org",
		"imaps://alice:secretword@host", "bücher.example", "imap+auto://[::1]/", "a:b@c:d@e", "xn--", "imaps://@", "[", "host:99999", "::ffff:192.0.2.1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTarget(text)
		if err != nil {
			if got != (Target{}) {
				t.Errorf("an error and a target: %+v", got)
			}
			if len(text) > 12 && !strings.Contains(accepted, text) && strings.Contains(err.Error(), text) {
				t.Errorf("the error repeats %q", text)
			}
			return
		}
		if got.Discover != "" {
			if got.Host != "" || got.User != "" {
				t.Errorf("an address and a host: %+v", got)
			}
			return
		}
		again, port, err := splitHostPort(got.Host)
		if err != nil || port != 0 || again != got.Host {
			t.Errorf("host %q of %q is not canonical: %q, %d, %v", got.Host, text, again, port, err)
		}
		if quote(got.Host) != got.Host {
			t.Errorf("host %q of %q needs quoting in a shell", got.Host, text)
		}
	})
}

func TestTargetThatCannotBeProbed(t *testing.T) {
	tests := []struct {
		name   string
		target Target
		want   string
	}{
		{"an address of a computer behind the @", Target{Input: "alice@192.0.2.1", Discover: "alice@192.0.2.1"}, "where the domain of an e-mail address belongs"},
		{"imap+insecure without permission", Target{Input: "imap+insecure://h", Host: "h", Mode: ModeInsecure}, "--allow-plaintext"},
		{"no host", Target{}, "no host"},
		{"a bad server name", Target{Host: "h", Role: RoleDest, TLS: imapdial.TLSPolicy{ServerName: "a b"}}, "--dest-server-name"},
		{"a bad connect", Target{Host: "h", Role: RoleSource, Connect: "h:p"}, "--source-connect"},
		{"a CA file without a certificate", Target{Host: "h", TLS: imapdial.TLSPolicy{CAs: "nothing"}}, "--ca-file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := new(Prober).Run(t.Context(), tt.target)
			usage, ok := err.(*UsageError)
			if !ok {
				t.Fatalf("got %v, want a *UsageError", err)
			}
			if !strings.Contains(usage.Error(), tt.want) {
				t.Errorf("got %q, want it to say %q", usage, tt.want)
			}
		})
	}
}
