package finding

import (
	"embed"
	"slices"
	"strings"
)

// An Entry is what is known of a code before anything was found.
type Entry struct {
	Code        Code
	Severity    Severity    // the one it is raised with unless the evidence says otherwise
	Responsible Responsible // likewise
	Title       string      // at most 40 characters, as a heading
	Ref         string      // the standard it rests on, or ""
}

// catalogue lists the codes in the order of the connection. To add a code, add
// its row here and its text as explain/CODE.txt; the tests hold both against
// testdata/contract-codes.txt.
var catalogue = []Entry{
	{"input.invalid-host", Block, You, "not a host name or address", "RFC 1123 section 2.1"},
	{"input.email-as-host", Block, You, "a mail address where a host belongs", ""},
	{"input.mode-port-mismatch", Block, You, "the port speaks the other mode", "RFC 8314 section 3.2"},
	{"pair.same-mailbox", Block, You, "source and destination are the same", "RFC 8474 section 4"},

	{"dns.nxdomain", Block, DNS, "the name does not exist", "RFC 2308 section 2.1"},
	{"dns.no-address", Block, DNS, "the name has no address", "RFC 2308 section 2.2"},
	{"dns.servfail", Block, DNS, "the name could not be looked up", "RFC 1035 section 4.1.1"},
	{"dns.refused", Block, DNS, "the resolver refuses to answer", "RFC 1035 section 4.1.1"},
	{"dns.timeout", Block, DNS, "no resolver answers", "RFC 1035 section 4.2.1"},
	{"dns.dnssec-broken", Block, DNS, "the domain's DNSSEC is broken", "RFC 4035 section 5.5"},
	{"dns.split-horizon", Warn, DNS, "another address here than elsewhere", "RFC 6761 section 4"},
	{"dns.srv-declined", Warn, DNS, "the domain says: no IMAP here", "RFC 6186 section 3.4"},
	{"dns.srv-suggests", Info, DNS, "the domain names another server", "RFC 6186 section 3.2"},
	{"dns.tlsa-mismatch", High, DNS, "not the certificate that the DNS names", "RFC 7671 section 5"},
	{"dns.tlsa-unsigned", Info, DNS, "certificate records without DNSSEC", "RFC 7671 section 4.1"},

	{"net.refused", Block, Server, "nothing listens on the port", "RFC 9293 section 3.5.2"},
	{"net.refused-by-hop", Block, Path, "a device on the way refuses", "RFC 3360"},
	{"net.port-unreachable", Block, Path, "a firewall imitates a closed port", "RFC 1122 section 3.2.2.1"},
	{"net.admin-prohibited", Block, Unknown, "a rule on the way forbids it", "RFC 1812 section 5.2.7.1"},
	{"net.host-unreachable", Block, Unknown, "the host cannot be reached", "RFC 1812 section 5.2.7.1"},
	{"net.network-unreachable", Block, Unknown, "the network cannot be reached", "RFC 1812 section 5.2.7.1"},
	{"net.dropped", Block, Unknown, "no answer at all", ""},
	{"net.local-firewall", Block, ThisComputer, "a filter on this computer refuses", ""},
	{"net.local-route", Block, ThisComputer, "this computer has no route", ""},
	{"net.egress-blocked", Block, LocalNetwork, "this network blocks the port for all", ""},
	{"net.ipv6-dead", Warn, Unknown, "the IPv6 address does not answer", "RFC 8305 section 5"},
	{"net.ipv4-dead", Warn, Unknown, "the IPv4 address does not answer", "RFC 8305 section 5"},
	{"net.flaky", Warn, Server, "some connections get lost", ""},
	{"net.connection-limit", Warn, Unknown, "a limit of connections", ""},
	{"net.captive-portal", Block, LocalNetwork, "this network answers for every server", "RFC 8952"},
	{"net.intercepted", High, LocalNetwork, "someone nearer answers", ""},
	{"net.redirected", Warn, Path, "sent on to another server", "RFC 2663 section 4.1"},
	{"net.hello-reset", Block, Unknown, "reset as soon as TLS starts", "RFC 3360"},
	{"net.hello-dropped", Block, Unknown, "the start of TLS gets lost", "RFC 9293 section 3.8"},
	{"net.large-hello-dropped", High, Unknown, "only a short start of TLS passes", "RFC 8446 section 4.1.2"},
	{"net.mtu-black-hole", Block, Path, "large packets get lost", "RFC 2923 section 2.1"},
	{"net.idle-cut", Warn, Unknown, "idle connections are forgotten", "RFC 5382 section 5"},
	{"net.freezes", Block, Path, "the connection stops after a while", ""},
	{"net.banned", Block, Unknown, "this run's connections are shut out", ""},

	{"imap.silent", Block, Server, "accepts and says nothing", "RFC 9051 section 2.2"},
	{"imap.closed-at-once", Block, Server, "closes before the greeting", "RFC 9051 section 2.2"},
	{"imap.bye", Block, Server, "greets with BYE", "RFC 9051 section 7.1.5"},
	{"imap.wrong-protocol", Block, Server, "another protocol on this port", "RFC 9051 section 2.2"},
	{"imap.not-imap", Block, Server, "the answer is not IMAP", "RFC 9051 section 7.1"},
	{"imap.slow-greeting", Info, Server, "the greeting takes over five seconds", ""},
	{"imap.preauth", High, Server, "signed in before TLS (PREAUTH)", "RFC 9051 section 7.1.4"},
	{"imap.cleartext-login", Warn, Server, "takes passwords without TLS", "RFC 9051 section 6.2.3"},
	{"imap.no-tls", Block, Server, "no TLS on any port", "RFC 8314 section 4"},
	{"imap.refuses-commands", Block, Server, "greets, then refuses every command", "RFC 9051 section 6.1"},
	{"imap.proxy-header-expected", Block, Server, "waits for a header of a balancer", ""},

	{"starttls.absent", Block, Server, "STARTTLS is not offered", "RFC 9051 section 6.2.1"},
	{"starttls.stripped", High, Path, "STARTTLS is removed on the way", "RFC 7457 section 2.1"},
	{"starttls.hidden", Warn, Server, "STARTTLS works but is not listed", "RFC 9051 section 6.2.1"},
	{"starttls.refused", Block, Server, "STARTTLS is listed, then refused", "RFC 9051 section 6.2.1"},
	{"starttls.no-answer", Block, Server, "no answer to STARTTLS", "RFC 9051 section 6.2.1"},
	{"starttls.injection", High, Server, "data before the TLS handshake", "RFC 9051 section 6.2.1"},
	{"starttls.command-injection", High, Server, "takes commands from before TLS", "RFC 9051 section 6.2.1"},

	{"tls.version-too-old", Block, Server, "only TLS 1.1 or older", "RFC 8997"},
	{"tls.no-common-cipher", Block, Server, "no common cipher suite", "RFC 9325 section 4.2"},
	{"tls.no-common-group", Block, Server, "no common key exchange group", "RFC 8446 section 4.2.7"},
	{"tls.name-rejected", Block, Server, "the server does not know the name", "RFC 6066 section 3"},
	{"tls.handshake-failed", Block, Server, "the TLS handshake failed", "RFC 8446 section 6.2"},
	{"tls.legacy-version", Warn, Server, "old TLS versions are still enabled", "RFC 8996"},
	{"tls.weak-cipher", Warn, Server, "weak cipher suites are enabled", "RFC 9325 section 4.1"},
	{"tls.dhe-aborts", Warn, Server, "the server breaks off when DHE is chosen", "RFC 9325 section 4.1"},
	{"tls.client-certificate-required", Block, Server, "wants a certificate of the client", "RFC 8446 section 4.3.2"},
	{"tls.alpn-rejected", Info, Server, "refuses the ALPN protocol imap", "RFC 7301 section 3.2"},
	{"tls.sni-required", Block, Server, "wants to be asked by name", "RFC 6066 section 3"},
	{"tls.key-type-unsupported", Block, Server, "the key is of a kind not supported here", "RFC 8446 section 4.2.3"},

	{"cert.expired", Block, Server, "the certificate has ended", "RFC 5280 section 4.1.2.5"},
	{"cert.not-yet-valid", Block, Server, "the certificate is not valid yet", "RFC 5280 section 4.1.2.5"},
	{"cert.intermediate-expired", Block, Server, "a certificate of the chain has ended", "RFC 5280 section 6.1.3"},
	{"cert.self-signed", Block, Server, "the certificate is self-signed", "RFC 5280 section 6.1"},
	{"cert.unknown-ca", Block, Server, "the authority is not trusted here", "RFC 5280 section 6.1"},
	{"cert.incomplete-chain", Block, Server, "a certificate of the chain is missing", "RFC 8446 section 4.4.2"},
	{"cert.name-mismatch", Block, Server, "the certificate is for another name", "RFC 7817 section 3"},
	{"cert.common-name-only", Block, Server, "the name is in the common name only", "RFC 9525 appendix A"},
	{"cert.bad-usage", Block, Server, "not a certificate for TLS servers", "RFC 5280 section 4.2.1.12"},
	{"cert.constraint", Block, Server, "the authority may not issue this", "RFC 5280 section 4.2.1.10"},
	{"cert.unknown-critical-extension", Block, Server, "an unknown critical extension", "RFC 5280 section 4.2"},
	{"cert.unparsable", Block, Server, "the certificate cannot be read", "RFC 5280 section 4.1"},
	{"cert.imitated-issuer", Block, Server, "a known issuer's name, another key", "RFC 5280 section 6.1.3"},
	{"cert.revoked", Block, Server, "the certificate is revoked", "RFC 6960 section 2.2"},
	{"cert.pin-mismatch", Block, Server, "not the pinned key", "RFC 7469 section 2.4"},
	{"cert.weak-key", Block, Server, "the key is too weak", "RFC 9325 section 4.5"},
	{"cert.weak-signature", Block, Server, "signed with a broken digest", "RFC 8446 section 4.4.2.4"},
	{"cert.expires-soon", Warn, Server, "the certificate ends soon", "RFC 5280 section 4.1.2.5"},
	{"cert.chain-order", Info, Server, "the chain is out of order", "RFC 8446 section 4.4.2"},
	{"cert.extra-certificates", Info, Server, "more certificates than needed", "RFC 8446 section 4.4.2"},
	{"cert.ocsp-stale", Warn, Server, "the stapled answer is out of date", "RFC 6960 section 3.2"},
	{"cert.ocsp-untrusted", Warn, Server, "the stapled answer is not trusted", "RFC 6960 section 4.2.2.2"},
	{"cert.must-staple-missing", High, Server, "the promised staple is missing", "RFC 7633"},
	{"cert.ports-differ", Warn, Server, "993 and 143 show different certificates", ""},
	{"cert.private-ca", Info, Server, "an authority that only this store has", "RFC 5280 section 6.1.1"},
	{"cert.inspection", High, LocalNetwork, "TLS is opened on the way", ""},
	{"local.no-roots", Block, ThisComputer, "this computer trusts no authority", "RFC 5280 section 6.1.1"},
	{"local.clock-wrong", Block, ThisComputer, "this computer's clock is wrong", "RFC 5280 section 6.1.3"},

	{"auth.failed", Block, AccountHolder, "user or password refused", "RFC 5530 section 3"},
	{"auth.contact-admin", Block, AccountHolder, "the administrator has to be asked", "RFC 5530 section 3"},
	{"auth.expired", Block, AccountHolder, "the password has run out", "RFC 5530 section 3"},
	{"auth.unavailable", Block, Server, "passwords cannot be checked now", "RFC 5530 section 3"},
	{"auth.limit", Block, AccountHolder, "a limit of connections was reached", "RFC 5530 section 3"},
	{"auth.alert", Block, AccountHolder, "refused with a message to the person", "RFC 9051 section 7.1"},
	{"auth.web-login", Block, AccountHolder, "a sign-in by web browser is wanted", ""},
	{"auth.app-password", Block, AccountHolder, "an app password is wanted", ""},
	{"auth.protocol-disabled", Block, AccountHolder, "IMAP is switched off", ""},
	{"auth.login-disabled", Block, Server, "no passwords on this connection", "RFC 9051 section 6.2.3"},
	{"auth.oauth-required", Block, AccountHolder, "only OAuth tokens are accepted", "RFC 7628"},
	{"auth.token-rejected", Block, You, "the OAuth token was refused", "RFC 7628 section 3.2.2"},
	{"auth.no-mechanism", Block, Server, "no common way of signing in", "RFC 9051 section 6.2.2"},
	{"auth.interrupted", Block, AccountHolder, "the sign-in was cut off", ""},
	{"auth.secret-whitespace", Warn, You, "a blank around the password", "RFC 8265 section 4.2"},
	{"auth.password-encoding", Warn, AccountHolder, "letters outside ASCII in the password", "RFC 9755"},

	{"account.over-quota", Block, AccountHolder, "the account is full", "RFC 9208 section 4.1.1"},
	{"account.read-only", Block, AccountHolder, "nothing can be written", "RFC 4314 section 4"},
	{"account.no-mailbox", Block, AccountHolder, "signed in, and no mailbox there", "RFC 9051 section 3.2"},
	{"account.id-required", Block, AccountHolder, "nothing opens to an unknown client", "RFC 2971"},
	{"account.traffic-limit", Block, AccountHolder, "too much traffic: come back later", ""},
	{"account.connection-limit", Info, AccountHolder, "the most connections at a time", ""},

	{"pair.quota-too-small", Block, AccountHolder, "not enough room for the mail", "RFC 9208 section 3.1"},
	{"pair.message-too-big", Warn, AccountHolder, "messages above the size limit", "RFC 7889"},
	{"pair.name-changed", Info, AccountHolder, "a folder gets another name", "RFC 9051 section 5.1.1"},
	{"pair.name-collision", Block, You, "two folders would become one", "RFC 9051 section 5.1"},
	{"pair.flags-lost", Info, AccountHolder, "flags that are not kept there", "RFC 9051 section 7.1"},
	{"pair.capability-missing", Info, AccountHolder, "an extension is missing", "RFC 9051 section 6.1.1"},
	{"pair.certificate-ends-before-copy", Warn, AccountHolder, "a certificate ends during the copy", "RFC 5280 section 4.1.2.5"},
	{"pair.name-refused", Warn, AccountHolder, "a folder's name is not possible there", "RFC 9051 section 6.3.4"},
	{"pair.uids-unreliable", Warn, AccountHolder, "message numbers do not last", "RFC 9051 section 2.3.1.1"},
}

var byCode = func() map[Code]Entry {
	m := make(map[Code]Entry, len(catalogue))
	for _, e := range catalogue {
		m[e.Code] = e
	}
	return m
}()

//go:embed explain/*.txt
var explain embed.FS

// Lookup returns the catalogue's entry for code.
func Lookup(code Code) (Entry, bool) {
	e, ok := byCode[code]
	return e, ok
}

// Catalogue returns every entry, in the order of the connection. The slice is the caller's.
func Catalogue() []Entry { return slices.Clone(catalogue) }

// Explain returns the long text of code: what it means, how it comes about,
// what to do as the user, as the server's administrator and as the network's
// administrator, and how to see it without imapilot. Lines have at most 78
// columns; HOST and PORT stand for the server's.
func Explain(code Code) (string, bool) {
	// The lookup first: a code must not become a path.
	if _, ok := byCode[code]; !ok {
		return "", false
	}
	text, err := explain.ReadFile("explain/" + string(code) + ".txt")
	if err != nil {
		return "", false
	}
	return strings.TrimRight(string(text), "\n"), true
}
