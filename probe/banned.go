package probe

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/imapilot-project/imapilot/probe/finding"
)

// A watch looks at the target's connections as they are opened. When every port that answered goes dark at once, this run's own
// connections did it: somebody took them for an attack. From then on it opens none, so that it gets no worse.
type watch struct {
	mu     sync.Mutex     // guards what follows
	failed map[string]int // by address that answered: failures since it last did
	ended  bool
}

// darkAfter is how many connections in a row must fail at every port that answered. One may be chance.
const darkAfter = 3

// errBanned is what a watch that has ended says in place of a connection.
var errBanned = errors.New("the ports that answered before do not any more: no further connection is opened")

// dial is next, watched.
func (w *watch) dial(next dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if w.banned() {
			return nil, errBanned
		}
		conn, err := next(ctx, network, address)
		if ctx.Err() != context.Canceled { // what was called off says nothing
			w.note(address, err == nil)
		}
		return conn, err
	}
}

func (w *watch) note(address string, answered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = map[string]int{}
	}
	if answered {
		w.failed[address] = 0
		return
	}
	if _, before := w.failed[address]; !before {
		return // it never answered
	}
	w.failed[address]++
	for _, n := range w.failed {
		if n < darkAfter {
			return
		}
	}
	w.ended = true
}

// banned reports whether all ports that answered have gone dark.
func (w *watch) banned() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// darkened marks the endpoints whose ports went dark.
func (t *targetRun) darkened() {
	if !t.watch.banned() {
		return
	}
	t.live.change(func() {
		for _, s := range t.subjects {
			s.banned = s.connected()
		}
	})
}

// bannedNow says that the port answered and does not any more.
func (s *subject) bannedNow() finding.Finding {
	f := s.net("net.banned", s.hostPort()+" answered and, some connections later, does not any more",
		"the server, or a firewall in front of it, took the connections of this run for an attack and shuts this address out",
		"wait until the ban ends, often ten minutes to an hour, and probe again without --full and --audit",
		"ask the administrator of the server to lift the ban on this address (fail2ban and the like), and to except it while the job runs")
	f.Certainty = finding.Likely
	return f
}
