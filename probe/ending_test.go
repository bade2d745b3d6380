package probe

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/imapilot-project/imapilot/probe/finding"
)

// An ending is all that a probe of a fault must come to. A code counts as tested in full when a report with it was held against one.
type ending struct {
	findings []string // all of them in the report's order, each as "code severity responsible"
	verdict  Verdict
	exit     int
	signIn   string // the endpoint that sees the password, once, as "host:port/security"; "" when it must stay here
}

// checkEnding compares a report with what its probe, made with the password of the tests, must come to. Without a world the servers are programs that
// do not tell what they read, and whether the password left is seen from the report alone.
func checkEnding(t *testing.T, w *world, r *Report, want ending) {
	t.Helper()
	if got := codes(r); !slices.Equal(got, want.findings) {
		t.Errorf("got findings %q, want %q", got, want.findings)
	}
	if r.Verdict != want.verdict || r.ExitCode != want.exit {
		t.Errorf("got verdict %s, exit code %d, want %s, %d; findings %q", r.Verdict, r.ExitCode, want.verdict, want.exit, codes(r))
	}
	checkCanary(t, w, r, want.signIn)
	for _, line := range want.findings {
		fullyTested.add(t, line)
	}
}

// checkCanary sees that the password went to the endpoint signIn alone, once or as often as --audit holds connections, and stands in no report.
func checkCanary(t *testing.T, w *world, r *Report, signIn string) {
	t.Helper()
	secretFree(t, r, canary)
	var tried []string
	most := 1 // sign-ins
	for _, target := range r.Targets {
		for _, e := range target.Endpoints {
			i := slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == "auth.login" })
			switch login := e.Checks[i]; {
			case login.BlockedBy == "input.secret":
				t.Errorf("%s: there was no password that could have left", e.name())
			case login.Status != Held && login.Status != Skip:
				tried = append(tried, e.name())
			}
			i = slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == "audit.connections" })
			if held, ok := e.Checks[i].Facts["connections"].(int); ok {
				most = held + 1
			}
		}
	}
	if w == nil {
		if got := strings.Join(tried, ", "); got != signIn {
			t.Errorf("the sign-in was tried at %q, want %q", got, signIn)
		}
		return
	}
	for port, s := range w.servers {
		received := string(s.Received())
		got := strings.Count(received, " AUTHENTICATE ") + strings.Count(received, " LOGIN ")
		if strings.Contains(signIn, ":"+strconv.Itoa(int(port))+"/") {
			if got < 1 || got > most {
				t.Errorf("port %d saw %d sign-ins, want from 1 to %d", port, got, most)
			}
			continue
		}
		if got > 0 || strings.Contains(received, canary) || strings.Contains(received, base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+canary))) {
			t.Errorf("port %d saw %d sign-ins, or the password", port, got)
		}
	}
}

// fullyTested holds the codes, each with its severity, that a report was held against in full.
var fullyTested codeSet

type codeSet struct {
	mu    sync.Mutex
	lines map[string]bool // "code severity"
}

// add counts a finding that stands as "code severity responsible", and logs it for the process that may have started this one.
func (s *codeSet) add(t *testing.T, line string) {
	t.Log(inFull + line)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = map[string]bool{}
	}
	s.lines[line[:strings.LastIndex(line, " ")]] = true
}

const inFull = "tested in full: "

var inFullLine = regexp.MustCompile(inFull + `(\S+ \S+ \S+)`)

// again runs the calling test in a process of its own with these variables, and counts what is tested there.
func again(t *testing.T, variables ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variables...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range inFullLine.FindAllSubmatch(out, -1) {
		fullyTested.add(t, string(m[1]))
	}
}

// TestMain fails when all tests ran and passed, and one of the contract's codes that are the probe's was not tested in full.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && allRan() {
		missing, err := untested()
		for _, line := range missing {
			fmt.Printf("no test holds a report with %s against an ending\n", line)
		}
		if err != nil {
			fmt.Println(err)
		}
		if err != nil || len(missing) > 0 {
			code = 1
		}
	}
	os.Exit(code)
}

// allRan reports whether no test was left out: by a flag, for a program that is not installed, or since it is one of Linux.
func allRan() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	if worker := flag.Lookup("test.fuzzworker"); worker != nil && worker.Value.String() == "true" {
		return false
	}
	return runtime.GOOS == "linux" && installed("openssl") && installed("dovecot")
}

func installed(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	_, err := os.Stat("/usr/sbin/" + program) // not in the PATH of ordinary users
	return err == nil
}

// untested lists the codes of the contract, each with its severities, that no report was held against. What concerns reaching a server is tested in
// other ways, what concerns a pair in the package of the jobs; and input.invalid-host has no report.
func untested() ([]string, error) {
	list, err := os.ReadFile("finding/testdata/contract-codes.txt")
	if err != nil {
		return nil, err
	}
	var missing []string
	for entry := range strings.Lines(string(list)) {
		code, severities, _ := strings.Cut(strings.TrimSpace(entry), "\t")
		family, _, _ := strings.Cut(code, ".")
		if family == "net" || family == "pair" || code == "input.invalid-host" {
			continue
		}
		for severity := range strings.SplitSeq(severities, ",") {
			if line := code + " " + severity; !fullyTested.lines[line] {
				missing = append(missing, line)
			}
		}
	}
	return missing, nil
}

// codes lists the findings, each as "code severity responsible".
func codes(r *Report) []string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, line(f))
	}
	return list
}

func line(f finding.Finding) string {
	return fmt.Sprintf("%s %s %s", f.Code, f.Severity, f.Responsible)
}

// one returns the finding that is meant by "code severity responsible": the only one of its code.
func one(t *testing.T, r *Report, want string) finding.Finding {
	t.Helper()
	code, _, _ := strings.Cut(want, " ")
	var found []finding.Finding
	for _, f := range r.Findings {
		if string(f.Code) == code {
			found = append(found, f)
		}
	}
	if len(found) != 1 || line(found[0]) != want {
		t.Fatalf("want %q once; got %q", want, codes(r))
	}
	return found[0]
}
