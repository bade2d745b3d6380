package probe

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/hello"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A subject is one endpoint of a target over one family, and all that is known of it: what the checks read.
type subject struct {
	target  *Target
	index   int               // of the target in the report
	ep      imapdial.Endpoint // Connect is the address
	family  family
	address netip.AddrPort // the first that connected, else the first tried

	addresses []netip.AddrPort // those of the family, in the resolver's order
	conn      *imapdial.Conn   // open and waiting for the sign-in, or nil
	skip      string           // why this endpoint is not examined at all, or ""
	facts     *imapdial.Facts  // nil until it was observed
	attempts  []attempt        // of TCP, in time
	banned    bool             // it answered, and later in this run went dark with all others
	noRoute   bool             // this computer's own routes do not lead there
	second    *imapdial.Facts  // of the connection that decides what a silent or closing port is, or nil

	proxied bool            // connections start elsewhere: what the kernel knows is of the way to the proxy alone
	trials  trials          // of raw hellos after a handshake that failed
	large   *imapdial.Facts // what the usual ClientHello showed, where only a small one passes: facts are of that then

	helloSize int      // octets of the usual ClientHello; 0 if none was sent
	hole      *mtuHole // large packets get lost, so that the handshake does not come about; nil: not so
	freeze    *freeze  // the connection stops before the sign-in; nil: it does not

	full      bool        // --full: versions, suites and groups are enumerated
	scan      *hello.Scan // of the enumeration; nil until it is done, or where it is not made
	scanSkip  string      // why it is not made here, or ""
	scanEnded bool        // no scan will come any more

	headerWait time.Duration // after which a listener that waits for the header of a balancer gave up, 0 for none

	path *pathSeen // nil: not looked at

	beside neighbours
	extras certExtras
	signIn signIn
	audit  audit
	idle   idleCheck
}

// neighbours is what the target's other endpoints have to do with this one.
type neighbours struct {
	otherFamily bool // the same port was reached over the other family
	usableTLS   bool // this is port 143 of imap+auto without a port, and 993 is usable
	noTLSPort   bool // this is port 143 of imap+auto without a port, and 993 cannot be reached
	summedUp    bool // this is that port 993, and imap.no-tls speaks for it
}

// finding starts a finding of this endpoint.
func (s *subject) finding(code finding.Code, summary, cause string) finding.Finding {
	f := finding.New(code, summary, cause)
	endpoint := s.ep.String()
	f.Target, f.Endpoint = &s.index, &endpoint
	f.Evidence["addresses"] = []any{s.address.String()}
	return f
}

// flag returns the full name, without dashes, of an endpoint flag for this target.
func (s *subject) flag(name string) string { return s.target.Role.prefix() + name }

// advice makes remedies of texts that no flag puts into effect.
func advice(texts ...string) []finding.Remedy {
	remedies := make([]finding.Remedy, 0, len(texts))
	for _, text := range texts {
		remedies = append(remedies, finding.Remedy{Text: text})
	}
	return remedies
}

// apply makes a remedy that a flag puts into effect; the flag's prefix is added.
func (s *subject) apply(text, flag, value string) finding.Remedy {
	return finding.Remedy{Text: text, Apply: map[string]string{s.flag(flag): value}}
}

// hostPort names the endpoint in a sentence.
func (s *subject) hostPort() string {
	return net.JoinHostPort(s.ep.Host, strconv.Itoa(int(s.ep.EffectivePort())))
}

// usable reports whether nothing rules the endpoint out before the sign-in: the policy was met, and no finding blocks.
func (s *subject) usable(findings []finding.Finding) bool {
	if s.facts == nil || !s.facts.Acceptable() {
		return false
	}
	for _, f := range findings {
		if f.Severity == finding.Block || rulesOut(f.Code) {
			return false
		}
	}
	return true
}

// portText is the endpoint's port as text.
func portText(ep imapdial.Endpoint) string { return strconv.Itoa(int(ep.EffectivePort())) }

// seconds writes a wait for a person.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
