package render

import (
	"fmt"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// An outlinePath is the way to a server and where on it something acts.
type outlinePath struct {
	Sum, Cause string
	Hops       []outlineHop
}

type outlineHop struct {
	Class, Address, How, RTT string
	TTL                      int
}

// outlinePathOf is nil where the way was not looked at.
func outlinePathOf(p *probe.Path) *outlinePath {
	if p == nil {
		return nil
	}
	out := &outlinePath{Sum: layout.Counted(int64(len(p.Hops)), "hop", "hops"), Cause: pathCause(p)}
	for _, h := range p.Hops {
		hop := outlineHop{TTL: h.TTL, Address: h.Address, How: h.How}
		if h.Address == "" {
			hop.Address = "no answer"
		}
		if h.RTTMS > 0 {
			hop.RTT = layout.Milliseconds(h.RTTMS)
		}
		if p.ActsAt != nil && p.ActsAt.TTL == h.TTL {
			hop.Class = layout.Problem.Word()
		}
		out.Hops = append(out.Hops, hop)
	}
	return out
}

// pathCause says where on the way something acts.
func pathCause(p *probe.Path) string {
	if p.ActsAt == nil {
		return "nothing was seen to act on the way"
	}
	return "the cause is at " + layout.Join(": ", layout.Join(", ", fmt.Sprintf("hop %d", p.ActsAt.TTL), p.ActsAt.Address), p.ActsAt.How)
}

// pathBlock shows the way in the text: its length and where something acts, and each hop when all is asked for.
func (v *view) pathBlock(p *probe.Path) block {
	out := outlinePathOf(p)
	b := block{title: []layout.Span{layout.Plain("  the way there  "), {Text: out.Sum, Tone: layout.Muted}}, notes: []string{out.Cause}}
	if !v.verbose {
		return b
	}
	for _, h := range out.Hops {
		mark := layout.NoMark
		if h.Class != "" {
			mark = layout.Problem
		}
		b.lines = append(b.lines, line{mark: mark, label: fmt.Sprintf("hop %d", h.TTL), fact: layout.Join(", ", h.Address, h.How), took: h.RTT})
	}
	return b
}
