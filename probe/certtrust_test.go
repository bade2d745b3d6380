package probe

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

func TestPortsThatDiffer(t *testing.T) {
	day := 24 * time.Hour
	old := serverTLS(imaptest.Leaf{NotBefore: time.Now().Add(-100 * day), NotAfter: time.Now().Add(-10 * day)})
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(old), 143: faulty.GoodStartTLS(goodTLS())})
	r := run(t, w.prober(), withPassword(target(t, "127.0.0.1"))).Report
	complete(t, r)
	f := one(t, r, "cert.ports-differ")
	if f.Severity != finding.Warn || f.Responsible != finding.Server || !strings.Contains(f.Cause, "renewed") || !strings.HasSuffix(*f.Endpoint, ":143/starttls") {
		t.Errorf("got %+v", f)
	}
	if r.Verdict != Warning || r.ExitCode != 0 || r.Targets[0].Recommended.Port != 143 {
		t.Errorf("got %s, %d, %+v", r.Verdict, r.ExitCode, r.Targets[0].Recommended)
	}
	checkCanary(t, w, r, ":143/")
}

func TestInspection(t *testing.T) {
	avast, company := imaptest.NewCA("Avast Web/Mail Shield Root"), imaptest.NewCA("Company CA")
	year := 365 * 24 * time.Hour
	aged := imaptest.Leaf{NotBefore: time.Now().Add(-30 * 24 * time.Hour), NotAfter: time.Now().Add(year)}
	show := func(ca *imaptest.CA, leaf imaptest.Leaf) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.Issue(leaf)}}
	}
	tests := []struct {
		name        string
		on993       *tls.Config
		want, other bool // an inspection is found; the other port is usable
	}{
		{"the name of a product", show(avast, aged), true, true},
		{"an unknown authority that made its certificate just now, on one port only", show(company, imaptest.Leaf{NotAfter: time.Now().Add(year)}), true, true},
		{"an unknown authority on one port, with a certificate of some age", show(company, aged), false, true},
		{"a certificate signed by itself just now", show(company, imaptest.Leaf{SelfSigned: true}), false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(tt.on993), 143: faulty.GoodStartTLS(goodTLS())})
			r := run(t, w.prober(), withPassword(target(t, "127.0.0.1"))).Report
			complete(t, r)
			if got := slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Code == "cert.inspection" }); got != tt.want {
				t.Fatalf("inspection found: %v, want %v: %v", got, tt.want, codes(r))
			}
			if tt.want {
				f := one(t, r, "cert.inspection")
				if f.Severity != finding.High || f.Responsible != finding.LocalNetwork || f.Certainty != finding.Likely || f.Check != "cert.chain" {
					t.Errorf("got %+v", f)
				}
				one(t, r, "cert.unknown-ca") // together with the certificate's own finding
			}
			checkCanary(t, w, r, ":143/")
		})
	}

	t.Run("alone it decides the exit code with the certificate", func(t *testing.T) {
		w := certWorld(t, avast.Issue(aged))
		r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
		one(t, r, "cert.inspection")
		blocked(t, w, r)
	})
	t.Run("a company's authority on both ports is none", func(t *testing.T) {
		fresh := show(company, imaptest.Leaf{})
		w := newWorld(t, map[uint16]faulty.Script{993: inTLS(fresh), 143: faulty.GoodStartTLS(fresh)})
		r := run(t, w.prober(), withPassword(target(t, "127.0.0.1"))).Report
		if got, want := codes(r), []string{"cert.unknown-ca block", "cert.unknown-ca block"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestPrivateAuthority runs itself in a process whose system roots hold an authority that is not public.
func TestPrivateAuthority(t *testing.T) {
	dir := os.Getenv("IMAPILOT_TEST_STORE")
	if dir == "" {
		dir = t.TempDir()
		ca := imaptest.NewCA("Company CA")
		if _, _, err := imaptest.WriteFiles(dir, "server", ca.Issue(imaptest.Leaf{})); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "store.pem"), []byte(ca.RootPEM()), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestPrivateAuthority$", "-test.v")
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(dir, "store.pem"), "SSL_CERT_DIR="+t.TempDir(), "IMAPILOT_TEST_STORE="+dir)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestPrivateAuthority") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	w := certWorld(t, cert)
	to := withPassword(target(t, "imaps://127.0.0.1"))
	to.TLS.CAs = ""
	r := run(t, w.prober(), to).Report
	complete(t, r)
	if f := one(t, r, "cert.private-ca"); f.Severity != finding.Info || f.Responsible != finding.Server || f.Check != "cert.chain" {
		t.Errorf("got %+v", f)
	}
	if r.Verdict != Ready || r.ExitCode != 0 {
		t.Errorf("got %s, %d, %v", r.Verdict, r.ExitCode, codes(r))
	}
	checkCanary(t, w, r, ":993/")
}

func TestWrongClock(t *testing.T) {
	day := 24 * time.Hour
	now := time.Now()
	early, expired := imaptest.Leaf{NotBefore: now.Add(day)}, imaptest.Leaf{NotBefore: now.Add(-100 * day), NotAfter: now.Add(-day)}
	tests := []struct {
		name        string
		first       imaptest.Leaf
		second      imaptest.Leaf
		same        bool // both show the first
		want        []string
		responsible finding.Responsible
	}{
		{name: "both begin in the future", first: early, second: early, want: []string{"local.clock-wrong block", "local.clock-wrong block"}, responsible: finding.ThisComputer},
		{name: "both have expired", first: expired, second: expired, want: []string{"local.clock-wrong block", "local.clock-wrong block"}, responsible: finding.ThisComputer},
		{name: "one has expired, one is right", first: expired, want: []string{"cert.expired block"}, responsible: finding.Server},
		{name: "one has expired, one begins in the future", first: expired, second: early, want: []string{"cert.expired block", "cert.not-yet-valid block"}, responsible: finding.Server},
		{name: "the same certificate on both", first: expired, same: true, want: []string{"cert.expired block", "cert.expired block"}, responsible: finding.Server},
		{name: "never valid at once", first: expired, second: imaptest.Leaf{NotBefore: now.Add(-400 * day), NotAfter: now.Add(-300 * day)},
			want: []string{"cert.expired block", "cert.expired block"}, responsible: finding.Server},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := serverTLS(tt.first)
			second := first
			if !tt.same {
				second = serverTLS(tt.second)
			}
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(first), 143: faulty.GoodStartTLS(second)})
			r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1")), withPassword(target(t, "imap://127.0.0.2"))).Report
			complete(t, r)
			if got := codes(r); !slices.Equal(got, tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			if r.Findings[0].Responsible != tt.responsible || r.Verdict != Blocked || r.ExitCode != 12 {
				t.Errorf("got %+v, %s, %d", r.Findings[0], r.Verdict, r.ExitCode)
			}
		})
	}

	t.Run("an answer from the future", func(t *testing.T) {
		w := certWorld(t, testCA().Issue(imaptest.Leaf{Staple: imaptest.StapleGood}))
		p := w.prober()
		p.Dial.Now = func() time.Time { return now.Add(-30 * day) }
		r := run(t, p, withPassword(target(t, "imaps://127.0.0.1"))).Report
		f := one(t, r, "local.clock-wrong")
		if got := codes(r); len(got) != 1 || f.Certainty != finding.Likely || !strings.Contains(f.Summary, "behind: it says "+now.Add(-30*day).UTC().Format(time.DateOnly)) {
			t.Errorf("got %v, %+v", got, f)
		}
		blocked(t, w, r)
	})
}

// TestNoRoots runs itself in a process that has no system roots.
func TestNoRoots(t *testing.T) {
	if os.Getenv("SSL_CERT_FILE") != os.DevNull {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoRoots$", "-test.v")
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+os.DevNull, "SSL_CERT_DIR="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestNoRoots") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	w := certWorld(t, testCA().Issue(imaptest.Leaf{}))
	to := withPassword(target(t, "imaps://127.0.0.1"))
	to.TLS.CAs = ""
	r := run(t, w.prober(), to).Report
	if f := one(t, r, "local.no-roots"); len(r.Findings) != 1 || f.Severity != finding.Block || f.Responsible != finding.ThisComputer || f.Certainty != finding.Likely {
		t.Errorf("got %v, %+v", codes(r), f)
	}
	blocked(t, w, r)
}

func TestNoRootsWithAPublicChain(t *testing.T) {
	related := &x509.Certificate{RawSubjectPublicKeyInfo: []byte("key")}
	for _, tt := range []struct {
		related *x509.Certificate
		want    finding.Certainty
	}{{nil, finding.Likely}, {related, finding.Certain}} {
		s := subjectWith(imapdial.TLS, imapdial.Facts{TLS: &imapdial.TLSFacts{Chain: []*x509.Certificate{testCA().Root()}},
			Faults: []imapdial.Fault{{Kind: imapdial.FaultNoRoots, Blocking: true, Detail: "no roots", Related: tt.related}}})
		if out := certChain(s); len(out.findings) != 1 || out.findings[0].Certainty != tt.want || out.findings[0].Responsible != finding.ThisComputer {
			t.Errorf("got %+v, want %s", out.findings, tt.want)
		}
	}
}
