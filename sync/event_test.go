package mailsync

import (
	"encoding/json"
	"sync"
	"testing"
	"time"
)

func TestEventIsOneFlatObject(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	for _, test := range []struct {
		event Event
		want  string
	}{
		{Event{"throttled", 7, at, Throttled{"dest", "LIMIT", "slow \"down\"", 1000}},
			`{"event":"throttled","seq":7,"t":"2026-01-02T02:04:05Z","side":"dest","code":"LIMIT","server_text":"slow \"down\"","wait_ms":1000}`},
		{Event{"run.end", 8, at, &Summary{Schema: "imapilot.sync/1", Verdict: "complete", Failures: []Failure{}}},
			`{"event":"run.end","seq":8,"t":"2026-01-02T02:04:05Z","schema":"imapilot.sync/1","verdict":"complete","exit_code":0,"folders":0,` +
				`"messages":{"source":0,"present":0,"copied":0,"skipped":0,"failed":0,"remaining":0,"deleted":0,"flags_updated":0},` +
				`"bytes_copied":0,"duration_ms":0,"failures":[],"verified":null}`},
		{Event{"x", 9, at, nil}, `{"event":"x","seq":9,"t":"2026-01-02T02:04:05Z"}`},
		{Event{"x", 9, at, struct{}{}}, `{"event":"x","seq":9,"t":"2026-01-02T02:04:05Z"}`},
	} {
		got, err := json.Marshal(test.event)
		if err != nil || string(got) != test.want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, test.want)
		}
	}
	if _, err := json.Marshal(Event{Event: "x", Data: 7}); err == nil {
		t.Error("data that are no object are taken")
	}
}

func TestLiveDropsOnlyProgress(t *testing.T) {
	var l Live
	for range 100 {
		l.told = time.Time{} // as if a second had passed
		l.change(func(p *Progress) { p.Bytes++ })
	}
	l.failed(Failure{UID: 1})
	l.told = time.Time{}
	l.change(func(p *Progress) { p.Bytes++ })
	l.reconnected(Reconnected{Side: "dest"})
	var names []string
	last := uint64(0)
	for _, e := range l.Events(0) {
		if e.Seq <= last {
			t.Errorf("sequence number %d after %d", e.Seq, last)
		}
		last = e.Seq
		names = append(names, e.Event)
	}
	if len(names) != 4 || names[0] != "progress" || names[1] != "message.failed" || names[2] != "progress" || names[3] != "reconnected" {
		t.Errorf("got events %q", names)
	}
	if got := l.Events(last); len(got) != 0 {
		t.Errorf("got %v after the last event", got)
	}
	if p := l.Snapshot(); p.Bytes != 101 || len(p.Failures) != 1 || p.Reconnected != 1 {
		t.Errorf("got %+v", p)
	}
}

func TestLiveTellsProgressOnceASecond(t *testing.T) {
	var l Live
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				l.change(func(p *Progress) { p.Bytes++ })
				l.Snapshot()
				l.Events(0)
			}
		})
	}
	wg.Wait()
	if n := len(l.Events(0)); n != 1 {
		t.Errorf("got %d progress events within a second, want 1", n)
	}
	if l.Version() != 4000 || l.Snapshot().Bytes != 4000 {
		t.Errorf("got version %d and %d octets, want 4000", l.Version(), l.Snapshot().Bytes)
	}
}
