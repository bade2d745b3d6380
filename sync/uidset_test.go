package mailsync

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestUIDSets(t *testing.T) {
	var uids []uint32
	for i := range uint32(5000) {
		uids = append(uids, 4_000_000_000+i*3, 4_000_000_000+i*3+1)
	}
	var got []uint32
	sets := 0
	for set := range uidSets(uids) {
		sets++
		if n := len(set.String()); n > 8192 {
			t.Errorf("a set has %d octets", n)
		}
		list, err := listUIDs(set)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, list...)
	}
	if !slices.Equal(got, uids) || sets < 2 {
		t.Errorf("%d sets hold %d UIDs, want all %d in several", sets, len(got), len(uids))
	}
	for set := range uidSets([]uint32{1, 2, 3, 4_294_967_295}) {
		if set.String() != "1:3,4294967295" {
			t.Errorf("got %s", set)
		}
	}
}

func TestListUIDsIsBounded(t *testing.T) {
	for _, set := range []imap.UIDSet{{{Start: 1, Stop: 0}}, {{Start: 0, Stop: 0}}, {{Start: 1, Stop: 4_294_967_295}}} {
		if _, err := listUIDs(set); err == nil {
			t.Errorf("%s is taken", set)
		}
	}
	if got, err := listUIDs(imap.UIDSet(nil)); err != nil || got != nil {
		t.Errorf("got %v, %v for nothing", got, err)
	}
}
