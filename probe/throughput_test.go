package probe

import (
	"bytes"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

func TestThroughputIsEstimatedFromASampleOfTheInbox(t *testing.T) {
	ca := imaptest.NewCA("Throughput CA")
	s, err := imaptest.Start(imaptest.Config{Certificate: ca.Issue(imaptest.Leaf{})})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := s.AddAccount("alice", "secret")
	target := Target{Host: s.Host(), Port: s.Port(), Mode: ModeTLS, TLS: imapdial.TLSPolicy{Roots: ca.RootPEM()},
		User: "alice", Secret: secret.Given(secret.New([]byte("secret")))}
	facts := func() map[string]any {
		t.Helper()
		out, err := new(Prober).Run(t.Context(), target)
		if err != nil || out.Report.Verdict != Ready {
			t.Fatalf("%v, %+v", err, out)
		}
		for _, c := range out.Report.Targets[0].Endpoints[0].Checks {
			if c.ID == "account.access" {
				return c.Facts
			}
		}
		t.Fatal("there is no account.access")
		return nil
	}
	if f := facts(); f["throughput_bytes_per_second"] != nil {
		t.Errorf("an empty inbox has the throughput %v", f["throughput_bytes_per_second"])
	}
	body := append([]byte("Subject: large\r\n\r\n"), bytes.Repeat([]byte("0123456789abcdef\r\n"), 4000)...)
	for range 12 {
		if _, err := a.Append("INBOX", imaptest.Message{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	s.ResetCounts()
	f := facts()
	if rate, ok := f["throughput_bytes_per_second"].(int64); !ok || rate <= 0 || f["throughput_sample_bytes"] != int64(sampleMessages*sampleOctets) {
		t.Errorf("facts %v", f)
	}
	if n := s.Count("FETCH"); n != 1 {
		t.Errorf("%d FETCH commands", n)
	}
	for _, m := range a.Messages("INBOX") {
		if len(m.Flags) != 0 {
			t.Errorf("the sample left the flags %v", m.Flags)
		}
	}
}

func TestASmallSampleTellsNoThroughput(t *testing.T) {
	if _, ok := (sample{octets: 1000, took: time.Second}).rate(0); ok {
		t.Error("1000 octets are no sample")
	}
	if rate, ok := (sample{octets: 1 << 20, took: 3 * time.Second}).rate(time.Second); !ok || rate != 512<<10 {
		t.Errorf("got %v, %v", rate, ok)
	}
}
