package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// accountGate lets the checks of the account follow the sign-in.
func accountGate(s *subject) (Result, bool) {
	switch s.signIn.phase {
	case signInUndecided:
		return Result{}, true
	case signInElsewhere:
		return Result{Status: Skip, Summary: "not applicable: the sign-in is tried on the recommended endpoint"}, true
	}
	return Result{}, false
}

// accountCapability lists what the server offers after sign-in.
func accountCapability(s *subject) outcome {
	caps := s.signIn.capabilities
	return outcome{
		summary: fmt.Sprintf("the server lists %s after sign-in", count(len(caps), "capability", "capabilities")),
		facts:   map[string]any{"count": len(caps)},
	}
}

// A namespaceAnswer is what came of the NAMESPACE command. The zero value: it was not sent.
type namespaceAnswer struct {
	asked    bool
	personal []namespace
	other    []namespace
	shared   []namespace
	refusal  string // the server's words, or ""
	err      error  // of the connection, which is of no use then
}

// A namespace is a prefix and the delimiter of the names below it (RFC 2342 section 5). Both are as on the wire; a flat one has no delimiter.
type namespace struct{ prefix, delimiter string }

// askNamespace asks for the namespaces.
func askNamespace(ctx context.Context, session *imapdial.Session) namespaceAnswer {
	a := namespaceAnswer{asked: true}
	untagged, tagged, err := session.Do(ctx, "NAMESPACE") // RFC 9051 section 6.3.10
	switch {
	case err != nil:
		a.err = err
		return a
	case tagged.Status != "OK":
		a.refusal = serverWords(tagged)
		return a
	}
	for _, r := range untagged {
		if args, ok := r.Data("NAMESPACE"); ok {
			if a.personal, a.other, a.shared, err = parseNamespace(args); err != nil {
				a.refusal = err.Error()
			}
			return a
		}
	}
	a.refusal = "OK without the namespaces"
	return a
}

// accountNamespace shows where the account's mailboxes are.
func accountNamespace(s *subject) outcome {
	a := s.signIn.namespace
	switch {
	case !a.asked:
		return outcome{status: Skip, summary: "not applicable: the server has no NAMESPACE"}
	case a.err != nil:
		return outcome{status: Errored, summary: "the connection ended at NAMESPACE: " + errorText(a.err)}
	case a.refusal != "":
		return outcome{status: Errored, summary: "no namespaces; the server said: " + wire.Printable(a.refusal)}
	}
	out := outcome{facts: map[string]any{"personal": namespaceFacts(a.personal), "other_users": namespaceFacts(a.other), "shared": namespaceFacts(a.shared)}}
	out.summary = "the server names no personal namespace"
	if len(a.personal) > 0 {
		out.summary = fmt.Sprintf("mailboxes are below %q, delimiter %q", a.personal[0].prefix, a.personal[0].delimiter)
	}
	return out
}

func namespaceFacts(list []namespace) []any {
	facts := make([]any, 0, len(list))
	for _, n := range list {
		facts = append(facts, map[string]any{"prefix": wire.Printable(n.prefix), "delimiter": wire.Printable(n.delimiter)})
	}
	return facts
}

// maxNamespaces bounds what a server can make us keep; shared servers list one for each department.
const maxNamespaces = 1000

// parseNamespace reads the three lists of a NAMESPACE response (RFC 2342 section 6). Extensions inside a namespace are skipped.
func parseNamespace(args string) (personal, other, shared []namespace, err error) {
	p := &namespaceParser{rest: args}
	lists := make([][]namespace, 3)
	for i := range lists {
		if lists[i], err = p.list(); err != nil {
			return nil, nil, nil, err
		}
	}
	return lists[0], lists[1], lists[2], nil
}

type namespaceParser struct{ rest string }

var errNamespace = errors.New("a NAMESPACE response that cannot be read")

// skip takes token off the front, white space before it too, and reports whether it was there.
func (p *namespaceParser) skip(token string) bool {
	rest := strings.TrimLeft(p.rest, " ")
	if len(rest) < len(token) || !strings.EqualFold(rest[:len(token)], token) {
		return false
	}
	p.rest = rest[len(token):]
	return true
}

// list reads NIL or a list of namespaces.
func (p *namespaceParser) list() ([]namespace, error) {
	if p.skip("NIL") {
		return nil, nil
	}
	if !p.skip("(") {
		return nil, errNamespace
	}
	var list []namespace
	for !p.skip(")") {
		if len(list) == maxNamespaces || !p.skip("(") {
			return nil, errNamespace
		}
		prefix, ok := p.quoted()
		if !ok {
			return nil, errNamespace
		}
		delimiter := ""
		if !p.skip("NIL") {
			if delimiter, ok = p.quoted(); !ok {
				return nil, errNamespace
			}
		}
		if !p.closeExtensions() {
			return nil, errNamespace
		}
		list = append(list, namespace{prefix, delimiter})
	}
	return list, nil
}

// quoted reads a quoted string.
func (p *namespaceParser) quoted() (string, bool) {
	if !p.skip(`"`) {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case '\\':
			if i++; i == len(p.rest) {
				return "", false
			}
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// closeExtensions skips extension data up to the parenthesis that closes the namespace.
func (p *namespaceParser) closeExtensions() bool {
	for depth := 0; ; {
		p.rest = strings.TrimLeft(p.rest, " ")
		switch {
		case p.rest == "":
			return false
		case p.rest[0] == '"':
			if _, ok := p.quoted(); !ok {
				return false
			}
		case p.rest[0] == '(':
			depth++
			p.rest = p.rest[1:]
		case p.rest[0] == ')':
			p.rest = p.rest[1:]
			if depth == 0 {
				return true
			}
			depth--
		default:
			p.rest = p.rest[1:]
		}
	}
}
