package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// inTLS is a good server with TLS from the first byte.
func inTLS(cfg *tls.Config) faulty.Script { return faulty.ImplicitTLS(cfg) }

func TestServers(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	old := &tls.Config{Certificates: goodTLS().Certificates, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	mutual := &tls.Config{Certificates: goodTLS().Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	mutual12 := &tls.Config{Certificates: goodTLS().Certificates, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}
	unknownName := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}
	both := func(tls993, plain143 faulty.Script) map[uint16]faulty.Script {
		ports := map[uint16]faulty.Script{}
		if tls993 != nil {
			ports[993] = tls993
		}
		if plain143 != nil {
			ports[143] = plain143
		}
		return ports
	}
	leaf := func(l imaptest.Leaf) map[uint16]faulty.Script { return both(inTLS(serverTLS(l)), nil) }

	tests := []struct {
		name        string
		target      string
		ports       map[uint16]faulty.Script
		dead        map[string]error
		findings    []string // "code severity responsible"
		exit        int
		verdict     Verdict
		recommended string   // "host:port/security", "" for none
		fails       []string // checks of status fail, over all endpoints
		waits       bool     // it takes the end of a time-out
	}{
		{name: "healthy on both ports", target: "127.0.0.1", ports: both(inTLS(goodTLS()), faulty.GoodStartTLS(goodTLS())),
			verdict: Ready, recommended: "127.0.0.1:993/tls"},
		{name: "healthy with STARTTLS alone", target: "imap://127.0.0.1", ports: both(nil, faulty.GoodStartTLS(goodTLS())),
			verdict: Ready, recommended: "127.0.0.1:143/starttls"},
		{name: "143 refused beside a good 993", target: "127.0.0.1", ports: both(inTLS(goodTLS()), nil),
			findings: []string{"net.refused info server"}, verdict: Ready, recommended: "127.0.0.1:993/tls"},
		{name: "143 silent beside a good 993", waits: true, target: "127.0.0.1", ports: both(inTLS(goodTLS()), faulty.Silent),
			findings: []string{"imap.silent info server"}, verdict: Ready, recommended: "127.0.0.1:993/tls"},
		{name: "993 refused beside a good 143", target: "127.0.0.1", ports: both(nil, faulty.GoodStartTLS(goodTLS())),
			findings: []string{"net.refused block server"}, verdict: Warning, recommended: "127.0.0.1:143/starttls", fails: []string{"tcp.connect"}},
		{name: "no STARTTLS beside a good 993", target: "127.0.0.1", ports: both(inTLS(goodTLS()), faulty.StartTLSAbsent),
			findings: []string{"starttls.absent info server"}, verdict: Ready, recommended: "127.0.0.1:993/tls"},
		{name: "no STARTTLS and no 993", target: "127.0.0.1", ports: both(nil, faulty.StartTLSAbsent),
			findings: []string{"imap.no-tls block server"}, exit: 11, verdict: Blocked, fails: []string{"tcp.connect", "starttls.offer"}},
		{name: "stripped STARTTLS beside a good 993", target: "127.0.0.1", ports: both(inTLS(goodTLS()), faulty.StartTLSStripped),
			findings: []string{"starttls.stripped high path"}, verdict: Warning, recommended: "127.0.0.1:993/tls", fails: []string{"starttls.offer"}},

		{name: "everything refused", target: "127.0.0.1", findings: []string{"net.refused block server", "net.refused block server"},
			exit: 10, verdict: Blocked, fails: []string{"tcp.connect", "tcp.connect"}},
		{name: "packets dropped", waits: true, target: "imaps://127.0.0.1", dead: map[string]error{":993": context.DeadlineExceeded},
			findings: []string{"net.dropped block unknown"}, exit: 10, verdict: Blocked, fails: []string{"tcp.connect"}},
		{name: "host unreachable", target: "imaps://127.0.0.1", dead: map[string]error{":993": syscall.EHOSTUNREACH},
			findings: []string{"net.host-unreachable block unknown"}, exit: 10, verdict: Blocked, fails: []string{"tcp.connect"}},
		{name: "network unreachable", target: "imaps://127.0.0.1", dead: map[string]error{":993": syscall.ENETUNREACH},
			findings: []string{"net.network-unreachable block unknown"}, exit: 10, verdict: Blocked, fails: []string{"tcp.connect"}},
		{name: "a local rule without route", target: "imaps://127.0.0.1", dead: map[string]error{":993": syscall.EINVAL},
			findings: []string{"net.local-route block this-computer"}, exit: 10, verdict: Blocked, fails: []string{"tcp.connect"}},
		{name: "a local firewall", target: "imaps://127.0.0.1", dead: map[string]error{":993": syscall.EPERM},
			findings: []string{"net.local-firewall block this-computer"}, exit: 10, verdict: Blocked, fails: []string{"tcp.connect"}},
		{name: "forbidden on an IPv6 way", target: "imaps://[::1]", dead: map[string]error{":993": syscall.EACCES},
			findings: []string{"net.admin-prohibited block unknown"}, exit: 10, verdict: Blocked, fails: []string{"tcp.connect"}},

		{name: "silent TLS port", waits: true, target: "imaps://127.0.0.1", ports: both(faulty.Silent, nil),
			findings: []string{"imap.silent block server"}, exit: 10, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "silent plain port", waits: true, target: "imap://127.0.0.1", ports: both(nil, faulty.Silent),
			findings: []string{"imap.silent block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "silent port whatever it speaks", waits: true, target: "127.0.0.1:143", ports: both(nil, faulty.Silent),
			findings: []string{"imap.silent block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "TLS port closed at once", target: "imaps://127.0.0.1", ports: both(faulty.ClosedAtOnce, nil),
			findings: []string{"imap.closed-at-once block server"}, exit: 10, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "TLS port reset at once", target: "imaps://127.0.0.1", ports: both(faulty.ResetAtOnce, nil),
			findings: []string{"imap.closed-at-once block server"}, exit: 10, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "plain port closed at once", target: "imap://127.0.0.1", ports: both(nil, faulty.ClosedAtOnce),
			findings: []string{"imap.closed-at-once block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "reset at the ClientHello", waits: true, target: "imaps://127.0.0.1", ports: both(faulty.ResetAfterHello, nil),
			findings: []string{"net.hello-reset block unknown"}, exit: 10, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "BYE for good", target: "imap://127.0.0.1", ports: both(nil, faulty.Bye("", "go away")),
			findings: []string{"imap.bye block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "BYE for now", target: "imap://127.0.0.1", ports: both(nil, faulty.Bye("UNAVAILABLE", "down for maintenance")),
			findings: []string{"imap.bye block server"}, exit: 75, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "PREAUTH before TLS", target: "imap://127.0.0.1", ports: both(nil, faulty.PreAuth(goodTLS())),
			findings: []string{"imap.preauth high server"}, exit: 11, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "SSH on the plain port", target: "imap://127.0.0.1", ports: both(nil, faulty.SSH),
			findings: []string{"imap.wrong-protocol block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "POP3 on the plain port", target: "imap://127.0.0.1", ports: both(nil, faulty.POP3),
			findings: []string{"imap.wrong-protocol block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "SMTP on the TLS port", target: "imaps://127.0.0.1", ports: both(faulty.SMTP, nil),
			findings: []string{"imap.wrong-protocol block server"}, exit: 10, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "HTTP on the TLS port", target: "imaps://127.0.0.1", ports: both(faulty.HTTP, nil),
			findings: []string{"imap.wrong-protocol block server"}, exit: 10, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "garbage on the plain port", waits: true, target: "imap://127.0.0.1", ports: both(nil, faulty.Garbage),
			findings: []string{"imap.not-imap block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "an endless line", target: "imap://127.0.0.1", ports: both(nil, faulty.EndlessLine),
			findings: []string{"imap.not-imap block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "TLS on another plain port", waits: true, target: "imap://127.0.0.1", ports: both(nil, inTLS(goodTLS())),
			findings: []string{"imap.wrong-protocol block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "IMAP in the clear on 993", target: "imaps://127.0.0.1", ports: both(faulty.Plain, nil),
			findings: []string{"imap.wrong-protocol block server"}, exit: 10, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "imaps for port 143", target: "imaps://127.0.0.1:143", ports: both(nil, faulty.GoodStartTLS(goodTLS())),
			findings: []string{"input.mode-port-mismatch block you"}, exit: 2, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "imap for port 993", waits: true, target: "imap://127.0.0.1:993", ports: both(inTLS(goodTLS()), nil),
			findings: []string{"input.mode-port-mismatch block you"}, exit: 2, verdict: Blocked, fails: []string{"imap.greeting"}},
		{name: "imap+auto finds TLS on 143", target: "127.0.0.1:143", ports: both(nil, inTLS(goodTLS())),
			verdict: Ready, recommended: "127.0.0.1:143/tls"},
		{name: "imap+auto finds STARTTLS on 993", target: "127.0.0.1:993", ports: both(faulty.GoodStartTLS(goodTLS()), nil),
			verdict: Ready, recommended: "127.0.0.1:993/starttls"},
		{name: "greets, then refuses CAPABILITY", target: "imap://127.0.0.1",
			ports: both(nil, faulty.Dialog{Greeting: "* OK hello", On: map[string]func(*faulty.Conn, string, string){
				"CAPABILITY": func(c *faulty.Conn, tag, _ string) { c.Line(tag + " NO not for you") }}}.Serve),
			findings: []string{"imap.refuses-commands block server"}, exit: 10, verdict: Blocked, fails: []string{"imap.capability"}},

		{name: "STARTTLS absent", target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSAbsent),
			findings: []string{"starttls.absent block server"}, exit: 11, verdict: Blocked, fails: []string{"starttls.offer"}},
		{name: "STARTTLS stripped", target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSStripped),
			findings: []string{"starttls.stripped high path"}, exit: 11, verdict: Blocked, fails: []string{"starttls.offer"}},
		{name: "STARTTLS masked", target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSMasked),
			findings: []string{"starttls.stripped high path"}, exit: 11, verdict: Blocked, fails: []string{"starttls.offer"}},
		{name: "STARTTLS masked but done", target: "imap://127.0.0.1",
			ports:    both(nil, faulty.Dialog{TLS: goodTLS(), Before: "IMAP4rev1 XXXXXXXX LOGINDISABLED"}.Serve),
			findings: []string{"starttls.stripped high path"}, exit: 11, verdict: Blocked, fails: []string{"starttls.offer"}},
		{name: "STARTTLS hidden", target: "imap://127.0.0.1",
			ports:    both(nil, faulty.Dialog{TLS: goodTLS(), Before: "IMAP4rev1 LOGINDISABLED"}.Serve),
			findings: []string{"starttls.hidden warn server"}, verdict: Warning, recommended: "127.0.0.1:143/starttls"},
		{name: "STARTTLS refused with NO", target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSRefused("NO [UNAVAILABLE] not now")),
			findings: []string{"starttls.refused block server"}, exit: 11, verdict: Blocked, fails: []string{"starttls.upgrade"}},
		{name: "STARTTLS refused with a continuation", target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSRefused("+ go on")),
			findings: []string{"starttls.refused block server"}, exit: 11, verdict: Blocked, fails: []string{"starttls.upgrade"}},
		{name: "STARTTLS answered by closing", target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSCloses),
			findings: []string{"starttls.refused block server"}, exit: 11, verdict: Blocked, fails: []string{"starttls.upgrade"}},
		{name: "STARTTLS without an answer", waits: true, target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSNoAnswer),
			findings: []string{"starttls.no-answer block server"}, exit: 11, verdict: Blocked, fails: []string{"starttls.upgrade"}},
		{name: "STARTTLS with data slipped in", target: "imap://127.0.0.1", ports: both(nil, faulty.StartTLSInjected(goodTLS(), "* OK [ALERT] read this\r\n")),
			findings: []string{"starttls.injection high server"}, exit: 11, verdict: Blocked, fails: []string{"starttls.upgrade"}},
		{name: "a second greeting inside TLS", target: "imap://127.0.0.1", ports: both(nil, greetsAgain(goodTLS())),
			findings: []string{"starttls.injection high server"}, exit: 11, verdict: Blocked, fails: []string{"starttls.upgrade"}},
		{name: "passwords before TLS", target: "imap://127.0.0.1",
			ports:    both(nil, faulty.Dialog{TLS: goodTLS(), Before: "IMAP4rev1 STARTTLS AUTH=PLAIN"}.Serve),
			findings: []string{"imap.cleartext-login warn server"}, verdict: Warning, recommended: "127.0.0.1:143/starttls"},

		{name: "TLS too old", target: "imaps://127.0.0.1", ports: both(inTLS(old), nil),
			findings: []string{"tls.version-too-old block server"}, exit: 11, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "client certificate demanded in TLS 1.3", target: "imaps://127.0.0.1", ports: both(inTLS(mutual), nil),
			findings: []string{"tls.client-certificate-required block server"}, exit: 11, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "client certificate demanded in TLS 1.2", target: "imaps://127.0.0.1", ports: both(inTLS(mutual12), nil),
			findings: []string{"tls.client-certificate-required block server"}, exit: 11, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "client certificate demanded after STARTTLS", target: "imap://127.0.0.1", ports: both(nil, faulty.GoodStartTLS(mutual)),
			findings: []string{"tls.client-certificate-required block server"}, exit: 11, verdict: Blocked, fails: []string{"tls.handshake"}},
		{name: "name rejected", target: "imaps://127.0.0.1", ports: both(inTLS(unknownName), nil),
			findings: []string{"tls.name-rejected block server"}, exit: 11, verdict: Blocked, fails: []string{"tls.handshake"}},

		{name: "certificate expired", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{NotAfter: now.Add(-day)}),
			findings: []string{"cert.expired block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.dates"}},
		{name: "certificate expired after STARTTLS", target: "imap://127.0.0.1", ports: both(nil, faulty.GoodStartTLS(serverTLS(imaptest.Leaf{NotAfter: now.Add(-day)}))),
			findings: []string{"cert.expired block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.dates"}},
		{name: "certificate not yet valid", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{NotBefore: now.Add(day)}),
			findings: []string{"cert.not-yet-valid block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.dates"}},
		{name: "certificate expires soon", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{NotBefore: now.Add(-80 * day), NotAfter: now.Add(5 * day)}),
			findings: []string{"cert.expires-soon warn server"}, verdict: Warning, recommended: "127.0.0.1:993/tls"},
		{name: "certificate for another name", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{DNSNames: []string{"mail.example.org"}}),
			findings: []string{"cert.name-mismatch block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.name"}},
		{name: "certificate signed by itself", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{SelfSigned: true}),
			findings: []string{"cert.self-signed block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.chain"}},
		{name: "intermediate missing", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Chain: imaptest.LeafOnly}),
			findings: []string{"cert.incomplete-chain block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.chain"}},
		{name: "intermediate expired", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{IntermediateExpired: true}),
			findings: []string{"cert.intermediate-expired block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.chain"}},
		{name: "constraint of the issuer", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Constrained: true}),
			findings: []string{"cert.constraint block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.chain"}},
		{name: "certificate for clients", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}),
			findings: []string{"cert.bad-usage block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.chain"}},
		{name: "certificate of an authority", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{IsCA: true}),
			findings: []string{"cert.bad-usage high server"}, verdict: Warning, recommended: "127.0.0.1:993/tls"},
		{name: "a name in the common name alone", target: "imaps://localhost", ports: leaf(imaptest.Leaf{DNSNames: []string{"localhost"}, CommonNameOnly: true}),
			findings: []string{"cert.common-name-only block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.name"}},
		{name: "unknown critical extension", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{CriticalExtension: true}),
			findings: []string{"cert.unknown-critical-extension block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.chain"}},
		{name: "RSA key of 1024 bits", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Key: imaptest.RSA1024}),
			findings: []string{"cert.weak-key high server"}, verdict: Warning, recommended: "127.0.0.1:993/tls"},
		{name: "chain out of order", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Chain: imaptest.OutOfOrder}),
			findings: []string{"cert.chain-order info server"}, verdict: Ready, recommended: "127.0.0.1:993/tls"},
		{name: "needless certificate", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Chain: imaptest.WithUnrelated}),
			findings: []string{"cert.extra-certificates info server"}, verdict: Ready, recommended: "127.0.0.1:993/tls"},
		{name: "revoked by the staple", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Staple: imaptest.StapleRevoked}),
			findings: []string{"cert.revoked block server"}, exit: 12, verdict: Blocked, fails: []string{"cert.revocation"}},
		{name: "good staple", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Staple: imaptest.StapleGood}),
			verdict: Ready, recommended: "127.0.0.1:993/tls"},
		{name: "old staple", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Staple: imaptest.StapleStale}),
			findings: []string{"cert.ocsp-stale warn server"}, verdict: Warning, recommended: "127.0.0.1:993/tls"},
		{name: "staple of someone else", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{Staple: imaptest.StapleWrongSigner}),
			findings: []string{"cert.ocsp-untrusted warn server"}, verdict: Warning, recommended: "127.0.0.1:993/tls"},
		{name: "must-staple without a staple", target: "imaps://127.0.0.1", ports: leaf(imaptest.Leaf{MustStaple: true}),
			findings: []string{"cert.must-staple-missing high server"}, verdict: Warning, recommended: "127.0.0.1:993/tls"},
		{name: "three faults at once", target: "imaps://127.0.0.1",
			ports:    leaf(imaptest.Leaf{NotAfter: now.Add(-day), DNSNames: []string{"mail.example.org"}, Chain: imaptest.LeafOnly}),
			findings: []string{"cert.expired block server", "cert.name-mismatch block server", "cert.incomplete-chain block server"}, exit: 12, verdict: Blocked,
			fails: []string{"cert.dates", "cert.name", "cert.chain"}},
		{name: "the certificate decides before the stripped port", target: "127.0.0.1",
			ports:    both(inTLS(serverTLS(imaptest.Leaf{NotAfter: now.Add(-day)})), faulty.StartTLSStripped),
			findings: []string{"cert.expired block server", "starttls.stripped high path"}, exit: 12, verdict: Blocked, fails: []string{"cert.dates", "starttls.offer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.ports)
			w.dead = tt.dead
			p := w.prober()
			if tt.waits {
				p.Timeout = silence
			}
			asked := target(t, tt.target)
			if asked.Host == "localhost" { // a name, whatever addresses this machine has for it
				asked.Connect = "127.0.0.1"
			}
			o := run(t, p, withPassword(asked))
			r := o.Report
			complete(t, r)
			checkEnding(t, w, r, ending{tt.findings, tt.verdict, tt.exit, tt.recommended})
			var fails []string
			for _, e := range r.Targets[0].Endpoints {
				for _, c := range e.Checks {
					if c.Status == Fail {
						fails = append(fails, c.ID)
					}
				}
			}
			if !slices.Equal(fails, tt.fails) {
				t.Errorf("got failed checks %v, want %v", fails, tt.fails)
			}
			checkSettings(t, o, tt.recommended)
		})
	}
}

// checkSettings compares the recommendation, and sees that the validated account says the same.
func checkSettings(t *testing.T, o *Outcome, want string) {
	t.Helper()
	got, account := "", o.Accounts[0]
	if rec := o.Report.Targets[0].Recommended; rec != nil {
		got = (&EndpointReport{Host: rec.Host, Port: rec.Port, Security: rec.Security}).name()
		if account == nil || account.Endpoint.String() != got || account.Endpoint.Connect != rec.Address || account.Mechanism != rec.Auth {
			t.Errorf("recommended %+v, and the account is %+v", rec, account)
		}
	} else if account != nil {
		t.Errorf("an account without a recommendation: %+v", account)
	}
	if got != want {
		t.Errorf("recommended %q, want %q", got, want)
	}
}

// greetsAgain does STARTTLS as it should and greets a second time inside.
func greetsAgain(cfg *tls.Config) faulty.Script {
	return func(c *faulty.Conn) {
		c.Line("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello")
		c.Line(c.Expect("STARTTLS") + " OK go")
		c.StartTLS(cfg)
		c.Line("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello again")
		c.Line(c.Expect("CAPABILITY") + " OK done")
		c.Stall()
	}
}
