package probe

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// certWorld is a world whose TLS port shows cert. Other ports of 127.0.0.1 lead where they say: to the servers of an authority.
func certWorld(t *testing.T, cert tls.Certificate) *world {
	t.Helper()
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(&tls.Config{Certificates: []tls.Certificate{cert}})})
	w.through = true
	return w
}

// blocked checks that a report blocks with the exit code of certificates and that the password stayed here.
func blocked(t *testing.T, w *world, r *Report) {
	t.Helper()
	complete(t, r)
	if r.Verdict != Blocked || r.ExitCode != 12 {
		t.Errorf("got %s, exit code %d, want blocked, 12: %v", r.Verdict, r.ExitCode, codes(r))
	}
	checkCanary(t, w, r, "")
}

func TestImitatedIssuer(t *testing.T) {
	w := certWorld(t, testCA().Issue(imaptest.Leaf{Imitated: true}))
	r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
	f := one(t, r, "cert.imitated-issuer")
	if len(r.Findings) != 1 || f.Severity != finding.Block || f.Responsible != finding.Server || f.Check != "cert.chain" || f.Evidence["known_pin"] != imapdial.Pin(testCA().Intermediate()) {
		t.Errorf("got %+v", f)
	}
	blocked(t, w, r)
}

func TestWeakSignature(t *testing.T) {
	cert := testCA().Issue(imaptest.Leaf{SHA1: true})
	w := certWorld(t, cert)
	to := withPassword(target(t, "imaps://127.0.0.1"))
	r := run(t, w.prober(), to).Report
	if f := one(t, r, "cert.weak-signature"); f.Severity != finding.Block || f.Responsible != finding.Server || f.Check != "cert.key" {
		t.Errorf("got %+v", f)
	}
	blocked(t, w, r)
	to.TLS.Pins = imapdial.Pin(cert.Leaf)
	r = run(t, w.prober(), to).Report
	if f := one(t, r, "cert.weak-signature"); f.Severity != finding.High || r.Verdict != Warning || r.ExitCode != 0 {
		t.Errorf("with the key pinned: got %+v, %s", f, r.Verdict)
	}
}

func TestKeyThatIsFarTooShort(t *testing.T) {
	address := realserver.StartOpenSSL(t, []string{"-newkey", "rsa:768"}, "-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0")
	r := run(t, new(Prober), withPassword(target(t, "imaps://"+address))).Report
	complete(t, r)
	if f := one(t, r, "cert.weak-key"); f.Severity != finding.Block || f.Responsible != finding.Server || r.Verdict != Blocked || r.ExitCode != 12 {
		t.Errorf("got %+v, %s, %d", f, r.Verdict, r.ExitCode)
	}
}

func TestUnparsableCertificateIsShown(t *testing.T) {
	cert := testCA().Issue(imaptest.Leaf{NegativeSerial: true})
	for name, version := range map[string]uint16{"TLS 1.3": tls.VersionTLS13, "TLS 1.2": tls.VersionTLS12} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version})})
			r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
			f := one(t, r, "cert.unparsable")
			dump, _ := f.Evidence["asn1"].([]any)
			text, _ := f.Evidence["pem"].(string)
			if !strings.Contains(f.Summary, "negative serial number") || f.Evidence["index"] != 0 || len(dump) < 20 || !strings.HasPrefix(text, "-----BEGIN CERTIFICATE-----") {
				t.Errorf("got %q, %+v", f.Summary, f.Evidence)
			}
			blocked(t, w, r)
		})
	}
}

func TestServiceNames(t *testing.T) {
	w := certWorld(t, testCA().Issue(imaptest.Leaf{SRVNames: []string{"_imaps.example.org"}}))
	to := target(t, "imaps://127.0.0.1")
	r := run(t, w.prober(), withPassword(to)).Report
	if names, _ := one(t, r, "cert.name-mismatch").Evidence["names"].([]any); !slices.Contains(names, any("_imaps.example.org")) {
		t.Errorf("the SRV-ID is not among the names: %v", names)
	}
	blocked(t, w, r)
	to.TLS.ServerName = "example.org"
	if r := run(t, w.prober(), withPassword(to)).Report; r.Verdict != Ready {
		t.Errorf("with the name of the SRV-ID: %s, %v", r.Verdict, codes(r))
	}
}

func TestNameThatLeadsToTheSameAddress(t *testing.T) {
	if addresses, err := new(Prober).fetchResolver().LookupNetIP(t.Context(), "ip4", "localhost"); err != nil || !slices.Contains(addresses, netip.MustParseAddr("127.0.0.1")) {
		t.Skip("this computer does not know localhost")
	}
	w := certWorld(t, testCA().Issue(imaptest.Leaf{DNSNames: []string{"mail.invalid", "localhost"}}))
	to := target(t, "imaps://127.0.0.1")
	to.Role = RoleDest
	r := run(t, w.prober(), withPassword(to)).Report
	f := one(t, r, "cert.name-mismatch")
	same, _ := f.Evidence["same_address"].([]any)
	if !slices.Contains(same, any("localhost")) || slices.Contains(same, any("mail.invalid")) {
		t.Errorf("got names of the same address %v, want localhost", same)
	}
	i := slices.IndexFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["dest-server-name"] != "" })
	if i < 0 || f.Remedies[i].Apply["dest-server-name"] != "localhost" {
		t.Errorf("the first name that is proposed is not localhost: %+v", f.Remedies)
	}
	blocked(t, w, r)
	to.TLS.ServerName = f.Remedies[i].Apply["dest-server-name"]
	if r := run(t, w.prober(), withPassword(to)).Report; r.Verdict != Ready {
		t.Errorf("with the remedy applied: %s, %v", r.Verdict, codes(r))
	}
}
