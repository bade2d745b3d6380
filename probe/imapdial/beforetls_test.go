package imapdial

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

func TestBeforeTLS(t *testing.T) {
	cfg := &tls.Config{Certificates: []tls.Certificate{imaptest.NewCA("before").Issue(imaptest.Leaf{})}}
	tests := []struct {
		name     string
		script   faulty.Script
		security Security
		stage    Stage // of the error; StageConnect with ok means none
		outcome  StartTLSOutcome
		ok       bool
	}{
		{"TLS", faulty.ImplicitTLS(cfg), TLS, 0, 0, true},
		{"STARTTLS", faulty.GoodStartTLS(cfg), STARTTLS, 0, 0, true},
		{"STARTTLS refused", faulty.StartTLSRefused("NO not now"), STARTTLS, StageStartTLS, StartTLSRefused, false},
		{"STARTTLS closed", faulty.StartTLSCloses, STARTTLS, StageStartTLS, StartTLSClosed, false},
		{"STARTTLS not answered", faulty.StartTLSNoAnswer, STARTTLS, StageStartTLS, StartTLSNoAnswer, false},
		{"data before the handshake", faulty.StartTLSInjected(cfg, "* OK [ALERT] hello\r\n"), STARTTLS, StageStartTLS, StartTLSInjected, false},
		{"no greeting", faulty.ClosedAtOnce, STARTTLS, StageGreeting, 0, false},
		{"cleartext", faulty.Plain, Cleartext, StageConnect, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := faulty.Serve(tt.script)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ep := Endpoint{Host: "127.0.0.1", Port: netip.MustParseAddrPort(s.Address()).Port(), Security: tt.security}
			conn, err := BeforeTLS(t.Context(), ep, &Options{Timeout: 2 * time.Second})
			if !tt.ok {
				var e *Error
				if conn != nil || !errors.As(err, &e) || e.Stage != tt.stage {
					t.Fatalf("got %v, %v, want an error at stage %s", conn, err, tt.stage)
				}
				var refused *StartTLSError
				if tt.outcome != 0 && (!errors.As(err, &refused) || refused.StartTLS.Outcome != tt.outcome) {
					t.Errorf("got outcome %+v, want %d", refused, tt.outcome)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			// The next octets are those of a handshake.
			if err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(t.Context()); err != nil {
				t.Errorf("handshake: %v", err)
			}
		})
	}
}

func TestBeforeTLSEndsWithItsContext(t *testing.T) {
	s, err := faulty.Serve(faulty.Silent)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(50*time.Millisecond, cancel)
	defer timer.Stop()
	ep := Endpoint{Host: "127.0.0.1", Port: netip.MustParseAddrPort(s.Address()).Port(), Security: STARTTLS}
	begin := time.Now()
	if _, err := BeforeTLS(ctx, ep, nil); !errors.Is(err, context.Canceled) || time.Since(begin) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(begin))
	}
}
