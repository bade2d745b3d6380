package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// A comparison is a verification in the words that all its forms share.
type comparison struct {
	Folders []folderLine
	Details []detail
	Verdict string // one line, which begins with the verdict's word
	mark    layout.Mark
}

// A folderLine is one folder of both sides.
type folderLine struct {
	Source, Dest           string // "" for a side that does not have it
	SourceCount, DestCount string
	Result                 string
	mark                   layout.Mark
}

// A detail names the messages of one folder that differ in one way.
type detail struct {
	Title, Folder string
	Messages      []mailsync.MessageRef
}

// A difference is a way in which messages of both sides can differ.
type difference struct {
	title string // as a heading
	words string // with a number
	of    func(mailsync.FolderVerify) []mailsync.MessageRef
	extra bool // at the destination only: no fault
}

var differences = []difference{
	{"Missing at the destination", "%s missing", func(f mailsync.FolderVerify) []mailsync.MessageRef { return f.Missing }, false},
	{"Only at the destination", "%s extra", func(f mailsync.FolderVerify) []mailsync.MessageRef { return f.Extra }, true},
	{"Flags differ", "flags of %s", func(f mailsync.FolderVerify) []mailsync.MessageRef { return f.FlagsDiffer }, false},
	{"Dates differ", "dates of %s", func(f mailsync.FolderVerify) []mailsync.MessageRef { return f.DatesDiffer }, false},
	{"Contents differ", "contents of %s", func(f mailsync.FolderVerify) []mailsync.MessageRef { return f.BodiesDiffer }, false},
}

func newComparison(v *mailsync.Verification) comparison {
	c := comparison{mark: layout.Problem}
	totals := make([]int64, len(differences))
	for _, f := range v.Folders {
		line := newFolderLine(f)
		c.Folders = append(c.Folders, line)
		for i, d := range differences {
			totals[i] += int64(len(d.of(f)))
		}
	}
	for _, d := range differences {
		for i, f := range v.Folders {
			if m := d.of(f); len(m) > 0 {
				c.Details = append(c.Details, detail{d.title, c.Folders[i].name(), m})
			}
		}
	}
	c.Verdict = layout.Join(": ", v.Verdict, countWords(totals))
	switch v.Verdict {
	case "equal", "superset":
		c.mark = layout.OK
	case "different":
		if c.Verdict == v.Verdict {
			c.Verdict += ": a folder is missing at the destination"
		}
	}
	return c
}

func newFolderLine(f mailsync.FolderVerify) folderLine {
	line := folderLine{Dest: f.Dest, SourceCount: layout.Count(f.SourceMessages), DestCount: layout.Count(f.DestMessages), mark: layout.OK}
	if f.Source == nil {
		line.SourceCount, line.Result, line.mark = "-", "only at the destination", layout.Note
		return line
	}
	line.Source = *f.Source
	counts := make([]int64, len(differences))
	for i, d := range differences {
		counts[i] = int64(len(d.of(f)))
		switch {
		case counts[i] == 0:
		case !d.extra:
			line.mark = layout.Problem
		case line.mark == layout.OK:
			line.mark = layout.Note
		}
	}
	if line.Result = countWords(counts); line.Result == "" {
		line.Result = "equal"
	}
	return line
}

// name is how a folder is called in a heading: by its name in the source, where it has one.
func (l folderLine) name() string {
	if l.Source == "" {
		return l.Dest
	}
	return l.Source
}

// countWords writes a count for each of differences: "2 missing, flags of 1".
func countWords(counts []int64) string {
	var parts []string
	for i, d := range differences {
		if counts[i] > 0 {
			parts = append(parts, fmt.Sprintf(d.words, layout.Count(counts[i])))
		}
	}
	return strings.Join(parts, ", ")
}

// maxMessages is how many messages of a folder are named for each difference, unless all are asked for.
const maxMessages = 10

// Verification writes a comparison as text: a line for each folder, the messages that differ, and the verdict on the last line.
func Verification(w io.Writer, v *mailsync.Verification, o Options) error {
	c := newComparison(v)
	p := o.page()
	t := layout.Table{Columns: []layout.Column{
		{}, {Title: "Source", Cut: layout.Middle}, {Title: "Destination", Cut: layout.Middle},
		{Title: "in source", Right: true}, {Title: "in dest.", Right: true}, {Title: "Result", Cut: layout.End, Min: 23},
	}}
	for _, f := range c.Folders {
		t.Row(p.Mark(f.mark), layout.Plain(dash(f.Source)), layout.Plain(dash(f.Dest)),
			layout.Plain(f.SourceCount), layout.Plain(f.DestCount), layout.Span{Text: f.Result, Tone: f.mark.Tone()})
	}
	p.Table(&t, "")
	title := ""
	for _, d := range c.Details {
		if d.Title != title {
			p.Blank()
			p.Line(layout.Span{Text: d.Title, Tone: layout.Strong})
			title = d.Title
		}
		detailLines(p, d, o.Verbose)
	}
	if len(c.Folders) > 0 {
		p.Blank()
	}
	p.Line(layout.Span{Text: c.Verdict, Tone: c.mark.Tone()})
	return flush(w, p)
}

func detailLines(p *layout.Page, d detail, all bool) {
	p.Line(layout.Plain("  " + p.CutMiddle(d.Folder, p.Columns()-4)))
	shown := d.Messages
	if !all && len(shown) > maxMessages {
		shown = shown[:maxMessages]
	}
	t := layout.Table{Columns: []layout.Column{{Right: true}, {}, {Right: true}, {Cut: layout.Middle}}}
	for _, m := range shown {
		t.Row(layout.Plain(fmt.Sprintf("uid %d", m.UID)), layout.Plain(day(m.Date)), layout.Plain(layout.Size(m.Size)), layout.Plain(m.MessageID))
	}
	p.Table(&t, "    ")
	if more := len(d.Messages) - len(shown); more > 0 {
		p.Line(layout.Plain("    and " + layout.Count(int64(more)) + " more: -v lists them all"))
	}
}

// day writes an INTERNALDATE in UTC, to the minute.
func day(t time.Time) string {
	if t.IsZero() {
		return "no date"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
