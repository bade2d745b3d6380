package probe

import (
	"crypto/tls"
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

// blocked checks that a report blocks with these findings and the exit code of certificates, and that the password stayed here.
func blocked(t *testing.T, w *world, r *Report, findings ...string) {
	t.Helper()
	complete(t, r)
	checkEnding(t, w, r, ending{findings, Blocked, 12, ""})
}

func TestImitatedIssuer(t *testing.T) {
	w := certWorld(t, testCA().Issue(imaptest.Leaf{Imitated: true}))
	r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
	f := one(t, r, "cert.imitated-issuer block server")
	if f.Check != "cert.chain" || f.Evidence["known_pin"] != imapdial.Pin(testCA().Intermediate()) {
		t.Errorf("got %+v", f)
	}
	blocked(t, w, r, "cert.imitated-issuer block server")
}

func TestWeakSignature(t *testing.T) {
	cert := testCA().Issue(imaptest.Leaf{SHA1: true})
	w := certWorld(t, cert)
	to := withPassword(target(t, "imaps://127.0.0.1"))
	r := run(t, w.prober(), to).Report
	if f := one(t, r, "cert.weak-signature block server"); f.Check != "cert.key" {
		t.Errorf("got %+v", f)
	}
	blocked(t, w, r, "cert.weak-signature block server")
	to.TLS.Pins = imapdial.Pin(cert.Leaf)
	r = run(t, w.prober(), to).Report
	checkEnding(t, w, r, ending{[]string{"cert.weak-signature high server"}, Warning, 0, "127.0.0.1:993/tls"})
}

func TestKeyThatIsFarTooShort(t *testing.T) {
	address := realserver.StartOpenSSL(t, []string{"-newkey", "rsa:768"}, "-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0")
	r := run(t, new(Prober), withPassword(target(t, "imaps://"+address))).Report
	blocked(t, nil, r, "cert.weak-key block server")
}

func TestUnparsableCertificateIsShown(t *testing.T) {
	cert := testCA().Issue(imaptest.Leaf{NegativeSerial: true})
	for name, version := range map[string]uint16{"TLS 1.3": tls.VersionTLS13, "TLS 1.2": tls.VersionTLS12} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version})})
			r := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1"))).Report
			f := one(t, r, "cert.unparsable block server")
			dump, _ := f.Evidence["asn1"].([]any)
			text, _ := f.Evidence["pem"].(string)
			if !strings.Contains(f.Summary, "negative serial number") || f.Evidence["index"] != 0 || len(dump) < 20 || !strings.HasPrefix(text, "-----BEGIN CERTIFICATE-----") {
				t.Errorf("got %q, %+v", f.Summary, f.Evidence)
			}
			blocked(t, w, r, "cert.unparsable block server")
		})
	}
}

func TestServiceNames(t *testing.T) {
	w := certWorld(t, testCA().Issue(imaptest.Leaf{SRVNames: []string{"_imaps.example.org"}}))
	to := target(t, "imaps://127.0.0.1")
	r := run(t, w.prober(), withPassword(to)).Report
	if names, _ := one(t, r, "cert.name-mismatch block server").Evidence["names"].([]any); !slices.Contains(names, any("_imaps.example.org")) {
		t.Errorf("the SRV-ID is not among the names: %v", names)
	}
	blocked(t, w, r, "cert.name-mismatch block server")
	to.TLS.ServerName = "example.org"
	if r := run(t, w.prober(), withPassword(to)).Report; r.Verdict != Ready {
		t.Errorf("with the name of the SRV-ID: %s, %v", r.Verdict, codes(r))
	}
}

func TestNameThatLeadsToTheSameAddress(t *testing.T) {
	w := certWorld(t, testCA().Issue(imaptest.Leaf{DNSNames: []string{"mail.invalid", "imap.mail-provider.net"}}))
	to := target(t, "imaps://127.0.0.1")
	to.Role = RoleDest
	p := w.prober()
	throughSystem(p, serveNames(t, faulty.Zone{Records: []string{"imap.mail-provider.net. 60 IN A 127.0.0.1"}}))
	r := run(t, p, withPassword(to)).Report
	f := one(t, r, "cert.name-mismatch block server")
	same, _ := f.Evidence["same_address"].([]any)
	if !slices.Contains(same, any("imap.mail-provider.net")) || slices.Contains(same, any("mail.invalid")) {
		t.Errorf("got names of the same address %v, want imap.mail-provider.net", same)
	}
	i := slices.IndexFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["dest-server-name"] != "" })
	if i < 0 || f.Remedies[i].Apply["dest-server-name"] != "imap.mail-provider.net" {
		t.Errorf("the first name that is proposed is not imap.mail-provider.net: %+v", f.Remedies)
	}
	blocked(t, w, r, "cert.name-mismatch block server")
	to.TLS.ServerName = f.Remedies[i].Apply["dest-server-name"]
	if r := run(t, w.prober(), withPassword(to)).Report; r.Verdict != Ready {
		t.Errorf("with the remedy applied: %s, %v", r.Verdict, codes(r))
	}
}
