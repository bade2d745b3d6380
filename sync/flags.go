package mailsync

import (
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A keeper knows which flags a mailbox keeps (RFC 9051 section 7.1, PERMANENTFLAGS).
type keeper struct {
	all      bool // the server did not say: all can be kept
	keywords bool // \*: any keyword
	listed   map[string]bool
}

func newKeeper[F ~string](permanent []F) keeper {
	k := keeper{all: len(permanent) == 0, listed: map[string]bool{}}
	for _, f := range permanent {
		if f == `\*` {
			k.keywords = true
		}
		k.listed[strings.ToLower(string(f))] = true
	}
	return k
}

func (k keeper) keeps(flag string) bool {
	return k.all || k.listed[strings.ToLower(flag)] || k.keywords && !strings.HasPrefix(flag, `\`)
}

// kept returns the flags that a command can carry and the mailbox keeps. The others are lost, which is not a difference.
func (k keeper) kept(flags []string) []string {
	return slices.DeleteFunc(imapdial.Appendable(flags), func(f string) bool { return !k.keeps(f) })
}

// A flagChange is what STORE has to do to a message.
type flagChange struct{ add, remove []string }

// flagDiffer finds the flag changes of pairs. Pairs with the same two lists of flags are looked at once.
type flagDiffer struct {
	mode FlagMode
	keep keeper
	seen map[[2]string]flagChange
}

func newFlagDiffer(mode FlagMode, keep keeper) *flagDiffer {
	return &flagDiffer{mode, keep, map[[2]string]flagChange{}}
}

// change returns what makes the destination's flags those of the source, as far as the mode allows.
func (d *flagDiffer) change(source *Contents, s int, dest *Contents, t int) flagChange {
	if d.mode == FlagsOff {
		return flagChange{}
	}
	key := [2]string{source.flags.name(source.Messages[s].flags), dest.flags.name(dest.Messages[t].flags)}
	c, ok := d.seen[key]
	if !ok {
		have, want := dest.Flags(t), source.Flags(s)
		c.add = without(d.keep.kept(want), have)
		if d.mode == FlagsMirror {
			c.remove = without(d.keep.kept(have), want)
		}
		d.seen[key] = c
	}
	return c
}

// without returns those of flags that are not among others; case does not matter.
func without(flags, others []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool {
		return slices.ContainsFunc(others, func(o string) bool { return strings.EqualFold(f, o) })
	})
}
