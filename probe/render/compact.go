package render

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// compact is the block of a target of several with which all is well: its recommended port, in few enough lines that a healthy pair
// stays on one screen. ok is false when there is more to say.
func (v *view) compact(index int, t *probe.TargetReport) (b block, ok bool) {
	if v.verbose || len(v.report.Targets) < 2 || t.Recommended == nil || t.Path != nil || !v.well(index, t) {
		return block{}, false
	}
	var chosen *port
	var spare []string
	for _, p := range portsOf(t) {
		e := p.endpoints[0]
		switch {
		case e.Port == t.Recommended.Port && e.Security == t.Recommended.Security:
			chosen = p
		case slices.ContainsFunc(v.mergeFamilies(index, p), row.good):
			spare = append(spare, fmt.Sprint(e.Port))
		}
	}
	if chosen == nil {
		return block{}, false
	}
	rows := v.mergeCertificate(v.mergeFamilies(index, chosen), t, chosen, nil)
	rows = slices.DeleteFunc(rows, func(r row) bool {
		return silent(r) || r.ID == "imap.greeting" || strings.HasPrefix(r.ID, "starttls.")
	})
	if i := find(rows, "tcp.connect"); i >= 0 {
		rows[i].Summary = strings.Join(chosen.connected(), ", ")
	}
	e := chosen.endpoints[0]
	rest := fmt.Sprintf(", port %d %s", e.Port, map[string]string{"tls": "with TLS", "starttls": "with STARTTLS", "none": "without TLS"}[e.Security])
	if len(spare) > 0 {
		rest += fmt.Sprintf("; %s works too", sentence(spare))
	}
	name := side(t)
	if t.Role == probe.RoleServer || t.Role == "" {
		name = ""
	}
	room := v.Columns() - layout.Width(name) - 2 - layout.Width(rest)
	host := v.CutMiddle(hostOf(t), max(room, 12))
	b = block{target: true, lines: v.lines(rows)}
	if name == "" {
		b.title = []layout.Span{{Text: host, Tone: layout.Strong}, layout.Plain(rest)}
	} else {
		b.title = []layout.Span{{Text: name, Tone: layout.Strong}, layout.Plain("  " + host + rest)}
	}
	return b, true
}

// well reports whether nothing was found of a target that a person has to read: what waits for a password waits for nothing else.
func (v *view) well(index int, t *probe.TargetReport) bool {
	rows := v.targetRows(index, t)
	for _, p := range portsOf(t) {
		rows = append(rows, v.mergeFamilies(index, p)...)
	}
	for _, f := range v.report.Findings {
		if f.Target != nil && *f.Target == index {
			return false
		}
	}
	return !slices.ContainsFunc(rows, func(r row) bool {
		return !r.good() && r.Status != probe.Skip && (r.Status != probe.Held || r.BlockedBy != "input.secret")
	})
}

// connected are the addresses of a port that could be reached.
func (p *port) connected() []string {
	reached := port{endpoints: slices.DeleteFunc(slices.Clone(p.endpoints), func(e *probe.EndpointReport) bool {
		return !slices.ContainsFunc(e.Checks, func(r probe.Result) bool { return r.ID == "tcp.connect" && r.Status == probe.Pass })
	})}
	return reached.addresses()
}

// addresses are those of a port without the port, one for each family.
func (p *port) addresses() []string {
	var list []string
	for _, e := range p.endpoints {
		if host, _, err := net.SplitHostPort(e.Address); err == nil {
			list = append(list, host)
		}
	}
	return list
}
