package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/netpath/netlab"
)

// A bench is what all sites of a test share: the command where nobody can run it, and an authority that it is told to trust.
type bench struct {
	program, roots, state string
	ca                    *imaptest.CA
	slots                 chan struct{} // one for each site that may be busy at once
}

// newBench copies the test's own program, which is the command when it is called imapilot. Where there are no labs it ends the test.
func newBench(t *testing.T) *bench {
	t.Helper()
	netlab.New(t)
	dir, err := os.MkdirTemp("", "imapilot-firewall-") // not t.TempDir, which only the test's user can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	b := &bench{program: filepath.Join(dir, "imapilot"), roots: filepath.Join(dir, "ca.pem"), state: filepath.Join(dir, "state"),
		ca: imaptest.NewCA("firewall"), slots: make(chan struct{}, atOnce)}
	for _, err := range []error{
		os.Chmod(dir, 0o755),
		copyProgram(b.program),
		os.WriteFile(b.roots, []byte(b.ca.RootPEM()), 0o644),
		os.Mkdir(b.state, 0o700),
		os.Chown(b.state, netlab.Nobody, netlab.Nobody),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func copyProgram(to string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	copied, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer copied.Close()
	if _, err := io.Copy(copied, from); err != nil {
		return err
	}
	return copied.Close()
}

// A site is a lab with IMAP servers in it, and the command at its client.
type site struct {
	*netlab.Lab
	t     *testing.T
	bench *bench
}

func newSite(t *testing.T, b *bench) *site { return &site{netlab.New(t), t, b} }

// The addresses of the lab that the tests speak of.
const (
	router1, router2       = "10.1.0.1", "10.2.0.2"
	server, server2        = "10.3.0.2", "10.3.0.3"
	deadHost               = "10.3.0.9"
	router1Six, router2Six = "fd01::1", "fd02::2"
	serverSix              = "fd03::2"
	serverName             = "imap.lab.test"
)

// leaf is a good certificate for both servers, under addresses and names.
func leaf() imaptest.Leaf {
	l := imaptest.Leaf{DNSNames: []string{serverName}}
	for _, a := range []string{server, server2, serverSix} {
		l.IPs = append(l.IPs, netip.MustParseAddr(a))
	}
	return l
}

// serve starts a good IMAP server at a node, with a certificate of the bench's authority: on port 143 with STARTTLS, else with TLS.
func (s *site) serve(n netlab.Node, addresses ...string) {
	s.t.Helper()
	for _, a := range addresses {
		s.serveWith(n, a, s.bench.ca.Issue(leaf()))
	}
}

func (s *site) serveWith(n netlab.Node, address string, certificate tls.Certificate) {
	s.t.Helper()
	security := imaptest.TLS
	if strings.HasSuffix(address, ":143") {
		security = imaptest.STARTTLS
	}
	server, err := imaptest.Start(imaptest.Config{Security: security, Certificate: certificate, Listener: s.Listen(n, address)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { server.Close() })
}

// serveAll starts good servers at both ports of both hosts.
func (s *site) serveAll() {
	s.t.Helper()
	s.serve(netlab.Server, server+":993", server+":143", "["+serverSix+"]:993", "["+serverSix+"]:143")
	s.serve(netlab.Server2, server2+":993", server2+":143")
}

// script serves a script at a node.
func (s *site) script(n netlab.Node, address string, script faulty.Script) {
	s.t.Helper()
	server := faulty.ServeListener(s.Listen(n, address), script)
	s.t.Cleanup(func() { server.Close() })
}

// names serves a zone to the client and returns the address for --resolver.
func (s *site) names(records ...string) string {
	s.t.Helper()
	var server *faulty.NameServer
	err := s.At(netlab.Client, func() (err error) {
		server, err = faulty.ServeNames(faulty.Zone{Records: records})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { server.Close() })
	return server.Address
}

// environment is all that the command gets.
func (s *site) environment() []string {
	return []string{"HOME=" + s.bench.state, "XDG_STATE_HOME=" + s.bench.state, "GORACE=" + goRace, "LANG=C.UTF-8"}
}

// run runs the command at the client and returns its report.
func (s *site) run(args ...string) siteReport {
	s.t.Helper()
	r := s.Run(s.t.Context(), s.environment(), s.bench.program, args...)
	var report siteReport
	if err := json.Unmarshal(r.Stdout, &report); err != nil {
		s.t.Fatalf("imapilot %s: %v: exit code %d\n%s\n%s", strings.Join(args, " "), err, r.ExitCode, r.Stdout, r.Stderr)
	}
	if report.ExitCode != r.ExitCode {
		s.t.Errorf("exit_code is %d, the command's was %d", report.ExitCode, r.ExitCode)
	}
	report.text = string(r.Stdout)
	return report
}

// A siteReport is of a report what firewalls are about, under the names of the contract.
type siteReport struct {
	Verdict    string `json:"verdict"`
	ExitCode   int    `json:"exit_code"`
	DurationMS int    `json:"duration_ms"`
	Targets    []struct {
		Recommended *struct {
			Port     int    `json:"port"`
			Security string `json:"security"`
			Address  string `json:"address"`
		} `json:"recommended"`
		Path *struct {
			Hops   []siteHop `json:"hops"`
			ActsAt *siteHop  `json:"acts_at"`
		} `json:"path"`
	} `json:"targets"`
	Findings []siteFinding `json:"findings"`

	text string // all of it
}

type siteHop struct {
	TTL     int     `json:"ttl"`
	Address string  `json:"address"`
	RTT     float64 `json:"rtt_ms"`
	How     string  `json:"how"`
}

type siteFinding struct {
	Code        string         `json:"code"`
	Severity    string         `json:"severity"`
	Target      *int           `json:"target"`
	Responsible string         `json:"responsible"`
	Certainty   string         `json:"certainty"`
	Summary     string         `json:"summary"`
	Cause       string         `json:"cause"`
	Evidence    map[string]any `json:"evidence"`
	Remedies    []siteRemedy   `json:"remedies"`
}

type siteRemedy struct {
	Text string `json:"text"`
}

// finding returns the finding with a code of a target; nil when there is none.
func (r *siteReport) finding(code string, target int) *siteFinding {
	i := slices.IndexFunc(r.Findings, func(f siteFinding) bool { return f.Code == code && f.Target != nil && *f.Target == target })
	if i < 0 {
		return nil
	}
	return &r.Findings[i]
}

func (r *siteReport) codes() []string {
	codes := []string{}
	for _, f := range r.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

// actsAt returns where a target's path says that someone acts: "TTL ADDRESS"; "" when it says nothing.
func (r *siteReport) actsAt(target int) string {
	p := r.Targets[target].Path
	if p == nil || p.ActsAt == nil {
		return ""
	}
	return fmt.Sprintf("%d %s", p.ActsAt.TTL, p.ActsAt.Address)
}

// hops returns a target's path: "ADDRESS ADDRESS …", with a * for a hop that is silent.
func (r *siteReport) hops(target int) string {
	p := r.Targets[target].Path
	if p == nil {
		return "none"
	}
	var list []string
	for i, h := range p.Hops {
		switch {
		case h.TTL != i+1:
			list = append(list, fmt.Sprintf("TTL %d in place of %d", h.TTL, i+1))
		case h.Address == "":
			list = append(list, "*")
		default:
			list = append(list, h.Address)
		}
	}
	return strings.Join(list, " ")
}
