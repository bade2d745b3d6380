package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/hello"
)

// byTrials tells why the handshake failed by what raw hellos showed; known is false when they showed nothing.
func (s *subject) byTrials() (f finding.Finding, known bool) {
	t := s.trials
	switch {
	case !t.explains(s.oldest()):
		return f, false
	case t.best < s.oldest() && t.best != 0:
		f = s.versionTooOld()
		f.Evidence["best_version"] = t.best.String()
		f.Summary = fmt.Sprintf("%s speaks nothing newer than %s", s.hostPort(), protocolName(t.best))
		if t.best >= hello.TLS10 {
			f.Remedies = append(f.Remedies, finding.Remedy{Text: "if it cannot be upgraded now, --legacy-tls permits TLS 1.0 and 1.1 for one run; others on the way may be able to read it then",
				Apply: map[string]string{"legacy-tls": "true"}})
		}
	case t.key != nil && !t.key.Acceptable():
		f = s.keyUnsupported(*t.key)
	case t.cipher != 0:
		f = s.noCommonCipher()
		f.Evidence["cipher_suite"] = t.cipher.String()
		f.Cause += ", such as " + t.cipher.String()
	case t.group != 0:
		f = s.noCommonGroup()
		f.Evidence["group"] = t.group.String()
		f.Cause += ", such as " + t.group.String()
	case t.scheme:
		f = s.keyUnsupported(hello.Key{Name: "unknown"})
		f.Summary = s.hostPort() + " has no signature scheme in common with imapilot"
	case t.name:
		f = s.nameRequired()
	default:
		f = s.clientCertificate()
		f.Certainty = finding.Likely // it asks, and the handshake fails: that it insists is not said
	}
	return f, true
}

// keyUnsupported blames the key of the certificate.
func (s *subject) keyUnsupported(key hello.Key) finding.Finding {
	if key.Supported {
		return s.keySize()
	}
	f := s.tlsFinding("tls.key-type-unsupported", fmt.Sprintf("the certificate of %s has a key that is not supported here: %s", s.hostPort(), key.Name),
		"the kind of key is rare: most clients support RSA and the curves P-256, P-384 and P-521, and no others",
		"the server's administrator has to have the certificate issued for an RSA key of 2048 bits or an EC key of P-256")
	f.Evidence["key_type"] = strings.ToLower(key.Name)
	f.Reproduce = []string{s.openssl("-tls1_2")}
	return f
}

// helloDropped is for a ClientHello that the other side's system never acknowledged.
func (s *subject) helloDropped() finding.Finding {
	f := s.tlsFinding("net.hello-dropped", s.hostPort()+" accepts the connection, and the ClientHello never arrives",
		"a firewall drops packets in which it sees TLS or this server's name, or packets of this size get lost on the way",
		"try from another network: if it works there, this network drops the packets",
		"ask the administrators of this network about filters for TLS, and about the MTU of a VPN or tunnel on the way")
	f.Certainty = finding.Likely
	f.Evidence["retransmits"] = int(s.facts.TCP.Retransmits)
	s.tellHelloPath(&f)
	return f
}

// largeHelloDropped is for a path, or a server, that takes only small ClientHellos: with settings that work, or without.
func (s *subject) largeHelloDropped() finding.Finding {
	usual := s.facts.Err
	how := "takes only a ClientHello of under 256 octets, and those of imapilot are longer"
	if s.large != nil {
		usual = s.large.Err
		how = "does not take the usual ClientHello of 1500 octets, and takes one of 300"
	}
	f := s.tlsFinding("net.large-hello-dropped", s.hostPort()+" "+how,
		"a firewall or balancer, on the way or before the server, reads only the first packet of a ClientHello, and drops or resets the rest")
	if s.large != nil {
		f.Remedies = advice("nothing is needed for this job: it leaves the post-quantum key exchange out, which makes the ClientHello short")
		f.Evidence["groups"] = anyList(strings.Fields(s.ep.TLS.Groups))
	}
	f.Remedies = append(f.Remedies, advice("try from another network: if it works there, a device of this network is the cause",
		"the administrator of the server or of this network has to update the device that looks into TLS, or to take this port out of its rules")...)
	f.Certainty = finding.Likely
	switch {
	case usual == nil:
	case isTimeout(usual.Err), errors.Is(usual.Err, context.Canceled): // the small one was answered first
		f.Evidence["error"] = "no answer"
	default:
		f.Evidence["error"] = errorText(usual.Err)
	}
	f.Reproduce = []string{s.openssl("-groups", "X25519MLKEM768"), s.openssl("-groups", "X25519")}
	return f
}
