package render

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func text(t *testing.T, r *probe.Report, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, test := range map[string]struct {
		report  *probe.Report
		options Options
	}{
		"healthy-pair.txt":         {healthyPair(), Options{}},
		"healthy-pair-color.txt":   {healthyPair(), Options{Color: true}},
		"healthy-pair-verbose.txt": {healthyPair(), Options{Verbose: true, Width: 100}},
		"healthy-server.txt":       {healthyServer(), Options{}},
		"expired.txt":              {expired(), Options{}},
		"expired-ascii.txt":        {expired(), Options{ASCII: true}},
		"expired-color.txt":        {expired(), Options{Color: true}},
		"two-blocked.txt":          {twoBlocked(), Options{}},
		"one-port.txt":             {onePort(), Options{}},
		"one-port-verbose.txt":     {onePort(), Options{Verbose: true}},
		"no-secret.txt":            {noSecret(), Options{}},
		"hostile.txt":              {hostileServer(), Options{}},
		"hostile-verbose.txt":      {hostileServer(), Options{Verbose: true}},
		"long-names.txt":           {longNames(), Options{}},
		"full.txt":                 {full(), Options{}},
		"full-verbose.txt":         {full(), Options{Verbose: true}},
		"email-as-host.txt":        {emailAsHost(), Options{}},
		"path-dropped.txt":         {pathDropped(), Options{}},
		"path-dropped-ascii.txt":   {pathDropped(), Options{ASCII: true}},
		"path-dropped-color.txt":   {pathDropped(), Options{Color: true}},
		"path-dropped-verbose.txt": {pathDropped(), Options{Verbose: true}},
		"path-long.txt":            {pathLong(), Options{}},
		"path-redirected.txt":      {pathRedirected(), Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := text(t, test.report, test.options)
			golden(t, name, []byte(got))
			checkPrintable(t, got, test.options.Color)
		})
	}
}

// checkPrintable finds control characters, but for line ends and the colours that were asked for.
func checkPrintable(t *testing.T, got string, color bool) {
	t.Helper()
	if color {
		got = strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[32m", "", "\x1b[36m", "", "\x1b[1;31m", "", "\x1b[1;33m", "").Replace(got)
	}
	bad := func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e }
	if i := strings.IndexFunc(got, bad); i >= 0 {
		t.Errorf("a control character at %d: %q", i, got[max(0, i-20):min(len(got), i+20)])
	}
}

func TestColourSaysNothingOfItsOwn(t *testing.T) {
	for _, r := range []*probe.Report{healthyPair(), expired(), twoBlocked(), onePort(), pathDropped(), pathRedirected()} {
		colours := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[32m", "", "\x1b[36m", "", "\x1b[1;31m", "", "\x1b[1;33m", "")
		if got, want := colours.Replace(text(t, r, Options{Color: true})), text(t, r, Options{}); got != want {
			t.Errorf("without its colours the text is\n%s\nwant\n%s", got, want)
		}
	}
}

func TestASCIIHasNoMarksOutsideIt(t *testing.T) {
	for _, r := range []*probe.Report{healthyPair(), expired(), twoBlocked(), onePort(), pathDropped(), pathRedirected()} {
		got := text(t, r, Options{ASCII: true})
		if i := strings.IndexFunc(got, func(r rune) bool { return r > 0x7e }); i >= 0 {
			t.Errorf("a character outside ASCII: %q", got[i:min(len(got), i+20)])
		}
	}
}

func TestLastLineIsTheVerdict(t *testing.T) {
	for _, test := range []struct {
		name   string
		report *probe.Report
		want   string
	}{
		{"all well", healthyPair(), "ready"},
		{"a warning", onePort(), "ready, 2 warnings"},
		{"a server", expired(), "not ready: 1 problem (cert.expired on mail.example.org)"},
		{"both sides", twoBlocked(), "not ready: 2 problems (dns.nxdomain on source, auth.failed on dest)"},
		{"the pair", sameMailbox(), "not ready: 1 problem (pair.same-mailbox)"},
		{"unexplained", &probe.Report{Verdict: probe.Blocked}, "not ready"},
		{"notes do not count", pinned(), "ready"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, o := range []Options{{}, {Width: 40}, {Verbose: true}, {ASCII: true}} {
				lines := strings.Split(strings.TrimSuffix(text(t, test.report, o), "\n"), "\n")
				if got := lines[len(lines)-1]; got != test.want {
					t.Errorf("with %+v the last line is %q, want %q", o, got, test.want)
				}
			}
		})
	}
}

func TestLinesFit(t *testing.T) {
	for width := 64; width <= 160; width += 8 {
		for _, r := range []*probe.Report{healthyPair(), expired(), twoBlocked(), onePort(), longNames(), hostileServer(), pathDropped(), pathLong()} {
			for line := range strings.Lines(text(t, r, Options{Width: width})) {
				if n := layout.Width(strings.TrimRight(line, "\n")); n > width && !strings.HasPrefix(line, "not ready") && !strings.Contains(line, "--") {
					t.Errorf("at %d columns a line has %d: %s", width, n, line)
				}
			}
		}
	}
}

func TestOneScreenWhenAllIsWell(t *testing.T) {
	for name, r := range map[string]*probe.Report{"server": healthyServer(), "pair": healthyPair()} {
		if n := strings.Count(text(t, r, Options{}), "\n"); n > 24 {
			t.Errorf("a healthy %s takes %d lines", name, n)
		}
	}
}

func TestReplay(t *testing.T) {
	for _, r := range []*probe.Report{healthyPair(), expired(), twoBlocked(), onePort(), hostileServer(), pinned(), pathDropped()} {
		for name, write := range map[string]func(*bytes.Buffer) error{
			"JSON":   func(b *bytes.Buffer) error { return JSON(b, r) },
			"NDJSON": func(b *bytes.Buffer) error { return NDJSON(b, r) },
		} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(b.Bytes(), []byte("\n")); name == "NDJSON" && n != 1 {
				t.Errorf("NDJSON has %d line ends", n)
			}
			var stored probe.Report
			if err := json.Unmarshal(b.Bytes(), &stored); err != nil {
				t.Fatal(err)
			}
			for _, o := range []Options{{}, {Verbose: true}} {
				if got, want := text(t, &stored, o), text(t, r, o); got != want {
					t.Errorf("from %s the text is\n%s\nwant\n%s", name, got, want)
				}
			}
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, expired()); err != nil {
		t.Fatal(err)
	}
	golden(t, "expired.json", b.Bytes())
}

func TestJSONHasNoNullLists(t *testing.T) {
	r := &probe.Report{
		Targets: []*probe.TargetReport{
			{Checks: []probe.Result{{}}, Endpoints: []*probe.EndpointReport{{TLS: &probe.TLSReport{Certificates: []probe.CertificateReport{{}}}}, {TLS: &probe.TLSReport{}}}, Path: &probe.Path{}},
			{},
		},
		Pair:     &probe.Pair{},
		Findings: []finding.Finding{{}},
	}
	var b bytes.Buffer
	if err := NDJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"targets", "findings", "checks", "endpoints", "certificates", "dns_names", "ip_addresses", "before_tls", "after_tls",
		"after_login", "hops", "remedies", "reproduce", "evidence", "facts"} {
		if strings.Contains(b.String(), `"`+name+`":null`) {
			t.Errorf("%s is null", name)
		}
	}
	if r.Findings[0].Remedies != nil || r.Targets[0].Checks[0].Facts != nil {
		t.Error("JSON changed the report")
	}
}

func TestSettings(t *testing.T) {
	pin := "sha256/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/AbCdE="
	target := func(input string, r probe.Recommended, checks ...probe.Result) *probe.TargetReport {
		r.ServerName = layout.Join("", r.ServerName, map[bool]string{true: r.Host}[r.ServerName == ""])
		return &probe.TargetReport{Role: probe.RoleSource, Input: input, Checks: checks, Recommended: &r}
	}
	for _, test := range []struct {
		name   string
		target *probe.TargetReport
		want   string
	}{
		{"a usual port is left out", target("mail.example.org", probe.Recommended{Host: "mail.example.org", Port: 993, Security: "tls", Auth: "PLAIN"}),
			"--source imaps://mail.example.org --source-auth PLAIN"},
		{"STARTTLS elsewhere, with the user of the input", target("imap+auto://anna%40example.org@mail.example.org:1143",
			probe.Recommended{Host: "mail.example.org", Port: 1143, Security: "starttls"}),
			"--source imap+starttls://anna%40example.org@mail.example.org:1143"},
		{"an IPv6 address", target("", probe.Recommended{Host: "2001:db8::1", Port: 993, Security: "tls", Address: "[2001:db8::1]:993"}),
			"--source 'imaps://[2001:db8::1]'"},
		{"an IPv6 address with a port", target("", probe.Recommended{Host: "2001:db8::1", Port: 1993, Security: "tls"}),
			"--source 'imaps://[2001:db8::1]:1993'"},
		{"name, pin and address that were given", target("", probe.Recommended{Host: "mail.example.org", Port: 993, Security: "tls", ServerName: "mx1.hoster.example", Pin: &pin, Address: "192.0.2.7:993"},
			probe.Result{ID: "dns.lookup", Status: probe.Skip}),
			"--source imaps://mail.example.org --source-server-name mx1.hoster.example --source-connect 192.0.2.7:993 --source-pin " + pin},
		{"no TLS", target("", probe.Recommended{Host: "mail.example.org", Port: 143, Security: "none", Auth: "LOGIN"}),
			"--source imap+insecure://mail.example.org --source-auth LOGIN --allow-plaintext"},
		{"what the shell would read", target("", probe.Recommended{Host: "a'b;c", Port: 993, Security: "tls"}),
			`--source 'imaps://a'\''b;c'`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := flags("source", test.target, nil); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
