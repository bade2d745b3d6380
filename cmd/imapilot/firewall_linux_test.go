package main

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// connectLimit is the --timeout of a case that says nothing else.
	connectLimit = 3 * time.Second
	// pathLimit is how long finding out who acts may take after that, with what a busy machine needs besides.
	pathLimit = 4*time.Second + 1500*time.Millisecond
	// atOnce is how many cases run at once. They wait most of the time.
	atOnce = 10
)

// A firewallCase is a network and what the command must say about it.
type firewallCase struct {
	name    string
	build   func(s *site) // what stands where; good servers are at the ports 993 and 143 of both servers besides
	bare    bool          // without the good servers
	timeout time.Duration // 0: connectLimit
	search  time.Duration // what the search for an MTU may take besides; 0: there is none
	args    []string      // after "probe"; nil: port 993 of the server with TLS
	flags   []string      // beside those

	code        string // of the finding that must be there; "": none may be
	severity    string // "": block
	responsible string
	certainty   string   // or several, with | between
	actsAt      string   // TTL and address; "": nothing is told; "-": left open
	hops        string   // the path, as siteReport.hops; "": left open
	with        []string // other findings that must be there, and no further ones
	evidence    map[string]any
	exit        int // 0 and no block finding: the command goes on
	check       func(t *testing.T, r *siteReport)
}

// TestFirewalls runs the command as nobody behind firewalls, and has it say who acts, how sure that is, and who must do something.
func TestFirewalls(t *testing.T) {
	b := newBench(t)
	var running sync.WaitGroup
	for name, cases := range map[string][]firewallCase{
		"IPv4":                     reachabilityOverIPv4(),
		"IPv6":                     reachabilityOverIPv6(),
		"someone else answers":     someoneElseAnswers(),
		"data gets lost":           openConnectionsLoseTheirData(),
		"large packets":            largePackets(),
		"the whole port is closed": wholePortIsBlocked(),
	} {
		running.Go(func() {
			t.Run(name, func(t *testing.T) { b.run(t, cases) })
		})
	}
	for name, test := range map[string]func(*testing.T, *site){
		"the sides of a preflight are compared with each other": bothSidesOfAPreflight,
		"locating takes few connections over IPv4": func(t *testing.T, s *site) {
			locatingTakesFewConnections(t, s, "imaps://"+server, "ip daddr", "ip ttl")
		},
		"locating takes few connections over IPv6": func(t *testing.T, s *site) {
			locatingTakesFewConnections(t, s, "imaps://["+serverSix+"]", "ip6 daddr", "ip6 hoplimit")
		},
		"a person sees a picture of the path": pictureOfThePath,
	} {
		running.Go(func() {
			b.slots <- struct{}{}
			defer func() { <-b.slots }()
			t.Run(name, func(t *testing.T) { test(t, newSite(t, b)) })
		})
	}
	running.Wait()
}

// run runs cases, some at once. That does not follow -parallel: they take time and little of the processor.
func (b *bench) run(t *testing.T, tests []firewallCase) {
	var running sync.WaitGroup
	for _, tt := range tests {
		running.Go(func() {
			b.slots <- struct{}{}
			defer func() { <-b.slots }()
			t.Run(tt.name, func(t *testing.T) { tt.run(t, newSite(t, b)) })
		})
	}
	running.Wait()
}

func (c firewallCase) run(t *testing.T, s *site) {
	if !c.bare {
		s.serveAll()
	}
	if c.build != nil {
		c.build(s)
	}
	if c.timeout == 0 {
		c.timeout = connectLimit
	}
	if c.args == nil {
		c.args = []string{"imaps://" + server}
	}
	args := append([]string{"probe", "-o", "json", "--ca-file", s.bench.roots, "--timeout", c.timeout.String()}, c.args...)
	if strings.Contains(c.args[0], serverName) {
		args = append(args, "--resolver", s.names(serverName+". 60 IN A "+server, serverName+". 60 IN AAAA "+serverSix))
	}
	began := time.Now()
	r := s.run(append(args, c.flags...)...)
	if limit := c.timeout + pathLimit + c.search; r.DurationMS > int(limit.Milliseconds()) {
		t.Errorf("duration_ms is %d (%v with the start), want at most %v", r.DurationMS, time.Since(began), limit)
	}
	c.compare(t, &r)
	if t.Failed() {
		t.Log(r.text)
	}
}

// compare compares a report with what the case wants.
func (c firewallCase) compare(t *testing.T, r *siteReport) {
	t.Helper()
	want := slices.Clone(c.with)
	if c.code != "" {
		want = append(want, c.code)
	}
	got := r.codes()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || r.ExitCode != c.exit {
		t.Errorf("findings %v, exit code %d; want %v, %d", got, r.ExitCode, want, c.exit)
	}
	if c.hops != "" && r.hops(0) != c.hops {
		t.Errorf("the path is %s, want %s", r.hops(0), c.hops)
	}
	if c.check != nil {
		c.check(t, r)
	}
	if f := r.finding(c.code, 0); f != nil {
		c.compareFinding(t, r, f)
	}
}

func (c firewallCase) compareFinding(t *testing.T, r *siteReport, f *siteFinding) {
	t.Helper()
	if c.severity == "" {
		c.severity = "block"
	}
	for _, v := range []struct{ name, got, want string }{
		{"severity", f.Severity, c.severity},
		{"responsible", f.Responsible, c.responsible},
		{"certainty", f.Certainty, c.certainty},
		{"path.acts_at", r.actsAt(0), c.actsAt},
	} {
		if v.want != "-" && !slices.Contains(strings.Split(v.want, "|"), v.got) {
			t.Errorf("%s of %s is %q, want %q", v.name, f.Code, v.got, v.want)
		}
	}
	for key, value := range c.evidence {
		if f.Evidence[key] != value {
			t.Errorf("evidence %s of %s is %v, want %v", key, f.Code, f.Evidence[key], value)
		}
	}
	if f.Summary == "" || f.Cause == "" || len(f.Remedies) == 0 {
		t.Errorf("%s does not say what to do: %+v", f.Code, f)
	}
	port := "port 993"
	if strings.HasPrefix(c.args[0], "imap+starttls:") {
		port = "port 143"
	}
	if _, address, _ := strings.Cut(c.actsAt, " "); c.exit != 0 && address != "" && f.Responsible != "server" && !f.hasLetter(address, port, " UTC") {
		t.Errorf("nothing can be sent to whoever runs %s: %+v", address, f.Remedies)
	}
}

// hasLetter reports whether a remedy holds all words, to be sent as it is.
func (f *siteFinding) hasLetter(words ...string) bool {
	return slices.ContainsFunc(f.Remedies, func(r siteRemedy) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(r.Text, w) })
	})
}
