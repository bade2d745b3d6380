package mailsync

import (
	"slices"
	"sync"
	"time"
)

// Live is the state of a run that a front end watches. The zero value is ready; it is safe for concurrent use. The engine never waits for
// those who watch.
type Live struct {
	mu       sync.Mutex // guards what follows
	version  uint64
	seq      uint64
	progress Progress
	events   []Event
	told     time.Time // when the last progress event was made
}

// Progress is the state of a run at one moment.
type Progress struct {
	Phase       string // "listing", "copying", "verifying", "done"
	Messages    Counts // so far; Source is what was listed so far
	Bytes       int64  // octets copied so far
	BytesTotal  int64  // octets to copy in the mailboxes compared so far
	Folders     []FolderProgress
	Failures    []Failure
	Reconnected int
}

// FolderProgress is the state of one mailbox.
type FolderProgress struct {
	Source, Dest string
	State        string // "waiting", "active", "done", "failed"
	Messages     int64  // in the source
	Done         int64  // present, copied, skipped or failed
	ToCopy       int64
	Copied       int64
	Failed       int64
	BytesToCopy  int64
	Bytes        int64
}

// Version counts the changes.
func (l *Live) Version() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

// Snapshot returns a copy of the state.
func (l *Live) Snapshot() Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.progress
	p.Folders = slices.Clone(p.Folders)
	p.Failures = slices.Clone(p.Failures)
	return p
}

// Events returns the events after sequence number after, oldest first. Only progress may have been dropped.
func (l *Live) Events(after uint64) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, _ := slices.BinarySearchFunc(l.events, after+1, func(e Event, seq uint64) int {
		switch {
		case e.Seq < seq:
			return -1
		case e.Seq > seq:
			return 1
		}
		return 0
	})
	return slices.Clone(l.events[at:])
}

// progressEvery bounds the stream: at most one progress event a second.
const progressEvery = time.Second

// change lets f change the state, and makes a progress event of it when it is time for one. A nil Live changes nothing.
func (l *Live) change(f func(p *Progress)) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.progress)
	l.version++
	if now := time.Now(); now.Sub(l.told) >= progressEvery {
		l.told = now
		l.add("progress", l.progressEvent())
	}
}

func (l *Live) progressEvent() ProgressEvent {
	p := &l.progress
	return ProgressEvent{p.Phase, p.Messages, p.Bytes, p.BytesTotal}
}

// emit adds an event.
func (l *Live) emit(name string, data any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version++
	l.add(name, data)
}

// add appends an event; a progress event takes the place of one that nothing followed.
func (l *Live) add(name string, data any) {
	l.seq++
	e := Event{Event: name, Seq: l.seq, T: time.Now().UTC(), Data: data}
	if n := len(l.events); n > 0 && name == "progress" && l.events[n-1].Event == "progress" {
		l.events[n-1] = e
		return
	}
	l.events = append(l.events, e)
}

// failed adds a failure to the list and to the events.
func (l *Live) failed(f Failure) {
	if l == nil {
		return
	}
	l.change(func(p *Progress) { p.Failures = append(p.Failures, f) })
	l.emit("message.failed", f)
}

// reconnected counts a reconnect.
func (l *Live) reconnected(r Reconnected) {
	l.change(func(p *Progress) { p.Reconnected++ })
	l.emit("reconnected", r)
}
