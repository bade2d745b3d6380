package probe

import (
	"maps"
	"slices"
	"sync"
)

// Live is the state of a running probe that a front end watches. The zero value is ready; Run fills it from the start. It is
// safe for concurrent use.
type Live struct {
	mu      sync.Mutex
	version uint64          // counts the changes
	targets []*TargetReport // what is in them is replaced, never changed
}

// Version counts the changes; it tells a front end whether to take a snapshot.
func (l *Live) Version() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

// Snapshot returns a copy of the targets' reports as far as they are; checks that have not ended have an empty Status.
func (l *Live) Snapshot() []*TargetReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	copies := make([]*TargetReport, len(l.targets))
	for i, t := range l.targets {
		copies[i] = t.clone()
	}
	return copies
}

// begin replaces what an earlier run left.
func (l *Live) begin(targets []*TargetReport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.targets = targets
	l.version++
}

// change runs f, which may replace fields of the targets' reports.
func (l *Live) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	l.version++
}

func (t *TargetReport) clone() *TargetReport {
	c := *t
	c.Checks = cloneResults(t.Checks)
	if t.Recommended != nil {
		r := *t.Recommended
		r.Groups = slices.Clone(r.Groups)
		c.Recommended = &r
	}
	if t.Path != nil {
		p := *t.Path
		p.Hops = slices.Clone(p.Hops)
		c.Path = &p
	}
	c.Endpoints = make([]*EndpointReport, len(t.Endpoints))
	for i, e := range t.Endpoints {
		c.Endpoints[i] = e.clone()
	}
	return &c
}

func (e *EndpointReport) clone() *EndpointReport {
	c := *e
	c.Checks = cloneResults(e.Checks)
	if e.TLS != nil {
		t := *e.TLS
		t.Versions, t.CipherSuites, t.Groups = maps.Clone(t.Versions), maps.Clone(t.CipherSuites), slices.Clone(t.Groups)
		t.Certificates = slices.Clone(t.Certificates)
		for i := range t.Certificates {
			t.Certificates[i].DNSNames = slices.Clone(t.Certificates[i].DNSNames)
			t.Certificates[i].IPAddresses = slices.Clone(t.Certificates[i].IPAddresses)
		}
		c.TLS = &t
	}
	c.Capabilities.BeforeTLS = slices.Clone(e.Capabilities.BeforeTLS)
	c.Capabilities.AfterTLS = slices.Clone(e.Capabilities.AfterTLS)
	c.Capabilities.AfterLogin = slices.Clone(e.Capabilities.AfterLogin)
	return &c
}

func cloneResults(results []Result) []Result {
	c := slices.Clone(results)
	for i := range c {
		c[i].Facts = maps.Clone(c[i].Facts)
	}
	return c
}
