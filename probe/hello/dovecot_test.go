package hello

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// TestDovecot scans a Dovecot 2.3 as it is installed, without ssl_dh, on both ports. Its log in openssl's words is the oracle: each suite
// that the scan finds, and each that it does not, is tried alone.
func TestDovecot(t *testing.T) {
	realserver.Require(t, "openssl")
	ca := imaptest.NewCA("hello")
	cert := ca.Issue(imaptest.Leaf{Key: imaptest.RSA2048})
	d := realserver.StartDovecot(t, realserver.Config{CA: ca, Certificate: &cert})
	for security, port := range map[imapdial.Security]uint16{imapdial.TLS: d.IMAPS, imapdial.STARTTLS: d.IMAP} {
		t.Run(security.String(), func(t *testing.T) {
			ep := imapdial.Endpoint{Host: d.Host, Port: port, Security: security}
			scan := fastest(t, &Scanner{ServerName: "imap.example.test", Dial: func(ctx context.Context) (net.Conn, error) {
				return imapdial.BeforeTLS(ctx, ep, nil)
			}})
			for v, want := range map[Version]bool{SSL2: false, SSL3: false, TLS10: false, TLS11: false, TLS12: true, TLS13: true} {
				if got, known := scan.Versions[v]; got != want || !known {
					t.Errorf("version %s: got %t, known %t", v, got, known)
				}
			}
			if len(scan.Suites[TLS12]) != 11 || len(scan.Suites[TLS13]) != 3 || len(scan.Suites) != 2 {
				t.Errorf("got suites %v", scan.Suites)
			}
			if !scan.DHEAborts || len(scan.Unfinished) != 0 || !scan.Handshake || scan.ALPNRejected || !scan.WithoutName || !scan.SameCertificate || !scan.Resumes ||
				scan.Scheme == 0 {
				t.Errorf("got %+v", scan)
			}
			for _, g := range []string{"X25519", "secp256r1", "secp384r1", "secp521r1", "x448"} {
				if !slices.ContainsFunc(scan.Groups, func(f Group) bool { return f.String() == g }) {
					t.Errorf("group %s is missing: %v", g, scan.Groups)
				}
			}
			if security == imapdial.TLS {
				checkSuites(t, fmt.Sprintf("%s:%d", d.Host, port), scan.Suites[TLS12])
			}
		})
	}
}

// fastest scans three times and holds the best against the bounds.
func fastest(t *testing.T, s *Scanner) *Scan {
	t.Helper()
	var best *Scan
	for range 3 {
		if scan := s.Run(t.Context()); best == nil || scan.Took < best.Took {
			best = scan
		}
	}
	t.Logf("%d connections in %s; groups %v; TLS 1.2 suites %v", best.Connections, best.Took, best.Groups, best.Suites[TLS12])
	if best.Connections > 58 {
		t.Errorf("%d connections", best.Connections)
	}
	if best.Took > time.Second { // the machine of a test may be busy; alone it takes less than half of it
		t.Errorf("the fastest of three scans took %s", best.Took)
	}
	return best
}

// checkSuites tries every suite of TLS 1.2 that openssl has, one by one.
func checkSuites(t *testing.T, address string, got []Suite) {
	t.Helper()
	list, err := exec.Command("openssl", "ciphers", "-stdname", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:!PSK:!SRP:@SECLEVEL=0").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var want []string
	var running sync.WaitGroup
	lanes := make(chan struct{}, 4)
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line) // IANA's name - OpenSSL's name …
		running.Go(func() {
			lanes <- struct{}{}
			defer func() { <-lanes }()
			cmd := exec.Command("openssl", "s_client", "-connect", address, "-tls1_2", "-cipher", fields[2]+":@SECLEVEL=0")
			if out, err := cmd.CombinedOutput(); err == nil && strings.Contains(string(out), "Cipher is "+fields[2]) {
				mu.Lock()
				want = append(want, fields[0])
				mu.Unlock()
			}
		})
	}
	running.Wait()
	var names []string
	for _, s := range got {
		names = append(names, s.String())
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("got suites %v, openssl s_client finds %v", names, want)
	}
}

// TestFarServer holds the scan against its bound for a round trip of 50 ms. It is made of waits, so a busy machine does not matter much.
func TestFarServer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	ca := imaptest.NewCA("hello")
	cert := ca.Issue(imaptest.Leaf{Key: imaptest.RSA2048})
	d := realserver.StartDovecot(t, realserver.Config{CA: ca, Certificate: &cert})
	for security, port := range map[imapdial.Security]uint16{imapdial.TLS: d.IMAPS, imapdial.STARTTLS: d.IMAP} {
		proxy, err := faulty.NewProxy(fmt.Sprintf("%s:%d", d.Host, port), func(int) faulty.Fault {
			return faulty.Fault{Up: faulty.Damage{Delay: 25 * time.Millisecond}, Down: faulty.Damage{Delay: 25 * time.Millisecond}}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer proxy.Close()
		ep := imapdial.Endpoint{Host: "127.0.0.1", Port: proxy.Port(), Security: security}
		scan := (&Scanner{ServerName: "imap.example.test", Dial: func(ctx context.Context) (net.Conn, error) {
			select { // the round trip of TCP's own handshake, which the proxy cannot delay
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
			return imapdial.BeforeTLS(ctx, ep, nil)
		}}).Run(t.Context())
		t.Logf("%s: %d connections in %s", security, scan.Connections, scan.Took)
		if scan.Took > 3*time.Second || len(scan.Suites[TLS12]) != 11 {
			t.Errorf("%s: %d suites in %s, want 11 in at most 3 s", security, len(scan.Suites[TLS12]), scan.Took)
		}
	}
}
