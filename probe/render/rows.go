package render

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// A row is a check of an endpoint with the findings that it raised. Families that came to the same result are one row.
type row struct {
	probe.Result
	family   string // set only where the families differ
	findings []finding.Finding
}

// targetBlocks are the look-up of a target, and each of its ports.
func (v *view) targetBlocks(index int, t *probe.TargetReport) []block {
	if b, ok := v.compact(index, t); ok {
		return []block{b}
	}
	host := v.CutMiddle(hostOf(t), v.Columns()-len("destination  "))
	head := block{target: true, title: []layout.Span{{Text: host, Tone: layout.Strong}}}
	if t.Role != probe.RoleServer && t.Role != "" {
		head.title = []layout.Span{{Text: side(t), Tone: layout.Strong}, layout.Plain("  " + host)}
	}
	head.lines = v.lines(v.targetRows(index, t))
	blocks := []block{head}
	var first *port
	for _, p := range portsOf(t) {
		b, ok := v.portBlock(index, t, p, first)
		switch {
		case !ok:
		case first != nil && len(v.report.Targets) > 1 && v.spare(index, t, p):
			last := &blocks[len(blocks)-1]
			last.lines = append(last.lines, spareLine(p, first))
		default:
			blocks = append(blocks, b)
		}
		if first == nil {
			first = p
		}
	}
	if m := v.pathMap(index); m != nil {
		blocks = append(blocks, v.pathBlock(m))
	}
	return blocks
}

// targetRows are the checks that precede an address.
func (v *view) targetRows(index int, t *probe.TargetReport) []row {
	var rows []row
	for _, r := range t.Checks {
		rows = append(rows, row{Result: r, findings: v.findingsOf(&index, "", r)})
	}
	return rows
}

// spare reports whether all is well with a port that is not the recommended one. Of several targets each such port is one line, so that
// a pair stays on one screen.
func (v *view) spare(index int, t *probe.TargetReport, p *port) bool {
	if v.verbose || t.Recommended == nil || t.Recommended.Port == p.endpoints[0].Port {
		return false
	}
	for _, r := range v.mergeFamilies(index, p) {
		if !r.good() && r.Status != probe.Skip {
			return false
		}
	}
	return true
}

func spareLine(p, first *port) line {
	l := line{mark: layout.OK, label: fmt.Sprintf("port %d", p.endpoints[0].Port), fact: securityWords(p.endpoints[0].Security) + " works too"}
	if leaf(p) != "" && leaf(p) == leaf(first) {
		l.fact += ", with the same certificate"
	}
	return l
}

// A port is the endpoints of one port and security, one for each family.
type port struct {
	name      string // "host:port/security", as findings say it
	endpoints []*probe.EndpointReport
}

func portsOf(t *probe.TargetReport) []*port {
	var ports []*port
	for _, e := range t.Endpoints {
		name := nameOf(e)
		i := slices.IndexFunc(ports, func(p *port) bool { return p.name == name })
		if i < 0 {
			ports, i = append(ports, &port{name: name}), len(ports)
		}
		ports[i].endpoints = append(ports[i].endpoints, e)
	}
	return ports
}

// nameOf is an endpoint as findings say it.
func nameOf(e *probe.EndpointReport) string {
	return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) + "/" + e.Security
}

// portBlock is one port; ok is false for one that was not examined. first is the target's first port, to compare certificates with.
func (v *view) portBlock(index int, t *probe.TargetReport, p, first *port) (b block, ok bool) {
	rows := v.mergeFamilies(index, p)
	if !v.verbose && !slices.ContainsFunc(rows, func(r row) bool { return r.Status != probe.Skip }) {
		return block{}, false
	}
	e := p.endpoints[0]
	addresses := slices.DeleteFunc(p.addresses(), func(a string) bool { return a == t.Host })
	b.title = []layout.Span{
		layout.Plain(fmt.Sprintf("  port %d, %s  ", e.Port, securityWords(e.Security))),
		{Text: strings.Join(addresses, ", "), Tone: layout.Muted},
	}
	if !v.verbose {
		rows = mergeSTARTTLS(rows)
		rows = v.mergeCertificate(rows, t, p, first)
	}
	b.lines = v.lines(rows)
	if v.verbose {
		b.notes = details(e, p, first)
	}
	return b, true
}

func securityWords(security string) string {
	switch security {
	case "tls":
		return "TLS from the first byte"
	case "starttls":
		return "STARTTLS"
	}
	return "no TLS"
}

// mergeFamilies makes one row of the results of all families at a port, and several where they differ. What was skipped or held in one
// family only says nothing: the other one has the answer.
func (v *view) mergeFamilies(index int, p *port) []row {
	var rows []row
	for _, c := range p.endpoints[0].Checks {
		var found []row
		for _, e := range p.endpoints {
			if i := slices.IndexFunc(e.Checks, func(r probe.Result) bool { return r.ID == c.ID }); i >= 0 {
				found = append(found, row{Result: e.Checks[i], family: familyWords(e.Family), findings: v.findingsOf(&index, p.name, e.Checks[i])})
			}
		}
		for _, status := range []probe.Status{probe.Skip, probe.Held} {
			if slices.ContainsFunc(found, func(r row) bool { return r.Status != status }) {
				found = slices.DeleteFunc(found, func(r row) bool { return r.Status == status })
			}
		}
		found = slices.CompactFunc(found, func(a, b row) bool { return a.Status == b.Status })
		if len(found) == 1 {
			found[0].family = ""
		}
		rows = append(rows, found...)
	}
	return rows
}

func familyWords(family string) string {
	return map[string]string{"ipv4": "IPv4", "ipv6": "IPv6"}[family]
}

// findingsOf returns the findings that made result what it is. A result that passed has none but those for the record.
func (v *view) findingsOf(target *int, endpoint string, result probe.Result) []finding.Finding {
	var list []finding.Finding
	for _, f := range v.report.Findings {
		switch {
		case f.Check != result.ID:
		case (f.Target == nil) != (target == nil), f.Target != nil && *f.Target != *target:
		case f.Endpoint == nil && endpoint != "", f.Endpoint != nil && *f.Endpoint != endpoint:
		case result.Status == probe.Skip, result.Status == probe.Held:
		case result.Status == probe.Pass && f.Severity != finding.Info:
		default:
			list = append(list, f)
		}
	}
	return list
}

// good reports whether the row passed and has nothing else to say.
func (r row) good() bool { return r.Status == probe.Pass && len(r.findings) == 0 }

// find returns the place of the only row of a check, -1 if there is none or several.
func find(rows []row, id string) int {
	place := -1
	for i, r := range rows {
		if r.ID != id {
			continue
		}
		if place >= 0 {
			return -1
		}
		place = i
	}
	return place
}

// mergeSTARTTLS makes one row of the offer and the upgrade when both went well.
func mergeSTARTTLS(rows []row) []row {
	offer, upgrade := find(rows, "starttls.offer"), find(rows, "starttls.upgrade")
	if offer < 0 || upgrade < 0 || !rows[offer].good() || !rows[upgrade].good() {
		return rows
	}
	return slices.Delete(slices.Clone(rows), offer, offer+1)
}

// certificateID stands for the three checks that make a certificate trusted.
const certificateID = "certificate"

// mergeCertificate makes one row of dates, name and chain when all is well with them.
func (v *view) mergeCertificate(rows []row, t *probe.TargetReport, p, first *port) []row {
	dates, name, chain := find(rows, "cert.dates"), find(rows, "cert.name"), find(rows, "cert.chain")
	for _, i := range []int{dates, name, chain} {
		if i < 0 || !rows[i].good() {
			return rows
		}
	}
	merged := row{Result: probe.Result{ID: certificateID, Status: probe.Pass, Summary: v.certificateFact(rows[name], t, p)}}
	if first != nil && leaf(p) != "" && leaf(p) == leaf(first) {
		merged.Summary = fmt.Sprintf("the same as on port %d", first.endpoints[0].Port)
	}
	rows = slices.Clone(rows)
	rows[dates] = merged
	return slices.DeleteFunc(rows, func(r row) bool { return r.ID == "cert.name" || r.ID == "cert.chain" })
}

// leaf is the digest of the certificate that a port showed, or "".
func leaf(p *port) string {
	for _, e := range p.endpoints {
		if e.TLS != nil && len(e.TLS.Certificates) > 0 {
			return e.TLS.Certificates[0].SHA256
		}
	}
	return ""
}

// certificateFact sums three good checks up.
func (v *view) certificateFact(name row, t *probe.TargetReport, p *port) string {
	server, ok := name.Facts["server_name"].(string)
	if !ok {
		server = t.Host
	}
	fact := "trusted for " + server
	for _, e := range p.endpoints {
		if e.TLS != nil && len(e.TLS.Certificates) > 0 {
			days := int64(e.TLS.Certificates[0].NotAfter.Sub(v.report.Started).Hours() / 24)
			return fact + ", " + layout.Counted(days, "day", "days") + " left"
		}
	}
	return fact
}
