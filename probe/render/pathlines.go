package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// Lines draws the map: you ─ 10.1.0.1 ─ 10.2.0.2 ╳ imap.example.org. Where it is too long for a line of the style's width, hops in the middle give
// way to their number; the device that acts never does. If that does not help, it goes on in the next line. With times, the round-trip times
// stand below.
func (m *PathMap) Lines(s layout.Style, times bool) [][]layout.Span {
	stations := m.shortened(s)
	var lines [][]layout.Span
	for from, to := 0, 0; from < len(stations); from = to {
		head := m.lineHead(s, stations[:from])
		to = from + fitting(stations[from:], s.Columns()-spansWidth(head))
		lines = append(lines, append(head, m.line(s, stations[from:to], s.Columns()-spansWidth(head))...))
		if below := timesBelow(stations[from:to], spansWidth(head)); times && below != "" {
			lines = append(lines, []layout.Span{{Text: below, Tone: layout.Muted}})
		}
	}
	return lines
}

// pathSigns are what stands between two stations.
var pathSigns = [...]struct {
	unicode, ascii string
	tone           layout.Tone
}{
	noMark:   {"─", "-", layout.Muted},
	cut:      {"╳", "X", layout.Bad},
	turned:   {"◄", "<", layout.Bad},
	diverted: {"►", ">", layout.Warn},
}

func (k pathMark) span(s layout.Style) layout.Span {
	if s.ASCII {
		return layout.Span{Text: pathSigns[k].ascii, Tone: pathSigns[k].tone}
	}
	return layout.Span{Text: pathSigns[k].unicode, Tone: pathSigns[k].tone}
}

// signWidth is the width of what stands between two stations, and the blanks around it.
const signWidth = 3

// mapWidth is the width of stations in one line; a mark behind the last is part of it.
func mapWidth(stations []station) int {
	width := 0
	for i, st := range stations {
		if i > 0 {
			width += signWidth
		}
		width += layout.Width(st.name)
	}
	if last := len(stations) - 1; last >= 0 && stations[last].acts {
		width += signWidth - 1
	}
	return width
}

// fewStations are so few that all of them are shown when even the least does not fit into a line.
const fewStations = 6

// shortened takes hops out of the middle until the map fits into a line. The ends stay, and what acts; then, as far as there is room, the hops
// beside them.
func (m *PathMap) shortened(s layout.Style) []station {
	if mapWidth(m.stations) <= s.Columns() {
		return m.stations
	}
	keep := make([]bool, len(m.stations))
	for i, st := range m.stations {
		keep[i] = st.kind == kindSelf || st.kind == kindServer || st.acts
	}
	if len(m.stations) <= fewStations && mapWidth(keptOf(m.stations, keep)) > s.Columns() {
		return m.stations // it takes several lines anyway
	}
	for _, i := range m.byImportance() {
		if keep[i] {
			continue
		}
		keep[i] = true
		if mapWidth(keptOf(m.stations, keep)) > s.Columns() {
			keep[i] = false
		}
	}
	return keptOf(m.stations, keep)
}

// byImportance are the places of the hops: first those next to an end, then those next to what acts.
func (m *PathMap) byImportance() []int {
	end := len(m.stations) - 1
	acting := slices.IndexFunc(m.stations, func(st station) bool { return st.acts })
	distance := func(i int) int {
		d := min(2*i, 2*(end-i)+1)
		if acting >= 0 {
			d = min(d, 2*max(i-acting, acting-i)+1)
		}
		return d
	}
	var places []int
	for i := 1; i < end; i++ {
		places = append(places, i)
	}
	slices.SortStableFunc(places, func(a, b int) int { return distance(a) - distance(b) })
	return places
}

// keptOf puts the number of hops in the place of those that are not kept.
func keptOf(stations []station, keep []bool) []station {
	var kept []station
	for i, st := range stations {
		last := len(kept) - 1
		switch {
		case keep[i]:
			kept = append(kept, st)
		case last >= 0 && kept[last].kind == kindLeft:
			kept[last].hops += st.hops
		default:
			kept = append(kept, station{kind: kindLeft, ttl: st.ttl, hops: st.hops})
		}
	}
	for i := range kept {
		if kept[i].kind == kindLeft {
			kept[i].name = "(" + layout.Counted(int64(kept[i].hops), "hop", "hops") + ")"
		}
	}
	return kept
}

// lineHead is what stands before the stations of a line: nothing in the first one, then what leads on from the one before.
func (m *PathMap) lineHead(s layout.Style, before []station) []layout.Span {
	switch last := len(before) - 1; {
	case last < 0:
		return nil
	case before[last].acts: // its mark ends the line
		return []layout.Span{layout.Plain("    ")}
	}
	return []layout.Span{layout.Plain("  "), noMark.span(s), layout.Plain(" ")}
}

func spansWidth(spans []layout.Span) int {
	width := 0
	for _, span := range spans {
		width += layout.Width(span.Text)
	}
	return width
}

// fitting is how many stations have room in a line, one at least.
func fitting(stations []station, room int) int {
	n := len(stations)
	for n > 1 && mapWidth(stations[:n]) > room {
		n--
	}
	return n
}

// line draws the stations of a line, with the mark behind the one that acts.
func (m *PathMap) line(s layout.Style, stations []station, room int) []layout.Span {
	var spans []layout.Span
	for i, st := range stations {
		if i > 0 {
			spans = append(spans, layout.Plain(" "))
			if !stations[i-1].acts {
				spans = append(spans, noMark.span(s), layout.Plain(" "))
			}
		}
		if st.acts {
			spans = append(spans, layout.Span{Text: s.CutMiddle(st.name, room-signWidth+1), Tone: st.tone(m.mark)}, layout.Plain(" "), m.mark.span(s))
		} else {
			spans = append(spans, layout.Span{Text: s.CutMiddle(st.name, room), Tone: st.tone(m.mark)})
		}
	}
	return spans
}

func (st station) tone(mark pathMark) layout.Tone {
	switch {
	case st.acts:
		return pathSigns[mark].tone
	case st.kind == kindSilent || st.kind == kindLeft:
		return layout.Muted
	}
	return layout.Normal
}

// timesBelow sets the time of each station below its name; "" if there are none.
func timesBelow(stations []station, indent int) string {
	line := ""
	at := indent
	for i, st := range stations {
		if i > 0 {
			at += signWidth
		}
		if took := st.took(); took != "" && layout.Width(line) <= at {
			line = layout.Pad(line, at) + took + " "
		}
		at += layout.Width(st.name)
	}
	return strings.TrimRight(line, " ")
}

// took is the round-trip time, "" if it is not known.
func (st station) took() string {
	if st.ms <= 0 {
		return ""
	}
	return layout.Milliseconds(st.ms)
}

// hopWords names a station's place: "hop 2", "hops 3 to 7", or "" for this computer and for a server whose distance is not known.
func (st station) hopWords() string {
	switch {
	case st.ttl == 0:
		return ""
	case st.hops > 1:
		return fmt.Sprintf("hops %d to %d", st.ttl, st.ttl+st.hops-1)
	}
	return fmt.Sprintf("hop %d", st.ttl)
}
