package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Save writes p to a file that only its owner can read (mode 0600). What stood there before is replaced as a whole or not at all. The
// errors are those of the file system.
func Save(path string, p *Profile) error {
	data, err := encode(p)
	if err != nil {
		return fmt.Errorf("profile %s: %w", path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".imapilot-profile-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("profile %s: %w", path, withoutPath(err))
	}
	defer os.Remove(tmp.Name()) // after the renaming there is none of that name
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("profile %s: %w", path, err)
	}
	return nil
}

func encode(p *Profile) ([]byte, error) {
	f := file{Schema: schema, Saved: p.Saved.UTC().Format(time.RFC3339), Source: newSide(&p.Source), Dest: newSide(&p.Dest)}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(f)
	return b.Bytes(), err
}

// maxFile bounds what is read of a profile: CA certificates are the largest part of one.
const maxFile = 16 << 20

// Load reads a profile. The error names the file, and the line or the field that is wrong; it repeats nothing of the file beyond
// what was to be one of a few words.
func Load(path string) (*Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", path, withoutPath(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", path, withoutPath(err))
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("profile %s: it has more than %d octets", path, maxFile)
	}
	p, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", path, err)
	}
	return p, nil
}

func decode(data []byte) (*Profile, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, explain(data, err)
	}
	if err := onlyKnown(data); err != nil {
		return nil, err
	}
	if f.Schema != schema {
		return nil, &fieldError{"schema", fmt.Errorf("it is %q and not %q", f.Schema, schema)}
	}
	saved, err := time.Parse(time.RFC3339, f.Saved)
	if err != nil {
		return nil, &fieldError{"saved", fmt.Errorf("%q is not a time such as 2026-11-25T19:15:00Z", f.Saved)}
	}
	p := &Profile{Saved: saved.UTC()}
	if p.Source, err = f.Source.read("source"); err != nil {
		return nil, err
	}
	if p.Dest, err = f.Dest.read("dest"); err != nil {
		return nil, err
	}
	return p, nil
}

// onlyKnown looks for names that mean nothing. data is a JSON object of the right types.
func onlyKnown(data []byte) error {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return err
	}
	if err := unknown("", top, file{}); err != nil {
		return err
	}
	for _, name := range []string{"source", "dest"} {
		var inner map[string]json.RawMessage
		if text, ok := top[name]; ok {
			if err := json.Unmarshal(text, &inner); err != nil {
				return err
			}
		}
		if err := unknown(name+".", inner, side{}); err != nil {
			return err
		}
	}
	return nil
}

// unknown returns an error for the first name in object that is no field of the struct like.
func unknown(prefix string, object map[string]json.RawMessage, like any) error {
	known := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(like)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !known[name] {
			return &fieldError{prefix + strconv.Quote(name), errors.New("there is no such setting")}
		}
	}
	return nil
}

// explain says where in the file the JSON is wrong.
func explain(data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", line(data, syntax.Offset), err)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("line %d: %s: a %s cannot stand here", line(data, kind.Offset), kind.Field, kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: a %s stands where the object belongs", line(data, kind.Offset), kind.Value)
	}
	return err
}

// line returns the number of the line in which the octet before offset stands.
func line(data []byte, offset int64) int {
	n := min(max(offset-1, 0), int64(len(data)))
	return 1 + bytes.Count(data[:n], []byte("\n"))
}

// withoutPath leaves out the path, where what surrounds err names it.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
