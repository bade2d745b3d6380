package mailsync

import (
	"bytes"
	"cmp"
	"slices"
)

// A Comparison says which messages of a mailbox are on both sides.
type Comparison struct {
	Pairs   []Pair
	Missing []Ref // source messages that the destination lacks, in the order of the source
	Extra   []int // indexes of destination messages that the source lacks, ascending
}

// A Ref is a source message: the index of its mailbox, and its own in there. A destination may take in several source mailboxes.
type Ref struct{ Box, Index int32 }

// A Pair is one message on both sides.
type Pair struct {
	Source  Ref
	Dest    int32
	Altered bool // the destination holds it with other content
}

// Wanted are messages whose digests decide.
type Wanted struct{ Source, Dest []Key }

// Digests are those that are known. A zero Digest stands for a message that could not be read.
type Digests struct{ Source, Dest map[Key]Digest }

// CompareOptions say what is known beyond two listings.
type CompareOptions struct {
	Digests Digests
	// Alters: the destination is known to change messages on arrival. Equal keys are then enough where sizes and digests differ.
	Alters bool
	// SizesSuffice: no digest is asked for, equal key and size are enough, also for many.
	SizesSuffice bool
}

// Compare finds out which messages of the source mailboxes are in the destination mailbox. It returns either the comparison, or
// the messages whose digests it needs first; the caller fetches those, adds them to the Digests and calls again.
//
// Two messages are the same when their keys and sizes are equal; where sizes differ, or several messages of one side share both, the
// digest decides. Copies are counted: each message is in at most one pair. Where digests differ too they are two messages, unless
// the destination is known to alter mail, or seems to: most pairs of equal key in the mailbox then differ, and have the same INTERNALDATE,
// which another version of a message, such as a draft saved again, has not.
func Compare(source []*Contents, dest *Contents, o CompareOptions) (*Comparison, *Wanted) {
	c := &comparing{source: source, dest: dest, o: o, asked: map[Ref]bool{}}
	c.sort()
	for s, d := c.s, c.d; len(s) > 0 || len(d) > 0; {
		var sg, dg []Ref
		sg, s, dg, d = c.cutKey(s, d)
		c.sameKey(sg, dg)
	}
	if len(c.wanted.Source)+len(c.wanted.Dest) > 0 {
		return nil, &c.wanted
	}
	c.unlikeKeys()
	return c.result(), nil
}

// comparing is one call of Compare. Source and destination messages are referred to in one way, the destination as box -1.
type comparing struct {
	source []*Contents
	dest   *Contents
	o      CompareOptions
	s, d   []Ref // all messages, by key and size
	pairs  []Pair
	unlike []group      // that have one key and match in nothing else
	asked  map[Ref]bool // those in wanted
	wanted Wanted
}

// A group is messages of both sides that have something in common.
type group struct{ s, d []Ref }

const destBox = -1

func (c *comparing) contents(r Ref) *Contents {
	if r.Box == destBox {
		return c.dest
	}
	return c.source[r.Box]
}

func (c *comparing) message(r Ref) *Message { return &c.contents(r).Messages[r.Index] }

// digest returns the digest of a message, if it is known that it has one or that it cannot be had (then zero).
func (c *comparing) digest(r Ref) (Digest, bool) {
	known := c.o.Digests.Source
	if r.Box == destBox {
		known = c.o.Digests.Dest
	}
	d, ok := known[c.contents(r).Key(int(r.Index))]
	return d, ok
}

// sort lists both sides by key and size, and within that in the order of the mailboxes.
func (c *comparing) sort() {
	for b, box := range c.source {
		for i := range box.Messages {
			c.s = append(c.s, Ref{int32(b), int32(i)})
		}
	}
	for i := range c.dest.Messages {
		c.d = append(c.d, Ref{destBox, int32(i)})
	}
	for _, list := range [][]Ref{c.s, c.d} {
		slices.SortFunc(list, func(a, b Ref) int {
			m, n := c.message(a), c.message(b)
			if k := compareKeys(m, n); k != 0 {
				return k
			}
			return cmp.Or(cmp.Compare(m.Size, n.Size), cmp.Compare(a.Box, b.Box), cmp.Compare(a.Index, b.Index))
		})
	}
}

func compareKeys(m, n *Message) int {
	if m.By != n.By {
		return cmp.Compare(m.By, n.By)
	}
	return bytes.Compare(m.Key[:], n.Key[:])
}

// cutKey takes the messages of the lowest key off both lists.
func (c *comparing) cutKey(s, d []Ref) (sg, srest, dg, drest []Ref) {
	var lowest *Message
	for _, list := range [][]Ref{s, d} {
		if len(list) > 0 && (lowest == nil || compareKeys(c.message(list[0]), lowest) < 0) {
			lowest = c.message(list[0])
		}
	}
	cut := func(list []Ref) (group, rest []Ref) {
		n := 0
		for n < len(list) && compareKeys(c.message(list[n]), lowest) == 0 {
			n++
		}
		return list[:n:n], list[n:]
	}
	sg, srest = cut(s)
	dg, drest = cut(d)
	return sg, srest, dg, drest
}

// sameKey pairs messages that have one key, as far as sizes and digests tell.
func (c *comparing) sameKey(s, d []Ref) {
	if len(s) == 0 || len(d) == 0 {
		return
	}
	keyless := c.message(s[0]).By == ByDigest
	var srest, drest []Ref
	for len(s) > 0 || len(d) > 0 {
		var sg, dg []Ref
		sg, s, dg, d = c.cutSize(s, d)
		if len(sg) > 0 && len(dg) > 0 {
			sg, dg = c.sameSize(sg, dg, keyless)
		}
		srest, drest = append(srest, sg...), append(drest, dg...)
	}
	if len(srest) == 0 || len(drest) == 0 {
		return
	}
	if !c.o.SizesSuffice {
		if !c.haveDigests(srest, drest) {
			return
		}
		srest, drest = c.matchDigests(srest, drest)
	}
	if !keyless && len(srest) > 0 && len(drest) > 0 {
		c.unlike = append(c.unlike, group{srest, drest})
	}
}

// cutSize takes the messages of the smallest size off both lists.
func (c *comparing) cutSize(s, d []Ref) (sg, srest, dg, drest []Ref) {
	smallest := int64(-1)
	for _, list := range [][]Ref{s, d} {
		if len(list) > 0 && (smallest < 0 || c.message(list[0]).Size < smallest) {
			smallest = c.message(list[0]).Size
		}
	}
	cut := func(list []Ref) (group, rest []Ref) {
		n := 0
		for n < len(list) && c.message(list[n]).Size == smallest {
			n++
		}
		return list[:n:n], list[n:]
	}
	sg, srest = cut(s)
	dg, drest = cut(d)
	return sg, srest, dg, drest
}

// sameSize pairs messages that share key and size and returns those that are left.
func (c *comparing) sameSize(s, d []Ref, keyless bool) (srest, drest []Ref) {
	if len(s) == 1 && len(d) == 1 && (c.o.SizesSuffice || !keyless) {
		c.pairs = append(c.pairs, Pair{Source: s[0], Dest: d[0].Index})
		return nil, nil
	}
	if c.o.SizesSuffice {
		return c.matchTwins(s, d)
	}
	if !c.haveDigests(s, d) {
		return s, d // the comparison ends after this round anyway
	}
	s, d = c.matchDigests(s, d)
	if keyless {
		return s, d
	}
	// What cannot be read is taken for the message that it equals in key and size.
	sdark, slight := c.splitUnreadable(s)
	s, d = c.matchTwins(sdark, d)
	ddark, dlight := c.splitUnreadable(d)
	s, d = c.matchTwins(append(s, slight...), ddark)
	return s, append(d, dlight...)
}

// splitUnreadable splits a list into messages without and with a digest.
func (c *comparing) splitUnreadable(list []Ref) (dark, light []Ref) {
	for _, r := range list {
		if d, _ := c.digest(r); d == (Digest{}) {
			dark = append(dark, r)
		} else {
			light = append(light, r)
		}
	}
	return dark, light
}

// haveDigests reports whether all digests are known, and notes those that are not as wanted.
func (c *comparing) haveDigests(lists ...[]Ref) bool {
	all := true
	for _, list := range lists {
		for _, r := range list {
			if _, ok := c.digest(r); ok {
				continue
			}
			all = false
			if c.asked[r] {
				continue
			}
			c.asked[r] = true
			key := c.contents(r).Key(int(r.Index))
			if r.Box == destBox {
				c.wanted.Dest = append(c.wanted.Dest, key)
			} else {
				c.wanted.Source = append(c.wanted.Source, key)
			}
		}
	}
	return all
}

// unlikeKeys decides on messages that have nothing but the key in common.
func (c *comparing) unlikeKeys() {
	like := 0
	for _, p := range c.pairs {
		if c.message(p.Source).By != ByDigest {
			like++
		}
	}
	if c.o.Alters {
		for _, u := range c.unlike {
			from := len(c.pairs)
			c.matchTwins(u.s, u.d)
			c.markAltered(from)
		}
		return
	}
	from := len(c.pairs)
	for _, u := range c.unlike {
		c.match(u.s, u.d, c.sameDate)
	}
	if altered := len(c.pairs) - from; altered <= like {
		c.pairs = c.pairs[:from]
		return
	}
	c.markAltered(from)
}

func (c *comparing) markAltered(from int) {
	for i := from; i < len(c.pairs); i++ {
		c.pairs[i].Altered = true
	}
}

// result sorts out what has no partner.
func (c *comparing) result() *Comparison {
	out := &Comparison{Pairs: c.pairs}
	paired := make([][]bool, len(c.source))
	for b, box := range c.source {
		paired[b] = make([]bool, len(box.Messages))
	}
	there := make([]bool, len(c.dest.Messages))
	for _, p := range c.pairs {
		paired[p.Source.Box][p.Source.Index] = true
		there[p.Dest] = true
	}
	for b := range paired {
		for i, ok := range paired[b] {
			if !ok {
				out.Missing = append(out.Missing, Ref{int32(b), int32(i)})
			}
		}
	}
	for i, ok := range there {
		if !ok {
			out.Extra = append(out.Extra, i)
		}
	}
	slices.SortFunc(out.Pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.Source.Box, b.Source.Box), cmp.Compare(a.Source.Index, b.Source.Index))
	})
	return out
}
