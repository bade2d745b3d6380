package probe

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// deafen lets the connection's system drop every packet that comes from now on, as a device does that has forgotten the connection.
func deafen(c *faulty.Conn) {
	raw, err := c.NetConn().SyscallConn()
	if err != nil {
		return
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]})
	})
	c.Deaf()
}

// TestIdleIsForgotten lets the kernel tell silence of the path from silence of the server.
func TestIdleIsForgotten(t *testing.T) {
	for _, signedIn := range []bool{true, false} {
		facts, evidence := checkIdle(t, onceIdle(signedIn, deafen), signedIn, Warned, "none", "the next command gets no answer")
		if n, ok := evidence["retransmits"].(int); !ok || n == 0 || facts["retransmits"] != n {
			t.Errorf("signed in %t: %v retransmissions, in the facts %v", signedIn, evidence["retransmits"], facts["retransmits"])
		}
		facts, _ = checkIdle(t, onNOOP((*faulty.Conn).Stall), signedIn, Warned, "", "NOOP arrives at the server's system, and the server does not answer it")
		if facts["retransmits"] != 0 {
			t.Errorf("signed in %t: %v retransmissions to a server that is silent itself", signedIn, facts["retransmits"])
		}
	}
}
