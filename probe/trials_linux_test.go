package probe

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

func faultyServer(t *testing.T, s faulty.Script) string {
	t.Helper()
	server, err := faulty.Serve(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server.Address()
}

// TestOnlySmallHellosPass goes the whole way: the fault is found, the settings go round it, and a job with them works.
func TestOnlySmallHellosPass(t *testing.T) {
	tests := []struct {
		name   string
		scheme string
		server faulty.Script
		device func(t *testing.T, target string) string
	}{
		{"reset, TLS", "imaps", inTLS(goodTLS()), helloFilter{most: 1000, reset: true}.before},
		{"silence, TLS", "imaps", inTLS(goodTLS()), helloFilter{most: 1000}.before},
		{"packets dropped, TLS", "imaps", inTLS(goodTLS()), func(t *testing.T, target string) string { return dropping(t, target, 1000) }},
		{"packets dropped, STARTTLS", "imap", faulty.GoodStartTLS(goodTLS()), func(t *testing.T, target string) string { return dropping(t, target, 1000) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := tt.device(t, faultyServer(t, tt.server))
			o := run(t, direct(2*time.Second), withPassword(target(t, tt.scheme+"://"+address)))
			complete(t, o.Report)
			f := one(t, o.Report, "net.large-hello-dropped high unknown")
			if f.Check != "tls.handshake" || o.Report.Verdict != Warning || o.Report.ExitCode != 0 || len(o.Report.Findings) != 1 {
				t.Fatalf("got %s, exit code %d, %v", o.Report.Verdict, o.Report.ExitCode, codes(o.Report))
			}
			e := o.Report.Targets[0].Endpoints[0]
			if status(e, "tls.handshake") != Warned || status(e, "auth.login") != Pass || e.TLS.Group != "X25519" {
				t.Errorf("got %v, group %s", statuses(e), e.TLS.Group)
			}
			want := []string{"X25519", "secp256r1", "secp384r1", "secp521r1"}
			if got := o.Report.Targets[0].Recommended.Groups; !slices.Equal(got, want) || o.Accounts[0].Endpoint.TLS.Groups != strings.Join(want, " ") {
				t.Errorf("recommended groups %v, account %q", got, o.Accounts[0].Endpoint.TLS.Groups)
			}
			conn, err := imapdial.Dial(t.Context(), o.Accounts[0].Endpoint, nil)
			if err != nil {
				t.Fatalf("with the settings: %v", err)
			}
			conn.Close()
		})
	}
}

// TestFullBehindADeviceForSmallHellos must not take what the device drops for what the server lacks.
func TestFullBehindADeviceForSmallHellos(t *testing.T) {
	p := direct(2 * time.Second)
	p.Full = true
	r := run(t, p, target(t, "imaps://"+helloFilter{most: 400, reset: true}.before(t, faultyServer(t, inTLS(goodTLS()))))).Report
	complete(t, r)
	for v, has := range r.Targets[0].Endpoints[0].TLS.Versions {
		if !has {
			t.Errorf("%s is said to be missing", v)
		}
	}
	if got, want := codes(r), []string{"net.large-hello-dropped high unknown"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func (f helloFilter) before(t *testing.T, target string) string {
	f.target = target
	return f.listen(t)
}

// TestOnlyTinyHellosPass is a device that lets less through than crypto/tls can make do with.
func TestOnlyTinyHellosPass(t *testing.T) {
	for _, reset := range []bool{true, false} {
		address := helloFilter{most: 230, reset: reset}.before(t, faultyServer(t, inTLS(goodTLS())))
		r := run(t, direct(time.Second), target(t, "imaps://"+address)).Report
		complete(t, r)
		if f := one(t, r, "net.large-hello-dropped high unknown"); len(r.Findings) != 1 || r.ExitCode != 10 || r.Verdict != Blocked || f.Evidence["groups"] != nil {
			t.Errorf("reset %t: got %v, exit code %d, evidence %v", reset, codes(r), r.ExitCode, f.Evidence)
		}
	}
}

func TestHelloVanishes(t *testing.T) {
	for scheme, server := range map[string]faulty.Script{"imaps": inTLS(goodTLS()), "imap": faulty.GoodStartTLS(goodTLS())} {
		address := dropping(t, faultyServer(t, server), 150)
		r := run(t, direct(time.Second), target(t, scheme+"://"+address)).Report
		complete(t, r)
		if one(t, r, "net.hello-dropped block unknown"); len(r.Findings) != 1 || r.ExitCode != 10 {
			t.Errorf("%s: got %v, exit code %d", scheme, codes(r), r.ExitCode)
		}
	}
}

func TestHelloIsAcknowledgedAndNothingComes(t *testing.T) {
	r := run(t, direct(time.Second), target(t, "imaps://"+faultyServer(t, faulty.Silent))).Report
	if f := one(t, r, "imap.silent block server"); f.Certainty != finding.Certain || r.ExitCode != 10 {
		t.Errorf("got %+v, exit code %d", f, r.ExitCode)
	}
}

func TestResetOfEveryHello(t *testing.T) {
	r := run(t, direct(time.Second), target(t, "imaps://"+faultyServer(t, faulty.ResetAfterHello))).Report
	if one(t, r, "net.hello-reset block unknown"); len(r.Findings) != 1 || r.ExitCode != 10 {
		t.Errorf("got %v, exit code %d", codes(r), r.ExitCode)
	}
}

// TestCausesOfFailedHandshakes lets servers have nothing in common with us, in each way there is.
func TestCausesOfFailedHandshakes(t *testing.T) {
	rsa := []string{"-newkey", "rsa:2048"}
	ec := func(curve string) []string {
		return []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:" + curve}
	}
	cert := testCA().Issue(imaptest.Leaf{Key: imaptest.RSA2048})
	script := func(s faulty.Script) func(*testing.T) (*world, string) {
		return func(t *testing.T) (*world, string) {
			w := newWorld(t, map[uint16]faulty.Script{993: s})
			return w, w.servers[993].Address()
		}
	}
	serve := func(c *tls.Config) func(*testing.T) (*world, string) {
		c.Certificates = []tls.Certificate{cert}
		return script(inTLS(c))
	}
	openssl := func(key []string, options ...string) func(*testing.T) (*world, string) {
		return func(t *testing.T) (*world, string) { return nil, realserver.StartOpenSSL(t, key, options...) }
	}
	tests := []struct {
		name     string
		server   func(*testing.T) (*world, string)
		finding  string
		evidence string // a key, and what it must hold
		value    any
	}{
		{"TLS 1.1 at most", serve(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), "tls.version-too-old block server", "best_version", "1.1"},
		{"TLS 1.0 with RSA alone", serve(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}),
			"tls.version-too-old block server", "best_version", "1.0"},
		{"a reset at versions from 1.2 on", script(resetsNewVersions), "tls.version-too-old block server", "best_version", "1.0"},
		{"an answer with TLS 1.0", script(answersTLS10), "tls.version-too-old block server", "best_version", "1.0"},
		{"static RSA alone", serve(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}),
			"tls.no-common-cipher block server", "cipher_suite", "TLS_RSA_WITH_AES_128_GCM_SHA256"},
		{"DHE alone", openssl(rsa, "-tls1_2", "-cipher", "DHE"), "tls.no-common-cipher block server", "", nil},
		{"CCM alone", openssl(rsa, "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"), "tls.no-common-cipher block server", "cipher_suite", "TLS_AES_128_CCM_SHA256"},
		{"X448 alone", openssl(rsa, "-groups", "X448"), "tls.no-common-group block server", "group", "x448"},
		{"X448 alone, TLS 1.2", openssl(rsa, "-tls1_2", "-cipher", "ECDHE", "-groups", "X448"), "tls.no-common-group block server", "group", "x448"},
		{"ffdhe alone, TLS 1.3", openssl(rsa, "-tls1_3", "-groups", "ffdhe2048"), "tls.no-common-group block server", "group", "ffdhe2048"},
		{"Ed448", openssl([]string{"-newkey", "ed448"}), "tls.key-type-unsupported block server", "key_type", "ed448"},
		{"RSA-PSS", openssl([]string{"-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"}), "tls.key-type-unsupported block server", "key_type", "rsa-pss"},
		{"brainpool", openssl(ec("brainpoolP256r1")), "tls.key-type-unsupported block server", "key_type", "brainpoolp256r1"},
		{"secp256k1", openssl(ec("secp256k1")), "tls.key-type-unsupported block server", "key_type", "secp256k1"},
		{"asked by address", script(inTLS(&tls.Config{GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if i.ServerName == "" {
				return nil, errors.New("no name")
			}
			return &cert, nil
		}})), "tls.sni-required block server", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, address := tt.server(t)
			r := run(t, direct(3*time.Second), withPassword(target(t, "imaps://"+address))).Report
			complete(t, r)
			checkEnding(t, w, r, ending{[]string{tt.finding}, Blocked, 11, ""})
			f := one(t, r, tt.finding)
			if tt.evidence != "" && f.Evidence[tt.evidence] != tt.value {
				t.Errorf("%s is %v, want %v", tt.evidence, f.Evidence[tt.evidence], tt.value)
			}
		})
	}
}

// resetsNewVersions is an old server that breaks off on ClientHellos for TLS 1.2 and newer.
func resetsNewVersions(c *faulty.Conn) {
	start := c.Read(11)
	if len(start) < 11 || start[9] == 3 && start[10] >= 3 {
		c.Reset()
		return
	}
	answerTLS10(c, start)
}

// answersTLS10 answers every ClientHello with TLS 1.0.
func answersTLS10(c *faulty.Conn) { answerTLS10(c, c.Read(11)) }

// answerTLS10 reads the rest of a ClientHello and answers with a ServerHello and a ServerHelloDone.
func answerTLS10(c *faulty.Conn, start []byte) {
	if len(start) < 11 || start[0] != 22 {
		return
	}
	c.Read(int(start[3])<<8 + int(start[4]) - 6)
	serverHello := append([]byte{2, 0, 0, 38, 3, 1}, make([]byte, 36)...)
	serverHello[40] = 0x2f // TLS_RSA_WITH_AES_128_CBC_SHA
	c.Send(string([]byte{22, 3, 1, 0, 46}) + string(serverHello) + string([]byte{14, 0, 0, 0}))
	c.Stall()
}

func TestSmallRSAKeyIsNamed(t *testing.T) {
	address := realserver.StartOpenSSL(t, []string{"-newkey", "rsa:768"}, "-cipher", "ALL:@SECLEVEL=0")
	r := run(t, direct(3*time.Second), withPassword(target(t, "imaps://"+address))).Report
	blocked(t, nil, r, "cert.weak-key block server")
}

func TestLegacyTLS(t *testing.T) {
	old := &tls.Config{Certificates: goodTLS().Certificates, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}
	address := faultyServer(t, inTLS(old))
	to := withPassword(target(t, "imaps://"+address))
	r := run(t, direct(3*time.Second), to).Report
	if f := one(t, r, "tls.version-too-old block server"); !slices.ContainsFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["legacy-tls"] == "true" }) {
		t.Errorf("no remedy applies legacy-tls: %+v", f.Remedies)
	}
	to.TLS.MinVersion = tls.VersionTLS10
	o := run(t, direct(3*time.Second), to)
	complete(t, o.Report)
	if got, want := codes(o.Report), []string{"tls.legacy-version warn server"}; !slices.Equal(got, want) || o.Report.ExitCode != 0 {
		t.Errorf("got %v, exit code %d, want %v", got, o.Report.ExitCode, want)
	}
	if rec := o.Report.Targets[0].Recommended; rec == nil || rec.MinTLS != "1.0" || o.Accounts[0].Endpoint.TLS.MinVersion != tls.VersionTLS10 {
		t.Errorf("recommended %+v", rec)
	}
}
