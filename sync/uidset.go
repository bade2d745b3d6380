package mailsync

import (
	"errors"
	"iter"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// maxRanges bounds a UID set to less than 8 KB: a range has at most 22 octets. Dovecot refuses sets above 64 KB, Courier 5 drops the
// connection at 24 KB.
const maxRanges = 360

// uidSets puts ascending UIDs into sets that every server takes.
func uidSets(uids []uint32) iter.Seq[imap.UIDSet] {
	return func(yield func(imap.UIDSet) bool) {
		for len(uids) > 0 {
			var set imap.UIDSet
			set, uids = cutSet(uids)
			if !yield(set) {
				return
			}
		}
	}
}

// cutSet puts as many UIDs as one set takes into it.
func cutSet(uids []uint32) (set imap.UIDSet, rest []uint32) {
	for ranges := 0; len(uids) > 0 && ranges < maxRanges; ranges++ {
		n := 1
		for n < len(uids) && uids[n] == uids[0]+uint32(n) {
			n++
		}
		set = append(set, imap.UIDRange{Start: imap.UID(uids[0]), Stop: imap.UID(uids[n-1])})
		uids = uids[n:]
	}
	return set, uids
}

// maxFound bounds what a SEARCH may bring.
const maxFound = 50_000_000

// listUIDs returns the UIDs of a set that a server sent. The library's own way panics on "*" and has no bound.
func listUIDs(found imap.NumSet) ([]uint32, error) {
	set, _ := found.(imap.UIDSet)
	var out []uint32
	for _, r := range set {
		if r.Start == 0 || r.Stop < r.Start || int(r.Stop-r.Start) >= maxFound-len(out) {
			return nil, errors.New("the answer to SEARCH is no list of UIDs")
		}
		for uid := uint64(r.Start); uid <= uint64(r.Stop); uid++ {
			out = append(out, uint32(uid))
		}
	}
	return out, nil
}

// uidsIn returns the UIDs of those keys that are in one mailbox, ascending.
func uidsIn(c *Contents, keys []Key) []uint32 {
	var uids []uint32
	for _, k := range keys {
		if k.Mailbox == c.Mailbox && k.UIDValidity == c.UIDValidity {
			uids = append(uids, k.UID)
		}
	}
	return sorted(uids)
}

func sorted(uids []uint32) []uint32 {
	slices.Sort(uids)
	return uids
}
