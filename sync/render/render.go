// Package render writes a plan, a summary or a verification for people, as text, and what sync and verify bring also as Markdown and
// HTML. It computes nothing that the engine did not count. JSON is the value itself.
package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	mailsync "github.com/imapilot-project/imapilot/sync"

	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// Options say how text is drawn. The zero value is plain text of 80 columns.
type Options struct {
	Color   bool
	ASCII   bool // no marks or arrows outside ASCII
	Verbose bool // every message that differs, not only the first few of a folder
	Width   int  // columns; 0 means 80
}

func (o Options) page() *layout.Page {
	return &layout.Page{Style: layout.Style{Color: o.Color, ASCII: o.ASCII, Width: o.Width}}
}

func flush(w io.Writer, p *layout.Page) error {
	_, err := p.WriteTo(w)
	return err
}

// JSON writes v, a *[mailsync.Plan], *[mailsync.Summary] or *[mailsync.Verification], as an indented object. Empty lists are [].
func JSON(w io.Writer, v any) error {
	switch x := v.(type) {
	case *mailsync.Plan:
		v = filledPlan(*x)
	case *mailsync.Summary:
		v = filledSummary(*x)
	case *mailsync.Verification:
		v = filledVerification(*x)
	default:
		return fmt.Errorf("internal error: no JSON for %T", v)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// list returns s, and for nil an empty list: JSON would say null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func filledPlan(p mailsync.Plan) mailsync.Plan {
	p.Folders = list(p.Folders)
	return p
}

func filledSummary(s mailsync.Summary) mailsync.Summary {
	s.Failures = list(s.Failures)
	return s
}

func filledVerification(v mailsync.Verification) mailsync.Verification {
	folders := make([]mailsync.FolderVerify, len(v.Folders))
	for i, f := range v.Folders {
		f.Missing, f.Extra = list(f.Missing), list(f.Extra)
		f.FlagsDiffer, f.DatesDiffer, f.BodiesDiffer = list(f.FlagsDiffer), list(f.DatesDiffer), list(f.BodiesDiffer)
		folders[i] = f
	}
	v.Folders = folders
	return v
}
