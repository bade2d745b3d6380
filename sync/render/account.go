package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// An account is a summary in the words that all its forms share.
type account struct {
	Rows    []row
	Causes  []cause
	Unnamed int // causes that are not listed
	Next    []string
	Verdict string // one line, which begins with the verdict's word
	mark    layout.Mark
}

// A row is one line of the count.
type row struct {
	Label, Count, Note string
	mark               layout.Mark
}

// A cause is why some messages could not be copied.
type cause struct {
	Count  string // messages, "all" for whole folders
	What   string
	Said   string // the server's words, or ""
	Places []place
}

// A place is a folder and the messages in it, as UIDs.
type place struct{ Folder, UIDs string }

// maxCauses and maxRanges bound the list of failures in what people read; the JSON has them all.
const (
	maxCauses = 20
	maxRanges = 60
)

func newAccount(s *mailsync.Summary) account {
	a := account{Rows: countRows(s), Next: nextSteps(s), Verdict: summaryVerdict(s), mark: layout.Problem}
	a.Causes, a.Unnamed = causes(s.Failures)
	switch {
	case s.Verdict == "complete" && surplus(s) == 0:
		a.mark = layout.OK
	case s.Verdict == "complete" || s.Verdict == "partial":
		a.mark = layout.Warning
	}
	return a
}

func surplus(s *mailsync.Summary) int64 {
	if s.Verified == nil {
		return 0
	}
	return s.Verified.Surplus
}

func countRows(s *mailsync.Summary) []row {
	m := s.Messages
	rows := []row{
		{Label: "in the source", Count: layout.Count(m.Source), Note: "in " + layout.Counted(int64(s.Folders), "folder", "folders")},
		{Label: "copied now", Count: layout.Count(m.Copied), Note: pace(s)},
		{Label: "already there", Count: layout.Count(m.Present)},
	}
	add := func(n int64, label, note string, mark layout.Mark) {
		if n != 0 {
			rows = append(rows, row{label, layout.Count(n), note, mark})
		}
	}
	add(m.Skipped, "left out", "on purpose, or gone from the source meanwhile", layout.NoMark)
	add(m.Failed, "could not be copied", "see below", layout.Problem)
	add(m.Remaining, "not reached", "the run ended before", layout.Warning)
	add(m.FlagsUpdated, "flags updated", "on messages that were there already", layout.NoMark)
	add(m.Deleted, "deleted", "at the destination", layout.Warning)
	if v := s.Verified; v != nil {
		rows = append(rows, verifiedRow(v))
	}
	return rows
}

// pace says how much was copied, and how fast.
func pace(s *mailsync.Summary) string {
	took := time.Duration(s.DurationMS) * time.Millisecond
	if s.BytesCopied == 0 {
		return "in " + layout.Duration(took)
	}
	text := layout.Size(s.BytesCopied) + " in " + layout.Duration(took)
	if s.DurationMS > 0 {
		text += ", " + layout.Size(int64(float64(s.BytesCopied)/took.Seconds())) + "/s"
	}
	return text
}

func verifiedRow(v *mailsync.Verified) row {
	r := row{Label: "checked after copy", Count: layout.Count(v.Messages), Note: "none is missing"}
	if v.Missing > 0 {
		r.Note, r.mark = layout.Counted(v.Missing, "message is missing", "messages are missing"), layout.Problem
	}
	if v.Surplus > 0 {
		r.Note += "; " + layout.Counted(v.Surplus, "surplus copy", "surplus copies")
		r.mark = max(r.mark, layout.Warning)
	}
	return r
}

// causes groups failures by what went wrong, the commonest first.
func causes(failures []mailsync.Failure) (listed []cause, unlisted int) {
	type key struct{ step, code, said string }
	groups := map[key][]mailsync.Failure{}
	var order []key
	for _, f := range failures {
		k := key{f.Step, f.Code, f.ServerText}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], f)
	}
	slices.SortStableFunc(order, func(a, b key) int { return len(groups[b]) - len(groups[a]) })
	for _, k := range order[:min(len(order), maxCauses)] {
		listed = append(listed, cause{
			Count: groupCount(groups[k]), What: failureWords(k.step, k.code), Said: k.said, Places: places(groups[k]),
		})
	}
	return listed, len(order) - len(listed)
}

func groupCount(failures []mailsync.Failure) string {
	for _, f := range failures {
		if f.UID == 0 {
			return "all" // of a folder; how many these are was counted, but not for each cause
		}
	}
	return layout.Count(int64(len(failures)))
}

func failureWords(step, code string) string {
	if code == "stand-in" {
		return "the source sent a substitute in place of the message"
	}
	words, ok := map[string]string{
		"fetch":  "the source did not deliver the message",
		"append": "the destination refused the message",
		"store":  "the destination refused the flags",
		"create": "the destination did not create the folder",
		"select": "the folder could not be opened",
	}[step]
	if !ok {
		words = step
	}
	if code != "" {
		words += " (" + code + ")"
	}
	return words
}

// places lists the folders of failures in their order, with the UIDs.
func places(failures []mailsync.Failure) []place {
	uids := map[string][]uint32{}
	var order []string
	for _, f := range failures {
		if _, ok := uids[f.Folder]; !ok {
			order = append(order, f.Folder)
		}
		uids[f.Folder] = append(uids[f.Folder], f.UID)
	}
	var list []place
	for _, folder := range order {
		list = append(list, place{folder, uidList(uids[folder])})
	}
	return list
}

// uidList writes UIDs as ranges: "uid 7, 10-20". With UID 0 it is the whole folder.
func uidList(uids []uint32) string {
	slices.Sort(uids)
	if uids[0] == 0 {
		return "the whole folder"
	}
	var ranges []string
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] <= uids[j]+1 {
			j++
		}
		if len(ranges) == maxRanges {
			return "uid " + strings.Join(ranges, ", ") + " and " + layout.Count(int64(len(uids)-i)) + " more"
		}
		switch first, last := uids[i], uids[j]; last - first {
		case 0:
			ranges = append(ranges, strconv.FormatUint(uint64(first), 10))
		case 1:
			ranges = append(ranges, fmt.Sprintf("%d, %d", first, last))
		default:
			ranges = append(ranges, fmt.Sprintf("%d-%d", first, last))
		}
		i = j + 1
	}
	return "uid " + strings.Join(ranges, ", ")
}

// nextSteps says what to do now. Exit codes are those of the contract, section 3.
func nextSteps(s *mailsync.Summary) []string {
	const again = "run the same command again: it copies only what is not there yet"
	var steps []string
	switch {
	case s.Verdict == "complete" && s.Messages.Copied == 0:
		steps = append(steps, "nothing was new: when no more mail arrives at the old server, the move is done")
	case s.Verdict == "complete":
		steps = append(steps, "let mail arrive at the new server (MX record, mail programs), wait a day, then "+again)
	case s.ExitCode == 22:
		steps = append(steps, "make room at the destination or have its quota raised, then "+again)
	case s.ExitCode == 25:
		steps = append(steps, "find out what changed on the server before you go on; then "+again)
	case s.ExitCode == 75:
		steps = append(steps, "the server asks to come back later: wait an hour, then "+again)
	case s.Verdict == "partial" && s.Messages.Failed > 0:
		steps = append(steps, "remove the causes above, then "+again)
	default:
		steps = append(steps, again)
	}
	if n := surplus(s); n > 0 {
		steps = append(steps, "nothing was deleted: "+layout.Counted(n, "copy", "copies")+
			" more than needed may come from a retry; imapilot verify lists them as extra")
	}
	if s.Verified != nil && s.Verified.Missing > 0 {
		steps = append(steps, "imapilot verify lists what is missing")
	}
	return steps
}

// summaryVerdict is the last line.
func summaryVerdict(s *mailsync.Summary) string {
	var parts []string
	add := func(n int64, words string) {
		if n > 0 {
			parts = append(parts, layout.Count(n)+" "+words)
		}
	}
	add(s.Messages.Failed, "not copied")
	add(s.Messages.Remaining, "not reached")
	if s.Verified != nil {
		add(s.Verified.Missing, "missing at the destination")
	}
	add(surplus(s), "surplus")
	return layout.Join(": ", s.Verdict, strings.Join(parts, ", "))
}
