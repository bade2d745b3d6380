package probe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A namespace is a prefix and the delimiter of the names below it (RFC 2342 section 5). Both are as on the wire; a flat one has no delimiter.
type namespace struct{ prefix, delimiter string }

// accountNamespace shows where the account's mailboxes are.
func accountNamespace(s *subject) outcome {
	a, asked := s.signIn.account.answer("NAMESPACE") // RFC 9051 section 6.3.10
	if !asked {
		return outcome{status: Skip, summary: "not applicable: the server has no NAMESPACE"}
	}
	if reason := s.unanswered(a); reason != "" {
		return outcome{status: Errored, took: a.Took, summary: "no namespaces: " + reason}
	}
	args, ok := dataOf(a, "NAMESPACE")
	personal, other, shared, err := parseNamespace(args)
	switch {
	case !ok:
		return outcome{status: Errored, took: a.Took, summary: "no namespaces: the server said OK without them"}
	case err != nil:
		return outcome{status: Errored, took: a.Took, summary: "no namespaces: " + err.Error()}
	}
	out := outcome{took: a.Took, facts: map[string]any{
		"personal": namespaceFacts(personal), "other_users": namespaceFacts(other), "shared": namespaceFacts(shared)}}
	out.summary = "the server names no personal namespace"
	if len(personal) > 0 {
		out.summary = fmt.Sprintf("mailboxes are below %q, delimiter %q", personal[0].prefix, personal[0].delimiter)
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
