package netpath

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// nearAnswer is what a try gets that is compared with others: its SYN goes out once more after 1 s.
const nearAnswer = 1300 * time.Millisecond

// lookPlainly compares ports with the means of every system; hops cannot be had.
func (s *Survey) lookPlainly(ctx context.Context) {
	s.Err = ErrUnavailable
	s.Cells = s.ports()
	var running sync.WaitGroup
	for i := range s.Cells {
		running.Go(func() { s.Cells[i].Try = connect(ctx, s.Cells[i].To) })
	}
	running.Wait()
	if s.answeredTwice() {
		to := netip.AddrPortFrom(unused(s.To.Addr()), s.To.Port())
		s.Cells = append(s.Cells, Cell{To: to, Unused: true, Try: connect(ctx, to)})
	}
}

// connect makes one try.
func connect(ctx context.Context, to netip.AddrPort) Try {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, nearAnswer)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", to.String())
	t := Try{Took: time.Since(started), Err: err}
	switch {
	case err == nil:
		conn.Close()
		t.Outcome = Connected
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		t.Outcome = Refused
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		t.Outcome, t.Err = Silent, nil
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		t.Outcome = Unreachable
	default:
		t.Outcome = Local
	}
	return t
}
