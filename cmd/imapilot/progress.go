package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

const (
	lookEvery = 100 * time.Millisecond // how often the state of a run is looked at
	drawEvery = 500 * time.Millisecond // how often the progress line on a terminal is drawn again
	lineEvery = 30 * time.Second       // how often a line of progress goes to a file or a pipe
)

// A watcher shows the state of a run until stop: events to their stream and to the log, progress to stderr.
type watcher struct {
	app    *app
	live   *mailsync.Live
	events *eventStream // nil: nobody wants them
	seq    uint64       // of the last event seen

	show     bool // progress on stderr
	redraw   bool // one line, drawn again and again, instead of a line now and then
	drawn    time.Time
	occupied bool // the line on the terminal holds progress

	done chan struct{}
	wg   sync.WaitGroup
}

// watch starts a watcher, which the caller stops. When ctx ends, it tells that the run is coming to its end.
func (a *app) watch(ctx context.Context, live *mailsync.Live, events *eventStream) *watcher {
	w := &watcher{app: a, live: live, events: events, done: make(chan struct{}), drawn: time.Now()}
	w.show = !a.global.quiet && a.global.output != formatNDJSON
	w.redraw = isTerminal(a.stderr) && os.Getenv("TERM") != "dumb"
	w.wg.Go(func() { w.run(ctx) })
	return w
}

// stop ends the watcher when everything that happened has been written.
func (w *watcher) stop() {
	close(w.done)
	w.wg.Wait()
}

func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	stopping := ctx.Done()
	for {
		select {
		case <-tick.C:
			w.takeEvents()
			w.draw(w.live.Snapshot())
		case <-stopping:
			stopping = nil
			w.clear()
			if w.show {
				fmt.Fprintln(w.app.stderr, "stopping as soon as it is known what became of the messages on their way; once more stops at once")
			}
		case <-w.done:
			w.takeEvents()
			w.clear()
			return
		}
	}
}

func (w *watcher) takeEvents() {
	for _, e := range w.live.Events(w.seq) {
		w.seq = e.Seq
		w.events.write(w.app.maskedEvent(e))
		w.app.logEvent(e)
	}
}

func (w *watcher) draw(p mailsync.Progress) {
	interval := lineEvery
	if w.redraw {
		interval = drawEvery
	}
	if !w.show || p.Phase == "" || p.Phase == "done" || time.Since(w.drawn) < interval {
		return
	}
	w.drawn = time.Now()
	if !w.redraw {
		fmt.Fprintln(w.app.stderr, progressLine(p))
		return
	}
	fmt.Fprintf(w.app.stderr, "\r\x1b[K%.*s", paperWidth-1, progressLine(p))
	w.occupied = true
}

// clear takes the progress off the terminal, so that what follows has a line of its own.
func (w *watcher) clear() {
	if w.occupied {
		fmt.Fprint(w.app.stderr, "\r\x1b[K")
		w.occupied = false
	}
}

// progressLine says how far a run is, in one line.
func progressLine(p mailsync.Progress) string {
	m := p.Messages
	parts := []string{fmt.Sprintf("%s: %s of %s messages", p.Phase, layout.Count(m.Present+m.Copied+m.Skipped+m.Failed), layout.Count(m.Source))}
	if p.BytesTotal > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s copied", layout.Size(p.Bytes), layout.Size(p.BytesTotal)))
	}
	if m.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", m.Failed))
	}
	if p.Reconnected > 0 {
		parts = append(parts, fmt.Sprintf("%d reconnects", p.Reconnected))
	}
	return strings.Join(parts, ", ")
}

// logEvent writes down what happened in a run.
func (a *app) logEvent(e mailsync.Event) {
	level := slog.LevelInfo
	switch e.Event {
	case "progress":
		level = slog.LevelDebug
	case "message.failed", "throttled", "reconnected":
		level = slog.LevelWarn
	}
	text, err := json.Marshal(e)
	if err != nil {
		text = []byte(err.Error())
	}
	a.log.Log(context.Background(), level, e.Event, "event", string(text))
}

// An eventStream writes events as NDJSON, as they happen: to stdout with -o ndjson, and to every report file with that extension. The
// nil stream writes nothing.
type eventStream struct {
	to    []io.Writer
	files []*os.File
	last  mailsync.Event
	err   error
}

// openEvents returns nil when nobody wants events.
func (a *app) openEvents() (*eventStream, error) {
	s := &eventStream{}
	if a.global.output == formatNDJSON {
		s.to = append(s.to, a.stdout)
	}
	for _, path := range a.global.reports {
		if f, _ := formatOf(path); f != formatNDJSON {
			continue
		}
		f, err := os.Create(path)
		if err != nil {
			s.close()
			return nil, &fileError{fmt.Errorf("report %s: %w", path, withoutPath(err))}
		}
		s.files = append(s.files, f)
		s.to = append(s.to, f)
	}
	if len(s.to) == 0 {
		return nil, nil
	}
	return s, nil
}

// write adds an event. The last one, run.end, is end's to write: its exit code is the command's.
func (s *eventStream) write(e mailsync.Event) {
	if s == nil {
		return
	}
	s.last = e
	if e.Event != "run.end" {
		s.line(e)
	}
}

// end writes run.end, which every stream ends with, and closes the files.
func (s *eventStream) end(summary *mailsync.Summary) error {
	if s == nil {
		return nil
	}
	e := mailsync.Event{Event: "run.end", Seq: s.last.Seq, T: s.last.T, Data: summary}
	if s.last.Event != "run.end" {
		e.Seq, e.T = s.last.Seq+1, time.Now().UTC()
	}
	s.line(e)
	s.close()
	if s.err != nil {
		return &fileError{fmt.Errorf("writing events: %w", s.err)}
	}
	return nil
}

func (s *eventStream) line(v any) {
	for _, w := range s.to {
		if err := encodeJSON(w, v, ""); err != nil && s.err == nil {
			s.err = err
		}
	}
}

func (s *eventStream) close() {
	for _, f := range s.files {
		if err := f.Close(); err != nil && s.err == nil {
			s.err = err
		}
	}
}
