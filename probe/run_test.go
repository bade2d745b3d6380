package probe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

func TestHealthyProbeNeedsFewConnections(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: faulty.GoodStartTLS(goodTLS())})
	run(t, w.prober(), withPassword(target(t, "127.0.0.1")))
	if len(w.dialed) != 2 {
		t.Errorf("dialed %v, want one connection for each port", w.dialed)
	}
	for port, s := range w.servers {
		if got := strings.Count(string(s.Received()), "LOGOUT"); got != 1 {
			t.Errorf("port %d saw %d LOGOUTs, want 1", port, got)
		}
	}
}

func TestPins(t *testing.T) {
	expired := testCA().Issue(imaptest.Leaf{NotAfter: time.Now().Add(-time.Hour), DNSNames: []string{"elsewhere.test"}})
	cfg := &tls.Config{Certificates: []tls.Certificate{expired}}
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(cfg)})
	pin := imapdial.Pin(expired.Leaf)

	t.Run("without a pin the remedy offers one", func(t *testing.T) {
		to := target(t, "imaps://127.0.0.1")
		to.Role = RoleSource
		f := one(t, run(t, w.prober(), to).Report, "cert.expired block server")
		if !slices.ContainsFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["source-pin"] == pin }) {
			t.Errorf("no remedy applies the pin %s: %+v", pin, f.Remedies)
		}
	})
	t.Run("a matching pin takes the place of dates and name", func(t *testing.T) {
		to := withPassword(target(t, "imaps://127.0.0.1"))
		to.TLS.Pins = pin
		o := run(t, w.prober(), to)
		complete(t, o.Report)
		checkEnding(t, w, o.Report, ending{[]string{"cert.expired info server", "cert.name-mismatch info server"}, Ready, 0, "127.0.0.1:993/tls"})
		rec := o.Report.Targets[0].Recommended
		if rec == nil || rec.Pin == nil || *rec.Pin != pin || o.Accounts[0].Endpoint.TLS.Pins != pin {
			t.Errorf("recommended %+v, account %+v", rec, o.Accounts[0])
		}
	})
	t.Run("another key blocks", func(t *testing.T) {
		w := newWorld(t, map[uint16]faulty.Script{993: inTLS(cfg)})
		to := withPassword(target(t, "imaps://127.0.0.1"))
		to.TLS.Pins = "sha256/" + strings.Repeat("A", 43) + "="
		r := run(t, w.prober(), to).Report
		blocked(t, w, r, "cert.expired block server", "cert.name-mismatch block server", "cert.pin-mismatch block server")
		if status(r.Targets[0].Endpoints[0], "cert.key") != Fail {
			t.Errorf("got %v", statuses(r.Targets[0].Endpoints[0]))
		}
	})
}

func TestNameMismatchOffersTheServersName(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"*.example.org", "mail.example.org"}}))})
	to := target(t, "imaps://127.0.0.1")
	f := one(t, run(t, w.prober(), to).Report, "cert.name-mismatch block server")
	if !slices.ContainsFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["server-name"] == "mail.example.org" }) {
		t.Fatalf("no remedy applies the server's name: %+v", f.Remedies)
	}
	to.TLS.ServerName = "mail.example.org"
	o := run(t, w.prober(), to)
	if o.Report.Verdict != Ready || o.Report.Targets[0].Recommended.ServerName != "mail.example.org" {
		t.Errorf("with the remedy applied: %s, %v", o.Report.Verdict, codes(o.Report))
	}
}

func TestInsecureTarget(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{143: faulty.Plain})
	p := w.prober()
	p.AllowPlaintext = true
	to := withPassword(target(t, "imap+insecure://127.0.0.1"))
	o := run(t, p, to)
	complete(t, o.Report)
	checkEnding(t, w, o.Report, ending{[]string{"imap.cleartext-login warn you"}, Warning, 0, "127.0.0.1:143/none"})
	e := o.Report.Targets[0].Endpoints[0]
	if o.Report.Targets[0].Recommended.Security != "none" || e.TLS != nil {
		t.Errorf("recommended %+v", o.Report.Targets[0].Recommended)
	}
	for id, want := range map[string]Status{"tls.handshake": Skip, "cert.chain": Skip, "starttls.offer": Skip, "imap.capability": Warned, "auth.login": Pass} {
		if got := status(e, id); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

func TestOrderOfChecks(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: faulty.GoodStartTLS(goodTLS())})
	endpoints := run(t, w.prober(), target(t, "127.0.0.1")).Report.Targets[0].Endpoints
	precedes := func(e *EndpointReport, ids ...string) {
		t.Helper()
		last := -1
		for _, id := range ids {
			i := slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == id })
			if i <= last {
				t.Errorf("%s: %s stands at %d, before %v", e.name(), id, i, ids)
			}
			last = i
		}
	}
	precedes(endpoints[0], "tcp.connect", "tls.handshake", "cert.dates", "cert.revocation", "imap.greeting", "imap.capability", "auth.login", "account.capability", "audit.idle")
	precedes(endpoints[1], "tcp.connect", "imap.greeting", "starttls.offer", "starttls.upgrade", "tls.handshake", "cert.dates", "imap.capability", "auth.login")

	w = newWorld(t, map[uint16]faulty.Script{143: faulty.StartTLSAbsent})
	e := run(t, w.prober(), target(t, "imap://127.0.0.1")).Report.Targets[0].Endpoints[0]
	precedes(e, "imap.greeting", "imap.capability", "starttls.offer", "tls.handshake")
	want := []string{"tcp.connect=pass", "imap.greeting=pass", "imap.capability=pass", "starttls.offer=fail", "starttls.upgrade=held(starttls.offer)", "tls.handshake=held(starttls.offer)",
		"cert.dates=held(starttls.offer)", "cert.name=held(starttls.offer)", "cert.chain=held(starttls.offer)", "cert.key=held(starttls.offer)", "cert.revocation=held(starttls.offer)",
		"auth.login=held(input.secret)", "account.capability=held(input.secret)", "account.namespace=held(input.secret)", "account.quota=held(input.secret)", "account.access=held(input.secret)"}
	if got := statuses(e); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLive(t *testing.T) {
	release := make(chan struct{})
	waiting := func(c *faulty.Conn) {
		<-release
		faulty.GoodStartTLS(goodTLS())(c)
	}
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: waiting})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	p := w.prober()
	p.Live = new(Live)
	if p.Live.Version() != 0 || len(p.Live.Snapshot()) != 0 {
		t.Error("a new Live is not empty")
	}
	done := make(chan *Outcome)
	go func() {
		o, _ := p.Run(t.Context(), withPassword(target(t, "127.0.0.1")), withPassword(target(t, "imaps://127.0.0.1")))
		done <- o
	}()
	seen := func(what string, condition func(snapshot []*TargetReport) bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			version := p.Live.Version()
			if condition(p.Live.Snapshot()) {
				return
			}
			for p.Live.Version() == version {
				if time.Now().After(deadline) {
					t.Fatalf("never seen: %s; last: %s", what, lastSeen(p.Live))
				}
				runtime.Gosched()
			}
		}
	}
	seen("993 judged while 143 is not, and the sign-in of the second target", func(targets []*TargetReport) bool {
		return len(targets) == 2 && len(targets[0].Endpoints) == 2 && status(targets[0].Endpoints[0], "cert.chain") == Pass &&
			status(targets[0].Endpoints[0], "auth.login") == "" && status(targets[0].Endpoints[1], "tcp.connect") == "" &&
			targets[1].Recommended != nil && status(targets[1].Endpoints[0], "auth.login") == Pass
	})
	snapshot := p.Live.Snapshot()
	snapshot[0].Endpoints[0].Checks[0].Status = Fail
	snapshot[0].Endpoints[0].TLS.Certificates[0].IPAddresses[0] = "changed"
	if again := p.Live.Snapshot(); again[0].Endpoints[0].Checks[0].Status != Pass || again[0].Endpoints[0].TLS.Certificates[0].IPAddresses[0] == "changed" {
		t.Error("a snapshot shares memory with the next")
	}
	letGo()
	o := <-done
	if !reflect.DeepEqual(p.Live.Snapshot(), o.Report.Targets) {
		t.Error("the last snapshot differs from the report")
	}
}

// lastSeen is the state of a probe in a few words.
func lastSeen(l *Live) string {
	var b strings.Builder
	for _, t := range l.Snapshot() {
		for _, e := range t.Endpoints {
			fmt.Fprintf(&b, "%s %v; ", e.name(), statuses(e))
		}
	}
	return b.String()
}

func TestRunEndsWithItsContext(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: faulty.Silent, 143: faulty.Silent})
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the person left")
	p := w.prober()
	p.Live = new(Live)
	begin := time.Now()
	stop := context.AfterFunc(ctx, func() {})
	defer stop()
	go func() {
		for w.servers[993].Connections()+w.servers[143].Connections() < 2 {
			runtime.Gosched()
		}
		cancel(cause)
	}()
	o, err := p.Run(ctx, withPassword(target(t, "127.0.0.1")))
	if o != nil || !errors.Is(err, cause) {
		t.Errorf("got %v, %v, want the cause", o, err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Run took %s after its context had ended", took)
	}
	for _, s := range w.servers {
		s.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestContextEndsDuringSignIn(t *testing.T) {
	reached := make(chan struct{})
	script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, On: map[string]func(*faulty.Conn, string, string){
		"AUTHENTICATE": func(c *faulty.Conn, _, _ string) { close(reached); c.Stall() }}}.Serve
	w := newWorld(t, map[uint16]faulty.Script{993: script})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-reached; cancel() }()
	if o, err := w.prober().Run(ctx, withPassword(target(t, "imaps://127.0.0.1"))); o != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want context.Canceled", o, err)
	}
}

func TestSecretThatLeadsNowhere(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS())})
	to := target(t, "imaps://alice@127.0.0.1")
	var err error
	if to.Secret, err = secret.Parse("env:IMAPILOT_TEST_NO_SUCH_VARIABLE"); err != nil {
		t.Fatal(err)
	}
	_, err = w.prober().Run(t.Context(), to)
	if e := new(secret.ReferenceError); !errors.As(err, &e) {
		t.Errorf("got %v, want a *secret.ReferenceError", err)
	}
	if len(w.dialed) != 0 {
		t.Errorf("dialed %v before the secret was there", w.dialed)
	}
}

// TestReproduceLines runs the lines of findings against the very servers.
func TestReproduceLines(t *testing.T) {
	realserver.Require(t, "openssl")
	tests := []struct {
		name   string
		scheme string
		script faulty.Script
		code   string
		want   string
	}{
		{"expired with TLS", "imaps", inTLS(serverTLS(imaptest.Leaf{NotAfter: time.Now().Add(-time.Hour)})), "cert.expired block server", "certificate has expired"},
		{"expired with STARTTLS", "imap", faulty.GoodStartTLS(serverTLS(imaptest.Leaf{NotAfter: time.Now().Add(-time.Hour)})), "cert.expired block server", "certificate has expired"},
		{"self-signed", "imaps", inTLS(serverTLS(imaptest.Leaf{SelfSigned: true})), "cert.self-signed block server", "self-signed certificate"},
		{"wrong name", "imaps", inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"elsewhere.test"}})), "cert.name-mismatch block server", "IP address mismatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := faulty.Serve(tt.script)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			to := target(t, tt.scheme+"://127.0.0.1:"+strconv.Itoa(int(s.Port())))
			line := one(t, run(t, new(Prober), to).Report, tt.code).Reproduce[0]
			cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), tt.want) {
				t.Errorf("%s\ndid not show %q:\n%s", line, tt.want, out)
			}
		})
	}
}

// TestGoldenReport compares the whole JSON of a healthy server with what is on file, apart from what changes from run to run.
func TestGoldenReport(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: faulty.GoodStartTLS(goodTLS())})
	to := withPassword(target(t, "127.0.0.1"))
	to.Role = RoleSource
	r := run(t, w.prober(), to).Report
	normalise(r)
	got, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/healthy.json", append(got, '\n'))

	var again Report
	if err := json.Unmarshal(got, &again); err != nil {
		t.Fatal(err)
	}
	if again.Judge(); again.Verdict != Ready || again.ExitCode != 0 {
		t.Errorf("judged again from its JSON: %s, %d", again.Verdict, again.ExitCode)
	}
}
