package render

import (
	"slices"

	"github.com/imapilot-project/imapilot/probe"
)

// tlsLists are the versions, cipher suites and groups that --full found, the newest version first.
func tlsLists(t *probe.TLSReport) []outlineList {
	if t == nil {
		return nil
	}
	var lists []outlineList
	var accepted, refused []string
	for _, version := range descending(t.Versions) {
		if t.Versions[version] {
			accepted = append(accepted, version)
		} else {
			refused = append(refused, version)
		}
	}
	lists = append(lists, outlineList{"TLS versions accepted", accepted}, outlineList{"TLS versions refused", refused})
	for _, version := range descending(t.CipherSuites) {
		lists = append(lists, outlineList{"cipher suites of TLS " + version, t.CipherSuites[version]})
	}
	lists = append(lists, outlineList{"groups", t.Groups})
	return slices.DeleteFunc(lists, func(l outlineList) bool { return len(l.Names) == 0 })
}

// descending are the keys of m, the newest version first. Those of SSL, which was before TLS, come last.
func descending[V any](m map[string]V) []string {
	var tls, ssl []string
	for version := range m {
		if version[:min(1, len(version))] == "1" {
			tls = append(tls, version)
		} else {
			ssl = append(ssl, version)
		}
	}
	for _, list := range [][]string{tls, ssl} {
		slices.Sort(list)
		slices.Reverse(list)
	}
	return append(tls, ssl...)
}
