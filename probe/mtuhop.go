package probe

import (
	"context"
	"net"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/netpath"
)

// locateHole sends one packet that is too large on connections of their own, as far as each hop, and returns the last one that it comes to: there, or
// behind it, it gets lost. It reports false where that cannot be seen: what gets lost on the way back is not ours to send.
func (t *targetRun) locateHole(ctx context.Context, s *subject, survey *netpath.Survey) (netpath.Hop, bool) {
	if s.hole == nil || s.hole.direction == inbound || s.hole.stuck.SendMSS == 0 || survey.Trace == nil {
		return netpath.Hop{}, false
	}
	end, ok := survey.Trace.End()
	if !ok || end.Outcome != netpath.Connected {
		return netpath.Hop{}, false
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		return imapdial.BeforeTLS(ctx, s.ep, t.prober.options(t.unwatched(), t.prober.timeout()))
	}
	trace, err := netpath.TraceHello(ctx, dial, startOfHello(s.hole.stuck.SendMSS), end.TTL)
	if err != nil || len(trace.Tries) == 0 {
		return netpath.Hop{}, false
	}
	v := trace.Judge(survey)
	return v.Hop, v.Hop.Address.IsValid()
}

// startOfHello is as much as fits into one segment of a ClientHello that would go on (RFC 8446 section 5.1).
func startOfHello(octets int) []byte {
	b := make([]byte, octets)
	copy(b, []byte{22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3})
	return b
}
