package probe

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

func TestFullOfAGoodServer(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: faulty.GoodStartTLS(goodTLS())})
	p := w.prober()
	r := run(t, p, target(t, "127.0.0.1")).Report
	for _, e := range r.Targets[0].Endpoints {
		if e.TLS.Versions != nil || e.TLS.CipherSuites != nil || e.TLS.Groups != nil || status(e, "tls.suites") != Skip {
			t.Errorf("without --full: got %+v, %v", e.TLS, statuses(e))
		}
	}
	p.Full = true
	r = run(t, p, withPassword(target(t, "127.0.0.1"))).Report
	complete(t, r)
	if len(r.Findings) != 0 || r.Verdict != Ready {
		t.Errorf("got %s, %v", r.Verdict, codes(r))
	}
	for _, e := range r.Targets[0].Endpoints {
		want := map[string]bool{"SSLv2": false, "SSLv3": false, "1.0": false, "1.1": false, "1.2": true, "1.3": true}
		for v, has := range want {
			if got, known := e.TLS.Versions[v]; got != has || !known {
				t.Errorf("%s: version %s is %t, known %t", e.name(), v, got, known)
			}
		}
		if !slices.Equal(e.TLS.CipherSuites["1.3"], []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) &&
			len(e.TLS.CipherSuites["1.3"]) != 3 || !slices.Contains(e.TLS.Groups, "X25519MLKEM768") || !slices.Contains(e.TLS.Groups, "secp256r1") {
			t.Errorf("%s: got suites %v, groups %v", e.name(), e.TLS.CipherSuites, e.TLS.Groups)
		}
		for _, id := range []string{"tls.versions", "tls.suites", "tls.groups"} {
			if status(e, id) != Pass {
				t.Errorf("%s: %s is %s", e.name(), id, status(e, id))
			}
		}
	}
}

func TestFullFindings(t *testing.T) {
	weak := &tls.Config{Certificates: []tls.Certificate{testCA().Issue(imaptest.Leaf{Key: imaptest.RSA2048})}, MinVersion: tls.VersionTLS10, NextProtos: []string{"h2"},
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}}
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(weak)})
	p := w.prober()
	p.Full = true
	r := run(t, p, withPassword(target(t, "imaps://127.0.0.1"))).Report
	complete(t, r)
	checkEnding(t, w, r, ending{[]string{"tls.legacy-version warn server", "tls.alpn-rejected info server", "tls.weak-cipher warn server"}, Warning, 0, "127.0.0.1:993/tls"})
	if f := one(t, r, "tls.weak-cipher warn server"); !slices.Equal(f.Evidence["cipher_suites"].([]any), []any{"TLS_RSA_WITH_3DES_EDE_CBC_SHA"}) || f.Check != "tls.suites" {
		t.Errorf("got %+v", f)
	}
	e := r.Targets[0].Endpoints[0]
	if status(e, "tls.versions") != Warned || status(e, "tls.suites") != Warned || !e.TLS.Versions["1.0"] {
		t.Errorf("got %v, %v", statuses(e), e.TLS.Versions)
	}
}

// TestFullWithoutTLS must not scan where there is nothing to scan, nor leave a check undecided.
func TestFullWithoutTLS(t *testing.T) {
	tests := map[string]map[uint16]faulty.Script{
		"refused": nil, "another protocol": {993: faulty.POP3}, "STARTTLS absent": {143: faulty.StartTLSAbsent}, "closed": {993: faulty.ClosedAtOnce},
	}
	for name, ports := range tests {
		w := newWorld(t, ports)
		p := w.prober()
		p.Full, p.Timeout = true, silence
		r := run(t, p, target(t, "127.0.0.1")).Report
		complete(t, r)
		if len(w.dialed) > 30 {
			t.Errorf("%s: %d connections", name, len(w.dialed))
		}
	}
}

func TestFullOfDovecot(t *testing.T) {
	ca := imaptest.NewCA("full")
	cert := ca.Issue(imaptest.Leaf{Key: imaptest.RSA2048})
	d := realserver.StartDovecot(t, realserver.Config{CA: ca, Certificate: &cert, Users: map[string]string{"alice": canary}})
	var dialed atomic.Int64
	p := dovecotProber(d)
	dial := p.Dial.DialContext
	p.Dial.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed.Add(1)
		return dial(ctx, network, address)
	}
	p.Full = true
	begin := time.Now()
	o := run(t, p, dovecotTarget(t, d, canary))
	took := time.Since(begin)
	complete(t, o.Report)
	t.Logf("%d connections in %s", dialed.Load(), took)
	if n := dialed.Load(); n > 120 {
		t.Errorf("%d connections for two ports", n)
	}
	checkEnding(t, nil, o.Report, ending{[]string{"tls.dhe-aborts warn server", "tls.dhe-aborts warn server"}, Warning, 0, "127.0.0.2:993/tls"}) // one for each port
	for _, e := range o.Report.Targets[0].Endpoints {
		if len(e.TLS.CipherSuites["1.2"]) != 11 || len(e.TLS.CipherSuites["1.3"]) != 3 || !e.TLS.Versions["1.2"] || e.TLS.Versions["1.1"] {
			t.Errorf("%s: got %v, %v", e.name(), e.TLS.Versions, e.TLS.CipherSuites)
		}
		if slices.ContainsFunc(e.TLS.CipherSuites["1.2"], func(s string) bool { return strings.Contains(s, "_DHE_") }) {
			t.Errorf("%s: DHE is said to work: %v", e.name(), e.TLS.CipherSuites["1.2"])
		}
	}
	if f := o.Report.Findings[0]; f.Check != "tls.suites" {
		t.Errorf("got %+v", f)
	}
	if strings.Contains(d.Log(), canary) {
		t.Error("the password stands in the server's log")
	}
}
