package hello

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// dialTo is a Scanner's Dial to an address with TLS from the first byte.
func dialTo(address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", address) }
}

// serve runs a server of crypto/tls.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	if config.Certificates == nil {
		config.Certificates = []tls.Certificate{imaptest.NewCA("hello").Issue(imaptest.Leaf{Key: imaptest.RSA2048})}
	}
	return script(t, func(c *faulty.Conn) { c.StartTLS(config) })
}

func script(t *testing.T, s faulty.Script) string {
	t.Helper()
	server, err := faulty.Serve(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server.Address()
}

func TestScanOfCryptoTLS(t *testing.T) {
	legacy := []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	tests := []struct {
		name     string
		config   *tls.Config
		versions string // those that it has
		suites   string // of the oldest version that it has
		groups   string
	}{
		{"the default", &tls.Config{}, "1.2 1.3", "", "X25519MLKEM768 SecP256r1MLKEM768 SecP384r1MLKEM1024 X25519 secp256r1 secp384r1 secp521r1"},
		{"TLS 1.3 alone", &tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP256}}, "1.3",
			"TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256", "secp256r1"},
		{"TLS 1.1 at most, with weak suites", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, CipherSuites: legacy}, "1.0 1.1",
			"TLS_RSA_WITH_3DES_EDE_CBC_SHA TLS_RSA_WITH_AES_128_CBC_SHA", ""},
		{"TLS 1.2 with one suite", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: legacy[2:], CurvePreferences: []tls.CurveID{tls.X25519}}, "1.2",
			"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "X25519"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			scan := (&Scanner{Dial: dialTo(serve(t, tt.config)), ServerName: "imap.example.org"}).Run(t.Context())
			var versions []string
			for _, v := range []Version{SSL2, SSL3, TLS10, TLS11, TLS12, TLS13} {
				if has, known := scan.Versions[v]; !known {
					t.Errorf("version %s could not be told", v)
				} else if has {
					versions = append(versions, v.String())
				}
			}
			if got := strings.Join(versions, " "); got != tt.versions {
				t.Errorf("got versions %q, want %q", got, tt.versions)
			}
			oldest := map[string]Version{"1.0": TLS10, "1.2": TLS12, "1.3": TLS13}[versions[0]]
			if got := sorted(scan.Suites[oldest]); tt.suites != "" && got != tt.suites {
				t.Errorf("got suites %q, want %q", got, tt.suites)
			}
			if got := fmt.Sprint(scan.Groups); tt.groups != "" && sorted(scan.Groups) != sortedWords(tt.groups) {
				t.Errorf("got groups %s, want %s", got, tt.groups)
			}
			if len(scan.Unfinished) > 0 || scan.Connections > 58 || scan.Handshake != (oldest != TLS10) || scan.ALPNRejected {
				t.Errorf("got %+v", scan)
			}
		})
	}
}

func sorted[T fmt.Stringer](list []T) string {
	var names []string
	for _, v := range list {
		names = append(names, v.String())
	}
	return sortedWords(strings.Join(names, " "))
}

func sortedWords(s string) string {
	words := strings.Fields(s)
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestALPNAndNames(t *testing.T) {
	web := serve(t, &tls.Config{NextProtos: []string{"h2"}})
	if scan := (&Scanner{Dial: dialTo(web), ServerName: "h"}).Run(t.Context()); !scan.ALPNRejected || !scan.WithoutName {
		t.Errorf("a server for h2 alone: got %+v", scan)
	}
	cert := imaptest.NewCA("hello").Issue(imaptest.Leaf{})
	strict := serve(t, &tls.Config{GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if i.ServerName == "" {
			return nil, errors.New("no name")
		}
		return &cert, nil
	}, Certificates: []tls.Certificate{}})
	if scan := (&Scanner{Dial: dialTo(strict), ServerName: "h.example.org"}).Run(t.Context()); scan.WithoutName || scan.ALPNRejected || !scan.Handshake {
		t.Errorf("a server that needs a name: got %+v", scan)
	}
}

// TestOldSSL uses scripted answers: no library here speaks these protocols any more.
func TestOldSSL(t *testing.T) {
	ssl3 := records(serverHello(SSL3, 0x0005), 1000)
	ssl3[2] = 0
	address := script(t, func(c *faulty.Conn) {
		switch start := c.Read(11); {
		case len(start) < 11:
		case start[0]&0x80 != 0:
			c.Send(string([]byte{0x80, 11, 4, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0}))
		case start[9] == 3 && start[10] == 0: // client_version
			c.Send(string(ssl3))
		default:
			c.Send(string(alert(2, 70)))
		}
	})
	scan := (&Scanner{Dial: dialTo(address)}).Run(t.Context())
	for v, want := range map[Version]bool{SSL2: true, SSL3: true, TLS10: false, TLS11: false, TLS12: false, TLS13: false} {
		if has, known := scan.Versions[v]; has != want || !known {
			t.Errorf("%s: got %t, known %t", v, has, known)
		}
	}
}

// TestPortThatGoesDark must not be asked on and on, nor be called a server without TLS.
func TestPortThatGoesDark(t *testing.T) {
	dialed := 0
	scan := (&Scanner{Lanes: 1, Dial: func(context.Context) (net.Conn, error) {
		dialed++
		return nil, errors.New("refused")
	}}).Run(t.Context())
	if dialed > maxFailures || len(scan.Versions) != 0 || len(scan.Unfinished) == 0 {
		t.Errorf("dialed %d times, got %+v", dialed, scan)
	}
}

func TestBoundOfConnections(t *testing.T) {
	scan := (&Scanner{Dial: dialTo(serve(t, &tls.Config{})), Connections: 10}).Run(t.Context())
	if scan.Connections != 10 || len(scan.Unfinished) == 0 {
		t.Errorf("got %d connections, unfinished %v", scan.Connections, scan.Unfinished)
	}
	for v, has := range scan.Versions {
		if !has && v >= TLS12 {
			t.Errorf("%s is said to be missing after 10 connections", v)
		}
	}
}

func TestKeys(t *testing.T) {
	tests := []struct {
		newkey []string
		want   Key
	}{
		{[]string{"-newkey", "rsa:1024"}, Key{Name: "RSA", Bits: 1024, Supported: true}},
		{[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}, Key{Name: "P-256", Supported: true}},
		{[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, Key{Name: "brainpoolP256r1"}},
		{[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"}, Key{Name: "an elliptic curve with explicit parameters"}},
		{[]string{"-newkey", "ed448"}, Key{Name: "Ed448"}},
		{[]string{"-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"}, Key{Name: "RSA-PSS"}},
	}
	for _, tt := range tests {
		address := realserver.StartOpenSSL(t, tt.newkey, "-cipher", "ALL:@SECLEVEL=0")
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		reply := AskFlight(t.Context(), conn, Offer{Version: TLS12, Suites: AllSuites, Groups: AllGroups}, 5*time.Second)
		conn.Close()
		if len(reply.Certificates) != 1 {
			t.Errorf("%v: got %+v", tt.newkey, reply)
			continue
		}
		if got, ok := KeyOf(reply.Certificates[0]); !ok || got != tt.want {
			t.Errorf("%v: got %+v, want %+v", tt.newkey, got, tt.want)
		}
	}
}

func TestKeyOfOurOwn(t *testing.T) {
	ca := imaptest.NewCA("hello")
	for kind, want := range map[imaptest.KeyType]Key{
		imaptest.ECDSA256: {Name: "P-256", Supported: true}, imaptest.Ed25519: {Name: "Ed25519", Supported: true},
		imaptest.RSA2048: {Name: "RSA", Bits: 2048, Supported: true},
	} {
		if got, ok := KeyOf(ca.Issue(imaptest.Leaf{Key: kind}).Certificate[0]); !ok || got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	block, _ := pem.Decode([]byte(ca.RootPEM()))
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	if _, ok := KeyOf(block.Bytes[:40]); ok {
		t.Error("a piece of a certificate has a key")
	}
}

// TestWeakServer asks an openssl with everything switched on; what is found must be what s_client finds.
func TestWeakServer(t *testing.T) {
	address := realserver.StartOpenSSL(t, []string{"-newkey", "rsa:2048"}, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-serverpref")
	scan := (&Scanner{Dial: dialTo(address), ServerName: "h"}).Run(t.Context())
	for _, v := range []Version{TLS10, TLS11, TLS12, TLS13} {
		if !scan.Versions[v] {
			t.Errorf("%s is missing", v)
		}
	}
	if !slices.ContainsFunc(scan.Suites[TLS12], Suite.Weak) || scan.ServerOrder == nil || !*scan.ServerOrder || scan.DHBits < 1024 || scan.DHEAborts || scan.Connections > 58 {
		t.Errorf("got %+v", scan)
	}
	t.Logf("%d connections, unfinished: %v, %d suites of TLS 1.2", scan.Connections, scan.Unfinished, len(scan.Suites[TLS12]))
}

// TestPortThatGoesDarkMidway answers for a while and then no more: nothing may be called missing or refused for that.
func TestPortThatGoesDarkMidway(t *testing.T) {
	dial := dialTo(serve(t, &tls.Config{}))
	for answered := range 20 {
		dialed := 0
		scan := (&Scanner{ServerName: "h", Lanes: 1, Dial: func(ctx context.Context) (net.Conn, error) {
			if dialed++; dialed > answered {
				return nil, errors.New("refused")
			}
			return dial(ctx)
		}}).Run(t.Context())
		if scan.ALPNRejected || scan.DHEAborts || len(scan.Unfinished) == 0 {
			t.Errorf("after %d connections: got %+v", answered, scan)
		}
		for _, v := range []Version{TLS12, TLS13} {
			if has, known := scan.Versions[v]; known && !has {
				t.Errorf("after %d connections: %s is said to be missing", answered, v)
			}
		}
	}
}
