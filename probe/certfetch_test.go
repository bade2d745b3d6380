package probe

import (
	"crypto/tls"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"golang.org/x/crypto/ocsp"
)

// authority serves what an authority does, and tells at which paths it was asked.
func authority(t *testing.T, pages map[string]http.HandlerFunc) (url string, asked func() []string) {
	t.Helper()
	var paths []string
	requests := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path
		if page := pages[r.URL.Path]; page != nil {
			page(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string {
		for {
			select {
			case p := <-requests:
				paths = append(paths, p)
			default:
				return paths
			}
		}
	}
}

func serveBytes(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(b) }
}

func TestFetchedIssuers(t *testing.T) {
	other := imaptest.NewCA("Other CA")
	tests := []struct {
		name     string
		ca       *imaptest.CA
		page     http.HandlerFunc
		want     string
		evidence string // that is there
		says     string
	}{
		{"the missing intermediate is named", testCA(), serveBytes(testCA().Intermediate().Raw), "cert.incomplete-chain block server", "missing", "CN=Test CA Intermediate"},
		{"an authority that is unknown here all the same", other, serveBytes(other.Intermediate().Raw), "cert.unknown-ca block server", "missing", "does not know"},
		{"the certificate of someone else", testCA(), serveBytes(other.Intermediate().Raw), "cert.incomplete-chain block server", "issuer_error", ""},
		{"no certificate", testCA(), serveBytes([]byte("sorry")), "cert.incomplete-chain block server", "issuer_error", ""},
		{"too much", testCA(), serveBytes(make([]byte, maxIssuerSize+1)), "cert.incomplete-chain block server", "issuer_error", ""},
		{"not there", testCA(), nil, "cert.incomplete-chain block server", "issuer_error", ""},
		{"redirected elsewhere", testCA(), func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost:1/", http.StatusFound)
		},
			"cert.incomplete-chain block server", "issuer_error", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, asked := authority(t, map[string]http.HandlerFunc{"/issuer": tt.page})
			w := certWorld(t, tt.ca.Issue(imaptest.Leaf{Chain: imaptest.LeafOnly, IssuerURLs: []string{url + "/issuer"}}))
			p := w.prober()
			p.FetchAIA = true
			r := run(t, p, withPassword(target(t, "imaps://127.0.0.1"))).Report
			f := one(t, r, tt.want)
			if f.Evidence[tt.evidence] == nil || !strings.Contains(f.Summary, tt.says) || !slices.Contains(asked(), "/issuer") {
				t.Errorf("got %q, %v; asked %v", f.Summary, f.Evidence, asked())
			}
			blocked(t, w, r, tt.want)
		})
	}
	t.Run("nothing is fetched unasked", func(t *testing.T) {
		url, asked := authority(t, nil)
		w := certWorld(t, testCA().Issue(imaptest.Leaf{Chain: imaptest.LeafOnly, IssuerURLs: []string{url}, OCSPURLs: []string{url}, CRLURLs: []string{url}}))
		run(t, w.prober(), target(t, "imaps://127.0.0.1"))
		if len(asked()) > 0 {
			t.Errorf("asked for %v", asked())
		}
	})
}

func TestFetchedRevocation(t *testing.T) {
	ca := testCA()
	// The answer is about the certificate that the test shows, which names the responder: the handler gets it afterwards.
	tests := []struct {
		name   string
		ocsp   func(cert tls.Certificate) []byte
		crl    func(cert tls.Certificate) []byte
		status Status
		source string
	}{
		{"good by OCSP", func(c tls.Certificate) []byte { return ca.Staple(c, imaptest.StapleGood) }, nil, Pass, "ocsp"},
		{"revoked by OCSP", func(c tls.Certificate) []byte { return ca.Staple(c, imaptest.StapleRevoked) }, nil, Fail, "ocsp"},
		{"unknown to OCSP, good by the list", func(c tls.Certificate) []byte { return ca.Staple(c, imaptest.StapleUnknown) },
			func(tls.Certificate) []byte { return ca.CRL(big.NewInt(7)) }, Pass, "crl"},
		{"revoked by the list", nil, func(c tls.Certificate) []byte { return ca.CRL(c.Leaf.SerialNumber) }, Fail, "crl"},
		{"a list of someone else", nil, func(c tls.Certificate) []byte { return imaptest.NewCA("Test CA").CRL(c.Leaf.SerialNumber) }, Skip, "crl"},
		{"an old answer", func(c tls.Certificate) []byte { return ca.Staple(c, imaptest.StapleStale) }, nil, Skip, "ocsp"},
		{"an answer signed by someone else", func(c tls.Certificate) []byte { return ca.Staple(c, imaptest.StapleWrongSigner) }, nil, Skip, "ocsp"},
		{"nobody to ask", nil, nil, Skip, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var cert tls.Certificate
			url, _ := authority(t, map[string]http.HandlerFunc{
				"/ocsp": func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					if _, err := ocsp.ParseRequest(body); err != nil || r.Header.Get("Content-Type") != "application/ocsp-request" {
						t.Errorf("not an OCSP request: %v, %s", err, r.Header)
					}
					w.Write(tt.ocsp(cert))
				},
				"/crl": func(w http.ResponseWriter, _ *http.Request) { w.Write(tt.crl(cert)) },
			})
			leaf := imaptest.Leaf{}
			if tt.ocsp != nil {
				leaf.OCSPURLs = []string{url + "/ocsp"}
			}
			if tt.crl != nil {
				leaf.CRLURLs = []string{url + "/crl"}
			}
			cert = ca.Issue(leaf)
			w := certWorld(t, cert)
			p := w.prober()
			p.FetchRevocation = true
			r := run(t, p, withPassword(target(t, "imaps://127.0.0.1"))).Report
			complete(t, r)
			e := r.Targets[0].Endpoints[0]
			check := e.Checks[slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == "cert.revocation" })]
			if check.Status != tt.status || check.Facts["source"] != tt.source {
				t.Errorf("got %+v, want %s by %s", check, tt.status, tt.source)
			}
			if tt.status != Fail {
				if r.Verdict != Ready {
					t.Errorf("got %s, %v", r.Verdict, codes(r))
				}
				checkCanary(t, w, r, ":993/")
				return
			}
			blocked(t, w, r, "cert.revoked block server")
		})
	}
}

func TestAuthoritiesAreAskedOnce(t *testing.T) {
	var cert tls.Certificate
	url, asked := authority(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { w.Write(testCA().Staple(cert, imaptest.StapleGood)) }})
	cert = testCA().Issue(imaptest.Leaf{OCSPURLs: []string{url + "/"}})
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(cfg), 143: faulty.GoodStartTLS(cfg)})
	w.through = true
	p := w.prober()
	p.FetchRevocation = true
	if r := run(t, p, target(t, "127.0.0.1")).Report; r.Verdict != Ready || len(asked()) != 1 {
		t.Errorf("got %s, asked %d times, want ready, once", r.Verdict, len(asked()))
	}
}

func TestRevokedIsNotMadeGoodByAPin(t *testing.T) {
	var cert tls.Certificate
	url, _ := authority(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { w.Write(testCA().Staple(cert, imaptest.StapleRevoked)) }})
	cert = testCA().Issue(imaptest.Leaf{OCSPURLs: []string{url + "/"}})
	w := certWorld(t, cert)
	p := w.prober()
	p.FetchRevocation = true
	to := withPassword(target(t, "imaps://127.0.0.1"))
	to.TLS.Pins = imapdial.Pin(cert.Leaf)
	r := run(t, p, to).Report
	blocked(t, w, r, "cert.revoked block server")
}

func TestFetchingIsSafe(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": false, "10.0.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false,
		"::1": false, "fe80::1": false, "fd00::1": false, "::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "255.255.255.255": false,
		"9.9.9.9": true, "2620:fe::fe": true,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("public(%s) = %v, want %v", text, got, want)
		}
	}
	url, asked := authority(t, map[string]http.HandlerFunc{"/": serveBytes([]byte("x"))})
	far := &fetcher{dial: new(Prober).dialer(), resolver: new(Prober).fetchResolver(), cache: new(fetchCache)}
	near := &fetcher{dial: new(Prober).dialer(), resolver: new(Prober).fetchResolver(), allowPrivate: true, cache: new(fetchCache)}
	for _, address := range []string{url + "/", strings.Replace(url, "127.0.0.1", "localhost", 1) + "/"} {
		if _, err := far.get(t.Context(), address, 10, "", nil); err == nil || len(asked()) > 0 {
			t.Errorf("%s: a server of the Internet led us to an address of this network", address)
		}
	}
	for _, address := range []string{strings.Replace(url, "http:", "https:", 1), "ftp://127.0.0.1/", "file:///etc/passwd", "http://user@127.0.0.1/", "ldap://x", ""} {
		if _, err := near.get(t.Context(), address, 10, "", nil); err == nil || len(asked()) > 0 {
			t.Errorf("%s was fetched", address)
		}
	}
	if data, err := near.get(t.Context(), url+"/", 10, "", nil); err != nil || string(data) != "x" {
		t.Errorf("got %q, %v", data, err)
	}
}
