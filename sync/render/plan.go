package render

import (
	"io"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// Plan writes what a run would do as a table with a line for each folder, and the total on the last line.
func Plan(w io.Writer, plan *mailsync.Plan, o Options) error {
	p := o.page()
	t := layout.Table{Columns: []layout.Column{
		{Title: "Source", Cut: layout.Middle},
		{Title: "Destination", Cut: layout.Middle},
		{Title: "Messages", Right: true},
		{Title: "To copy", Right: true},
		{Title: "Size", Right: true},
		{Title: "Note", Cut: layout.End, Min: 20},
	}}
	var create, flags int64
	for _, f := range plan.Folders {
		if f.Create {
			create++
		}
		flags += f.FlagsToUpdate
		t.Row(planRow(f)...)
	}
	p.Table(&t, "")
	if len(plan.Folders) > 0 {
		p.Blank()
	}
	p.Paragraph(layout.Span{}, layout.Join(", ",
		layout.Counted(plan.Messages, "message", "messages")+" in "+layout.Counted(int64(len(plan.Folders)), "folder", "folders"),
		some(create, "folder to create", "folders to create"),
		some(flags, "message gets new flags", "messages get new flags")))
	if plan.ToCopy == 0 {
		p.Line(layout.Span{Text: "nothing to copy", Tone: layout.Good})
		return flush(w, p)
	}
	p.Line(layout.Span{Text: layout.Counted(plan.ToCopy, "message", "messages") + " to copy, " + layout.Size(plan.BytesToCopy), Tone: layout.Strong})
	return flush(w, p)
}

func planRow(f mailsync.FolderPlan) []layout.Span {
	size, tone := layout.Size(f.BytesToCopy), layout.Normal
	if f.ToCopy == 0 {
		size, tone = "-", layout.Muted
	}
	created := ""
	if f.Create {
		created = "new"
	}
	note := layout.Join(", ", created, f.Why, some(f.FlagsToUpdate, "gets flags", "get flags"))
	return []layout.Span{
		layout.Plain(f.Source), layout.Plain(f.Dest), {Text: layout.Count(f.Messages), Tone: tone},
		{Text: layout.Count(f.ToCopy), Tone: tone}, {Text: size, Tone: tone}, {Text: note, Tone: layout.Muted},
	}
}

// some is the number with its noun, and nothing for none.
func some(n int64, one, many string) string {
	if n == 0 {
		return ""
	}
	return layout.Counted(n, one, many)
}
