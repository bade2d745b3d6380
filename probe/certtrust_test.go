package probe

import (
	"crypto/tls"
	"crypto/x509"
	"os"
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
	f := one(t, r, "cert.ports-differ warn server")
	if !strings.Contains(f.Cause, "renewed") || !strings.HasSuffix(*f.Endpoint, ":143/starttls") {
		t.Errorf("got %+v", f)
	}
	checkEnding(t, w, r, ending{[]string{"cert.expired block server", "cert.ports-differ warn server"}, Warning, 0, "127.0.0.1:143/starttls"})
}

func TestInspection(t *testing.T) {
	avast, company := imaptest.NewCA("Avast Web/Mail Shield Root"), imaptest.NewCA("Company CA")
	year := 365 * 24 * time.Hour
	aged := imaptest.Leaf{NotBefore: time.Now().Add(-30 * 24 * time.Hour), NotAfter: time.Now().Add(year)}
	show := func(ca *imaptest.CA, leaf imaptest.Leaf) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.Issue(leaf)}}
	}
	tests := []struct {
		name  string
		on993 *tls.Config
		want  []string // an inspection stands together with the certificate's own finding
	}{
		{"the name of a product", show(avast, aged), []string{"cert.unknown-ca block server", "cert.inspection high local-network", "cert.ports-differ warn server"}},
		{"an unknown authority that made its certificate just now, on one port only", show(company, imaptest.Leaf{NotAfter: time.Now().Add(year)}),
			[]string{"cert.unknown-ca block server", "cert.inspection high local-network", "cert.ports-differ warn server"}},
		{"an unknown authority on one port, with a certificate of some age", show(company, aged), []string{"cert.unknown-ca block server", "cert.ports-differ warn server"}},
		{"a certificate signed by itself just now", show(company, imaptest.Leaf{SelfSigned: true}), []string{"cert.self-signed block server", "cert.ports-differ warn server"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(tt.on993), 143: faulty.GoodStartTLS(goodTLS())})
			r := run(t, w.prober(), withPassword(target(t, "127.0.0.1"))).Report
			complete(t, r)
			checkEnding(t, w, r, ending{tt.want, Warning, 0, "127.0.0.1:143/starttls"})
			for _, f := range r.Findings {
				if f.Code == "cert.inspection" && (f.Certainty != finding.Likely || f.Check != "cert.chain") {
					t.Errorf("got %+v", f)
				}
			}
		})
	}

	t.Run("alone it decides the exit code with the certificate", func(t *testing.T) {
		w := certWorld(t, avast.Issue(aged))
		r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
		blocked(t, w, r, "cert.unknown-ca block server", "cert.inspection high local-network")
	})
	t.Run("a company's authority on both ports is none", func(t *testing.T) {
		fresh := show(company, imaptest.Leaf{})
		w := newWorld(t, map[uint16]faulty.Script{993: inTLS(fresh), 143: faulty.GoodStartTLS(fresh)})
		r := run(t, w.prober(), withPassword(target(t, "127.0.0.1"))).Report
		if got, want := codes(r), []string{"cert.unknown-ca block server", "cert.unknown-ca block server"}; !slices.Equal(got, want) {
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
		again(t, "SSL_CERT_FILE="+filepath.Join(dir, "store.pem"), "SSL_CERT_DIR="+t.TempDir(), "IMAPILOT_TEST_STORE="+dir)
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
	if f := one(t, r, "cert.private-ca info server"); f.Check != "cert.chain" {
		t.Errorf("got %+v", f)
	}
	checkEnding(t, w, r, ending{[]string{"cert.private-ca info server"}, Ready, 0, "127.0.0.1:993/tls"})
}

func TestWrongClock(t *testing.T) {
	day := 24 * time.Hour
	now := time.Now()
	early, expired := imaptest.Leaf{NotBefore: now.Add(day)}, imaptest.Leaf{NotBefore: now.Add(-100 * day), NotAfter: now.Add(-day)}
	tests := []struct {
		name   string
		first  imaptest.Leaf
		second imaptest.Leaf
		same   bool // both show the first
		want   []string
		signIn string
	}{
		{name: "both begin in the future", first: early, second: early, want: []string{"local.clock-wrong block this-computer", "local.clock-wrong block this-computer"}},
		{name: "both have expired", first: expired, second: expired, want: []string{"local.clock-wrong block this-computer", "local.clock-wrong block this-computer"}},
		{name: "one has expired, one is right", first: expired, want: []string{"cert.expired block server"}, signIn: "127.0.0.2:143/starttls"},
		{name: "one has expired, one begins in the future", first: expired, second: early, want: []string{"cert.expired block server", "cert.not-yet-valid block server"}},
		{name: "the same certificate on both", first: expired, same: true, want: []string{"cert.expired block server", "cert.expired block server"}},
		{name: "never valid at once", first: expired, second: imaptest.Leaf{NotBefore: now.Add(-400 * day), NotAfter: now.Add(-300 * day)},
			want: []string{"cert.expired block server", "cert.expired block server"}},
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
			checkEnding(t, w, r, ending{tt.want, Blocked, 12, tt.signIn})
		})
	}

	t.Run("an answer from the future", func(t *testing.T) {
		w := certWorld(t, testCA().Issue(imaptest.Leaf{Staple: imaptest.StapleGood}))
		p := w.prober()
		p.Dial.Now = func() time.Time { return now.Add(-30 * day) }
		r := run(t, p, withPassword(target(t, "imaps://127.0.0.1"))).Report
		f := one(t, r, "local.clock-wrong block this-computer")
		if f.Certainty != finding.Likely || !strings.Contains(f.Summary, "behind: it says "+now.Add(-30*day).UTC().Format(time.DateOnly)) {
			t.Errorf("got %+v", f)
		}
		blocked(t, w, r, "local.clock-wrong block this-computer")
	})
}

// TestNoRoots runs itself in a process that has no system roots.
func TestNoRoots(t *testing.T) {
	if os.Getenv("SSL_CERT_FILE") != os.DevNull {
		again(t, "SSL_CERT_FILE="+os.DevNull, "SSL_CERT_DIR="+t.TempDir())
		return
	}
	w := certWorld(t, testCA().Issue(imaptest.Leaf{}))
	to := withPassword(target(t, "imaps://127.0.0.1"))
	to.TLS.CAs = ""
	r := run(t, w.prober(), to).Report
	if f := one(t, r, "local.no-roots block this-computer"); f.Certainty != finding.Likely {
		t.Errorf("it is %s", f.Certainty)
	}
	blocked(t, w, r, "local.no-roots block this-computer")
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
