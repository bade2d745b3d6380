package tui

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// findText looks for text in everything that can be reached from v, unexported fields included, and returns the paths to it. What stands
// behind a func cannot be printed, and is not looked at.
func findText(v reflect.Value, path, text string, seen map[uintptr]bool, found *[]string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Pointer {
			if seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
		}
		findText(v.Elem(), path, text, seen, found)
	case reflect.Struct:
		for i := range v.NumField() {
			findText(v.Field(i), path+"."+v.Type().Field(i).Name, text, seen, found)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			findText(i.Key(), path+"[key]", text, seen, found)
			findText(i.Value(), path+"[]", text, seen, found)
		}
	case reflect.String:
		if strings.Contains(v.String(), text) {
			*found = append(*found, path)
		}
	case reflect.Slice, reflect.Array:
		var letters strings.Builder
		for i := range v.Len() {
			switch e := v.Index(i); e.Kind() {
			case reflect.Uint8:
				letters.WriteByte(byte(e.Uint()))
			case reflect.Int32:
				letters.WriteRune(rune(e.Int()))
			default:
				findText(e, path+"[]", text, seen, found)
			}
		}
		if strings.Contains(letters.String(), text) {
			*found = append(*found, path)
		}
	}
}

func TestATypedPasswordStandsNowhereInTheModel(t *testing.T) {
	s := emptyStage(t)
	s.w.servers.sides[source].host.set("imap.old-isp.example")
	s.w.servers.sides[dest].host.set("mail.example.org")
	for side, f := range s.w.servers.sides {
		f.user.set("anna")
		s.w.servers.focus(side, fieldPassword)
		for _, r := range canary {
			s.press(string(r))
		}
	}
	look := func(when string) {
		t.Helper()
		var found []string
		findText(reflect.ValueOf(s.w), "wizard", canary, map[uintptr]bool{}, &found)
		for _, path := range found {
			t.Errorf("%s the password stands in %s", when, path)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			for _, v := range []any{s.w, *s.w.servers.sides[source].password, s.w.servers, s.w.check.drafts} {
				if strings.Contains(fmt.Sprintf(verb, v), canary) {
					t.Errorf("%s %s of %T prints the password", when, verb, v)
				}
			}
		}
		for _, size := range []struct{ wide, high int }{{80, 24}, {120, 40}, {44, 12}} {
			if strings.Contains(draw(s.w, size.wide, size.high), canary) {
				t.Errorf("%s the password is on the screen", when)
			}
		}
	}
	look("after typing")
	s.toCheck(mismatchReport())
	look("after a check")
	s.press("enter")
	look("in the detail")
	if got, err := s.w.check.drafts[source].target.Secret.Resolve(t.Context(), "", nil); err != nil || string(got.Reveal()) != canary {
		t.Errorf("the job was given another secret, %v", err)
	}
}

func TestTheSearchForTheCanaryFindsIt(t *testing.T) {
	type inner struct {
		runes []rune
		m     map[string][]byte
	}
	v := struct {
		in  *inner
		any any
	}{&inner{[]rune("x" + canary), map[string][]byte{"k": []byte(canary)}}, canary}
	var found []string
	findText(reflect.ValueOf(v), "v", canary, map[uintptr]bool{}, &found)
	if len(found) != 3 {
		t.Errorf("found it in %v, want three places", found)
	}
}
