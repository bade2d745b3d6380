package mailsync

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// A Pairing says where a source mailbox goes.
type Pairing struct {
	Source  Mailbox
	Dest    string // name as the destination has it
	Exists  bool   // at the destination, and can be selected there
	Why     string // why Dest differs from Source's name: "special use \Sent", "delimiter", …, or ""
	Changed bool   // the name changed by more than prefix and delimiter

	special bool // Dest was chosen by special use
}

// A CollisionError says that two source mailboxes would become one.
type CollisionError struct {
	Dest    string
	Sources []string
}

func (e *CollisionError) Error() string {
	return fmt.Sprintf("source mailboxes %s would become one at the destination: %q", quoted(e.Sources), e.Dest)
}

// ExitCode is 14: the destination cannot do what the plan needs.
func (e *CollisionError) ExitCode() int { return exitCannot }

func quoted(names []string) string {
	var list []string
	for _, n := range names {
		list = append(list, fmt.Sprintf("%q", n))
	}
	return strings.Join(list, " and ")
}

// PairMailboxes decides the destination of every source mailbox that can be selected. The error is a *[CollisionError].
//
// INBOX goes to INBOX. Where both sides declare the same special use the destination's mailbox is taken, so that two source
// mailboxes may come to one. All others keep their names, with the destination's prefix and delimiter.
func PairMailboxes(source, dest *Listing, s Settings) ([]Pairing, error) {
	p := newPairingUp(source, dest)
	var out []Pairing
	for i := range source.Mailboxes {
		if m := &source.Mailboxes[i]; m.Selectable {
			out = append(out, p.pair(m, s))
		}
	}
	return out, collision(out)
}

// pairingUp is one call of PairMailboxes.
type pairingUp struct {
	source, dest *Listing
	names        map[string]*Mailbox // the destination's, as they are and as composed letters
	uses         map[string]*Mailbox // the destination's that can be selected, by special use
}

func newPairingUp(source, dest *Listing) *pairingUp {
	p := &pairingUp{source: source, dest: dest, names: map[string]*Mailbox{}, uses: map[string]*Mailbox{}}
	for i := range dest.Mailboxes {
		m := &dest.Mailboxes[i]
		p.names[norm.NFC.String(m.Name)] = m
		if m.SpecialUse != "" && m.Selectable && !isInbox(m.Name) && p.uses[m.SpecialUse] == nil {
			p.uses[m.SpecialUse] = m
		}
	}
	for i := range dest.Mailboxes { // the exact name comes before one that only looks like it
		p.names[dest.Mailboxes[i].Name] = &dest.Mailboxes[i]
	}
	return p
}

func (p *pairingUp) pair(m *Mailbox, s Settings) Pairing {
	out := Pairing{Source: *m}
	out.Dest, out.Why, out.Changed = p.translate(m)
	if use := p.uses[m.SpecialUse]; use != nil && !isInbox(m.Name) && !s.NoSpecialUse {
		out.Changed = out.Changed || use.Name != out.Dest
		out.Dest, out.Why, out.special = use.Name, "special use "+use.SpecialUse, true
	}
	// Names that differ only in how their letters are composed are one to a person, and to some servers.
	there := p.names[out.Dest]
	if there == nil {
		there = p.names[norm.NFC.String(out.Dest)]
	}
	if there != nil {
		out.Dest, out.Exists = there.Name, there.Selectable
	}
	return out
}

// replacement takes the place of what a name cannot hold at the destination.
const replacement = "_"

// translate gives a name the destination's prefix and delimiter.
func (p *pairingUp) translate(m *Mailbox) (name, why string, changed bool) {
	if isInbox(m.Name) {
		return "INBOX", "", false
	}
	levels := p.source.levels(m.Name)
	var reasons []string
	delimiter := ""
	if p.dest.Delimiter != 0 {
		delimiter = string(p.dest.Delimiter)
	}
	if fixed := clean(levels, delimiter); !slices.Equal(fixed, levels) {
		levels, changed = fixed, true
		reasons = append(reasons, fmt.Sprintf("%q is the destination's delimiter, %q takes its place in a name", delimiter, replacement))
	}
	if delimiter == "" && len(levels) > 1 {
		delimiter, changed = replacement, true
		reasons = append(reasons, "the destination has no hierarchy")
	}
	name = p.dest.Prefix + strings.Join(levels, delimiter)
	if name != m.Name && len(levels) > 1 && p.source.Delimiter != p.dest.Delimiter {
		reasons = append(reasons, "delimiter")
	}
	if name != m.Name && p.source.Prefix != p.dest.Prefix {
		reasons = append(reasons, "prefix")
	}
	return name, strings.Join(reasons, ", "), changed
}

// clean returns levels without the destination's delimiter inside any of them, and without what no command can carry.
func clean(levels []string, delimiter string) []string {
	out := slices.Clone(levels)
	for i, l := range out {
		if delimiter != "" {
			l = strings.ReplaceAll(l, delimiter, replacement)
		}
		out[i] = strings.NewReplacer("\r", replacement, "\n", replacement, "\x00", replacement).Replace(l)
	}
	return out
}

// collision returns an error when two mailboxes come to one name other than by special use.
func collision(list []Pairing) error {
	sources, byName := map[string][]string{}, map[string]int{}
	for _, p := range list {
		sources[p.Dest] = append(sources[p.Dest], p.Source.Name)
		if !p.special {
			byName[p.Dest]++
		}
	}
	for _, p := range list {
		if byName[p.Dest] > 1 {
			return &CollisionError{Dest: p.Dest, Sources: sources[p.Dest]}
		}
	}
	return nil
}
