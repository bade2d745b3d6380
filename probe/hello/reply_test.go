package hello

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// parse reads octets as if a server had sent them and closed.
func parse(octets []byte, flight bool) Reply {
	var r reader
	r.read(bytes.NewReader(octets), flight)
	return r.Reply
}

// records splits a handshake message over records of at most size octets.
func records(message []byte, size int) []byte {
	var b cryptobyte.Builder
	for part := range slices.Chunk(message, size) {
		b.AddUint8(recordHandshake)
		b.AddUint16(uint16(TLS12))
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(part) })
	}
	return b.BytesOrPanic()
}

// serverHello returns a ServerHello without extensions.
func serverHello(v Version, s Suite) []byte {
	var b cryptobyte.Builder
	b.AddUint8(typeServerHello)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(uint16(v))
		b.AddBytes(make([]byte, 32))
		b.AddUint8(0)
		b.AddUint16(uint16(s))
		b.AddUint8(0)
	})
	return b.BytesOrPanic()
}

func alert(level, code byte) []byte { return []byte{recordAlert, 3, 3, 0, 2, level, code} }

func TestReplies(t *testing.T) {
	hello := serverHello(TLS12, 0xc02f)
	tests := []struct {
		name   string
		octets []byte
		want   Outcome
		alert  uint8
		suite  Suite
	}{
		{"nothing", nil, Closed, 0, 0},
		{"a ServerHello", records(hello, 1000), Answered, 0, 0xc02f},
		{"a ServerHello in pieces of one octet", records(hello, 1), Answered, 0, 0xc02f},
		{"half a ServerHello", records(hello, 20)[:25], Closed, 0, 0},
		{"a fatal alert", alert(2, 40), Alerted, 40, 0},
		{"a warning, then the answer", append(alert(1, 112), records(hello, 100)...), Answered, 112, 0xc02f},
		{"a warning, then nothing", alert(1, 112), Alerted, 112, 0},
		{"close_notify", alert(1, 0), Alerted, 0, 0},
		{"endless warnings", bytes.Repeat(alert(1, 90), 100), Alerted, 90, 0},
		{"an alert of three octets", []byte{recordAlert, 3, 3, 0, 3, 2, 40, 0}, Junk, 0, 0},
		{"a greeting", []byte("* OK ready\r\n"), Junk, 0, 0},
		{"application data", []byte{23, 3, 3, 0, 1, 0}, Junk, 0, 0},
		{"an empty record", []byte{22, 3, 3, 0, 0}, Junk, 0, 0},
		{"a record that is too long", []byte{22, 3, 3, 0xff, 0xff}, Junk, 0, 0},
		{"a Certificate before the ServerHello", records([]byte{typeCertificate, 0, 0, 3, 0, 0, 0}, 10), Junk, 0, 0},
		{"a ServerHello that is cut short inside", records([]byte{typeServerHello, 0, 0, 2, 3, 3}, 10), Junk, 0, 0},
		{"handshake messages without end", bytes.Repeat(records(append([]byte{typeServerHello, 0xff, 0xff, 0xff}, make([]byte, 1000)...), 2000), 400), Junk, 0, 0},
		{"SSLv2", append([]byte{0x80, 11, 4, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0}, make([]byte, 4)...), Answered, 0, 0},
		{"an error of SSLv2", []byte{0x80, 3, 0, 0, 1}, Junk, 0, 0},
	}
	for _, tt := range tests {
		got := parse(tt.octets, false)
		if got.Outcome != tt.want || got.Alert != tt.alert || got.Suite != tt.suite {
			t.Errorf("%s: got %s, alert %d, suite %s; want %s, %d, %s", tt.name, got.Outcome, got.Alert, got.Suite, tt.want, tt.alert, tt.suite)
		}
		if (got.Err != nil) != slices.Contains([]Outcome{Closed, Reset, Silent, Junk}, got.Outcome) && got.Alert != 112 && got.Outcome != Alerted {
			t.Errorf("%s: %s has the error %v", tt.name, got.Outcome, got.Err)
		}
	}
}

func TestWaysToEnd(t *testing.T) {
	timeout := &net.OpError{Op: "read", Err: timeoutError{}}
	for err, want := range map[error]Outcome{
		io.EOF: Closed, io.ErrUnexpectedEOF: Closed, syscall.ECONNRESET: Reset, syscall.EPIPE: Reset, timeout: Silent, errNotTLS: Junk,
	} {
		var r reader
		if r.end(err); r.Outcome != want {
			t.Errorf("%v: got %s, want %s", err, r.Outcome, want)
		}
	}
}

type timeoutError struct{}

func (timeoutError) Error() string   { return "time is up" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// TestOffersAreWellFormed lets crypto/tls read what we build.
func TestOffersAreWellFormed(t *testing.T) {
	offers := map[string]Offer{
		"everything of TLS 1.2": {Version: TLS12, Suites: AllSuites, Groups: AllGroups, ServerName: "imap.example.org", ALPN: "imap"},
		"a small one":           {Version: TLS12, Suites: GoSuites, Groups: GoGroups[3:], Schemes: GoSchemes, ServerName: "imap.example.org"},
		"TLS 1.3":               {Version: TLS13, Suites: TLS13Suites, Groups: AllGroups, ServerName: "imap.example.org"},
		"TLS 1.0":               {Version: TLS10, Suites: GoSuites, Groups: GoGroups[3:], ServerName: "imap.example.org"},
	}
	for name, o := range offers {
		record := o.Marshal()
		if n := len(record) - recordHeader; n > 255 && n < 512 {
			t.Errorf("%s has %d octets, which old balancers drop", name, n)
		}
		if name == "a small one" && len(record) > 255 {
			t.Errorf("%s has %d octets", name, len(record))
		}
		client, server := net.Pipe()
		go func() {
			client.Write(record)
			io.Copy(io.Discard, client)
		}()
		var info *tls.ClientHelloInfo
		server.SetDeadline(time.Now().Add(5 * time.Second))
		tls.Server(server, &tls.Config{MinVersion: tls.VersionTLS10, GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
			info = i
			return nil, io.EOF
		}}).Handshake()
		server.Close()
		client.Close()
		if info == nil || info.ServerName != o.ServerName || len(info.CipherSuites) != len(o.Suites) || len(info.SupportedCurves) != len(o.Groups) ||
			!slices.Contains(info.SupportedVersions, uint16(o.Version)) || strings.Join(info.SupportedProtos, "") != o.ALPN {
			t.Errorf("%s: crypto/tls reads %+v", name, info)
		}
	}
	if ip := (Offer{Version: TLS12, ServerName: "192.0.2.1"}).Marshal(); bytes.Contains(ip, []byte("192.0.2.1")) {
		t.Error("an address went out as SNI")
	}
}

func TestKindsOfSuites(t *testing.T) {
	for name, weak := range map[string]bool{
		"TLS_RSA_WITH_NULL_SHA": true, "TLS_DH_anon_WITH_AES_128_GCM_SHA256": true, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": true,
		"TLS_RSA_WITH_RC4_128_MD5": true, "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA": true, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": false,
		"TLS_RSA_WITH_AES_128_CBC_SHA": false, "TLS_AES_128_GCM_SHA256": false, "TLS_DHE_RSA_WITH_SEED_CBC_SHA": false,
	} {
		found := suites(func(s Suite) bool { return s.String() == name })
		if len(found) != 1 || found[0].Weak() != weak {
			t.Errorf("%s: got %v, weak %t", name, found, !weak)
		}
	}
	all := slices.Concat(AllSuites, TLS13Suites, suites(anyDHE))
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != len(suiteNames) || n != len(AllSuites)+len(TLS13Suites)+len(suites(anyDHE)) {
		t.Errorf("%d suites of %d are in exactly one kind", n, len(suiteNames))
	}
	for _, s := range tls.CipherSuites() {
		if Suite(s.ID).String() != s.Name {
			t.Errorf("crypto/tls calls %04x %s, here it is %s", s.ID, s.Name, Suite(s.ID))
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add(records(serverHello(TLS12, 0xc02f), 50), true)
	f.Add(append(alert(1, 112), records(serverHello(TLS13, 0x1301), 7)...), false)
	f.Add([]byte("* OK ready\r\n"), true)
	f.Add([]byte{0x80, 11, 4, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0}, true)
	flight := slices.Concat(serverHello(TLS12, 0x9e), []byte{typeCertificate, 0, 0, 9, 0, 0, 6, 0, 0, 3, 1, 2, 3},
		[]byte{typeServerKeyExchange, 0, 0, 9, 0, 1, 255, 0, 1, 2, 0, 1, 3}, []byte{typeServerHelloDone, 0, 0, 0})
	f.Add(records(flight, 1000), true)
	f.Fuzz(func(t *testing.T, octets []byte, flight bool) {
		got := parse(octets, flight)
		if got.Outcome == NotSent || got.Outcome == Silent {
			t.Errorf("got %s of a closed connection", got.Outcome)
		}
		for _, der := range got.Certificates {
			KeyOf(der)
		}
	})
}

func FuzzKeyOf(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x30, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		if key, ok := KeyOf(der); ok && key.Name == "" {
			t.Error("a key without a name")
		}
	})
}
