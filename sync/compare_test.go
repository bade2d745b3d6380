package mailsync

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A testMessage is a message of a comparison: content stands for its octets, and its digest.
type testMessage struct {
	uid     uint32
	key     string // "" for none
	size    int64
	content string // "?" cannot be read
	date    int64
	flags   string // one letter a flag
}

func testContents(mailbox string, list []testMessage) *Contents {
	c := &Contents{Mailbox: mailbox, UIDValidity: 1}
	for _, m := range list {
		out := Message{UID: m.uid, Size: m.size, Date: m.date}
		if m.key != "" {
			out.By, out.Key, _ = messageIDKey([]byte("Message-Id: " + m.key + "\r\n"))
		}
		var flags []string
		for _, f := range m.flags {
			flags = append(flags, string(f))
		}
		c.Add(out, flags, m.key)
	}
	return c
}

func testDigest(content string) Digest {
	if content == "?" {
		return Digest{}
	}
	return sha256.Sum256([]byte(content))
}

// compareAll calls Compare with all the digests it asks for. fetched counts them.
func compareAll(t testing.TB, source [][]testMessage, dest []testMessage, o CompareOptions) (c *Comparison, fetched int) {
	t.Helper()
	var boxes []*Contents
	content := map[Key]string{}
	for i, list := range source {
		boxes = append(boxes, testContents(fmt.Sprint("box", i), list))
		for j, m := range list {
			content[boxes[i].Key(j)] = m.content
		}
	}
	there := testContents("dest", dest)
	for j, m := range dest {
		content[there.Key(j)] = m.content
	}
	o.Digests = Digests{Source: map[Key]Digest{}, Dest: map[Key]Digest{}}
	for {
		c, wanted := Compare(boxes, there, o)
		if wanted == nil {
			return c, fetched
		}
		before := fetched
		for side, keys := range map[*map[Key]Digest][]Key{&o.Digests.Source: wanted.Source, &o.Digests.Dest: wanted.Dest} {
			for _, k := range keys {
				if _, known := (*side)[k]; known {
					t.Fatalf("the digest of %v was asked for twice", k)
				}
				(*side)[k] = testDigest(content[k])
				fetched++
			}
		}
		if fetched == before {
			t.Fatal("Compare wants nothing and gives no comparison")
		}
	}
}

func TestCompare(t *testing.T) {
	type list = []testMessage
	for _, test := range []struct {
		name    string
		source  list
		dest    list
		options CompareOptions
		want    string // pairs of UIDs, missing, extra
		fetched int
	}{
		{"two empty mailboxes", nil, nil, CompareOptions{}, "[] [] []", 0},
		{"nothing is at the destination", list{{1, "a", 9, "A", 0, ""}, {2, "a", 9, "A", 0, ""}}, nil, CompareOptions{}, "[] [1 2] []", 0},
		{"nothing is at the source", nil, list{{1, "a", 9, "A", 0, ""}}, CompareOptions{}, "[] [] [1]", 0},
		{"equal key and size are one message", list{{1, "a", 9, "A", 0, ""}}, list{{7, "a", 9, "A", 5, "s"}}, CompareOptions{}, "[1=7] [] []", 0},
		{"the order does not matter", list{{1, "a", 9, "A", 0, ""}, {2, "b", 9, "B", 0, ""}}, list{{7, "b", 9, "B", 0, ""}, {8, "a", 9, "A", 0, ""}}, CompareOptions{}, "[1=8 2=7] [] []", 0},
		{"another key of the same size is another message", list{{1, "a", 9, "A", 0, ""}}, list{{7, "b", 9, "A", 0, ""}}, CompareOptions{}, "[] [1] [7]", 0},
		{"where sizes differ the digest decides: equal", list{{1, "a", 9, "A", 0, ""}}, list{{7, "a", 8, "A", 5, ""}}, CompareOptions{}, "[1=7] [] []", 2},
		{"where sizes differ the digest decides: another version", list{{1, "a", 9, "A", 0, ""}}, list{{7, "a", 8, "B", 5, ""}}, CompareOptions{}, "[] [1] [7]", 2},
		{"a second message with the key needs no digest when the other side has none left", list{{1, "a", 9, "A", 0, ""}, {2, "a", 8, "B", 0, ""}}, list{{7, "a", 9, "A", 0, ""}}, CompareOptions{}, "[1=7] [2] []", 0},
		{"one key and one size, two contents", list{{1, "a", 9, "A", 0, ""}, {2, "a", 9, "B", 0, ""}}, list{{7, "a", 9, "B", 0, ""}}, CompareOptions{}, "[2=7] [1] []", 3},
		{"copies are counted: one is missing", list{{1, "a", 9, "A", 0, ""}, {2, "a", 9, "A", 0, ""}, {3, "a", 9, "A", 0, ""}}, list{{7, "a", 9, "A", 0, ""}, {8, "a", 9, "A", 0, ""}}, CompareOptions{}, "[1=7 2=8] [3] []", 5},
		{"copies are counted: one is extra", list{{1, "a", 9, "A", 0, ""}}, list{{7, "a", 9, "A", 0, ""}, {8, "a", 9, "A", 0, ""}}, CompareOptions{}, "[1=7] [] [8]", 3},
		{"twins pair by date", list{{1, "a", 9, "A", 100, ""}, {2, "a", 9, "A", 200, ""}}, list{{7, "a", 9, "A", 200, ""}, {8, "a", 9, "A", 100, ""}}, CompareOptions{}, "[1=8 2=7] [] []", 4},
		{"twins of one date pair by flags", list{{1, "a", 9, "A", 100, "s"}, {2, "a", 9, "A", 100, "f"}}, list{{7, "a", 9, "A", 100, "F"}, {8, "a", 9, "A", 100, "S"}}, CompareOptions{}, "[1=8 2=7] [] []", 4},
		{"twins pair by date before flags", list{{1, "a", 9, "A", 100, "s"}, {2, "a", 9, "A", 200, "f"}}, list{{7, "a", 9, "A", 100, "f"}, {8, "a", 9, "A", 300, "s"}}, CompareOptions{}, "[1=7 2=8] [] []", 4},
		{"the twin whose date is there is not the missing one", list{{1, "a", 9, "A", 100, ""}, {2, "a", 9, "A", 200, ""}}, list{{7, "a", 9, "A", 200, ""}}, CompareOptions{}, "[2=7] [1] []", 3},
		{"messages without a key are told by digest", list{{1, "", 9, "A", 0, ""}, {2, "", 9, "B", 0, ""}}, list{{7, "", 9, "B", 0, ""}, {8, "", 9, "C", 0, ""}}, CompareOptions{}, "[2=7] [1] [8]", 4},
		{"a single message without a key needs its digest", list{{1, "", 9, "A", 0, ""}}, list{{7, "", 9, "B", 0, ""}}, CompareOptions{}, "[] [1] [7]", 2},
		{"messages without a key of different sizes may be equal but for line ends", list{{1, "", 9, "A", 0, ""}}, list{{7, "", 8, "A", 0, ""}}, CompareOptions{}, "[1=7] [] []", 2},
		{"a message without a key never matches one with a key", list{{1, "", 9, "A", 0, ""}}, list{{7, "a", 9, "A", 0, ""}}, CompareOptions{}, "[] [1] [7]", 0},
		{"what cannot be read is what it equals in key and size", list{{1, "a", 9, "?", 0, ""}, {2, "a", 9, "B", 0, ""}}, list{{7, "a", 9, "B", 0, ""}, {8, "a", 9, "A", 0, ""}}, CompareOptions{}, "[1=8 2=7] [] []", 4},
		{"what cannot be read is nothing of another size", list{{1, "a", 9, "?", 0, ""}}, list{{7, "a", 8, "A", 5, ""}}, CompareOptions{}, "[] [1] [7]", 2},
		{"the destination seems to alter mail: most differ, and have their dates", list{{1, "a", 9, "A", 100, ""}, {2, "b", 9, "B", 200, ""}, {3, "c", 9, "C", 300, ""}},
			list{{7, "a", 12, "A+", 100, ""}, {8, "b", 12, "B+", 200, ""}, {9, "c", 9, "C", 300, ""}}, CompareOptions{}, "[1~7 2~8 3=9] [] []", 4},
		{"one that differs among many is another message", list{{1, "a", 9, "A", 100, ""}, {2, "b", 9, "B", 200, ""}}, list{{7, "a", 12, "A+", 100, ""}, {8, "b", 9, "B", 200, ""}}, CompareOptions{}, "[2=8] [1] [7]", 2},
		{"another version of a draft has another date", list{{1, "a", 9, "A", 100, ""}, {2, "b", 9, "B", 200, ""}}, list{{7, "a", 12, "A+", 150, ""}, {8, "b", 12, "B+", 250, ""}}, CompareOptions{}, "[] [1 2] [7 8]", 4},
		{"a destination that is known to alter mail", list{{1, "a", 9, "A", 100, ""}, {2, "b", 9, "B", 200, ""}}, list{{7, "a", 12, "A+", 1, ""}, {8, "b", 9, "B", 200, ""}}, CompareOptions{Alters: true}, "[1~7 2=8] [] []", 2},
		{"altering is no reason to merge copies", list{{1, "a", 9, "A", 100, ""}, {2, "a", 9, "A", 200, ""}}, list{{7, "a", 12, "A+", 200, ""}}, CompareOptions{Alters: true}, "[2~7] [1] []", 3},
		{"altering says nothing of messages without a key", list{{1, "", 9, "A", 100, ""}}, list{{7, "", 12, "B", 100, ""}}, CompareOptions{Alters: true}, "[] [1] [7]", 2},
		{"sizes suffice: no digest for twins", list{{1, "a", 9, "A", 100, ""}, {2, "a", 9, "B", 200, ""}}, list{{7, "a", 9, "B", 200, ""}}, CompareOptions{SizesSuffice: true}, "[2=7] [1] []", 0},
		{"sizes suffice: nor for messages without a key", list{{1, "", 9, "A", 100, ""}}, list{{7, "", 9, "B", 100, ""}}, CompareOptions{SizesSuffice: true}, "[1=7] [] []", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, fetched := compareAll(t, [][]testMessage{test.source}, test.dest, test.options)
			if got := show(c, test.source, test.dest); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if fetched != test.fetched {
				t.Errorf("got %d digests fetched, want %d", fetched, test.fetched)
			}
		})
	}
}

// show writes a comparison of one source mailbox down.
func show(c *Comparison, source, dest []testMessage) string {
	pairs, missing, extra := []string{}, []uint32{}, []uint32{}
	for _, p := range c.Pairs {
		sign := "="
		if p.Altered {
			sign = "~"
		}
		pairs = append(pairs, fmt.Sprint(source[p.Source.Index].uid, sign, dest[p.Dest].uid))
	}
	for _, m := range c.Missing {
		missing = append(missing, source[m.Index].uid)
	}
	for _, i := range c.Extra {
		extra = append(extra, dest[i].uid)
	}
	return fmt.Sprint(pairs, missing, extra)
}

// TestCompareTwoSources compares two source mailboxes that share one destination: a message in both needs two copies there.
func TestCompareTwoSources(t *testing.T) {
	m := testMessage{1, "a", 9, "A", 100, ""}
	c, _ := compareAll(t, [][]testMessage{{m}, {m}}, []testMessage{{7, "a", 9, "A", 100, ""}}, CompareOptions{})
	if len(c.Pairs) != 1 || len(c.Missing) != 1 || c.Missing[0] != (Ref{1, 0}) {
		t.Errorf("got %+v, want one pair and one missing", c)
	}
}

// TestCompareAnything compares random mailboxes with an independent count, copies what is missing, and compares again.
func TestCompareAnything(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 3000 {
		source, dest := randomMailbox(rnd, 1), randomMailbox(rnd, 1)
		c, _ := compareAll(t, [][]testMessage{source}, dest, CompareOptions{})
		if got, want := len(c.Pairs), countPairs(source, dest); got != want {
			t.Fatalf("round %d: got %d pairs, want %d\n%v\n%v", round, got, want, source, dest)
		}
		checkComparison(t, c, source, dest)
		for _, m := range c.Missing {
			copied := source[m.Index]
			copied.uid = uint32(len(dest) + 1)
			dest = append(dest, copied)
		}
		addFlags(c, source, dest)
		c, _ = compareAll(t, [][]testMessage{source}, dest, CompareOptions{})
		if len(c.Missing) > 0 {
			t.Fatalf("round %d: after copying, still missing %v\n%v\n%v", round, c.Missing, source, dest)
		}
		for _, p := range c.Pairs {
			if have, want := dest[p.Dest].flags, source[p.Source.Index].flags; strings.Trim(want, have) != "" {
				t.Fatalf("round %d: after setting flags, %q has not those of %q\n%v\n%v", round, have, want, source, dest)
			}
		}
	}
}

// randomMailbox makes a mailbox in which keys, sizes and contents collide often. Content and date belong together.
func randomMailbox(rnd *rand.Rand, uid uint32) []testMessage {
	var list []testMessage
	for range rnd.IntN(8) {
		content := rnd.IntN(12)
		m := testMessage{uid: uid, key: []string{"", "a", "b"}[content%3], size: int64(100 + content/3%2), content: fmt.Sprint(content), date: int64(content)}
		m.flags = []string{"", "s", "f", "sf"}[rnd.IntN(4)]
		if rnd.IntN(3) == 0 && m.key != "" {
			m.size += 50 // other line ends
		}
		list = append(list, m)
		uid++
	}
	return list
}

// countPairs is the rule in other words: within a key and a size one against one is a pair; all else pairs by content, of one size first.
func countPairs(source, dest []testMessage) int {
	pairs := 0
	used := map[*testMessage]bool{}
	alike := func(same func(a, b *testMessage) bool) {
		for i := range source {
			for j := range dest {
				a, b := &source[i], &dest[j]
				if !used[a] && !used[b] && a.key == b.key && same(a, b) {
					used[a], used[b] = true, true
					pairs++
				}
			}
		}
	}
	count := func(list []testMessage, m *testMessage) (n int) {
		for _, o := range list {
			if o.key == m.key && o.size == m.size {
				n++
			}
		}
		return n
	}
	alike(func(a, b *testMessage) bool {
		alone := a.size == b.size && count(source, a) == 1 && count(dest, b) == 1
		return alone && (a.key != "" || a.content == b.content)
	})
	alike(func(a, b *testMessage) bool { return a.size == b.size && a.content == b.content })
	alike(func(a, b *testMessage) bool { return a.content == b.content })
	return pairs
}

// checkComparison checks that every message is in exactly one place, and pairs have something in common.
func checkComparison(t *testing.T, c *Comparison, source, dest []testMessage) {
	t.Helper()
	s, d := make([]int, len(source)), make([]int, len(dest))
	for _, p := range c.Pairs {
		s[p.Source.Index]++
		d[p.Dest]++
		if source[p.Source.Index].key != dest[p.Dest].key {
			t.Errorf("a pair with different keys: %v", p)
		}
	}
	for _, m := range c.Missing {
		s[m.Index]++
	}
	for _, i := range c.Extra {
		d[i]++
	}
	for _, n := range append(s, d...) {
		if n != 1 {
			t.Fatalf("a message is in %d places: %+v", n, c)
		}
	}
}

// addFlags gives the destination the flags of its partners.
func addFlags(c *Comparison, source, dest []testMessage) {
	for _, p := range c.Pairs {
		all := []byte(source[p.Source.Index].flags + dest[p.Dest].flags)
		slices.SortFunc(all, func(a, b byte) int { return cmp.Compare(a, b) })
		dest[p.Dest].flags = string(slices.Compact(all))
	}
}

func BenchmarkCompare(b *testing.B) {
	var source, dest []testMessage
	for i := range 100_000 {
		m := testMessage{uint32(i + 1), fmt.Sprintf("<%d@example.org>", i*7919%100_000), int64(i), "", int64(i), "s"}
		source = append(source, m)
		if i%100 != 0 {
			dest = append(dest, m)
		}
	}
	s, d := testContents("s", source), testContents("d", dest)
	for b.Loop() {
		if c, _ := Compare([]*Contents{s}, d, CompareOptions{}); len(c.Missing) != 1000 {
			b.Fatal(len(c.Missing))
		}
	}
}
