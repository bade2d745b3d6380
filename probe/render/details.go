package render

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// details are the certificates and capabilities of an endpoint, for those who want all. Certificates of the target's first port are not
// repeated.
func details(e *probe.EndpointReport, p, first *port) []string {
	var notes []string
	if e.TLS != nil {
		if e.TLS.Version != "" {
			notes = append(notes, layout.Join(", ", "TLS "+e.TLS.Version, e.TLS.CipherSuite, e.TLS.Group))
		}
		notes = append(notes, certificatesNotes(e, p, first)...)
	}
	for _, l := range listsOf(e) {
		notes = append(notes, l.Title+": "+strings.Join(l.Names, " "))
	}
	return notes
}

func certificatesNotes(e *probe.EndpointReport, p, first *port) []string {
	if first != nil && leaf(p) != "" && leaf(p) == leaf(first) {
		return []string{fmt.Sprintf("certificates: the same as on port %d", first.endpoints[0].Port)}
	}
	var notes []string
	for i, c := range e.TLS.Certificates {
		notes = append(notes, certificateNotes(i, c)...)
	}
	return notes
}

func certificateNotes(index int, c probe.CertificateReport) []string {
	names := append(append([]string{}, c.DNSNames...), c.IPAddresses...)
	notes := []string{
		fmt.Sprintf("certificate %d: %s, issued by %s", index, c.Subject, c.Issuer),
		fmt.Sprintf("valid from %s to %s; %s key of %d bits, signed with %s", c.NotBefore.UTC().Format(time.DateOnly),
			c.NotAfter.UTC().Format(time.DateOnly), strings.ToUpper(c.KeyType), c.KeyBits, c.SignatureAlgorithm),
		"serial " + c.Serial + ", sha256 " + c.SHA256,
	}
	if len(names) > 0 {
		notes = append(notes, "names "+strings.Join(names, ", "))
	}
	// --pin takes the digest in base64.
	if spki, err := hex.DecodeString(c.SPKISHA256); err == nil && len(spki) > 0 {
		notes = append(notes, "pin sha256/"+base64.StdEncoding.EncodeToString(spki))
	}
	return notes
}
