package render

import (
	"io"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// Summary writes what a run did as text: the count, why messages could not be copied, what to do next, and the verdict on the last line.
func Summary(w io.Writer, s *mailsync.Summary, o Options) error {
	a := newAccount(s)
	p := o.page()
	p.Line(layout.Span{Text: "Messages", Tone: layout.Strong})
	t := layout.Table{Columns: []layout.Column{{}, {Right: true}, {Cut: layout.End}}}
	for _, r := range a.Rows {
		t.Row(layout.Plain(r.Label), layout.Span{Text: r.Count, Tone: r.mark.Tone()}, layout.Plain(r.Note))
	}
	p.Table(&t, "  ")
	if len(a.Causes) > 0 {
		p.Blank()
		p.Line(layout.Span{Text: "Could not be copied", Tone: layout.Strong})
		causeLines(p, a)
	}
	p.Blank()
	p.Line(layout.Span{Text: "Next", Tone: layout.Strong})
	for _, step := range a.Next {
		p.Paragraph(layout.Plain("  "), step)
	}
	p.Blank()
	p.Line(layout.Span{Text: a.Verdict, Tone: a.mark.Tone()})
	return flush(w, p)
}

func causeLines(p *layout.Page, a account) {
	width := 0
	for _, c := range a.Causes {
		width = max(width, layout.Width(c.Count))
	}
	inner := layout.Pad("", width+4)
	for _, c := range a.Causes {
		p.Paragraph(layout.Span{Text: "  " + layout.PadLeft(c.Count, width) + "  ", Tone: layout.Bad}, c.What)
		if c.Said != "" {
			p.Paragraph(layout.Plain(inner), "the server said: "+c.Said)
		}
		for _, place := range c.Places {
			folder := p.CutMiddle(place.Folder, p.Columns()/2)
			p.Paragraph(layout.Plain(inner+folder+"  "), place.UIDs)
		}
	}
	if a.Unnamed > 0 {
		p.Line(layout.Plain(inner + "and " + layout.Counted(int64(a.Unnamed), "cause", "causes") + " more: -o json lists them all"))
	}
}
