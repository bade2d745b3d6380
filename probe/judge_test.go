package probe

import (
	"slices"
	"testing"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// stoppedAt is an endpoint of host h whose first failing check is id; "" for a good one.
func stoppedAt(id string, sec imapdial.Security) *EndpointReport {
	e := &EndpointReport{Host: "h", Port: int(sec.DefaultPort()), Security: sec.String()}
	failed := false
	for _, check := range order(sec, id == "imap.capability" || id == "starttls.offer") {
		r := Result{ID: check, Status: Pass}
		switch {
		case failed:
			r.Status, r.BlockedBy = Held, id
		case check == id:
			r.Status, failed = Fail, true
		case check == "tls.handshake":
			e.TLS = &TLSReport{}
		}
		e.Checks = append(e.Checks, r)
	}
	return e
}

// at makes a finding of the first target; "" as the endpoint for the target as a whole.
func at(endpoint string, code finding.Code, severity finding.Severity) finding.Finding {
	f := finding.Finding{Code: code, Severity: severity, Target: new(int), Evidence: map[string]any{}}
	if endpoint != "" {
		f.Endpoint = &endpoint
	}
	return f
}

func TestJudge(t *testing.T) {
	const in993, in143 = "h:993/tls", "h:143/starttls"
	good := &Recommended{}
	bye := at(in143, "imap.bye", finding.Block)
	bye.Evidence["code"] = "UNAVAILABLE"
	ofPair := func(code finding.Code, severity finding.Severity) finding.Finding {
		return finding.Finding{Code: code, Severity: severity}
	}
	tests := []struct {
		name     string
		targets  []*TargetReport
		findings []finding.Finding
		verdict  Verdict
		exit     int
	}{
		{"nothing found", []*TargetReport{{Recommended: good}}, nil, Ready, 0},
		{"information is no warning", []*TargetReport{{Recommended: good}}, []finding.Finding{at(in143, "net.refused", finding.Info)}, Ready, 0},
		{"a block beside usable settings", []*TargetReport{{Recommended: good}}, []finding.Finding{at(in993, "net.refused", finding.Block)}, Warning, 0},
		{"high beside usable settings", []*TargetReport{{Recommended: good}}, []finding.Finding{at(in143, "starttls.stripped", finding.High)}, Warning, 0},
		{"name resolution", []*TargetReport{{}}, []finding.Finding{at("", "dns.nxdomain", finding.Block)}, Blocked, 10},
		{"TLSA counts as a certificate", []*TargetReport{{}}, []finding.Finding{at("", "dns.tlsa-mismatch", finding.High)}, Blocked, 12},
		{"the certificate got further than the refused port",
			[]*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("cert.dates", imapdial.TLS), stoppedAt("tcp.connect", imapdial.STARTTLS)}}},
			[]finding.Finding{at(in993, "cert.expired", finding.Block), at(in143, "net.refused", finding.Block)}, Blocked, 12},
		{"143 got further than 993",
			[]*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("tcp.connect", imapdial.TLS), stoppedAt("starttls.upgrade", imapdial.STARTTLS)}}},
			[]finding.Finding{at(in993, "net.dropped", finding.Block), at(in143, "starttls.refused", finding.Block)}, Blocked, 11},
		{"993 decides a tie",
			[]*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("tls.handshake", imapdial.TLS), stoppedAt("imap.greeting", imapdial.STARTTLS)}}},
			[]finding.Finding{at(in993, "tls.version-too-old", finding.Block), bye}, Blocked, 11},
		{"come back later", []*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("imap.greeting", imapdial.STARTTLS)}}}, []finding.Finding{bye}, Blocked, 75},
		{"refused commands", []*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("imap.capability", imapdial.STARTTLS)}}},
			[]finding.Finding{at(in143, "imap.refuses-commands", finding.Block)}, Blocked, 10},
		{"the sign-in", []*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("auth.login", imapdial.TLS)}}}, []finding.Finding{at(in993, "auth.failed", finding.Block)}, Blocked, 13},
		{"too many sign-ins", []*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("auth.login", imapdial.TLS)}}}, []finding.Finding{at(in993, "auth.limit", finding.Block)}, Blocked, 75},
		{"the earliest stage over all targets", []*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("auth.login", imapdial.TLS)}}, {}},
			[]finding.Finding{at(in993, "auth.failed", finding.Block), ofSecond("net.refused")}, Blocked, 10},
		{"a good target does not decide", []*TargetReport{{Recommended: good}, {}},
			[]finding.Finding{at(in993, "net.refused", finding.Block), ofSecond("auth.failed")}, Blocked, 13},
		{"waiting would not mend the other target", []*TargetReport{{Endpoints: []*EndpointReport{stoppedAt("imap.greeting", imapdial.STARTTLS)}}, {}},
			[]finding.Finding{bye, ofSecond("net.refused")}, Blocked, 10},
		{"an address where a host belongs", []*TargetReport{{}}, []finding.Finding{at("", "input.email-as-host", finding.Block)}, Blocked, 2},
		{"onto itself", []*TargetReport{{Recommended: good}, {Recommended: good}}, []finding.Finding{ofPair("pair.same-mailbox", finding.Block)}, Blocked, 2},
		{"resemblance alone", []*TargetReport{{Recommended: good}, {Recommended: good}}, []finding.Finding{ofPair("pair.same-mailbox", finding.High)}, Warning, 0},
		{"two folders would become one", []*TargetReport{{Recommended: good}, {Recommended: good}}, []finding.Finding{ofPair("pair.name-collision", finding.Block)}, Blocked, 14},
		{"too small a quota", []*TargetReport{{Recommended: good}, {Recommended: good}}, []finding.Finding{ofPair("pair.quota-too-small", finding.Block)}, Blocked, 22},
		{"a full destination", []*TargetReport{{Recommended: good, Role: RoleDest}}, []finding.Finding{at(in993, "account.over-quota", finding.Block)}, Blocked, 22},
		{"a full source does no harm", []*TargetReport{{Recommended: good, Role: RoleSource}}, []finding.Finding{at(in993, "account.over-quota", finding.Block)}, Warning, 0},
		{"a block that nothing explains", []*TargetReport{{}}, nil, Blocked, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Report{Targets: tt.targets, Findings: tt.findings}
			r.Judge()
			if r.Verdict != tt.verdict || r.ExitCode != tt.exit {
				t.Errorf("got %s, %d, want %s, %d", r.Verdict, r.ExitCode, tt.verdict, tt.exit)
			}
			if tt.verdict != Blocked && r.Deciding() != nil {
				t.Errorf("got deciding findings %v", r.Deciding())
			}
		})
	}
}

func ofSecond(code finding.Code) finding.Finding {
	second := 1
	return finding.Finding{Code: code, Severity: finding.Block, Target: &second}
}

func TestPairMakesAPreflight(t *testing.T) {
	r := &Report{Schema: schemaProbe, Pair: &Pair{}}
	if r.Judge(); r.Schema != "imapilot.preflight/1" {
		t.Errorf("got schema %q", r.Schema)
	}
}

// TestCodesAreInTheCatalogue sees that a row of the fault table cannot panic, and belongs to a check.
func TestFaultRows(t *testing.T) {
	for kind := imapdial.FaultExpired; kind < imapdial.FaultNoCertificate; kind++ {
		row, ok := faultRows[kind]
		if !ok {
			t.Errorf("fault kind %d has no code", kind)
			continue
		}
		if _, ok := finding.Lookup(row.code); !ok {
			t.Errorf("%s is not in the catalogue", row.code)
		}
		if !slices.ContainsFunc(table, func(c check) bool { return c.id == row.check }) || row.cause == "" || len(row.remedies) == 0 {
			t.Errorf("%s is incomplete: %+v", row.code, row)
		}
	}
}

func TestTable(t *testing.T) {
	for _, sec := range []imapdial.Security{imapdial.TLS, imapdial.STARTTLS, imapdial.Cleartext} {
		for _, before := range []bool{false, true} {
			ids := order(sec, before)
			if len(ids) != len(table) {
				t.Errorf("%s: %d checks in the order, %d in the table", sec, len(ids), len(table))
			}
			for _, c := range table {
				if !slices.Contains(ids, c.id) {
					t.Errorf("%s: %s is not in the order", sec, c.id)
				}
				for _, need := range c.needs {
					if !slices.Contains(ids, need) {
						t.Errorf("%s needs %s, which is no check", c.id, need)
					}
				}
			}
		}
	}
	if got := CheckTitle("tls.handshake"); got != "TLS handshake" {
		t.Errorf("got title %q", got)
	}
	if got := CheckTitle("pair.names"); got != "pair.names" {
		t.Errorf("got title %q", got)
	}
}
