package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// aspects compare the targets: for each, what counts, at the port that is recommended or got furthest.
func (v *view) aspects() []aspect {
	rows := []struct {
		name string
		cell func(index int, t *probe.TargetReport) cell
	}{
		{"host", func(_ int, t *probe.TargetReport) cell { return cell{Text: hostOf(t)} }},
		{"result", v.resultCell},
		{"connection", v.connectionCell},
		{"TLS", func(i int, t *probe.TargetReport) cell { return v.checkCell(i, t, "tls.handshake") }},
		{"certificate", v.certificateCell},
		{"sign-in", func(i int, t *probe.TargetReport) cell { return v.checkCell(i, t, "auth.login") }},
	}
	var list []aspect
	for _, r := range rows {
		a := aspect{Name: r.name}
		for i, t := range v.report.Targets {
			a.Cells = append(a.Cells, r.cell(i, t))
		}
		if slices.ContainsFunc(a.Cells, func(c cell) bool { return c.Text != "" }) {
			list = append(list, a)
		}
	}
	return list
}

// mainPort is the recommended port of a target, else the one that got furthest, the first on a tie; nil without endpoints.
func (v *view) mainPort(index int, t *probe.TargetReport) *port {
	var best *port
	most := -1
	for _, p := range portsOf(t) {
		e := p.endpoints[0]
		if r := t.Recommended; r != nil && r.Port == e.Port && r.Security == e.Security {
			return p
		}
		if n := stages(v.mergeFamilies(index, p)); n > most {
			best, most = p, n
		}
	}
	return best
}

// stages counts how far a connection got.
func stages(rows []row) int {
	n := 0
	for _, id := range []string{"tcp.connect", "tls.handshake", "imap.greeting", "auth.login"} {
		if slices.ContainsFunc(rows, func(r row) bool { return r.ID == id && (r.Status == probe.Pass || r.Status == probe.Warned) }) {
			n++
		}
	}
	return n
}

// resultCell says whether a target can be used, and what is wrong.
func (v *view) resultCell(index int, t *probe.TargetReport) cell {
	var codes []string
	for _, f := range v.report.Findings {
		if f.Target != nil && *f.Target == index && f.Severity != finding.Info {
			codes = addNew(codes, string(f.Code))
		}
	}
	switch {
	case t.Recommended == nil:
		return cell{"problem", strings.TrimSuffix("not usable: "+strings.Join(codes, ", "), ": ")}
	case len(codes) > 0:
		return cell{"warning", "usable, with warnings: " + strings.Join(codes, ", ")}
	}
	return cell{"ok", "usable"}
}

func (v *view) connectionCell(index int, t *probe.TargetReport) cell {
	p := v.mainPort(index, t)
	if p == nil {
		return v.checkCell(index, t, "dns.lookup")
	}
	c := v.checkCell(index, t, "tcp.connect")
	e := p.endpoints[0]
	if c.Class == "ok" {
		c.Text = strings.Join(p.connected(), ", ")
	}
	c.Text = fmt.Sprintf("port %d, %s: %s", e.Port, securityWords(e.Security), c.Text)
	return c
}

// checkCell is the worst row of a check, at the main port or before there is one.
func (v *view) checkCell(index int, t *probe.TargetReport, id string) cell {
	rows := v.targetRows(index, t)
	if p := v.mainPort(index, t); p != nil {
		rows = append(rows, v.mergeFamilies(index, p)...)
	}
	return v.worst(rows, id)
}

// certificateCell sums up the checks of a certificate: what is wrong with it, or that it is trusted.
func (v *view) certificateCell(index int, t *probe.TargetReport) cell {
	p := v.mainPort(index, t)
	if p == nil {
		return cell{}
	}
	rows := v.mergeCertificate(v.mergeFamilies(index, p), t, p, nil)
	return v.worst(rows, certificateID, "cert.dates", "cert.name", "cert.chain")
}

// worst shows the worst row of some checks, or nothing when they do not apply.
func (v *view) worst(rows []row, ids ...string) cell {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !slices.Contains(ids, r.ID) || r.Status == probe.Skip })
	if len(rows) == 0 {
		return cell{}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return slices.Index(worstFirst, a.Status) - slices.Index(worstFirst, b.Status)
	})
	l := v.lines(rows[:1])[0]
	return cell{l.mark.Word(), l.fact}
}

var worstFirst = []probe.Status{probe.Fail, probe.Errored, probe.Warned, probe.Held, probe.Pass}
