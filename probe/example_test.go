package probe_test

import (
	"context"
	"fmt"
	"log"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

func ExampleProber_Run() {
	// A server with an authority of its own, which this computer does not know.
	ca := imaptest.NewCA("Example CA")
	server, err := imaptest.Start(imaptest.Config{Security: imaptest.TLS, Certificate: ca.Issue(imaptest.Leaf{Direct: true})})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	target, err := probe.ParseTarget(fmt.Sprintf("imaps://%s", server.Address()))
	if err != nil {
		log.Fatal(err)
	}
	target.TLS.CAs = ca.RootPEM()
	outcome, err := new(probe.Prober).Run(context.Background(), target)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcome.Report.Verdict, outcome.Report.Targets[0].Recommended.Security)
	// Output: ready tls
}
