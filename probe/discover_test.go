package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

func pemBytes(t *testing.T, text string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM block")
	}
	return block.Bytes
}

// A website is what stands behind port 443 of every host in a test.
type website struct {
	server *httptest.Server
	mu     sync.Mutex
	asked  []string // "host path"
}

// serveWeb starts it with a certificate of the test's authority; pages are by "host path".
func serveWeb(t *testing.T, pages map[string]http.HandlerFunc) *website {
	t.Helper()
	s := new(website)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Host + " " + r.URL.RequestURI()
		s.mu.Lock()
		s.asked = append(s.asked, key)
		s.mu.Unlock()
		if page, ok := pages[key]; ok {
			page(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{testCA().Issue(imaptest.Leaf{DNSNames: []string{"customer.test", "*.customer.test"}})}}
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

// transport leads every host to the website.
func (s *website) transport() http.RoundTripper {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(testCA().RootPEM()))
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !strings.HasSuffix(address, ":443") {
				return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError("only https is meant to be asked: " + address)}
			}
			return new(net.Dialer).DialContext(ctx, network, s.server.Listener.Addr().String())
		}}
}

func page(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }
}

const (
	hostPage = "autoconfig.customer.test /mail/config-v1.1.xml"
	wellPage = "customer.test /.well-known/autoconfig/mail/config-v1.1.xml"
)

func configFile(host, port, socket, user string) http.HandlerFunc {
	return page(`<clientConfig version="1.1"><emailProvider id="customer.test"><incomingServer type="imap"><hostname>` + host + `</hostname><port>` + port +
		`</port><socketType>` + socket + `</socketType><username>` + user + `</username></incomingServer></emailProvider></clientConfig>`)
}

func TestDiscovery(t *testing.T) {
	addresses := []string{"customer.test. 60 IN MX 10 mx.customer.test.", "imap.hoster.test. 60 IN A 127.0.0.1", "other.hoster.test. 60 IN A 127.0.0.1"}
	srv := "_imaps._tcp.customer.test. 60 IN SRV 0 1 993 imap.hoster.test."
	tests := []struct {
		name      string
		records   []string
		pages     map[string]http.HandlerFunc
		host      string
		endpoint  string
		user      string
		proposals []string // "source host:port/security"
	}{
		{name: "SRV", records: []string{srv}, host: "imap.hoster.test", endpoint: "imap.hoster.test:993/tls", user: "alice@customer.test",
			proposals: []string{"srv imap.hoster.test/tls"}},
		{name: "SRV for STARTTLS alone", records: []string{"_imap._tcp.customer.test. 60 IN SRV 0 1 143 imap.hoster.test.", "_imaps._tcp.customer.test. 60 IN SRV 0 0 0 ."},
			host: "imap.hoster.test", endpoint: "imap.hoster.test:143/starttls", user: "alice@customer.test", proposals: []string{"srv imap.hoster.test/starttls"}},
		{name: "SRV comes before the rest, and all stand in the facts", records: []string{srv, "mail.customer.test. 60 IN A 127.0.0.1"},
			pages: map[string]http.HandlerFunc{wellPage: configFile("other.hoster.test", "143", "STARTTLS", "%EMAILADDRESS%")},
			host:  "imap.hoster.test", endpoint: "imap.hoster.test:993/tls", user: "alice@customer.test",
			proposals: []string{"srv imap.hoster.test/tls", "autoconfig other.hoster.test/starttls", "guess mail.customer.test/tls"}},
		{name: "autoconfig at the host of its own", pages: map[string]http.HandlerFunc{hostPage: configFile("imap.hoster.test", "993", "SSL", "%EMAILLOCALPART%"),
			wellPage: configFile("other.hoster.test", "993", "SSL", "")},
			host: "imap.hoster.test", endpoint: "imap.hoster.test:993/tls", user: "alice", proposals: []string{"autoconfig imap.hoster.test/tls", "autoconfig other.hoster.test/tls"}},
		{name: "autoconfig under well-known, after a redirect", pages: map[string]http.HandlerFunc{
			wellPage:                 http.RedirectHandler("https://www.customer.test/cfg", http.StatusFound).ServeHTTP,
			"www.customer.test /cfg": configFile("imap.hoster.test", "143", "STARTTLS", "%EMAILADDRESS%")},
			host: "imap.hoster.test", endpoint: "imap.hoster.test:143/starttls", user: "alice@customer.test", proposals: []string{"autoconfig imap.hoster.test/starttls"}},
		{name: "one without TLS is not taken", records: []string{"imap.customer.test. 60 IN A 127.0.0.1"},
			pages: map[string]http.HandlerFunc{hostPage: configFile("other.hoster.test", "143", "plain", "")},
			host:  "imap.customer.test", endpoint: "imap.customer.test:993/tls", user: "alice@customer.test",
			proposals: []string{"autoconfig other.hoster.test/none", "guess imap.customer.test/tls"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			good := serverTLS(imaptest.Leaf{DNSNames: []string{"imap.hoster.test", "other.hoster.test", "*.customer.test"}})
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(good), 143: faulty.GoodStartTLS(good)})
			web := serveWeb(t, tt.pages)
			p := w.prober()
			throughDNS(p, serveNames(t, faulty.Zone{Records: slices.Concat(addresses, tt.records)}))
			p.HTTP = web.transport()
			to := target(t, "alice@customer.test")
			to.Secret = withPassword(to).Secret
			o := run(t, p, to)
			complete(t, o.Report)
			r := o.Report.Targets[0]
			if r.Host != tt.host || r.Input != "alice@customer.test" || len(r.Endpoints) == 0 || r.Endpoints[0].name() != tt.endpoint {
				t.Fatalf("got host %q, endpoints %v, %v", r.Host, r.Endpoints, codes(o.Report))
			}
			if o.Report.Verdict != Ready || o.Accounts[0] == nil || o.Accounts[0].User != tt.user {
				t.Errorf("got %s, %v, account %+v", o.Report.Verdict, codes(o.Report), o.Accounts[0])
			}
			c := nameCheck(o.Report, "dns.srv")
			var got []string
			for _, p := range c.Facts["proposals"].([]any) {
				m := p.(map[string]any)
				got = append(got, m["source"].(string)+" "+m["host"].(string)+"/"+m["security"].(string))
			}
			if !slices.Equal(got, tt.proposals) || c.Status != Pass {
				t.Errorf("got proposals %q (%s), want %q", got, c.Status, tt.proposals)
			}
			for _, asked := range web.asked {
				if strings.Contains(asked, "alice") {
					t.Errorf("the local part was sent: %s", asked)
				}
			}
		})
	}
}

// TestAutoconfigThroughTheProbesDialer has no transport of its own: names and connections are those of the probe.
func TestAutoconfigThroughTheProbesDialer(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"imap.hoster.test"}}))})
	web := serveWeb(t, map[string]http.HandlerFunc{hostPage: configFile("imap.hoster.test", "993", "SSL", "")})
	p := w.prober()
	p.Dial.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasSuffix(address, ":443") {
			return new(net.Dialer).DialContext(ctx, network, web.server.Listener.Addr().String())
		}
		return w.DialContext(ctx, network, address)
	}
	throughDNS(p, serveNames(t, faulty.Zone{Records: []string{"autoconfig.customer.test. 60 IN A 127.0.0.1", "imap.hoster.test. 60 IN A 127.0.0.1"}}))
	r := run(t, p, target(t, "alice@customer.test")).Report
	if r.Targets[0].Host != "imap.hoster.test" || r.Verdict != Ready {
		t.Errorf("got %s, %v, %+v", r.Verdict, codes(r), nameCheck(r, "dns.srv"))
	}
}

func TestAutoconfigIsBounded(t *testing.T) {
	huge := func(w http.ResponseWriter, r *http.Request) {
		configFile("imap.hoster.test", "993", "SSL", "")(w, r)
		for range 2 * maxAutoconfig / 1024 {
			w.Write([]byte(strings.Repeat(" ", 1024)))
		}
	}
	loop := http.RedirectHandler("https://customer.test/.well-known/autoconfig/mail/config-v1.1.xml", http.StatusFound).ServeHTTP
	for name, handler := range map[string]http.HandlerFunc{
		"too long": huge, "leads on and on": loop, "is no XML": page("<html>"), "leads away from https": http.RedirectHandler("http://www.customer.test/cfg", http.StatusFound).ServeHTTP,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newWorld(t, nil).prober()
			throughDNS(p, serveNames(t, faulty.Zone{Records: []string{"customer.test. 60 IN MX 10 mx.customer.test."}}))
			p.HTTP = serveWeb(t, map[string]http.HandlerFunc{wellPage: handler}).transport()
			r := run(t, p, target(t, "alice@customer.test")).Report
			complete(t, r)
			one(t, r, "dns.no-address block dns")
			if c := nameCheck(r, "dns.srv"); len(c.Facts["proposals"].([]any)) != 0 {
				t.Errorf("got %v", c.Facts)
			}
		})
	}
}

func TestDiscoveryThatFindsNothing(t *testing.T) {
	declined := []string{"_imaps._tcp.customer.test. 60 IN SRV 0 0 0 .", "_imap._tcp.customer.test. 60 IN SRV 0 0 0 .", "imap.customer.test. 60 IN A 127.0.0.1",
		"customer.test. 60 IN MX 10 mx.customer.test."}
	tests := []struct {
		name string
		zone faulty.Zone
		want []string
	}{
		{"the domain does not exist", faulty.Zone{}, []string{"dns.nxdomain block dns"}},
		{"the domain names nothing", faulty.Zone{Records: []string{"customer.test. 60 IN A 127.0.0.1"}}, []string{"dns.no-address block dns"}},
		{"the domain declines, and nothing is guessed", faulty.Zone{Records: declined}, []string{"dns.no-address block dns", "dns.srv-declined warn dns"}},
		{"the name servers refuse", faulty.Zone{Rcode: map[string]int{"customer.test": miekg.RcodeRefused}}, []string{"dns.refused block dns"}},
		{"the name servers are silent", faulty.Zone{Silent: map[string]bool{"customer.test": true}}, []string{"dns.timeout block dns"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[uint16]faulty.Script{993: inTLS(serverTLS(imaptest.Leaf{DNSNames: []string{"imap.customer.test"}}))})
			p := w.prober()
			throughDNS(p, serveNames(t, tt.zone))
			p.HTTP = serveWeb(t, nil).transport()
			begin := time.Now()
			r := run(t, p, withPassword(target(t, "alice@customer.test"))).Report
			complete(t, r)
			checkEnding(t, w, r, ending{tt.want, Blocked, 10, ""})
			if len(r.Targets[0].Endpoints) != 0 || len(w.dialed) != 0 {
				t.Errorf("got %v; dialed %v", r.Targets[0].Endpoints, w.dialed)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestMailExchangerHints(t *testing.T) {
	w := newWorld(t, nil)
	p := w.prober()
	throughDNS(p, serveNames(t, faulty.Zone{Records: []string{"customer.test. 60 IN MX 10 aspmx.l.google.com.", "imap.gmail.com. 60 IN A 127.0.0.1"}}))
	p.HTTP = serveWeb(t, nil).transport()
	r := run(t, p, target(t, "alice@customer.test")).Report
	if r.Targets[0].Host != "imap.gmail.com" || !strings.Contains(nameCheck(r, "dns.srv").Summary, "aspmx.l.google.com") {
		t.Errorf("got %q, %+v", r.Targets[0].Host, nameCheck(r, "dns.srv"))
	}
}
