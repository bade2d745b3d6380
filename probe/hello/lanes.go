package hello

import "sync"

// lanes bound how many connections are open at once. What is urgent goes first.
type lanes struct {
	mu             sync.Mutex // guards what follows
	free           int
	urgent, others []chan struct{} // who waits, in the order of coming
}

// take waits for a lane.
func (l *lanes) take(urgent bool) {
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	if urgent {
		l.urgent = append(l.urgent, turn)
	} else {
		l.others = append(l.others, turn)
	}
	l.mu.Unlock()
	<-turn
}

// give gives a lane back, or on to who waits.
func (l *lanes) give() {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := &l.urgent
	if len(*queue) == 0 {
		queue = &l.others
	}
	if len(*queue) == 0 {
		l.free++
		return
	}
	close((*queue)[0])
	*queue = (*queue)[1:]
}
