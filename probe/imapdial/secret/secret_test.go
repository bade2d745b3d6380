package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const canary = "canary-7Zq~Ünix"

// leaks lists the forms in which the canary stands in out.
func leaks(out string) []string {
	b := []byte(canary)
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	goHex := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")
	forms := map[string]string{
		"plain":          canary,
		"part":           canary[:9],
		"quoted":         strings.Trim(fmt.Sprintf("%+q", canary), `"`),
		"hex":            hex.EncodeToString(b),
		"spaced hex":     fmt.Sprintf("% x", b),
		"0x hex":         fmt.Sprintf("%#x", b),
		"decimal list":   decimal,
		"comma list":     strings.ReplaceAll(decimal, " ", ","),
		"Go hex list":    goHex,
		"base64":         base64.StdEncoding.EncodeToString(b),
		"raw url base64": base64.RawURLEncoding.EncodeToString(b[:len(b)/3*3]),
	}
	var found []string
	for name, form := range forms {
		if strings.Contains(strings.ToLower(out), strings.ToLower(form)) {
			found = append(found, name)
		}
	}
	return found
}

type inner struct {
	Name string
	S    Secret
	p    *Secret
	s    Secret
}

type outer struct {
	Inner  inner
	Ptr    *inner
	hidden inner
	List   []Secret
	Array  [1]Secret
	Map    map[string]Secret
	Any    any
	Ref    *Reference
	ref    *Reference
}

func planted() map[string]any {
	s := New([]byte(canary))
	in := inner{Name: "n", S: s, p: &s, s: s}
	out := outer{
		Inner: in, Ptr: &in, hidden: in, List: []Secret{s}, Array: [1]Secret{s}, Map: map[string]Secret{"k": s}, Any: s,
		Ref: Given(s), ref: Given(s),
	}
	return map[string]any{
		"the secret":          s,
		"a pointer to it":     &s,
		"a struct":            in,
		"a pointer to one":    &in,
		"nested":              out,
		"a pointer to nested": &out,
		"a slice":             []Secret{s},
		"a map":               map[string]*inner{"k": &in},
		"a given reference":   Given(s),
		"an interface slice":  []any{s, &s, in},
	}
}

func TestNoVerbPrintsTheSecret(t *testing.T) {
	var verbs []string
	for c := 'A'; c <= 'z'; c++ {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "20.3", "+#", "# "} {
			verbs = append(verbs, "%"+flags+string(c))
		}
	}
	for name, value := range planted() {
		for _, verb := range verbs {
			if found := leaks(fmt.Sprintf(verb, value)); found != nil {
				t.Errorf("%s with %q shows the secret: %v", name, verb, found)
			}
		}
		if found := leaks(fmt.Sprintln(value) + fmt.Sprint(value) + fmt.Errorf("x: %v", value).Error()); found != nil {
			t.Errorf("%s printed plainly shows the secret: %v", name, found)
		}
	}
}

func TestVerbsGiveThePlaceholder(t *testing.T) {
	s := New([]byte(canary))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T is it, %v"} {
		args := []any{s}
		if strings.HasPrefix(verb, "%T") {
			args = []any{s, s}
		}
		if verb == "%p" {
			continue // fmt never asks a Formatter for %p
		}
		if got := fmt.Sprintf(verb, args...); !strings.Contains(got, redacted) {
			t.Errorf("%s gives %q, want it to hold %q", verb, got, redacted)
		}
	}
	if got := fmt.Sprintf("%+v", inner{Name: "n", S: s}); !strings.Contains(got, "S:"+redacted) {
		t.Errorf("in a struct it gives %q", got)
	}
	if s.String() != redacted || s.GoString() != redacted || (Secret{}).String() != redacted {
		t.Error("String and GoString do not give the placeholder")
	}
}

func TestNoHandlerLogsTheSecret(t *testing.T) {
	for name, value := range planted() {
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			log := slog.New(h)
			log.Info("signing in", "value", value, slog.Group("g", "value", value))
			log.With("value", value).Error(fmt.Sprint(value))
		}
		if found := leaks(out.String()); found != nil {
			t.Errorf("%s logged shows the secret: %v", name, found)
		}
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", New([]byte(canary)))
	if !strings.Contains(out.String(), redacted) {
		t.Errorf("the log has no placeholder: %s", out.String())
	}
}

func TestNoEncodingHoldsTheSecret(t *testing.T) {
	for name, value := range planted() {
		asJSON, _ := json.Marshal(value)
		asXML, _ := xml.Marshal(value)
		var asGob bytes.Buffer
		_ = gob.NewEncoder(&asGob).Encode(value) // a refusal is as good as a placeholder
		if found := leaks(string(asJSON) + string(asXML) + asGob.String()); found != nil {
			t.Errorf("%s encoded shows the secret: %v", name, found)
		}
	}
	s := New([]byte(canary))
	got, err := json.Marshal(struct {
		Password Secret
		Keyed    map[string]*Secret
	}{s, map[string]*Secret{"a": &s}})
	want := `{"Password":"[secret]","Keyed":{"a":"[secret]"}}`
	if err != nil || string(got) != want {
		t.Errorf("JSON is %s (%v), want %s", got, err, want)
	}
	if text, err := s.MarshalText(); err != nil || string(text) != redacted {
		t.Errorf("MarshalText gives %q, %v", text, err)
	}
}

// TestPanicShowsNoSecret lets a process of its own die with the secret in its hands.
func TestPanicShowsNoSecret(t *testing.T) {
	if os.Getenv("SECRET_TEST_PANIC") != "" {
		for _, value := range planted() {
			defer func() { panic(value) }()
		}
		panic(New([]byte(canary)))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPanicShowsNoSecret$")
	cmd.Env = append(os.Environ(), "SECRET_TEST_PANIC=1", "GOTRACEBACK=all")
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("panic:")) {
		t.Fatalf("the process did not panic: %v\n%s", err, out)
	}
	if found := leaks(string(out)); found != nil {
		t.Errorf("the crash shows the secret: %v\n%s", found, out)
	}
}

func TestLeaksFindsTheCanary(t *testing.T) {
	for _, form := range []string{"%s", "%q", "%+q", "%x", "% X", "%v", "%d", "%#v", "%#x"} {
		if leaks(fmt.Sprintf(form, []byte(canary))) == nil {
			t.Errorf("the canary printed with %s is not found", form)
		}
	}
}

func TestSecretCopiesItsBytes(t *testing.T) {
	b := []byte(canary)
	s := New(b)
	clear(b)
	got := s.Reveal()
	if string(got) != canary {
		t.Fatalf("after the caller cleared its bytes the secret is %q", got)
	}
	clear(got)
	if string(s.Reveal()) != canary {
		t.Error("clearing what Reveal returned changed the secret")
	}
}

func TestZeroSecretIsEmpty(t *testing.T) {
	var s Secret
	if !s.Empty() || len(s.Reveal()) != 0 || !New(nil).Empty() {
		t.Error("the zero Secret is not empty")
	}
	if New([]byte("x")).Empty() {
		t.Error("a secret of one octet is called empty")
	}
}
