package mailsync

import (
	"fmt"
	"testing"
)

func TestKeeper(t *testing.T) {
	flags := []string{`\Seen`, `\Draft`, `\Recent`, `\Foo`, "Work", "$Forwarded", "bad]word", "grün", "two words"}
	for _, test := range []struct {
		name      string
		permanent []string
		want      string
	}{
		{"a server that does not say", nil, `[\Seen \Draft Work $Forwarded]`},
		{"any keyword", []string{`\Seen`, `\Draft`, `\*`}, `[\Seen \Draft Work $Forwarded]`},
		{"no new keyword", []string{`\seen`, "work"}, `[\Seen Work]`},
		{"a system flag that is not listed", []string{`\Seen`, `\*`}, `[\Seen Work $Forwarded]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := fmt.Sprint(newKeeper(test.permanent).kept(flags)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestFlagChange(t *testing.T) {
	source, dest := &Contents{}, &Contents{}
	source.Add(Message{UID: 1}, []string{`\Seen`, "Work", `\Recent`}, "")
	dest.Add(Message{UID: 1}, []string{`\Flagged`, "work"}, "")
	for mode, want := range map[FlagMode]string{
		FlagsAdd: `{[\Seen] []}`, FlagsMirror: `{[\Seen] [\Flagged]}`, FlagsOff: `{[] []}`,
	} {
		got := newFlagDiffer(mode, newKeeper([]string{`\Seen`, `\Flagged`, `\*`})).change(source, 0, dest, 0)
		if fmt.Sprint(got) != want {
			t.Errorf("mode %d: got %v, want %s", mode, got, want)
		}
	}
	got := newFlagDiffer(FlagsMirror, newKeeper([]string{"work"})).change(source, 0, dest, 0)
	if len(got.add)+len(got.remove) > 0 {
		t.Errorf("got %v for flags that the destination cannot keep, want none", got)
	}
}

func TestFlagListsAreKeptOnce(t *testing.T) {
	c := &Contents{}
	for i, flags := range [][]string{{"b", `\Seen`}, {`\seen`, "B"}, {`\Seen`, "b", "B", `\Recent`}, nil, {`\Recent`}} {
		if err := c.Add(Message{UID: uint32(i)}, flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.flags.lists) != 2 {
		t.Errorf("got %q, want two lists", c.flags.lists)
	}
	var err error
	for i := 0; err == nil && i < 1<<20; i++ {
		err = c.Add(Message{}, []string{fmt.Sprintf("%0200d", i)}, "")
	}
	if err == nil {
		t.Error("the memory for flags has no bound")
	}
}
