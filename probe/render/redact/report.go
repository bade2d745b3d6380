package redact

import (
	"encoding/json"
	"net"
	"net/url"
	"strings"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// Report returns a copy of r with its names masked.
func (m *Masks) Report(r *probe.Report) *probe.Report {
	c := *r
	m.meet(r)
	c.Targets = nil
	for _, t := range r.Targets {
		c.Targets = append(c.Targets, m.target(t))
	}
	if r.Pair != nil {
		pair := *r.Pair
		pair.Checks = m.checks(pair.Checks)
		c.Pair = &pair
	}
	c.Findings = nil
	for _, f := range r.Findings {
		c.Findings = append(c.Findings, m.finding(f))
	}
	return &c
}

// meet gives every name that a field of r holds its mask, so that texts which come before it are masked too.
func (m *Masks) meet(r *probe.Report) {
	for _, t := range r.Targets {
		m.Host(t.Host)
		if u, err := url.Parse(t.Input); err == nil && u.User != nil {
			m.User(u.User.Username())
		}
		for _, e := range t.Endpoints {
			m.Host(e.Host)
			for _, c := range e.Checks {
				if user, ok := c.Facts["user"].(string); ok {
					m.User(user)
				}
			}
			if e.TLS != nil {
				m.meetCertificates(e.TLS.Certificates)
			}
		}
		if t.Recommended != nil {
			m.Host(t.Recommended.Host)
			m.Host(t.Recommended.ServerName)
		}
	}
	m.meetWords(r)
	if r.Pair != nil {
		for _, c := range r.Pair.Checks {
			m.meetFolders("", plain(c.Facts))
		}
	}
	for _, f := range r.Findings {
		if isPair(f.Check, f.Code) {
			m.meetFolders("", plain(f.Evidence))
		}
	}
}

// meetWords takes note of what the servers said, by the keys it stands under.
func (m *Masks) meetWords(r *probe.Report) {
	objects := []map[string]any{}
	for _, t := range r.Targets {
		for _, c := range t.Checks {
			objects = append(objects, c.Facts)
		}
		for _, e := range t.Endpoints {
			for _, c := range e.Checks {
				objects = append(objects, c.Facts)
			}
		}
	}
	for _, f := range r.Findings {
		objects = append(objects, f.Evidence)
	}
	for _, o := range objects {
		for key, value := range o {
			if text, ok := value.(string); ok && serverKeys[key] {
				m.words(text)
			}
		}
	}
}

func (m *Masks) meetCertificates(chain []probe.CertificateReport) {
	for i, c := range chain {
		m.hosts(c.DNSNames)
		// The common name of the server's certificate is its host, unless it has blanks; the others are those of authorities.
		for _, part := range strings.Split(c.Subject, ",") {
			if name, ok := strings.CutPrefix(part, "CN="); ok && i == 0 && !strings.Contains(name, " ") {
				m.Host(strings.TrimPrefix(name, "*."))
			}
		}
	}
}

// isPair reports whether the evidence of a finding names folders.
func isPair(check string, code finding.Code) bool {
	return strings.HasPrefix(check, "pair.") || strings.HasPrefix(string(code), "pair.")
}

// meetFolders finds the folders in what the checks of the pair found, by the keys they stand under.
func (m *Masks) meetFolders(key string, v any) {
	switch x := v.(type) {
	case string:
		switch {
		case folderKeys[key]:
			m.Folder(x)
		case key == "root": // of a quota: often the user's name
			m.of("quota", x)
		}
	case []any:
		for _, item := range x {
			m.meetFolders(key, item)
		}
	case map[string]any:
		for k, item := range x {
			switch {
			case folderMaps[key]:
				m.Folder(k)
				m.meetFolders("folder", item)
			case k != "missing": // capabilities of the source and the dest
				m.meetFolders(k, item)
			}
		}
	}
}

// folderKeys are the keys under which folders stand, and folderMaps those of objects that have them as keys.
var (
	folderKeys = map[string]bool{"folder": true, "mailbox": true, "name": true, "source": true, "dest": true, "sources": true, "names": true}
	folderMaps = map[string]bool{"changed": true, "names": true}
)

func (m *Masks) target(t *probe.TargetReport) *probe.TargetReport {
	c := *t
	c.Input, c.Host, c.Checks = m.input(t.Input), m.Host(t.Host), m.checks(t.Checks)
	if t.Recommended != nil {
		r := *t.Recommended
		r.Host, r.Address, r.ServerName = m.Host(r.Host), m.hostPort(r.Address), m.Host(r.ServerName)
		if r.Pin != nil {
			pin := m.Digest(*r.Pin)
			r.Pin = &pin
		}
		c.Recommended = &r
	}
	c.Endpoints = nil
	for _, e := range t.Endpoints {
		c.Endpoints = append(c.Endpoints, m.endpoint(e))
	}
	if t.Path != nil {
		path := probe.Path{}
		for _, h := range t.Path.Hops {
			path.Hops = append(path.Hops, m.hop(h))
		}
		if t.Path.ActsAt != nil {
			h := m.hop(*t.Path.ActsAt)
			path.ActsAt = &h
		}
		c.Path = &path
	}
	return &c
}

// Endpoint masks the host of host:port/security.
func (m *Masks) Endpoint(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return m.hostPort(name)
	}
	return m.hostPort(name[:i]) + m.Text(name[i:])
}

// input is what was typed: a URL, a host with or without a port, or a mail address.
func (m *Masks) input(text string) string {
	if strings.ContainsAny(text, "/@") {
		return m.Text(text)
	}
	return m.hostPort(text)
}

func (m *Masks) hop(h probe.Hop) probe.Hop {
	h.Address, h.How = m.hostPort(h.Address), m.Text(h.How)
	return h
}

// hostPort masks the host of host:port, or a host alone.
func (m *Masks) hostPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.Trim(port, "0123456789") != "" {
		return m.Host(address)
	}
	return net.JoinHostPort(m.Host(host), port)
}

func (m *Masks) endpoint(e *probe.EndpointReport) *probe.EndpointReport {
	c := *e
	c.Host, c.Address, c.Checks = m.Host(e.Host), m.hostPort(e.Address), m.checks(e.Checks)
	c.Capabilities = probe.Capabilities{
		BeforeTLS: m.texts(e.Capabilities.BeforeTLS), AfterTLS: m.texts(e.Capabilities.AfterTLS), AfterLogin: m.texts(e.Capabilities.AfterLogin),
	}
	if e.TLS != nil {
		t := *e.TLS
		t.Certificates = nil
		for _, cert := range e.TLS.Certificates {
			cert.Subject, cert.Issuer = m.Text(cert.Subject), m.Text(cert.Issuer)
			cert.DNSNames, cert.IPAddresses = m.hosts(cert.DNSNames), m.hosts(cert.IPAddresses)
			cert.Serial, cert.SHA256, cert.SPKISHA256 = m.Digest(cert.Serial), m.Digest(cert.SHA256), m.Digest(cert.SPKISHA256)
			t.Certificates = append(t.Certificates, cert)
		}
		c.TLS = &t
	}
	return &c
}

// hosts masks the names of a certificate, which may have a wildcard.
func (m *Masks) hosts(names []string) []string {
	masked := make([]string, len(names))
	for i, name := range names {
		if rest, ok := strings.CutPrefix(name, "*."); ok {
			masked[i] = "*." + m.Host(rest)
		} else {
			masked[i] = m.Host(name)
		}
	}
	return masked
}

func (m *Masks) texts(list []string) []string {
	masked := make([]string, len(list))
	for i, text := range list {
		masked[i] = m.Text(text)
	}
	return masked
}

func (m *Masks) checks(results []probe.Result) []probe.Result {
	masked := make([]probe.Result, len(results))
	for i, r := range results {
		r.Summary, r.Facts = m.Text(r.Summary), m.facts(r.Facts)
		masked[i] = r
	}
	return masked
}

func (m *Masks) finding(f finding.Finding) finding.Finding {
	if f.Endpoint != nil {
		endpoint := m.Endpoint(*f.Endpoint)
		f.Endpoint = &endpoint
	}
	f.Summary, f.Cause, f.Reproduce = m.Text(f.Summary), m.Text(f.Cause), m.texts(f.Reproduce)
	remedies := make([]finding.Remedy, len(f.Remedies))
	for i, r := range f.Remedies {
		r.Text = m.Text(r.Text)
		if r.Apply != nil {
			apply := map[string]string{}
			for flag, value := range r.Apply {
				apply[flag] = m.Text(value)
			}
			r.Apply = apply
		}
		remedies[i] = r
	}
	f.Remedies, f.Evidence = remedies, m.facts(f.Evidence)
	return f
}

// facts masks a free object. What a server said is known by its key.
func (m *Masks) facts(facts map[string]any) map[string]any {
	masked := map[string]any{}
	for key, value := range facts {
		masked[key] = m.value(key, plain(value))
	}
	return masked
}

func (m *Masks) value(key string, v any) any {
	switch x := v.(type) {
	case string:
		switch {
		case serverKeys[key]:
			return m.Server(x)
		case key == "user" || key == "authzid":
			return m.User(x)
		case key == "serial" || key == "mailbox_id":
			return m.Digest(x)
		}
		return m.Text(x)
	case []any:
		list := make([]any, len(x))
		for i, item := range x {
			list[i] = m.value(key, item)
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for k, item := range x {
			name := k
			if strings.Trim(k, "abcdefghijklmnopqrstuvwxyz_") != "" || folderMaps[key] {
				name = m.Text(k) // a name that stands as a key
			}
			object[name] = m.value(k, item)
		}
		return object
	}
	return v
}

// plain is v as JSON has it: objects, lists, texts, numbers.
func plain(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}

// serverKeys are the keys under which a server's own words stand.
var serverKeys = map[string]bool{
	"text": true, "server_text": true, "answer": true, "greeting": true, "banner": true, "line": true, "lines": true, "raw": true, "said": true,
	"message": true, "received": true, "response": true, "first_bytes": true, "hex": true, "alert": true, "id": true, "data": true, "pem": true, "missing_pem": true, "product": true, "server_id": true,
	"extended_error": true,
}
