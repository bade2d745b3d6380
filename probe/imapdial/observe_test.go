package imapdial_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// serve runs script for each connection until the test ends.
func serve(t *testing.T, script faulty.Script) *faulty.Server {
	t.Helper()
	s, err := faulty.Serve(script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func endpoint(s *faulty.Server, security imapdial.Security, ca *imaptest.CA) imapdial.Endpoint {
	return imapdial.Endpoint{Host: "127.0.0.1", Port: s.Port(), Security: security, TLS: imapdial.TLSPolicy{Roots: ca.RootPEM()}}
}

// quick are the time-outs of tests in which a server never answers.
var quick = &imapdial.Options{Timeout: 2 * time.Second}

func kinds(faults []imapdial.Fault) (all, blocking []imapdial.FaultKind) {
	for _, f := range faults {
		all = append(all, f.Kind)
		if f.Blocking {
			blocking = append(blocking, f.Kind)
		}
	}
	return all, blocking
}

func TestFaultsOfCertificates(t *testing.T) {
	ca, other := imaptest.NewCA("Test CA"), imaptest.NewCA("Other CA")
	day := 24 * time.Hour
	now := time.Now()
	tests := []struct {
		name     string
		leaf     imaptest.Leaf
		policy   imapdial.TLSPolicy // with ca's root unless it has roots
		want     []imapdial.FaultKind
		harmless bool // none of them blocks
	}{
		{name: "a good certificate has no fault"},
		{name: "an expired certificate", leaf: imaptest.Leaf{NotAfter: now.Add(-day)}, want: []imapdial.FaultKind{imapdial.FaultExpired}},
		{name: "an expired certificate that is older than its intermediate", leaf: imaptest.Leaf{NotBefore: now.AddDate(-4, 0, 0), NotAfter: now.AddDate(-3, 0, 0)},
			want: []imapdial.FaultKind{imapdial.FaultExpired}},
		{name: "an expired certificate with an expired intermediate", leaf: imaptest.Leaf{NotAfter: now.Add(-day), IntermediateExpired: true},
			want: []imapdial.FaultKind{imapdial.FaultExpired, imapdial.FaultIntermediateExpired}},
		{name: "a certificate from the future", leaf: imaptest.Leaf{NotBefore: now.Add(day)}, want: []imapdial.FaultKind{imapdial.FaultNotYetValid}},
		{name: "a certificate that ends soon is usable", leaf: imaptest.Leaf{NotBefore: now.Add(-80 * day), NotAfter: now.Add(5 * day)},
			want: []imapdial.FaultKind{imapdial.FaultExpiresSoon}, harmless: true},
		{name: "a short-lived certificate in its first days does not end soon", leaf: imaptest.Leaf{NotAfter: now.Add(5 * day), NotBefore: now.Add(-day)}},
		{name: "a wrong name", leaf: imaptest.Leaf{DNSNames: []string{"imap.example.org"}}, want: []imapdial.FaultKind{imapdial.FaultNameMismatch}},
		{name: "a wildcard covers one label", leaf: imaptest.Leaf{DNSNames: []string{"*.example.org"}}, policy: imapdial.TLSPolicy{ServerName: "imap.example.org"}},
		{name: "a wildcard does not cover two labels", leaf: imaptest.Leaf{DNSNames: []string{"*.example.org"}}, policy: imapdial.TLSPolicy{ServerName: "a.imap.example.org"},
			want: []imapdial.FaultKind{imapdial.FaultNameMismatch}},
		{name: "a name in the common name alone", leaf: imaptest.Leaf{DNSNames: []string{"imap.example.org"}, CommonNameOnly: true},
			policy: imapdial.TLSPolicy{ServerName: "imap.example.org"}, want: []imapdial.FaultKind{imapdial.FaultCommonNameOnly}},
		{name: "a self-signed certificate", leaf: imaptest.Leaf{SelfSigned: true}, want: []imapdial.FaultKind{imapdial.FaultSelfSigned}},
		{name: "a self-signed CA certificate is only self-signed", leaf: imaptest.Leaf{SelfSigned: true, IsCA: true}, want: []imapdial.FaultKind{imapdial.FaultSelfSigned}},
		{name: "a missing intermediate", leaf: imaptest.Leaf{Chain: imaptest.LeafOnly}, want: []imapdial.FaultKind{imapdial.FaultIncompleteChain}},
		{name: "a root that nobody knows, sent along", leaf: imaptest.Leaf{Chain: imaptest.WithRoot}, policy: imapdial.TLSPolicy{Roots: other.RootPEM()},
			want: []imapdial.FaultKind{imapdial.FaultUnknownCA}},
		{name: "a root that nobody knows, not sent", policy: imapdial.TLSPolicy{Roots: other.RootPEM()}, want: []imapdial.FaultKind{imapdial.FaultUnknownCA}},
		{name: "an additional root is as good as the others", policy: imapdial.TLSPolicy{Roots: other.RootPEM(), CAs: ca.RootPEM()}},
		{name: "certificates out of order", leaf: imaptest.Leaf{Chain: imaptest.OutOfOrder}, want: []imapdial.FaultKind{imapdial.FaultChainOrder}, harmless: true},
		{name: "a certificate of someone else", leaf: imaptest.Leaf{Chain: imaptest.WithUnrelated}, want: []imapdial.FaultKind{imapdial.FaultExtraCertificates}, harmless: true},
		{name: "an expired intermediate", leaf: imaptest.Leaf{IntermediateExpired: true}, want: []imapdial.FaultKind{imapdial.FaultIntermediateExpired}},
		{name: "an intermediate that may not issue for this name", leaf: imaptest.Leaf{Constrained: true}, want: []imapdial.FaultKind{imapdial.FaultConstraint}},
		{name: "a certificate for clients", leaf: imaptest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, want: []imapdial.FaultKind{imapdial.FaultBadUsage}},
		{name: "a CA certificate in the place of a server's", leaf: imaptest.Leaf{IsCA: true}, want: []imapdial.FaultKind{imapdial.FaultBadUsage}, harmless: true},
		{name: "an unknown critical extension", leaf: imaptest.Leaf{CriticalExtension: true}, want: []imapdial.FaultKind{imapdial.FaultUnknownCriticalExtension}},
		{name: "a weak key", leaf: imaptest.Leaf{Key: imaptest.RSA1024}, want: []imapdial.FaultKind{imapdial.FaultWeakKey}, harmless: true},
		{name: "a SHA-1 signature", leaf: imaptest.Leaf{SHA1: true}, want: []imapdial.FaultKind{imapdial.FaultWeakSignature}},
		{name: "a good staple", leaf: imaptest.Leaf{MustStaple: true, Staple: imaptest.StapleGood}},
		{name: "a promised staple that is missing", leaf: imaptest.Leaf{MustStaple: true}, want: []imapdial.FaultKind{imapdial.FaultMustStapleMissing}, harmless: true},
		{name: "a revoked certificate", leaf: imaptest.Leaf{Staple: imaptest.StapleRevoked}, want: []imapdial.FaultKind{imapdial.FaultRevoked}},
		{name: "a stale staple", leaf: imaptest.Leaf{Staple: imaptest.StapleStale}, want: []imapdial.FaultKind{imapdial.FaultStapleStale}, harmless: true},
		{name: "a staple signed by someone else", leaf: imaptest.Leaf{Staple: imaptest.StapleWrongSigner}, want: []imapdial.FaultKind{imapdial.FaultStapleUntrusted}, harmless: true},
		{name: "a staple for another certificate", leaf: imaptest.Leaf{Staple: imaptest.StapleOther}, want: []imapdial.FaultKind{imapdial.FaultStapleUntrusted}, harmless: true},
		{name: "a staple that is no OCSP answer", leaf: imaptest.Leaf{Staple: imaptest.StapleGarbage}, want: []imapdial.FaultKind{imapdial.FaultStapleUntrusted}, harmless: true},
		{name: "three faults at once", leaf: imaptest.Leaf{NotAfter: now.Add(-day), DNSNames: []string{"imap.example.org"}, Chain: imaptest.LeafOnly},
			want: []imapdial.FaultKind{imapdial.FaultExpired, imapdial.FaultNameMismatch, imapdial.FaultIncompleteChain}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, faulty.ImplicitTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(tt.leaf)}}))
			ep := endpoint(s, imapdial.TLS, ca)
			if tt.policy.Roots == "" {
				tt.policy.Roots = ca.RootPEM()
			}
			ep.TLS = tt.policy

			facts, conn := imapdial.Observe(t.Context(), ep, nil)
			all, blocking := kinds(facts.Faults)
			if !slices.Equal(all, tt.want) {
				t.Errorf("got faults %v, want %v: %+v", all, tt.want, facts.Faults)
			}
			if usable := len(tt.want) == 0 || tt.harmless; usable != (len(blocking) == 0) || usable != (conn != nil) {
				t.Errorf("usable is %v, but blocking faults are %v and a connection was returned: %v", usable, blocking, conn != nil)
			}
			if facts.Err != nil || facts.Capabilities == nil {
				t.Errorf("did not get past the handshake: %v", facts.Err)
			}
			if conn != nil {
				conn.Close()
			}

			dialed, err := imapdial.Dial(t.Context(), ep, nil)
			if (err == nil) != (conn != nil) {
				t.Errorf("Dial says %v, Observe gave a connection: %v", err, conn != nil)
			}
			if err == nil {
				dialed.Close()
				return
			}
			var policy *imapdial.PolicyError
			if !errors.As(err, &policy) {
				t.Errorf("Dial's error is not a PolicyError: %v", err)
			}
		})
	}
}

// TestNoRootsOnThisComputer runs itself in a process of its own: crypto/x509 loads the system's roots once.
func TestNoRootsOnThisComputer(t *testing.T) {
	if os.Getenv("SSL_CERT_FILE") != "/dev/null" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoRootsOnThisComputer$")
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	ca := imaptest.NewCA("Test CA")
	s := serve(t, faulty.ImplicitTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}))
	ep := endpoint(s, imapdial.TLS, ca)
	ep.TLS = imapdial.TLSPolicy{}
	facts, conn := imapdial.Observe(t.Context(), ep, nil)
	if all, _ := kinds(facts.Faults); conn != nil || !slices.Equal(all, []imapdial.FaultKind{imapdial.FaultNoRoots}) {
		t.Errorf("got %v", facts.Faults)
	}
}

func TestPins(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cert := ca.Issue(imaptest.Leaf{SelfSigned: true, DNSNames: []string{"imap.example.org"}, NotAfter: time.Now().Add(-time.Hour)})
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, faulty.ImplicitTLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	ep := endpoint(s, imapdial.TLS, ca)

	ep.TLS.Pins = imapdial.Pin(leaf)
	facts, conn := imapdial.Observe(t.Context(), ep, nil)
	if conn == nil || facts.Pin != imapdial.Pin(leaf) || len(facts.Faults) != 3 {
		t.Fatalf("a matching pin does not take the place of dates, name and chain: pin %q, faults %+v, error %v", facts.Pin, facts.Faults, facts.Err)
	}
	conn.Close()

	ep.TLS.Pins = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	facts, conn = imapdial.Observe(t.Context(), ep, nil)
	if _, blocking := kinds(facts.Faults); conn != nil || !slices.Contains(blocking, imapdial.FaultPinMismatch) {
		t.Errorf("a wrong pin does not block: %+v", facts.Faults)
	}

	got, err := imapdial.CanonicalPins([]string{" sha256/BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA", ep.TLS.Pins, ep.TLS.Pins})
	want := "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= sha256/BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="
	if err != nil || got != want {
		t.Errorf("CanonicalPins: got %q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{"", "sha1/AAAA", "sha256/AAAA", "sha256/***", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="} {
		if _, err := imapdial.CanonicalPins([]string{bad}); err == nil {
			t.Errorf("CanonicalPins accepts %q", bad)
		}
	}
}

func TestStartTLSExchanges(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	tests := []struct {
		name    string
		script  faulty.Script
		outcome imapdial.StartTLSOutcome
		listed  bool
		stage   imapdial.Stage // of the error
		usable  bool
	}{
		{name: "a good server", script: faulty.GoodStartTLS(cfg), outcome: imapdial.StartTLSAccepted, listed: true, usable: true},
		{name: "one that hides it", script: faulty.StartTLSHidden(cfg), outcome: imapdial.StartTLSAccepted, usable: true},
		{name: "not there", script: faulty.StartTLSAbsent, outcome: imapdial.StartTLSRefused, stage: imapdial.StageStartTLS},
		{name: "stripped", script: faulty.StartTLSStripped, outcome: imapdial.StartTLSRefused, stage: imapdial.StageStartTLS},
		{name: "masked", script: faulty.StartTLSMasked, outcome: imapdial.StartTLSRefused, stage: imapdial.StageStartTLS},
		{name: "refused with NO", script: faulty.StartTLSRefused("NO not now"), outcome: imapdial.StartTLSRefused, listed: true, stage: imapdial.StageStartTLS},
		{name: "refused with BAD", script: faulty.StartTLSRefused("BAD what"), outcome: imapdial.StartTLSRefused, listed: true, stage: imapdial.StageStartTLS},
		{name: "answered with a continuation", script: faulty.StartTLSRefused("+ go on"), outcome: imapdial.StartTLSRefused, listed: true, stage: imapdial.StageStartTLS},
		{name: "closed in answer", script: faulty.StartTLSCloses, outcome: imapdial.StartTLSClosed, listed: true, stage: imapdial.StageStartTLS},
		{name: "never answered", script: faulty.StartTLSNoAnswer, outcome: imapdial.StartTLSNoAnswer, listed: true, stage: imapdial.StageStartTLS},
		{name: "data before the handshake", script: faulty.StartTLSInjected(cfg, "* 1 EXISTS\r\n"), outcome: imapdial.StartTLSInjected, listed: true, stage: imapdial.StageStartTLS},
		{name: "a second greeting inside TLS", script: startTLSThen(cfg, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello again"), outcome: imapdial.StartTLSGreetedAgain, listed: true, stage: imapdial.StageStartTLS},
		{name: "PREAUTH inside TLS", script: startTLSThen(cfg, "* PREAUTH welcome, bob"), outcome: imapdial.StartTLSGreetedAgain, listed: true, stage: imapdial.StageStartTLS},
		{name: "PREAUTH", script: faulty.PreAuth(cfg), outcome: imapdial.StartTLSPreAuth, stage: imapdial.StageGreeting},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.script)
			facts, conn := imapdial.Observe(t.Context(), endpoint(s, imapdial.STARTTLS, ca), quick)
			if conn != nil {
				conn.Close()
			}
			if facts.StartTLS.Outcome != tt.outcome || facts.StartTLS.Listed != tt.listed || tt.usable != (conn != nil) {
				t.Errorf("got outcome %d, listed %v, usable %v, error %v", facts.StartTLS.Outcome, facts.StartTLS.Listed, conn != nil, facts.Err)
			}
			if !tt.usable && (facts.Err == nil || facts.Err.Stage != tt.stage) {
				t.Errorf("got error %v, want one at %v", facts.Err, tt.stage)
			}
		})
	}
}

// startTLSThen does STARTTLS as it should and sends line before the answer to the first command inside TLS.
func startTLSThen(cfg *tls.Config, line string) faulty.Script {
	return func(c *faulty.Conn) {
		c.Line("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello")
		c.Line(c.Expect("STARTTLS") + " OK go")
		c.StartTLS(cfg)
		c.Line(line)
		tag := c.Expect("CAPABILITY")
		c.Line("* CAPABILITY IMAP4rev1 AUTH=PLAIN")
		c.Line(tag + " OK done")
		c.Stall()
	}
}

func TestMaskedStartTLSIsNotUsedEvenIfItWorks(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	s := serve(t, faulty.Dialog{TLS: cfg, Before: "IMAP4rev1 XXXXXXXA LOGINDISABLED"}.Serve)
	facts, conn := imapdial.Observe(t.Context(), endpoint(s, imapdial.STARTTLS, ca), nil)
	if conn != nil || facts.StartTLS.Masked != "XXXXXXXA" || facts.StartTLS.Outcome != imapdial.StartTLSAccepted {
		t.Errorf("got %+v, error %v", facts.StartTLS, facts.Err)
	}
}

func TestGreetings(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	tests := []struct {
		name   string
		script faulty.Script
		check  func(f imapdial.Facts) bool
	}{
		{"silence ends at the deadline", faulty.Silent, func(f imapdial.Facts) bool {
			var ne net.Error
			return errors.As(f.Err, &ne) && ne.Timeout()
		}},
		{"closed at once", faulty.ClosedAtOnce, func(f imapdial.Facts) bool { return f.Greeting.Raw == "" && f.FirstBytes == nil }},
		{"a BYE is kept with its code", faulty.Bye("UNAVAILABLE", "down for now"), func(f imapdial.Facts) bool {
			return f.Greeting.Status == "BYE" && f.Greeting.Code == "UNAVAILABLE" && f.Greeting.Text == "down for now"
		}},
		{"the banner of another protocol is kept", faulty.SMTP, func(f imapdial.Facts) bool { return slices.Contains([]byte("220"), f.FirstBytes[0]) }},
		{"a line without end is bounded", faulty.EndlessLine, func(f imapdial.Facts) bool { return f.Err != nil && len(f.FirstBytes) <= 256 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.script)
			facts, conn := imapdial.Observe(t.Context(), endpoint(s, imapdial.STARTTLS, ca), quick)
			if conn != nil || facts.Err == nil || facts.Err.Stage != imapdial.StageGreeting || !tt.check(facts) {
				t.Errorf("got %+v, error %v", facts, facts.Err)
			}
		})
	}
}

func TestPlainIMAPOnTheTLSPort(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	s := serve(t, faulty.Plain)
	facts, _ := imapdial.Observe(t.Context(), endpoint(s, imapdial.TLS, ca), nil)
	var record tls.RecordHeaderError
	if !errors.As(facts.Err, &record) || !strings.HasPrefix(string(facts.FirstBytes), "* OK ") || !strings.HasSuffix(string(facts.FirstBytes), "\r\n") {
		t.Errorf("got %q, error %v", facts.FirstBytes, facts.Err)
	}
}

func TestTheContextEndsEveryStage(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	for name, script := range map[string]faulty.Script{
		"in the greeting": faulty.Silent, "in STARTTLS": faulty.StartTLSNoAnswer,
		"in the handshake": func(c *faulty.Conn) {
			c.Line("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello")
			c.Line(c.Expect("STARTTLS") + " OK go")
			c.Stall()
		},
		"in CAPABILITY": func(c *faulty.Conn) {
			c.Line("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello")
			c.Line(c.Expect("STARTTLS") + " OK go")
			c.StartTLS(cfg)
			c.Stall()
		},
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan struct{}, 1)
			s := serve(t, func(c *faulty.Conn) { reached <- struct{}{}; script(c) })
			cause := errors.New("changed my mind")
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { <-reached; cancel(cause) }()
			begin := time.Now()
			facts, conn := imapdial.Observe(ctx, endpoint(s, imapdial.STARTTLS, ca), nil)
			if conn != nil || !errors.Is(facts.Err, cause) || time.Since(begin) > 5*time.Second {
				t.Errorf("got %v after %v", facts.Err, time.Since(begin))
			}
		})
	}
}

func TestConnectReplacesTheAddressAndKeepsTheName(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	s := serve(t, faulty.ImplicitTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{DNSNames: []string{"imap.example.org"}})}}))
	ep := imapdial.Endpoint{Host: "imap.example.org", Connect: s.Address(), TLS: imapdial.TLSPolicy{Roots: ca.RootPEM()}}
	facts, conn := imapdial.Observe(t.Context(), ep, nil)
	if conn == nil {
		t.Fatal(facts.Err, facts.Faults)
	}
	defer conn.Close()
	if want := netip.MustParseAddrPort(s.Address()); facts.Remote != want || facts.TLS.State.ServerName != "imap.example.org" {
		t.Errorf("remote %v, server name %q", facts.Remote, facts.TLS.State.ServerName)
	}
	if ep.String() != "imap.example.org:993/tls" {
		t.Errorf("the endpoint is called %s", ep)
	}
}
