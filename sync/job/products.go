package job

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A product is a server software as far as it could be told; "" is any other.
type product string

const (
	dovecot product = "Dovecot"
	cyrus   product = "Cyrus"
	courier product = "Courier"
)

// productOf tells the product from the greeting, or from capabilities that only one has.
func productOf(greeting string, capabilities []string) product {
	for _, p := range []product{dovecot, cyrus, courier} {
		if strings.Contains(strings.ToLower(greeting), strings.ToLower(string(p))) {
			return p
		}
	}
	for _, c := range capabilities {
		switch strings.ToUpper(c) {
		case "SNIPPET=FUZZY":
			return dovecot
		case "X-REPLICATION", "X-SIEVE-MAILBOX":
			return cyrus
		case "ACL2=UNION":
			return courier
		}
	}
	return ""
}

// A name is the name of a mailbox, taken apart.
type name struct {
	levels    []string // below the prefix of the namespace
	delimiter string   // "" without hierarchy
	whole     string
	encodable error // why no command can carry it, or nil
}

func newName(s string, l *mailsync.Listing) name {
	n := name{whole: s, encodable: wire.CheckMailbox(s), levels: []string{strings.TrimPrefix(s, l.Prefix)}}
	if l.Delimiter != 0 {
		n.delimiter = string(l.Delimiter)
		n.levels = strings.Split(n.levels[0], n.delimiter)
	}
	return n
}

// any reports whether some level has one of these characters.
func (n name) any(characters string) bool {
	return slices.ContainsFunc(n.levels, func(l string) bool { return strings.ContainsAny(l, characters) })
}

// octets is how long a part of a name is as the server has it, in modified UTF-7.
func octets(part string) int { return len(wire.EncodeUTF7(part)) }

// A nameRule is a limit that servers have for names.
type nameRule struct {
	breaks func(name) bool
	why    func(name) string
	// how certain it is, by product. The one of "" holds for those that are not listed, where there is one.
	products map[product]finding.Certainty
}

func (r nameRule) certainty(p product) finding.Certainty {
	if c, ok := r.products[p]; ok {
		return c
	}
	return r.products[""]
}

func because(text string) func(name) string { return func(name) string { return text } }

// nameRules are what the products were seen to refuse: Dovecot 2.3.19 with Maildir and sdbox, Cyrus 3.6.1, Courier 5.0.13.
// A product that was seen to accept something has the certainty "" for it.
var nameRules = []nameRule{
	{
		breaks:   func(n name) bool { return n.encodable != nil },
		why:      func(n name) string { return n.encodable.Error() },
		products: map[product]finding.Certainty{"": finding.Certain},
	},
	{
		breaks:   func(n name) bool { return slices.Contains(n.levels, "") },
		why:      because("a part of it is empty"),
		products: map[product]finding.Certainty{dovecot: finding.Likely, courier: finding.Likely, cyrus: "", "": finding.Possible},
	},
	{
		breaks:   func(n name) bool { return slices.ContainsFunc(n.levels, hasControl) },
		why:      because("a control character"),
		products: map[product]finding.Certainty{dovecot: finding.Likely, cyrus: finding.Likely, courier: "", "": finding.Possible},
	},
	{
		// A level is a folder on disk, whose name has at most 255 octets.
		breaks: func(n name) bool {
			return slices.ContainsFunc(n.levels, func(l string) bool { return octets(l) > 255 })
		},
		why:      func(n name) string { return fmt.Sprintf("%d octets as encoded", octets(n.whole)) },
		products: map[product]finding.Certainty{dovecot: finding.Likely, courier: finding.Likely, cyrus: "", "": finding.Possible},
	},
	{
		// Maildir++ has the whole name in one folder, with a dot before it.
		breaks:   func(n name) bool { return octets(strings.Join(n.levels, ".")) > 254 },
		why:      func(n name) string { return fmt.Sprintf("%d octets as encoded", octets(n.whole)) },
		products: map[product]finding.Certainty{dovecot: finding.Possible, courier: finding.Likely},
	},
	{
		breaks:   func(n name) bool { return octets(n.whole) > 490 }, // MAX_MAILBOX_NAME
		why:      func(n name) string { return fmt.Sprintf("%d octets as encoded", octets(n.whole)) },
		products: map[product]finding.Certainty{cyrus: finding.Likely},
	},
	{
		breaks:   func(n name) bool { return n.any("%\\\"{};<>!|`") },
		why:      because("one of the characters % \\ \" { } ; < > ! | `"),
		products: map[product]finding.Certainty{cyrus: finding.Likely},
	},
	{
		breaks:   func(n name) bool { return n.any("/") },
		why:      because(`the character "/"`),
		products: map[product]finding.Certainty{dovecot: finding.Likely, cyrus: finding.Likely, courier: finding.Likely},
	},
	{
		// With Maildir, whose separator on disk is the dot; other storages take it.
		breaks:   func(n name) bool { return n.any(".") },
		why:      because(`the character "."`),
		products: map[product]finding.Certainty{dovecot: finding.Possible},
	},
	{
		breaks:   func(n name) bool { return n.delimiter == "/" && n.any("^") },
		why:      because(`the character "^"`),
		products: map[product]finding.Certainty{cyrus: finding.Likely},
	},
	{
		breaks:   func(n name) bool { return strings.HasPrefix(n.levels[0], "~") },
		why:      because(`it begins with "~"`),
		products: map[product]finding.Certainty{dovecot: finding.Likely},
	},
	{
		breaks: func(n name) bool {
			return slices.ContainsFunc(n.levels, func(l string) bool { return strings.ContainsFunc(l, func(r rune) bool { return r > 0xffff }) })
		},
		why:      because("a character outside the basic multilingual plane, such as an emoji"),
		products: map[product]finding.Certainty{courier: finding.Likely},
	},
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
