package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// canary is the password of every test; it must turn up nowhere.
const canary = "canary-Pa55word"

var testCA = sync.OnceValue(func() *imaptest.CA { return imaptest.NewCA("Test CA") })

// goodTLS is the setting of a server with a good certificate for 127.0.0.1.
var goodTLS = sync.OnceValue(func() *tls.Config { return serverTLS(imaptest.Leaf{}) })

func serverTLS(leaf imaptest.Leaf) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{testCA().Issue(leaf)}}
}

// A world is what stands behind the ports of 127.0.0.1 in a test. A port without a server refuses.
type world struct {
	t       *testing.T
	servers map[uint16]*faulty.Server
	through bool             // ports without a server lead where they say
	dead    map[string]error // addresses (ip:port) or ports (:port) that fail to connect, and how
	mu      sync.Mutex
	dialed  []string
}

func newWorld(t *testing.T, ports map[uint16]faulty.Script) *world {
	t.Helper()
	w := &world{t: t, servers: map[uint16]*faulty.Server{}}
	for port, script := range ports {
		s, err := faulty.Serve(script)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		w.servers[port] = s
	}
	return w
}

// DialContext leads the well-known ports to the servers of the test.
func (w *world) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, address)
	w.mu.Unlock()
	_, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	fail := w.dead[address]
	if fail == nil {
		fail = w.dead[":"+portText]
	}
	var port uint16
	fmt.Sscan(portText, &port)
	s := w.servers[port]
	if s == nil && fail == nil && w.through {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if s == nil && fail == nil {
		fail = syscall.ECONNREFUSED
	}
	if fail == context.DeadlineExceeded {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
	if fail != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", fail)}
	}
	return new(net.Dialer).DialContext(ctx, "tcp", s.Address())
}

// prober is one that sees the world.
func (w *world) prober() *Prober {
	return &Prober{Version: "test", Dial: &imapdial.Options{DialContext: w.DialContext}}
}

// silence is the time-out of a step in tests that wait for one.
const silence = 400 * time.Millisecond

// target is text as a target of the test's own authority.
func target(t *testing.T, text string) Target {
	t.Helper()
	target, err := ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	target.TLS.CAs = testCA().RootPEM()
	return target
}

// withPassword adds the canary as the password of alice.
func withPassword(target Target) Target {
	target.User = "alice"
	target.Secret = secret.Given(secret.New([]byte(canary)))
	return target
}

// run probes and fails the test on an error.
func run(t *testing.T, p *Prober, targets ...Target) *Outcome {
	t.Helper()
	o, err := p.Run(t.Context(), targets...)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	t.Cleanup(func() {
		for _, s := range o.Sessions {
			if s != nil {
				s.Close()
			}
		}
	})
	return o
}

// statuses lists the checks of an endpoint that did anything, as "id=status".
func statuses(e *EndpointReport) []string {
	var list []string
	for _, c := range e.Checks {
		if c.Status == Skip {
			continue
		}
		s := c.ID + "=" + string(c.Status)
		if c.BlockedBy != "" {
			s += "(" + c.BlockedBy + ")"
		}
		list = append(list, s)
	}
	return list
}

func status(e *EndpointReport, id string) Status {
	i := slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == id })
	if i < 0 {
		return "missing"
	}
	return e.Checks[i].Status
}

// complete checks what every report must hold: each endpoint lists every check once with a status, and every finding can be acted on.
func complete(t *testing.T, r *Report) {
	t.Helper()
	for _, target := range r.Targets {
		for _, e := range target.Endpoints {
			seen := map[string]bool{}
			for _, c := range e.Checks {
				if seen[c.ID] || c.Status == "" || c.Facts == nil || c.Summary == "" || (c.Status == Held) != (c.BlockedBy != "") {
					t.Errorf("%s %s: incomplete or repeated check %+v", e.name(), e.Family, c)
				}
				seen[c.ID] = true
			}
			if len(seen) != len(table) {
				t.Errorf("%s lists %d checks, want %d", e.name(), len(seen), len(table))
			}
		}
	}
	for _, f := range r.Findings {
		if f.Summary == "" || f.Cause == "" || f.Check == "" || len(f.Remedies) == 0 || f.Target == nil {
			t.Errorf("%s is incomplete: %+v", f.Code, f)
		}
		if len(f.Reproduce) == 0 && !strings.HasPrefix(string(f.Code), "auth.") && !strings.HasPrefix(string(f.Code), "input.") {
			t.Errorf("%s has no line to reproduce it", f.Code)
		}
		for _, text := range []string{f.Summary, f.Cause} {
			ours, _, _ := strings.Cut(text, "the server said: ")
			if strings.HasSuffix(ours, ".") || strings.ContainsAny(text, "\n\r\x1b!") {
				t.Errorf("%s: text against the rules for messages: %q", f.Code, text)
			}
		}
	}
}
