package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"golang.org/x/crypto/ocsp"
)

// The bounds of what authorities serve: an answer about one certificate, and lists of many.
const (
	maxOCSPSize = 64 << 10
	maxCRLSize  = 16 << 20
)

// revocationFetch is what an authority said when it was asked (--fetch-revocation).
type revocationFetch struct {
	source string // "ocsp" or "crl"; "" when there was nobody to ask
	url    string
	said   imapdial.Revocation
	err    error
}

// fetchRevocation asks the responder that the certificate names, and where that tells nothing, the list.
func (t *targetRun) fetchRevocation(ctx context.Context, s *subject) *revocationFetch {
	leaf, issuer := s.facts.TLS.Chain[0], s.facts.TLS.Issuer
	if issuer == nil {
		return &revocationFetch{err: errors.New("the certificate's issuer is not known")}
	}
	got := &revocationFetch{err: errors.New("the certificate names neither a responder nor a list")}
	f := t.fetcher(s.address.Addr())
	if len(leaf.OCSPServer) > 0 {
		got = &revocationFetch{source: "ocsp", url: leaf.OCSPServer[0]}
		got.said, got.err = f.askOCSP(ctx, got.url, leaf, issuer, t.prober.now())
	}
	if got.err != nil && len(leaf.CRLDistributionPoints) > 0 {
		got = &revocationFetch{source: "crl", url: leaf.CRLDistributionPoints[0]}
		got.said, got.err = f.askCRL(ctx, got.url, leaf, issuer, t.prober.now())
	}
	return got
}

// askOCSP posts a request (RFC 6960 appendix A.1).
func (f *fetcher) askOCSP(ctx context.Context, url string, leaf, issuer *x509.Certificate, now time.Time) (imapdial.Revocation, error) {
	request, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return imapdial.Revocation{}, err
	}
	answer, err := f.get(ctx, url, maxOCSPSize, "application/ocsp-request", request)
	if err != nil {
		return imapdial.Revocation{}, err
	}
	return imapdial.JudgeOCSP(answer, leaf, issuer, now)
}

func (f *fetcher) askCRL(ctx context.Context, url string, leaf, issuer *x509.Certificate, now time.Time) (imapdial.Revocation, error) {
	list, err := f.get(ctx, url, maxCRLSize, "", nil)
	if err != nil {
		return imapdial.Revocation{}, err
	}
	return imapdial.JudgeCRL(list, leaf, issuer, now)
}

// certRevocation judges what is known of the certificate being withdrawn: the stapled OCSP answer, and with --fetch-revocation what the authority
// says itself. That nobody could be asked is no fault of the server.
func certRevocation(s *subject) outcome {
	stapled, asked := len(s.facts.TLS.State.OCSPResponse) > 0, s.extras.revocation
	facts := map[string]any{"stapled": stapled}
	good := "the stapled OCSP answer says that the certificate is not revoked"
	if asked != nil {
		facts["source"], facts["url"] = asked.source, wire.Printable(asked.url)
		if asked.err != nil {
			facts["error"] = wire.Printable(asked.err.Error())
		} else {
			facts["updated"] = asked.said.Updated.UTC().Format(time.RFC3339)
			good = fmt.Sprintf("the authority says that the certificate is not revoked (%s)", map[string]string{"ocsp": "OCSP", "crl": "CRL"}[asked.source])
		}
	}
	out := s.certOutcome("cert.revocation", good, facts)
	switch {
	case len(out.findings) > 0:
	case asked != nil && asked.err != nil && !stapled:
		out.status, out.summary = Skip, "not known: "+wire.Printable(asked.err.Error())
	case asked == nil && !stapled:
		out.status, out.summary = Skip, "not applicable: no OCSP answer is stapled"
	}
	return out
}

// tell adds to the finding of a revoked certificate who said so.
func (got *revocationFetch) tell(f *finding.Finding) {
	if got == nil || f.Code != "cert.revoked" {
		return
	}
	f.Evidence["source"], f.Evidence["url"] = got.source, wire.Printable(got.url)
}
