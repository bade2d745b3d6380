package main

import (
	"os"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	miekg "github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdZone starts a name server with the records of a file, variables in it expanded, and sets RESOLVER to its address. The names fails.test, refused.test and
// silent.test go wrong in the way they say: zone FILE
func cmdZone(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: zone FILE")
	}
	n, err := faulty.ServeNames(faulty.Zone{
		Records: strings.Split(strings.TrimSpace(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), "\n"),
		Rcode:   map[string]int{"fails.test": miekg.RcodeServerFailure, "refused.test": miekg.RcodeRefused},
		Bogus:   map[string]uint16{"bogus.test": miekg.ExtendedErrorCodeSignatureExpired},
		Silent:  map[string]bool{"silent.test": true},
	})
	ts.Check(err)
	ts.Defer(n.Close)
	ts.Setenv("RESOLVER", n.Address)
}
