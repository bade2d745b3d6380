package main

import (
	"github.com/imapilot-project/imapilot/probe"
	"github.com/spf13/pflag"
)

// fetchFlags let probe and preflight ask others than the servers and the name service: authorities, at addresses in certificates.
type fetchFlags struct {
	aia        bool
	revocation bool
}

func (f *fetchFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.aia, "fetch-aia", false, "fetch the issuers that a server does not send, from the address in its certificate, to name what is missing")
	fs.BoolVar(&f.revocation, "fetch-revocation", false, "ask the authorities of the certificates whether they are revoked, by OCSP or CRL over HTTP")
}

func (f fetchFlags) apply(p *probe.Prober) {
	p.FetchAIA, p.FetchRevocation = f.aia, f.revocation
}
