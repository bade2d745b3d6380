package probe

import (
	"reflect"
	"testing"
)

func TestParseNamespace(t *testing.T) {
	tests := []struct {
		args                    string
		personal, other, shared []namespace
	}{
		{`(("" "/")) NIL NIL`, []namespace{{"", "/"}}, nil, nil},
		{`(("INBOX." ".")) NIL (("#shared." ".")("shared." "."))`, []namespace{{"INBOX.", "."}}, nil, []namespace{{"#shared.", "."}, {"shared.", "."}}},
		{`(("" NIL)) nil NIL`, []namespace{{"", ""}}, nil, nil},
		{`(("" "/")("#mh/" "/" "X-PARAM" ("FLAG1" "FLAG)2"))) (("~" "/")) NIL`, []namespace{{"", "/"}, {"#mh/", "/"}}, []namespace{{"~", "/"}}, nil},
		{`((" a\"b\\" "\\")) NIL NIL`, []namespace{{` a"b\`, `\`}}, nil, nil},
	}
	for _, tt := range tests {
		personal, other, shared, err := parseNamespace(tt.args)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		got, want := [][]namespace{personal, other, shared}, [][]namespace{tt.personal, tt.other, tt.shared}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", tt.args, got, want)
		}
	}
	for _, args := range []string{"", "NIL", "NIL NIL", "(", "((", `(("`, `(("" "/")`, `(("" /)) NIL NIL`, `(("" "/" "X" ("a") NIL NIL`, `("" "/") NIL NIL`} {
		if personal, _, _, err := parseNamespace(args); err == nil {
			t.Errorf("%q: got %q, want an error", args, personal)
		}
	}
}

// FuzzParseNamespace looks for panics and for answers that are larger than the question.
func FuzzParseNamespace(f *testing.F) {
	f.Add(`(("INBOX." ".")) NIL (("#shared." "." "X" ("a" "b)")))`)
	f.Add(`(("\"" "\\")) nil NIL`)
	f.Fuzz(func(t *testing.T, args string) {
		personal, other, shared, err := parseNamespace(args)
		if err != nil {
			return
		}
		octets := 0
		for _, list := range [][]namespace{personal, other, shared} {
			for _, n := range list {
				octets += len(n.prefix) + len(n.delimiter)
			}
		}
		if octets > len(args) {
			t.Errorf("%d octets from %d", octets, len(args))
		}
	})
}
