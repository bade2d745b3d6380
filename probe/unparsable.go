package probe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// unparsable tells of a certificate that crypto/x509 cannot read. What the server sent was recovered from the handshake; it is shown as it is, because no
// tool of ours can say more about it.
func (s *subject) unparsable() finding.Finding {
	summary := "the certificate of " + s.hostPort() + " cannot be read"
	f := s.tlsFinding("cert.unparsable", summary, "it breaks the rules for certificates in a way that crypto/x509 does not accept",
		"the server's administrator has to have the certificate issued anew with a current tool or by a public authority")
	for i, der := range s.facts.RawCertificates {
		_, err := x509.ParseCertificate(der)
		if err == nil {
			continue
		}
		if i > 0 {
			summary = "a certificate in the chain of " + s.hostPort() + " cannot be read"
		}
		f.Summary = summary + ": " + wire.Printable(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "x509: "), "asn1: "))
		sum := sha256.Sum256(der)
		f.Evidence["index"], f.Evidence["sha256"] = i, hex.EncodeToString(sum[:])
		f.Evidence["pem"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		f.Evidence["asn1"] = anyList(imapdial.DumpASN1(der))
		break
	}
	f.Reproduce = []string{s.openssl("-showcerts"), s.openssl() + " | openssl x509 | openssl asn1parse -i"}
	return f
}
