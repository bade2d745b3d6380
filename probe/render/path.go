package render

import (
	"fmt"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// An outlinePath is the path to a server and where on it something acts.
type outlinePath struct {
	*PathMap
	Sum      string
	Drawn    bool // elsewhere, with a finding
	Stations []outlineStation
	Hops     []outlineHop
}

// An outlineStation is a place in the drawing.
type outlineStation struct {
	Class     string // self, hop, silent or server; of one that acts, problem or warning behind it
	Name      string
	Place     string // "hop 2"
	RTT       string
	Sign      string // what stands behind it if it acts
	SignClass string
	SignWord  string
}

type outlineHop struct {
	Class, Address, How, RTT string
	TTL                      int
}

// AllWords are the words of a drawing that shows every hop.
func (p *outlinePath) AllWords() []string { return p.Words(layout.Style{Width: 1 << 20}) }

// outlinePathOf is nil where the path was not looked at.
func outlinePathOf(m *PathMap) *outlinePath {
	if m == nil {
		return nil
	}
	out := &outlinePath{PathMap: m, Sum: m.Distance()}
	for _, st := range m.stations {
		out.Stations = append(out.Stations, m.outlineStation(st))
	}
	for _, h := range m.path.Hops {
		out.Hops = append(out.Hops, m.outlineHop(h))
	}
	return out
}

func (m *PathMap) outlineStation(st station) outlineStation {
	out := outlineStation{Class: stationClasses[st.kind], Name: st.name, Place: st.hopWords(), RTT: st.took()}
	if out.Place == out.Name {
		out.Place = "address unknown"
	}
	if st.acts {
		out.SignClass = toneClass(pathSigns[m.mark].tone)
		out.Class += " " + out.SignClass
		out.Sign, out.SignWord = m.mark.span(layout.Style{}).Text, signWords[m.mark]
	}
	return out
}

var stationClasses = [...]string{kindSelf: "self", kindHop: "hop", kindSilent: "silent", kindServer: "server"}

// signWords read the signs aloud.
var signWords = [...]string{cut: "the packets end here", turned: "answered from here", diverted: "sent on from here to another machine"}

func (m *PathMap) outlineHop(h probe.Hop) outlineHop {
	hop := outlineHop{TTL: h.TTL, Address: h.Address, How: h.How}
	if h.Address == "" {
		hop.Address = "no answer"
	}
	if h.RTTMS > 0 {
		hop.RTT = layout.Milliseconds(h.RTTMS)
	}
	if a := m.path.ActsAt; a != nil && a.TTL == h.TTL {
		hop.Class, hop.How = layout.Problem.Word(), layout.Join(", ", h.How, a.How)
	}
	return hop
}

// pathMap is the map of a target's path, nil without one.
func (v *view) pathMap(index int) *PathMap {
	var findings []finding.Finding
	for _, f := range v.report.Findings {
		if f.Target != nil && *f.Target == index {
			findings = append(findings, f)
		}
	}
	return NewPathMap(v.report.Targets[index], findings)
}

// pathBlock shows the path in the text: the map, where something acts, and each hop when all is asked for.
func (v *view) pathBlock(m *PathMap) block {
	const indent = "     "
	b := block{title: []layout.Span{layout.Plain("  the way there  "), {Text: m.Distance(), Tone: layout.Muted}}}
	style := v.Style
	style.Width = v.Columns() - len(indent)
	for _, line := range m.Lines(style, !v.verbose) {
		b.drawing = append(b.drawing, append([]layout.Span{layout.Plain(indent)}, line...))
	}
	b.notes = m.Words(style)
	if !v.verbose {
		return b
	}
	for _, h := range outlinePathOf(m).Hops {
		mark := layout.NoMark
		if h.Class != "" {
			mark = layout.Problem
		}
		b.lines = append(b.lines, line{mark: mark, label: fmt.Sprintf("hop %d", h.TTL), fact: layout.Join(", ", h.Address, h.How), took: h.RTT})
	}
	return b
}
