package job_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// An ending is all that the preflight of a pair with one fault must come to. A code counts as tested in full when a report was held against one.
type ending struct {
	finding string // the only one, as "code severity responsible"
	verdict probe.Verdict
	exit    int
	check   string       // of the pair, that raised it
	status  probe.Status // of that check
}

// checkEnding compares a report with what its fault must come to, and sees that each embedded server was signed in to as often as sides of the job lead
// there, and that the password stands in no report. It returns the finding.
func (p *pair) checkEnding(t *testing.T, r *probe.Report, want ending) finding.Finding {
	t.Helper()
	checkEnd(t, r, want.verdict, want.exit, want.check, want.status)
	if got := codes(r); !slices.Equal(got, []string{want.finding}) {
		t.Fatalf("got findings %q, want %q", got, want.finding)
	}
	f := r.Findings[0]
	if f.Target != nil || f.Endpoint != nil || f.Check != want.check || f.Cause == "" || len(f.Remedies) == 0 {
		t.Errorf("got %+v", f)
	}
	if source, dest := p.source.Count("LOGIN", "AUTHENTICATE"), p.dest.Count("LOGIN", "AUTHENTICATE"); source != p.sides[0] || dest != p.sides[1] {
		t.Errorf("%d and %d sign-ins, want %v", source, dest, p.sides)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{password, base64.StdEncoding.EncodeToString([]byte(password)), base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + password))} {
		if strings.Contains(string(text), form) {
			t.Errorf("the report holds the password as %q", form)
		}
	}
	fullyTested[want.finding[:strings.LastIndex(want.finding, " ")]] = true
	return f
}

// fullyTested holds "code severity" of what a report was held against in full. The tests that do so run one after the other.
var fullyTested = map[string]bool{}

// TestMain fails when all tests ran and passed, and one of the contract's codes of a pair was not tested in full.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && allRan() {
		list, err := os.ReadFile("../../probe/finding/testdata/contract-codes.txt")
		if err != nil {
			fmt.Println(err)
			code = 1
		}
		for entry := range strings.Lines(string(list)) {
			name, severities, _ := strings.Cut(strings.TrimSpace(entry), "\t")
			for severity := range strings.SplitSeq(severities, ",") {
				if line := name + " " + severity; strings.HasPrefix(name, "pair.") && !fullyTested[line] {
					fmt.Printf("no test holds a report with %s against an ending\n", line)
					code = 1
				}
			}
		}
	}
	os.Exit(code)
}

// allRan reports whether no test was left out, by a flag or for a program that is not installed.
func allRan() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	_, err := exec.LookPath("dovecot")
	_, atSbin := os.Stat("/usr/sbin/dovecot") // not in the PATH of ordinary users
	return runtime.GOOS == "linux" && (err == nil || atSbin == nil)
}
