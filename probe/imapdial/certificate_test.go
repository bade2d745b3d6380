package imapdial_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// judged observes a server with the certificate and holds Dial against it: what one accepts the other does too.
func judged(t *testing.T, cert tls.Certificate, security imapdial.Security, policy imapdial.TLSPolicy) imapdial.Facts {
	t.Helper()
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	script := faulty.ImplicitTLS(cfg)
	if security == imapdial.STARTTLS {
		script = faulty.GoodStartTLS(cfg)
	}
	s := serve(t, script)
	ep := imapdial.Endpoint{Host: "127.0.0.1", Port: s.Port(), Security: security, TLS: policy}
	facts, conn := imapdial.Observe(t.Context(), ep, nil)
	if conn != nil {
		conn.Close()
	}
	dialed, err := imapdial.Dial(t.Context(), ep, nil)
	if err == nil {
		dialed.Close()
	}
	if (err == nil) != facts.Acceptable() {
		t.Errorf("Dial says %v, Observe found %v", err, facts.Faults)
	}
	return facts
}

func TestNames(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	tests := []struct {
		name     string
		leaf     imaptest.Leaf
		asked    string
		security imapdial.Security
		says     string // part of the fault's detail; "" for no fault
	}{
		{name: "a final dot in what was asked for", leaf: imaptest.Leaf{DNSNames: []string{"imap.example.org"}}, asked: "imap.example.org."},
		{name: "a final dot in the certificate", leaf: imaptest.Leaf{DNSNames: []string{"imap.example.org."}}, asked: "imap.example.org", says: "ends in a dot"},
		{name: "letters of another case", leaf: imaptest.Leaf{DNSNames: []string{"IMAP.Example.ORG"}}, asked: "imap.example.org"},
		{name: "an international name", leaf: imaptest.Leaf{DNSNames: []string{"xn--mller-kva.example"}}, asked: "müller.example"},
		{name: "an international name that is shown with its letters", leaf: imaptest.Leaf{DNSNames: []string{"xn--mller-kva.example"}}, asked: "imap.example.org",
			says: "xn--mller-kva.example (müller.example)"},
		{name: "a wildcard over two labels", leaf: imaptest.Leaf{DNSNames: []string{"*.example.org"}}, asked: "a.b.example.org", says: "one label, not for more"},
		{name: "a wildcard for its own domain", leaf: imaptest.Leaf{DNSNames: []string{"*.example.org"}}, asked: "example.org", says: "not for none"},
		{name: "half a wildcard", leaf: imaptest.Leaf{DNSNames: []string{"im*.example.org"}}, asked: "imap.example.org", says: "only as a whole label"},
		{name: "an address", leaf: imaptest.Leaf{IPs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, asked: "192.0.2.1"},
		{name: "another address", leaf: imaptest.Leaf{IPs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, asked: "192.0.2.2", says: "none is 192.0.2.2"},
		{name: "an address where there are names", leaf: imaptest.Leaf{DNSNames: []string{"imap.example.org"}}, asked: "192.0.2.1", says: "holds no address"},
		{name: "an address as a DNS name", leaf: imaptest.Leaf{DNSNames: []string{"192.0.2.1"}}, asked: "192.0.2.1", says: "written as a DNS name"},
		{name: "an SRV-ID for TLS", leaf: imaptest.Leaf{SRVNames: []string{"_imaps.example.org"}}, asked: "example.org"},
		{name: "an SRV-ID for STARTTLS", leaf: imaptest.Leaf{SRVNames: []string{"_IMAP.Example.org"}}, asked: "example.org", security: imapdial.STARTTLS},
		{name: "an SRV-ID for the other service", leaf: imaptest.Leaf{SRVNames: []string{"_imap.example.org"}}, asked: "example.org", says: "only for the service _imap"},
		{name: "an SRV-ID does not stand for hosts below", leaf: imaptest.Leaf{SRVNames: []string{"_imaps.example.org"}}, asked: "imap.example.org", says: "for _imaps.example.org"},
		{name: "an SRV-ID has no wildcard", leaf: imaptest.Leaf{SRVNames: []string{"_imaps.*.org"}}, asked: "example.org", says: "for _imaps.*.org"},
		{name: "a DNS name beside an SRV-ID", leaf: imaptest.Leaf{DNSNames: []string{"imap.example.org"}, SRVNames: []string{"_submission.example.org"}}, asked: "imap.example.org"},
		{name: "an SRV-ID of an issuer with constraints", leaf: imaptest.Leaf{SRVNames: []string{"_imaps.example.org"}, Constrained: true}, asked: "example.org", says: "_imaps"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts := judged(t, ca.Issue(tt.leaf), tt.security, imapdial.TLSPolicy{Roots: ca.RootPEM(), ServerName: tt.asked})
			switch {
			case tt.says == "" && len(facts.Faults) > 0:
				t.Errorf("got %+v, want no fault", facts.Faults)
			case tt.says != "" && (len(facts.Faults) == 0 || facts.Faults[0].Kind != imapdial.FaultNameMismatch || !strings.Contains(facts.Faults[0].Detail, tt.says)):
				t.Errorf("got %+v, want one that says %q", facts.Faults, tt.says)
			}
		})
	}
}

func TestSRVNames(t *testing.T) {
	want := []string{"_imaps.example.org", "_imap.example.org"}
	cert := imaptest.NewCA("Test CA").Issue(imaptest.Leaf{DNSNames: []string{"example.org"}, SRVNames: want}).Leaf
	if got := imapdial.SRVNames(cert); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzSRVNames(f *testing.F) {
	cert := imaptest.NewCA("Test CA").Issue(imaptest.Leaf{SRVNames: []string{"_imaps.example.org"}}).Leaf
	for _, ext := range cert.Extensions {
		f.Add(ext.Value)
	}
	id := cert.Extensions[slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.String() == "2.5.29.17" })].Id
	f.Fuzz(func(t *testing.T, value []byte) {
		imapdial.SRVNames(&x509.Certificate{Extensions: []pkix.Extension{{Id: id, Value: value}}})
		imapdial.DumpASN1(value)
	})
}

func TestImitatedIssuers(t *testing.T) {
	ca, other, same := imaptest.NewCA("Test CA"), imaptest.NewCA("Other CA"), imaptest.NewCA("Test CA")
	tests := []struct {
		name    string
		cert    tls.Certificate
		policy  imapdial.TLSPolicy
		want    imapdial.FaultKind
		related *x509.Certificate
	}{
		{"the issuer is sent, and another key signed", ca.Issue(imaptest.Leaf{Imitated: true}), imapdial.TLSPolicy{Roots: ca.RootPEM()}, imapdial.FaultImitatedIssuer, ca.Intermediate()},
		{"an authority of the name of a trusted one", same.Issue(imaptest.Leaf{Chain: imaptest.WithRoot}), imapdial.TLSPolicy{Roots: ca.RootPEM()}, imapdial.FaultImitatedIssuer, nil},
		{"the same without its root", same.Issue(imaptest.Leaf{}), imapdial.TLSPolicy{Roots: ca.RootPEM()}, imapdial.FaultImitatedIssuer, nil},
		{"an authority of another name", other.Issue(imaptest.Leaf{Chain: imaptest.WithRoot}), imapdial.TLSPolicy{Roots: ca.RootPEM()}, imapdial.FaultUnknownCA, nil},
		{"a pinned key makes it harmless", ca.Issue(imaptest.Leaf{Imitated: true}), imapdial.TLSPolicy{Roots: ca.RootPEM(), Pins: "own"}, imapdial.FaultImitatedIssuer, ca.Intermediate()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pinned := tt.policy.Pins != ""
			if pinned {
				tt.policy.Pins = imapdial.Pin(tt.cert.Leaf)
			}
			facts := judged(t, tt.cert, imapdial.TLS, tt.policy)
			i := slices.IndexFunc(facts.Faults, func(f imapdial.Fault) bool { return f.Kind == tt.want })
			if i < 0 || facts.Faults[i].Blocking == pinned || (tt.related == nil) != (facts.Faults[i].Related == nil) ||
				tt.related != nil && !tt.related.Equal(facts.Faults[i].Related) {
				t.Fatalf("got %+v", facts.Faults)
			}
		})
	}
}

func TestConstraintsAreExplained(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	facts := judged(t, ca.Issue(imaptest.Leaf{Constrained: true}), imapdial.TLS, imapdial.TLSPolicy{Roots: ca.RootPEM()})
	if len(facts.Faults) != 1 || facts.Faults[0].Index != 1 || !strings.Contains(facts.Faults[0].Detail, "127.0.0.1") {
		t.Errorf("got %+v", facts.Faults)
	}
	facts = judged(t, ca.Issue(imaptest.Leaf{CriticalExtension: true}), imapdial.TLS, imapdial.TLSPolicy{Roots: ca.RootPEM()})
	if len(facts.Faults) != 1 || !strings.Contains(facts.Faults[0].Detail, "1.3.6.1.4.1.32473.1") {
		t.Errorf("got %+v", facts.Faults)
	}
}

func TestUnparsableCertificatesAreRecovered(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cert := ca.Issue(imaptest.Leaf{NegativeSerial: true})
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.3":                           {},
		"TLS 1.3 after a HelloRetryRequest": {CurvePreferences: []tls.CurveID{tls.CurveP384}},
		"TLS 1.2":                           {MaxVersion: tls.VersionTLS12},
		"TLS 1.2 after STARTTLS":            {MaxVersion: tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Certificates = []tls.Certificate{cert}
			script, security := faulty.ImplicitTLS(cfg), imapdial.TLS
			if strings.HasSuffix(name, "STARTTLS") {
				script, security = faulty.GoodStartTLS(cfg), imapdial.STARTTLS
			}
			facts, conn := imapdial.Observe(t.Context(), endpoint(serve(t, script), security, ca), nil)
			if conn != nil || facts.Err == nil || facts.TLS != nil {
				t.Fatalf("the server is taken for good: %+v", facts)
			}
			if !slices.EqualFunc(facts.RawCertificates, cert.Certificate, slices.Equal) {
				t.Fatalf("got %d certificates, want %d: %v", len(facts.RawCertificates), len(cert.Certificate), facts.Err)
			}
			dump := strings.Join(imapdial.DumpASN1(facts.RawCertificates[0]), "\n")
			for _, part := range []string{"SEQUENCE\n", "(negative)", `PrintableString "Test Mail"`, "OID 1.2.840.10045.2.1"} {
				if !strings.Contains(dump, part) {
					t.Errorf("the dump does not show %q:\n%s", part, dump)
				}
			}
		})
	}
}

// TestEverySuiteIsOpened lets openssl choose the suite, which crypto/tls does not allow to.
func TestEverySuiteIsOpened(t *testing.T) {
	realserver.Require(t, "openssl")
	ca := imaptest.NewCA("Test CA")
	cert := ca.Issue(imaptest.Leaf{NegativeSerial: true})
	certFile, keyFile, err := imaptest.WriteFiles(t.TempDir(), "server", cert)
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"} {
		port := opensslServer(t, "-cert", certFile, "-key", keyFile, "-cert_chain", certFile, "-tls1_3", "-ciphersuites", suite)
		ep := imapdial.Endpoint{Host: "127.0.0.1", Port: port, Security: imapdial.TLS}
		facts, _ := imapdial.Observe(t.Context(), ep, quick)
		if len(facts.RawCertificates) == 0 || !slices.Equal(facts.RawCertificates[0], cert.Certificate[0]) {
			t.Errorf("%s: got %d certificates, error %v", suite, len(facts.RawCertificates), facts.Err)
		}
	}
}

func TestRSAKeysThatAreFarTooShort(t *testing.T) {
	realserver.Require(t, "openssl")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, line := range [][]string{
		{"req", "-x509", "-newkey", "rsa:768", "-nodes", "-subj", "/CN=Tiny", "-days", "30", "-keyout", file("ca.key"), "-out", file("ca.pem"),
			"-addext", "keyUsage=keyCertSign"},
		{"req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=imap", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file("leaf.key"), "-out", file("leaf.csr")},
		{"x509", "-req", "-in", file("leaf.csr"), "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-days", "30", "-copy_extensions", "copy", "-out", file("leaf.pem")},
	} {
		if out, err := exec.CommandContext(t.Context(), "openssl", line...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", line, err, out)
		}
	}
	root, err := os.ReadFile(file("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	port := opensslServer(t, "-cert", file("leaf.pem"), "-key", file("leaf.key"), "-cert_chain", file("ca.pem"), "-cipher", "DEFAULT@SECLEVEL=0")
	ep := imapdial.Endpoint{Host: "127.0.0.1", Port: port, Security: imapdial.TLS, TLS: imapdial.TLSPolicy{Roots: string(root)}}
	facts, _ := imapdial.Observe(t.Context(), ep, quick)
	if all, blocking := kinds(facts.Faults); !slices.Equal(all, []imapdial.FaultKind{imapdial.FaultWeakKey}) || len(blocking) != 1 || facts.Faults[0].Index != 1 {
		t.Errorf("an issuer's tiny key: got %+v, %v", facts.Faults, facts.Err)
	}

	port = opensslServer(t, "-cert", file("ca.pem"), "-key", file("ca.key"), "-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0")
	ep.Port = port
	facts, _ = imapdial.Observe(t.Context(), ep, quick)
	if _, blocking := kinds(facts.Faults); facts.Err == nil || !slices.Contains(blocking, imapdial.FaultWeakKey) {
		t.Errorf("a server's tiny key: got %+v, %v", facts.Faults, facts.Err)
	}
}

// inOwnStore runs the test name in a process whose system roots are those of file.
func inOwnStore(t *testing.T, name, file string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+t.TempDir(), "IMAPILOT_TEST_STORE="+file)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestPrivateAuthorities(t *testing.T) {
	store := os.Getenv("IMAPILOT_TEST_STORE")
	if store == "" {
		ca := imaptest.NewCA("Company CA")
		dir := t.TempDir()
		store = filepath.Join(dir, "store.pem")
		if _, _, err := imaptest.WriteFiles(dir, "server", ca.Issue(imaptest.Leaf{})); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(store, []byte(ca.RootPEM()), 0o600); err != nil {
			t.Fatal(err)
		}
		inOwnStore(t, "TestPrivateAuthorities", store)
		return
	}
	server := strings.TrimSuffix(store, "store.pem") + "server."
	cert, err := tls.LoadX509KeyPair(server+"pem", server+"key")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	facts := judged(t, cert, imapdial.TLS, imapdial.TLSPolicy{})
	if all, blocking := kinds(facts.Faults); !slices.Equal(all, []imapdial.FaultKind{imapdial.FaultPrivateCA}) || len(blocking) != 0 {
		t.Errorf("from the store: got %+v", facts.Faults)
	}
	if facts := judged(t, cert, imapdial.TLS, imapdial.TLSPolicy{CAs: string(root)}); len(facts.Faults) != 0 {
		t.Errorf("given with --ca-file: got %+v", facts.Faults)
	}
}
