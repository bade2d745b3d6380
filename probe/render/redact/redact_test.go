package redact

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a host", "mail.acme.example refuses connections", "host-1.example refuses connections"},
		{"the same host in another case", "MAIL.Acme.example:993, mail.acme.example.", "host-1.example:993, host-1.example."},
		{"a wildcard", "*.acme.example", "*.host-1.example"},
		{"IPv4 with a port", "connected to 10.1.2.3:993", "connected to 192.0.2.2:993"},
		{"IPv6 in brackets", "[fd00::7]:143 and fd00::7: refused", "[2001:db8::1]:143 and 2001:db8::1: refused"},
		{"IPv6 with a zone", "fe80::1%eth0 is near", "2001:db8::1 is near"},
		{"a mail address", "signed in as anna.b@acme.example with PLAIN", "signed in as user-1 with PLAIN"},
		{"a URL", "--source imaps://anna%40acme.example@mail.acme.example", "--source imaps://user-1@host-1.example"},
		{"an escaped address without a scheme", "anna%40acme.example", "user-1"},
		{"a command", "openssl s_client -connect 10.1.2.3:993 -servername mail.acme.example </dev/null", "openssl s_client -connect 192.0.2.2:993 -servername host-1.example </dev/null"},
		{"a distinguished name", "CN=mail.acme.example,O=Acme,C=ZZ", "CN=host-1.example,O=Acme,C=ZZ"},
		{"no name at all", "TLS 1.3 at 14:02:13, RFC 5280 section 4.1.2.5, 2026-05-24, cert.expired of tls.handshake in resolv.conf", "TLS 1.3 at 14:02:13, RFC 5280 section 4.1.2.5, 2026-05-24, cert.expired of tls.handshake in resolv.conf"},
		{"a server's words", "refused; the server said: [AUTHENTICATIONFAILED] no anna on box7", "refused; the server said: [AUTHENTICATIONFAILED] (masked)"},
		{"a code with arguments", "the server said: [REFERRAL imap://anna;AUTH=*@box7/] go", "the server said: [REFERRAL] (masked)"},
		{"words without a code", "the server said: welcome to box7", "the server said: (masked)"},
		{"a web address", "open https://login.acme.example/u/anna?t=1 in a browser", "open https://host-1.example/... in a browser"},
		{"a certificate", "it is -----BEGIN CERTIFICATE-----\nMIIB", "it is (masked)"},
		{"localhost", "localhost:993", "host-1.example:993"},
		{"letters outside ASCII", "post.müller.example,", "host-1.example,"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := New().Text(test.text); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			m := New()
			once := m.Text(test.text)
			if twice := m.Text(once); twice != once {
				t.Errorf("masked again, %s becomes %s", once, twice)
			}
		})
	}
}

func TestSameNameSameMask(t *testing.T) {
	m := New()
	user, folder, host := m.User("anna"), m.Folder("Projekte/Müller"), m.Host("mailbox7")
	if got, want := m.Text("anna at mailbox7: Projekte/Müller, not Projekte/Müllerin or joanna"), user+" at "+host+": "+folder+", not Projekte/Müllerin or joanna"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again := m.Folder("Projekte/Müller"); again != folder {
		t.Errorf("the folder is %s, then %s", folder, again)
	}
	if got := m.Folder("INBOX"); got != "INBOX" {
		t.Errorf("INBOX becomes %s", got)
	}
	if a, b := m.Folder("a"), m.Folder("b"); a == b {
		t.Errorf("two folders are both %s", a)
	}
}

func TestAddressesStayApart(t *testing.T) {
	m := New()
	seen := map[string]bool{}
	for i := range 1500 {
		mask := m.Host(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String())
		if seen[mask] {
			t.Fatalf("%s is given twice", mask)
		}
		seen[mask] = true
	}
}

func TestDigests(t *testing.T) {
	m := New()
	hexed := strings.Repeat("a1b2", 16)
	masked := m.Digest(hexed)
	if len(masked) != len(hexed) || masked == hexed || strings.Trim(masked, "0123456789abcdef") != "" {
		t.Errorf("%s becomes %s", hexed, masked)
	}
	if m.Digest(hexed) != masked || New().Digest(hexed) == masked {
		t.Error("a digest has the same mask in another run, or another one in the same")
	}
	pin := "sha256/oaGyorGhsqKxobKisaGyorGhsqKxobKisaGyorGhsqI="
	if got := m.Text("--pin " + pin); strings.Contains(got, "oaGy") || !strings.HasPrefix(got, "--pin sha256/") || len(got) != len("--pin "+pin) {
		t.Errorf("the pin becomes %s", got)
	}
}

// open are the fields that hold words of ours and numbers, which stay.
var open = map[string]bool{
	"Schema": true, "Version": true, "Verdict": true, "Role": true, "ID": true, "Status": true, "BlockedBy": true, "Security": true, "MinTLS": true,
	"Auth": true, "Groups": true, "Family": true, "CipherSuite": true, "Group": true, "KeyType": true, "SignatureAlgorithm": true, "Code": true,
	"Severity": true, "Check": true, "Responsible": true, "Certainty": true, "Ref": true,
	"Versions": true, "CipherSuites": true, // of --full: names of the TLS registry
}

// fill puts canary into every text that is reachable from v, but for the open fields. It goes by the types, so that a field that is new
// in the report is masked or declared open.
func fill(v reflect.Value, canary string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), canary)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if !open[v.Type().Field(i).Name] {
				fill(v.Field(i), canary)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), canary)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, canary)
		v.SetMapIndex(reflect.ValueOf("some_key").Convert(v.Type().Key()), value)
	case reflect.Interface:
		v.Set(reflect.ValueOf(any([]any{canary, map[string]any{canary: canary}})))
	case reflect.String:
		v.SetString(canary)
	}
}

func TestNoFieldOfAReportIsForgotten(t *testing.T) {
	for _, canary := range []string{"canary.acme.example", "canary@acme.example", "10.99.98.97", "fd00:ca::7", "https://canary.acme.example/x", "the server said: canary"} {
		var r probe.Report
		fill(reflect.ValueOf(&r).Elem(), canary)
		masked, err := json.Marshal(New().Report(&r))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"canary", "acme", "10.99", "fd00"} {
			if i := strings.Index(string(masked), part); i >= 0 {
				t.Errorf("with %s everywhere: …%s…", canary, masked[max(0, i-80):min(len(masked), i+40)])
			}
		}
	}
}

func pairReport() *probe.Report {
	f := finding.New("pair.name-changed", "2 folder names change at the destination: Geheim → INBOX.Geheim, Akten/Müller → INBOX.Akten.Müller", "names differ")
	f.Check = "pair.names"
	f.Evidence["names"] = map[string]any{"Geheim": "INBOX.Geheim", "Akten/Müller": "INBOX.Akten.Müller"}
	f.Remedies = append(f.Remedies, finding.Remedy{Text: "rename Geheim", Apply: map[string]string{"source-user": "anna"}})
	index := 0
	server := finding.New("auth.failed", "box7 refused anna", "the user anna is not known")
	server.Target = &index
	server.Evidence["server_text"] = "no such user: anna on box8"
	server.Evidence["first_bytes"] = "hi \"box8\""
	server.Evidence["pem"] = "-----BEGIN CERTIFICATE-----"
	server.Cause = `what answers is not IMAP: "hi \"box8\""`
	return &probe.Report{
		Targets: []*probe.TargetReport{{
			Input: "imaps://anna@box7", Host: "box7",
			Endpoints: []*probe.EndpointReport{{Host: "box7", Address: "10.9.8.7:993", Checks: []probe.Result{
				{ID: "auth.login", Facts: map[string]any{"user": "anna"}},
				{ID: "imap.greeting", Summary: "the server said: box8 ready", Facts: map[string]any{"text": "box8 ready"}},
			}, TLS: &probe.TLSReport{Certificates: []probe.CertificateReport{{Subject: "CN=box9,O=Acme", Issuer: "CN=box9,O=Acme", Serial: "0badcafe"}}}}},
		}},
		Pair: &probe.Pair{Checks: []probe.Result{
			{ID: "pair.names", Facts: map[string]any{"changed": map[string]string{"Geheim": "INBOX.Geheim"}}},
			{ID: "pair.space", Facts: map[string]any{"quota": []any{map[string]any{"root": "anna quota", "resource": "STORAGE"}}}},
			{ID: "pair.capability", Facts: map[string]any{"missing": map[string]any{"source": []string{"SORT"}}}},
		}},
		Findings: []finding.Finding{f, server},
	}
}

func TestPairAndServerNames(t *testing.T) {
	r := pairReport()
	before, _ := json.Marshal(r)
	masked, err := json.Marshal(New().Report(r))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Geheim", "Akten", "Müller", "anna", "box7", "box8", "box9", "10.9.8.7", "0badcafe"} {
		if strings.Contains(string(masked), name) {
			t.Errorf("%s is in %s", name, masked)
		}
	}
	for _, word := range []string{"STORAGE", "SORT", "INBOX", "folder-1", "user-1", "host-1.example"} {
		if word != "INBOX" && !strings.Contains(string(masked), word) {
			t.Errorf("%s is not in %s", word, masked)
		}
	}
	if after, _ := json.Marshal(r); string(after) != string(before) {
		t.Error("the report was changed")
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"mail.acme.example:993", "[::1]:993", "anna%40x.example", "sha256/", "the server said: [X", "1.2.3.4.5", "::::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := New()
		m.Host("secret-host")
		m.User("secret-user")
		once := m.Text(s + " secret-host secret-user 10.77.66.55 a@secret.example")
		for _, name := range []string{"10.77.66.55", "a@secret.example"} {
			if strings.Contains(once, name) {
				t.Errorf("%q keeps %s: %q", s, name, once)
			}
		}
	})
}

// TestOneAddressOneMask follows the address of a router, and that of the server, through all places where the path puts them.
func TestOneAddressOneMask(t *testing.T) {
	const router, server, client = "10.2.0.2", "10.3.0.2", "10.1.0.2"
	index := 0
	f := finding.New("net.dropped", router+" drops connections to mail.acme.example:993", "packets come as far as "+router+" (hop 2) and no farther")
	f.Target = &index
	f.Remedies = []finding.Remedy{{Text: "send this to the administrator of " + router + ":\nTCP connections from " + client + " to " + server +
		" port 993 vanish behind you. This was seen on 2026-05-24 14:02:13 UTC.\n  traceroute -n -T -p 993 " + server}}
	f.Reproduce = []string{"traceroute -n -T -p 993 " + server + " # needs root"}
	f.Evidence = map[string]any{
		"acts_at": map[string]any{"ttl": 2, "address": router, "how": "icmp 3/13"}, "icmp": "icmp 3/13", "icmp_from": router,
		"compared": []any{map[string]any{"address": server + ":143", "outcome": "connected"}, map[string]any{"address": "[fd03::2]:993", "outcome": "silence"}},
	}
	r := &probe.Report{Findings: []finding.Finding{f}, Targets: []*probe.TargetReport{{
		Input: "mail.acme.example", Host: "mail.acme.example", Endpoints: []*probe.EndpointReport{{Host: "mail.acme.example", Port: 993, Address: server + ":993"}},
		Path: &probe.Path{Hops: []probe.Hop{{TTL: 1}, {TTL: 2, Address: router, RTTMS: 1.5}, {TTL: 3, Address: server}},
			ActsAt: &probe.Hop{TTL: 2, Address: router, RTTMS: 1.5, How: "icmp 3/13"}},
	}}}
	m := New()
	masked := m.Report(r)
	target, got := masked.Targets[0], masked.Findings[0]
	hop, host, from := m.Host(router), m.Host(server), m.Host(client)
	if p := target.Path; p.Hops[0].Address != "" || p.Hops[1] != (probe.Hop{TTL: 2, Address: hop, RTTMS: 1.5}) || p.Hops[2].Address != host ||
		*p.ActsAt != (probe.Hop{TTL: 2, Address: hop, RTTMS: 1.5, How: "icmp 3/13"}) || target.Endpoints[0].Address != host+":993" {
		t.Errorf("the path is %+v, acts at %+v; the endpoint is %s", p.Hops, p.ActsAt, target.Endpoints[0].Address)
	}
	for name, pair := range map[string][2]string{
		"summary": {got.Summary, hop + " drops connections to host-1.example:993"},
		"cause":   {got.Cause, "packets come as far as " + hop + " (hop 2) and no farther"},
		"letter": {got.Remedies[0].Text, "send this to the administrator of " + hop + ":\nTCP connections from " + from + " to " + host +
			" port 993 vanish behind you. This was seen on 2026-05-24 14:02:13 UTC.\n  traceroute -n -T -p 993 " + host},
		"command": {got.Reproduce[0], "traceroute -n -T -p 993 " + host + " # needs root"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("the %s is\n%s\nwant\n%s", name, pair[0], pair[1])
		}
	}
	evidence, err := json.Marshal(got.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`{"acts_at":{"address":%q,"how":"icmp 3/13","ttl":2},"compared":[{"address":%q,"outcome":"connected"},{"address":%q,"outcome":"silence"}],`+
		`"icmp":"icmp 3/13","icmp_from":%q}`, hop, host+":143", "["+m.Host("fd03::2")+"]:993", hop); string(evidence) != want {
		t.Errorf("the evidence is\n%s\nwant\n%s", evidence, want)
	}
}
