package wire

import "strings"

// A Response is one line from a server, taken apart (RFC 9051 section 7).
type Response struct {
	Tag    string // "*", "+" or the tag of a command; "" for the zero Response
	Status string // OK, NO, BAD, BYE, PREAUTH in upper case; "" for data and for "+"
	Code   string // the response code's name in upper case, without brackets, or ""
	Arg    string // what follows the name inside the brackets, printable
	Text   string // what a person is meant to read, printable; the whole of it for data and "+"
	Raw    string // the line without CRLF, literals folded to {n}, printable
}

// ParseResponse takes a line without CRLF apart. It accepts anything: what is not a status response is data,
// and a line that does not even start with a tag has the line as its Text and no Tag.
func ParseResponse(line string) Response {
	r := Response{Raw: Printable(line)}
	tag, rest, ok := strings.Cut(line, " ")
	switch {
	case tag == "+": // RFC 9051 section 7.6; the text may be missing
		return Response{Tag: "+", Text: Printable(rest), Raw: r.Raw}
	case !ok || !validTag(tag):
		r.Text = r.Raw
		return r
	}
	r.Tag = tag
	status, text, _ := strings.Cut(rest, " ")
	switch s := strings.ToUpper(status); s {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		r.Status = s
		r.Code, r.Arg, text = splitCode(text)
		r.Text = Printable(text)
	default:
		r.Text = Printable(rest)
	}
	return r
}

// splitCode takes a response code off the front of text (RFC 9051 section 7.1). A "[" without its
// "]" is text, as some servers write it.
func splitCode(text string) (code, arg, rest string) {
	if !strings.HasPrefix(text, "[") {
		return "", "", text
	}
	inside, rest, ok := strings.Cut(text[1:], "]")
	if !ok {
		return "", "", text
	}
	code, arg, _ = strings.Cut(inside, " ")
	return Printable(strings.ToUpper(code)), Printable(arg), strings.TrimPrefix(rest, " ")
}

// validTag reports whether s can be a tag or "*": printable ASCII without what RFC 9051 section 9 takes out.
func validTag(s string) bool {
	if s == "*" {
		return true
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`(){%*"\+`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// Data returns the arguments of untagged data named name, such as CAPABILITY, and whether the
// response is that.
func (r Response) Data(name string) (args string, ok bool) {
	if r.Tag != "*" || r.Status != "" {
		return "", false
	}
	word, args, _ := strings.Cut(r.Text, " ")
	return args, strings.EqualFold(word, name)
}

// Capabilities returns the capabilities that the response lists, as data or as a code, and whether it lists any
// (RFC 9051 sections 7.1 and 7.2.2).
func (r Response) Capabilities() ([]string, bool) {
	list, ok := r.Data("CAPABILITY")
	if !ok && r.Code == "CAPABILITY" {
		list, ok = r.Arg, true
	}
	if !ok {
		return nil, false
	}
	caps := strings.Fields(list)
	if len(caps) > maxCapabilities {
		caps = caps[:maxCapabilities]
	}
	return caps, true
}

// maxCapabilities bounds a list that goes into reports; the longest seen in the wild has 80.
const maxCapabilities = 500
