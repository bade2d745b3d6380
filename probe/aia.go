package probe

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// maxIssuerSize bounds an issuer's certificate, maxIssuers how far a chain is followed.
const (
	maxIssuerSize = 64 << 10
	maxIssuers    = 3
)

// issuerFetch is what became of following a chain over the addresses that its certificates name (RFC 5280 section 4.2.2.1).
type issuerFetch struct {
	url     string // where the first was fetched, or failed to be
	err     error
	issuers []*x509.Certificate
	faults  []imapdial.Fault // with them
}

// fetchIssuer fetches what the server should have sent. It explains; what is fetched makes nothing acceptable.
func (t *targetRun) fetchIssuer(ctx context.Context, s *subject) *issuerFetch {
	var got issuerFetch
	f := t.fetcher(s.address.Addr())
	for len(got.issuers) < maxIssuers {
		end := s.facts.EndOfChain(got.issuers...)
		if len(end.IssuingCertificateURL) == 0 || imapdial.Issued(end, end) {
			break
		}
		issuer, err := f.issuer(ctx, end)
		if len(got.issuers) == 0 {
			got.url, got.err = end.IssuingCertificateURL[0], err
		}
		if err != nil {
			break
		}
		got.issuers = append(got.issuers, issuer)
		if got.faults = s.facts.FaultsWith(t.prober.now(), got.issuers...); !hasKind(got.faults, imapdial.FaultIncompleteChain, imapdial.FaultUnknownCA) {
			break
		}
	}
	if got.url == "" {
		got.err = fmt.Errorf("the certificate does not say where its issuer can be fetched")
	}
	return &got
}

// issuer fetches the certificate that signed child: DER, or PEM as some serve it.
func (f *fetcher) issuer(ctx context.Context, child *x509.Certificate) (*x509.Certificate, error) {
	data, err := f.get(ctx, child.IssuingCertificateURL[0], maxIssuerSize, "", nil)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	cert, err := x509.ParseCertificate(data)
	if err != nil {
		return nil, fmt.Errorf("what is there is not a certificate: %w", err)
	}
	if !imapdial.Issued(cert, child) {
		return nil, fmt.Errorf("the certificate that is there did not sign this one: %s", cert.Subject)
	}
	return cert, nil
}

func hasKind(faults []imapdial.Fault, kinds ...imapdial.FaultKind) bool {
	for _, f := range faults {
		for _, k := range kinds {
			if f.Kind == k {
				return true
			}
		}
	}
	return false
}

// explained is the fault of an incomplete chain as the fetched issuers show it: with them a root may turn out to be unknown.
func (got *issuerFetch) explained(fault imapdial.Fault) imapdial.Fault {
	if got == nil || fault.Kind != imapdial.FaultIncompleteChain || len(got.issuers) == 0 {
		return fault
	}
	for _, f := range got.faults {
		if f.Kind == imapdial.FaultUnknownCA {
			f.Blocking = fault.Blocking
			return f
		}
	}
	return fault
}

// tellOf adds to a finding about an incomplete or unknown chain what was fetched.
func (got *issuerFetch) tellOf(f *finding.Finding, row faultRow) {
	if got == nil || row.code != "cert.incomplete-chain" && row.code != "cert.unknown-ca" {
		return
	}
	if got.url != "" {
		f.Evidence["issuer_url"] = wire.Printable(got.url)
	}
	if got.err != nil {
		f.Evidence["issuer_error"] = wire.Printable(got.err.Error())
		return
	}
	missing := []any{}
	var text strings.Builder
	for _, c := range got.issuers {
		missing = append(missing, wire.Printable(c.Subject.String()))
		pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	f.Evidence["missing"], f.Evidence["missing_pem"] = missing, text.String()
	if f.Code == "cert.incomplete-chain" && !hasKind(got.faults, imapdial.FaultIncompleteChain, imapdial.FaultUnknownCA) {
		f.Summary = fmt.Sprintf("the server does not send the certificate of its issuer: %s", missing[0])
		f.Cause = "with the missing certificate, fetched from the address in the server's own, the chain leads to a root that this computer trusts"
		f.Remedies[0].Text = fmt.Sprintf("the server's administrator has to add %s to the chain file (with ACME clients: fullchain.pem) and reload the mail server", missing[0])
	}
}
