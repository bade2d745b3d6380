package finding

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// sections are the headings of every long text, in order.
var sections = []string{
	"What it means",
	"How it comes about",
	"What to do as the user",
	"What to do as the server's administrator",
	"What to do as the network's administrator",
	"How to see it",
}

// contractCodes reads the list of all codes that were ever promised, in their order, with the severities of each.
func contractCodes(t *testing.T) (order []Code, severities map[Code][]Severity) {
	t.Helper()
	data, err := os.ReadFile("testdata/contract-codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	severities = map[Code][]Severity{}
	for line := range strings.Lines(string(data)) {
		code, list, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			t.Fatalf("line %q has no tab", line)
		}
		for s := range strings.SplitSeq(list, ",") {
			if !slices.Contains([]Severity{Block, High, Warn, Info}, Severity(s)) {
				t.Fatalf("%s has the unknown severity %q", code, s)
			}
			severities[Code(code)] = append(severities[Code(code)], Severity(s))
		}
		order = append(order, Code(code))
	}
	if len(order) != 128 || len(severities) != len(order) {
		t.Fatalf("read %d codes, %d of them different; want 128", len(order), len(severities))
	}
	return order, severities
}

func TestCatalogueIsPartOfTheContract(t *testing.T) {
	order, severities := contractCodes(t)
	last := -1
	for _, e := range Catalogue() {
		want, ok := severities[e.Code]
		if !ok {
			t.Errorf("%s is not in the contract", e.Code)
			continue
		}
		// Where a code has two severities, the first is the one without special evidence.
		if e.Severity != want[0] {
			t.Errorf("%s has severity %s, want %s", e.Code, e.Severity, want[0])
		}
		place := slices.Index(order, e.Code)
		if place <= last {
			t.Errorf("%s stands out of the contract's order", e.Code)
		}
		last = place
	}
}

// TestResponsible states the rule of the contract once more, in its own words: by family, and the exceptions.
func TestResponsible(t *testing.T) {
	families := map[string][]Responsible{
		"input": {You}, "dns": {DNS}, "net": {Unknown}, "imap": {Server}, "starttls": {Server}, "tls": {Server},
		"cert": {Server}, "local": {ThisComputer}, "auth": {AccountHolder}, "account": {AccountHolder}, "pair": {AccountHolder, You},
	}
	exceptions := map[Code]Responsible{
		"net.refused": Server, "net.flaky": Server, "net.local-firewall": ThisComputer, "net.local-route": ThisComputer,
		"net.refused-by-hop": Path, "net.port-unreachable": Path, "net.redirected": Path, "net.mtu-black-hole": Path, "net.freezes": Path,
		"net.egress-blocked": LocalNetwork, "net.captive-portal": LocalNetwork, "net.intercepted": LocalNetwork,
		"starttls.stripped": Path, "cert.inspection": LocalNetwork,
		"auth.unavailable": Server, "auth.login-disabled": Server, "auth.no-mechanism": Server, "auth.secret-whitespace": You, "auth.token-rejected": You,
	}
	for _, e := range Catalogue() {
		family, _, _ := strings.Cut(string(e.Code), ".")
		want := families[family]
		if r, ok := exceptions[e.Code]; ok {
			want = []Responsible{r}
		}
		if !slices.Contains(want, e.Responsible) {
			t.Errorf("%s is the business of %q, want one of %q", e.Code, e.Responsible, want)
		}
	}
}

func TestEntriesAreComplete(t *testing.T) {
	for _, e := range Catalogue() {
		if n := utf8.RuneCountInString(e.Title); n == 0 || n > 40 {
			t.Errorf("the title of %s has %d characters", e.Code, n)
		}
		if strings.HasSuffix(e.Title, ".") {
			t.Errorf("the title of %s ends with a period", e.Code)
		}
		if e.Ref != "" && !strings.HasPrefix(e.Ref, "RFC ") {
			t.Errorf("the reference of %s is %q", e.Code, e.Ref)
		}
		got, ok := Lookup(e.Code)
		if !ok || got != e {
			t.Errorf("Lookup(%s) = %v, %v", e.Code, got, ok)
		}
	}
}

func TestEveryEntryHasItsText(t *testing.T) {
	for _, e := range Catalogue() {
		text, ok := Explain(e.Code)
		if !ok {
			t.Errorf("%s has no text", e.Code)
			continue
		}
		checkText(t, e.Code, text)
	}
}

// checkText holds a text against the form that all have: the sections in order and none empty, lines that fit.
func checkText(t *testing.T, code Code, text string) {
	t.Helper()
	var headings []string
	body := 0
	for line := range strings.SplitSeq(text, "\n") {
		if n := utf8.RuneCountInString(line); n > 78 {
			t.Errorf("%s has a line of %d columns: %s", code, n, line)
		}
		switch {
		case line == "":
		case strings.HasPrefix(line, "  "):
			body++
		default:
			if len(headings) > 0 && body == 0 {
				t.Errorf("%s says nothing under %q", code, headings[len(headings)-1])
			}
			headings, body = append(headings, line), 0
		}
		if strings.ContainsAny(line, "\t!") && !strings.HasPrefix(line, "    ") {
			t.Errorf("%s has a tab or an exclamation mark: %s", code, line)
		}
	}
	if body == 0 {
		t.Errorf("%s says nothing under its last heading", code)
	}
	if !slices.Equal(headings, sections) {
		t.Errorf("%s has the sections %q, want %q", code, headings, sections)
	}
}

func TestNoTextIsWithoutEntry(t *testing.T) {
	files, err := explain.ReadDir("explain")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		code := Code(strings.TrimSuffix(f.Name(), ".txt"))
		if _, ok := Lookup(code); !ok {
			t.Errorf("explain/%s belongs to no entry", f.Name())
		}
	}
	if len(files) != len(Catalogue()) {
		t.Errorf("%d texts for %d entries", len(files), len(Catalogue()))
	}
}

func TestUnknownCodes(t *testing.T) {
	for _, code := range []Code{"", "cert.nothing", "../catalogue", "cert.expired.txt"} {
		if e, ok := Lookup(code); ok {
			t.Errorf("Lookup(%q) = %v", code, e)
		}
		if text, ok := Explain(code); ok || text != "" {
			t.Errorf("Explain(%q) = %q", code, text)
		}
	}
}

func TestNewTakesTheCatalogue(t *testing.T) {
	f := New("cert.expired", "the certificate ended 3 days ago", "it was not renewed")
	if f.Severity != Block || f.Responsible != Server || f.Certainty != Certain || f.Ref != "RFC 5280 section 4.1.2.5" {
		t.Errorf("New filled in %+v", f)
	}
	if f.Remedies == nil || f.Evidence == nil || f.Reproduce == nil {
		t.Error("New left a list nil: JSON would say null")
	}
	defer func() {
		if recover() == nil {
			t.Error("New accepted a code that is not in the catalogue")
		}
	}()
	New("cert.nothing", "", "")
}
