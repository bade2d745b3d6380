package render

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// JSON writes r as one indented object. Empty lists are [], never null.
func JSON(w io.Writer, r *probe.Report) error { return encode(w, r, "  ") }

// NDJSON writes what [JSON] writes, on one line.
func NDJSON(w io.Writer, r *probe.Report) error { return encode(w, r, "") }

func encode(w io.Writer, r *probe.Report, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(filled(r)); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// filled returns a copy of r in which no list or object is nil where the contract has one.
func filled(r *probe.Report) *probe.Report {
	c := *r
	c.Targets = make([]*probe.TargetReport, len(r.Targets))
	for i, t := range r.Targets {
		c.Targets[i] = filledTarget(t)
	}
	if r.Pair != nil {
		pair := *r.Pair
		pair.Checks = filledChecks(pair.Checks)
		c.Pair = &pair
	}
	c.Findings = make([]finding.Finding, len(r.Findings))
	for i, f := range r.Findings {
		f.Remedies, f.Reproduce = list(f.Remedies), list(f.Reproduce)
		f.Evidence = object(f.Evidence)
		c.Findings[i] = f
	}
	return &c
}

func filledTarget(t *probe.TargetReport) *probe.TargetReport {
	c := *t
	c.Checks = filledChecks(t.Checks)
	c.Endpoints = make([]*probe.EndpointReport, len(t.Endpoints))
	for i, e := range t.Endpoints {
		c.Endpoints[i] = filledEndpoint(e)
	}
	if t.Path != nil {
		path := *t.Path
		path.Hops = list(path.Hops)
		c.Path = &path
	}
	return &c
}

func filledEndpoint(e *probe.EndpointReport) *probe.EndpointReport {
	c := *e
	c.Checks = filledChecks(e.Checks)
	caps := &c.Capabilities
	caps.BeforeTLS, caps.AfterTLS, caps.AfterLogin = list(caps.BeforeTLS), list(caps.AfterTLS), list(caps.AfterLogin)
	if e.TLS != nil {
		t := *e.TLS
		t.Certificates = make([]probe.CertificateReport, len(e.TLS.Certificates))
		for i, cert := range e.TLS.Certificates {
			cert.DNSNames, cert.IPAddresses = list(cert.DNSNames), list(cert.IPAddresses)
			t.Certificates[i] = cert
		}
		t.CipherSuites = maps.Clone(t.CipherSuites)
		for version, suites := range t.CipherSuites {
			t.CipherSuites[version] = list(suites)
		}
		c.TLS = &t
	}
	return &c
}

func filledChecks(results []probe.Result) []probe.Result {
	c := make([]probe.Result, len(results))
	for i, r := range results {
		r.Facts = object(r.Facts)
		c[i] = r
	}
	return c
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func object(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
