package mailsync

// Twins are messages that cannot be told apart by their content. Which of them is paired with which matters for flags and dates
// alone: they pair by INTERNALDATE, then by flags, so that a second run finds nothing to change.

// matchTwins pairs as many messages of both lists as the shorter one has, and returns the rest.
func (c *comparing) matchTwins(s, d []Ref) (srest, drest []Ref) {
	for _, same := range []func(Ref) any{c.sameDateAndFlags, c.sameDate, c.sameFlags, anything} {
		s, d = c.match(s, d, same)
	}
	return s, d
}

// matchDigests pairs messages of equal digest, and returns the rest. Digests are known; unreadable messages match nothing.
func (c *comparing) matchDigests(s, d []Ref) (srest, drest []Ref) {
	groups := map[Digest]*group{}
	of := func(r Ref) *group {
		digest, _ := c.digest(r)
		g := groups[digest]
		if g == nil {
			g = &group{}
			groups[digest] = g
		}
		return g
	}
	var order []*group
	for _, r := range s {
		g := of(r)
		if len(g.s) == 0 {
			order = append(order, g)
		}
		g.s = append(g.s, r)
	}
	for _, r := range d {
		g := of(r)
		if len(g.s)+len(g.d) == 0 {
			order = append(order, g)
		}
		g.d = append(g.d, r)
	}
	for _, g := range order {
		if g != groups[Digest{}] {
			g.s, g.d = c.matchTwins(g.s, g.d)
		}
		srest, drest = append(srest, g.s...), append(drest, g.d...)
	}
	return srest, drest
}

// match pairs messages for which same gives equal values, in the order of the lists, and returns the rest in that order.
func (c *comparing) match(s, d []Ref, same func(Ref) any) (srest, drest []Ref) {
	if len(s) == 0 || len(d) == 0 {
		return s, d
	}
	waiting := map[any][]Ref{}
	for _, r := range d {
		waiting[same(r)] = append(waiting[same(r)], r)
	}
	for _, r := range s {
		w := waiting[same(r)]
		if len(w) == 0 {
			srest = append(srest, r)
			continue
		}
		c.pairs = append(c.pairs, Pair{Source: r, Dest: w[0].Index})
		waiting[same(r)] = w[1:]
	}
	left := map[int32]bool{}
	for _, w := range waiting {
		for _, r := range w {
			left[r.Index] = true
		}
	}
	for _, r := range d {
		if left[r.Index] {
			drest = append(drest, r)
		}
	}
	return srest, drest
}

func (c *comparing) sameDate(r Ref) any { return c.message(r).Date }

func (c *comparing) sameFlags(r Ref) any {
	box := c.contents(r)
	return box.flags.name(box.Messages[r.Index].flags)
}

func (c *comparing) sameDateAndFlags(r Ref) any { return [2]any{c.sameDate(r), c.sameFlags(r)} }

func anything(Ref) any { return nil }
