package probe

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with the file at path, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("differs from %s; run with -update and review the difference. got:\n%s", path, got)
	}
}

// normalise replaces what is different in each run: times, durations, and what depends on a key made on the spot.
func normalise(r *Report) {
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r.Started, r.DurationMS = then, 0
	results := func(list []Result) {
		for i := range list {
			list[i].DurationMS = 0
			for name := range list[i].Facts {
				switch name {
				case "not_before", "not_after", "pin":
					list[i].Facts[name] = name
				case "round_trip_ms", "command_ms":
					list[i].Facts[name] = 0
				case "tried":
					for _, a := range list[i].Facts[name].([]any) {
						a.(map[string]any)["ms"] = 0
					}
				}
			}
			if list[i].ID == "cert.dates" {
				list[i].Summary = "valid until then"
			}
		}
	}
	for _, t := range r.Targets {
		results(t.Checks)
		for _, e := range t.Endpoints {
			results(e.Checks)
			for i := range e.TLS.Certificates {
				c := &e.TLS.Certificates[i]
				c.NotBefore, c.NotAfter, c.Serial, c.SHA256, c.SPKISHA256 = then, then, "serial", "sha256", "spki_sha256"
			}
		}
	}
}
