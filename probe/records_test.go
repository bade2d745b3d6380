package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

func TestSRVRecords(t *testing.T) {
	const host = "imap.mail-provider.test"
	address := []string{host + ". 60 IN A 127.0.0.1", "mail-provider.test. 60 IN A 127.0.0.1"}
	tests := []struct {
		name    string
		target  string
		user    string
		records []string
		want    []string
		status  Status
		says    string
	}{
		{name: "no records", target: "imaps://" + host, status: Pass, says: "no SRV records for mail-provider.test and imap.mail-provider.test"},
		{name: "the same server", target: host, status: Pass, says: "name this server",
			records: []string{"_imaps._tcp.mail-provider.test. 60 IN SRV 0 1 993 " + host + ".", "_imap._tcp.mail-provider.test. 60 IN SRV 0 0 0 ."}},
		{name: "another server", target: "imaps://" + host, want: []string{"dns.srv-suggests info dns"}, status: Pass, says: "new.mail-provider.test:993",
			records: []string{"_imaps._tcp.mail-provider.test. 60 IN SRV 0 1 993 new.mail-provider.test."}},
		{name: "another port", target: "imaps://" + host, want: []string{"dns.srv-suggests info dns"}, status: Pass, says: ":1993",
			records: []string{"_imaps._tcp.mail-provider.test. 60 IN SRV 0 1 1993 " + host + "."}},
		{name: "declined", target: host, want: []string{"dns.srv-declined warn dns"}, status: Warned, says: "no such service",
			records: []string{"_imaps._tcp.mail-provider.test. 60 IN SRV 0 0 0 .", "_imap._tcp.mail-provider.test. 60 IN SRV 0 0 0 ."}},
		{name: "TLS declined, STARTTLS elsewhere", target: host, want: []string{"dns.srv-declined warn dns", "dns.srv-suggests info dns"}, status: Warned,
			records: []string{"_imaps._tcp.mail-provider.test. 60 IN SRV 0 0 0 .", "_imap._tcp.mail-provider.test. 60 IN SRV 0 1 143 old.mail-provider.test."}},
		{name: "records at the host's own name", target: "imaps://mail-provider.test", want: []string{"dns.srv-suggests info dns"}, status: Pass, says: "imap.mail-provider.test:993",
			records: []string{"_imaps._tcp.mail-provider.test. 60 IN SRV 0 1 993 " + host + "."}},
		{name: "the domain of the user comes first", target: "imaps://" + host, user: "alice@customer.test", status: Pass, says: "SRV records of customer.test name this server",
			records: []string{"_imaps._tcp.customer.test. 60 IN SRV 0 1 993 " + host + ".", "_imaps._tcp.mail-provider.test. 60 IN SRV 0 1 993 new.mail-provider.test."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			good := serverTLS(imaptest.Leaf{DNSNames: []string{host, "mail-provider.test"}})
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(good), 143: faulty.GoodStartTLS(good)})
			p := w.prober()
			throughDNS(p, serveNames(t, faulty.Zone{Records: slices.Concat(address, tt.records)}))
			to := withPassword(target(t, tt.target))
			if tt.user != "" {
				to.User = tt.user
			}
			o := run(t, p, to)
			complete(t, o.Report)
			checkEnding(t, w, o.Report, ending{tt.want, map[Status]Verdict{Pass: Ready, Warned: Warning}[tt.status], 0, to.Host + ":993/tls"})
			c := nameCheck(o.Report, "dns.srv")
			if c.Status != tt.status || !strings.Contains(c.Summary, tt.says) {
				t.Errorf("got %+v, want %s, saying %q", c, tt.status, tt.says)
			}
			for _, f := range o.Report.Findings {
				if f.Check != "dns.srv" || f.Endpoint != nil {
					t.Errorf("got %+v", f)
				}
			}
			if rec := o.Report.Targets[0].Recommended; rec == nil || rec.Host != to.Host {
				t.Errorf("recommended is %+v: records only propose", rec)
			}
		})
	}
}

func TestSRVRemedyForAPair(t *testing.T) {
	const host = "imap.mail-provider.test"
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{host}}))})
	p := w.prober()
	throughDNS(p, serveNames(t, faulty.Zone{Records: []string{host + ". 60 IN A 127.0.0.1", "_imap._tcp.mail-provider.test. 60 IN SRV 0 1 144 new.mail-provider.test."}}))
	to := target(t, "imaps://"+host)
	to.Role = RoleSource
	f := one(t, run(t, p, to).Report, "dns.srv-suggests info dns")
	if got := f.Remedies[0].Apply["source"]; got != "imap+starttls://new.mail-provider.test:144" {
		t.Errorf("got %q", got)
	}
}

func TestTLSARecords(t *testing.T) {
	const host = "imap.mail-provider.test"
	issued := testCA().Issue(imaptest.Leaf{DNSNames: []string{host}})
	root := certificateReport(parsed(t, pemBytes(t, testCA().RootPEM())))
	leaf := certificateReport(issued.Leaf)
	wrong := strings.Repeat("ab", 32)
	tests := []struct {
		name   string
		port   string
		data   string
		signed bool
		want   []string
		status Status
		says   string
	}{
		{name: "no records", port: "995", data: "3 1 1 " + wrong, signed: true, status: Pass, says: "no TLSA records"},
		{name: "the key in use", port: "993", data: "3 1 1 " + leaf.SPKISHA256, signed: true, status: Pass, says: "nothing contradicts"},
		{name: "the certificate in use", port: "993", data: "1 0 1 " + leaf.SHA256, signed: true, status: Pass, says: "nothing contradicts"},
		{name: "the certificate as a whole", port: "993", data: "3 0 0 " + hex.EncodeToString(issued.Leaf.Raw), signed: true, status: Pass, says: "nothing contradicts"},
		{name: "a root that is not sent", port: "993", data: "0 1 1 " + root.SPKISHA256, signed: true, status: Pass, says: "nothing contradicts"},
		{name: "another key", port: "993", data: "3 1 1 " + wrong, signed: true, want: []string{"dns.tlsa-mismatch high dns"}, status: Warned, says: "not the one"},
		{name: "another key on 143", port: "143", data: "3 1 1 " + wrong, signed: true, want: []string{"dns.tlsa-mismatch high dns"}, status: Warned, says: "port 143"},
		{name: "not signed", port: "993", data: "3 1 1 " + leaf.SPKISHA256, want: []string{"dns.tlsa-unsigned info dns"}, status: Pass, says: "not secured by DNSSEC"},
		{name: "not signed and wrong", port: "993", data: "3 1 1 " + wrong, want: []string{"dns.tlsa-unsigned info dns"}, status: Pass, says: "not secured by DNSSEC"},
		{name: "of an unknown kind", port: "993", data: "3 9 1 " + wrong, signed: true, status: Pass, says: "nothing contradicts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			good := &tls.Config{Certificates: []tls.Certificate{issued}}
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(good), 143: faulty.GoodStartTLS(good)})
			p := w.prober()
			throughDNS(p, serveNames(t, faulty.Zone{Signed: tt.signed, Records: []string{host + ". 60 IN A 127.0.0.1", "_" + tt.port + "._tcp." + host + ". 60 IN TLSA " + tt.data}}))
			r := run(t, p, withPassword(target(t, host))).Report
			complete(t, r)
			checkEnding(t, w, r, ending{tt.want, map[Status]Verdict{Pass: Ready, Warned: Warning}[tt.status], 0, host + ":993/tls"})
			if c := nameCheck(r, "dns.tlsa"); c.Status != tt.status || !strings.Contains(c.Summary, tt.says) {
				t.Errorf("got %+v, want %s, saying %q", c, tt.status, tt.says)
			}
			for _, f := range r.Findings {
				if f.Check != "dns.tlsa" || f.Endpoint == nil || !strings.HasPrefix(*f.Endpoint, host+":"+tt.port+"/") {
					t.Errorf("got %+v", f)
				}
			}
			if r.Targets[0].Recommended == nil {
				t.Error("the target has no settings: records do not take them away")
			}
		})
	}
}

// TestTLSAWhereNothingElseBlocks has a mismatch at a target without settings: it counts like a fault of the certificate.
func TestTLSAMismatchCountsAsCertificate(t *testing.T) {
	const host = "imap.mail-provider.test"
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"elsewhere.test"}}))})
	p := w.prober()
	throughDNS(p, serveNames(t, faulty.Zone{Signed: true, Records: []string{host + ". 60 IN A 127.0.0.1", "_993._tcp." + host + ". 60 IN TLSA 3 1 1 " + strings.Repeat("ab", 32)}}))
	r := run(t, p, withPassword(target(t, "imaps://"+host))).Report
	blocked(t, w, r, "dns.tlsa-mismatch high dns", "cert.name-mismatch block server")
}

func parsed(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestParseAutoconfig(t *testing.T) {
	const file = `<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x"><domain>example.org</domain>
<incomingServer type="pop3"><hostname>pop.example.org</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname> IMAP.%EMAILDOMAIN% </hostname><port>993</port><socketType>SSL</socketType><username>%EMAILLOCALPART%</username></incomingServer>
<incomingServer type="imap"><hostname>imap.example.org</hostname><port>143</port><socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></incomingServer>
<incomingServer type="imap"><hostname>imap.example.org</hostname><port>143</port><socketType>plain</socketType></incomingServer>
<incomingServer type="imap"><hostname>bad host</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>imap.example.org</hostname><port>993</port><socketType>quantum</socketType></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.example.org</hostname><port>465</port></outgoingServer></emailProvider></clientConfig>`
	got, err := parseAutoconfig([]byte(file), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, p := range got {
		urls = append(urls, p.url()+" "+p.user)
	}
	want := []string{"imaps://imap.example.org:993 %EMAILLOCALPART%", "imap+starttls://imap.example.org:143 %EMAILADDRESS%", "imap+insecure://imap.example.org:143 "}
	if !reflect.DeepEqual(urls, want) {
		t.Errorf("got %q, want %q", urls, want)
	}
	for _, bad := range []string{"", "<html><body>not found", "{}", "<clientConfig>"} {
		if got, err := parseAutoconfig([]byte(bad), "example.org"); err == nil || len(got) != 0 {
			t.Errorf("%q: got %v, %v", bad, got, err)
		}
	}
}

// FuzzParseAutoconfig looks for panics and for hosts that nothing can be done with.
func FuzzParseAutoconfig(f *testing.F) {
	f.Add([]byte(`<clientConfig><emailProvider><incomingServer type="imap"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType></incomingServer></emailProvider></clientConfig>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><clientConfig>&a;</clientConfig>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, _ := parseAutoconfig(body, "example.org")
		if len(got) > maxProposals {
			t.Errorf("%d proposals", len(got))
		}
		for _, p := range got {
			if host, err := canonicalHost(p.host); err != nil || host != p.host || p.port == 0 {
				t.Errorf("proposal %+v", p)
			}
		}
	})
}
