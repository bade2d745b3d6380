package imaptest

import (
	"math/rand/v2"
	"time"
)

// Sample returns the sample mail, the same at every call: some 230 messages of a few MB in nested folders with names in several
// scripts, one with a dot and one with an ampersand in its name; special uses; flags and keywords; attachments, HTML, headers with raw 8-bit
// octets, messages without Message-ID, exact twins with other dates, an empty folder, dates over ten years. The caller may change what it got.
func Sample() []Folder {
	s := &sampler{random: rand.New(rand.NewPCG(2026, 3))}
	folders := []Folder{
		s.folder(42, 2022, 2025, "INBOX"),
		s.folder(24, 2019, 2025, "Sent"),
		s.folder(4, 2025, 2025, "Drafts"),
		s.folder(9, 2025, 2025, "Junk"),
		s.folder(7, 2024, 2025, "Trash"),
		s.folder(6, 2015, 2018, "Archive"),
		s.folder(16, 2016, 2016, "Archive", "2016"),
		s.folder(18, 2018, 2018, "Archive", "2018"),
		s.folder(12, 2020, 2020, "Archive", "2020"),
		s.folder(3, 2016, 2024, "Familie"),
		s.folder(14, 2016, 2024, "Familie", "Großeltern"),
		s.folder(11, 2019, 2023, "Familie", "Urlaub in Österreich"),
		s.folder(10, 2023, 2024, "Rechnungen", "2023.Q4"),
		s.folder(8, 2022, 2023, "Rechnungen", "Bücher & Noten"),
		s.folder(5, 2017, 2021, "Работа"),
		s.folder(13, 2018, 2021, "Работа", "Проекты", "Северный мост"),
		s.folder(9, 2021, 2024, "旅行", "京都の春"),
		s.folder(7, 2020, 2022, "Listes", "Été à la mer"),
		s.folder(0, 2025, 2025, "Später lesen"),
	}
	special := map[string]string{"Sent": `\Sent`, "Drafts": `\Drafts`, "Junk": `\Junk`, "Trash": `\Trash`, "Archive": `\Archive`}
	for i := range folders {
		f := &folders[i]
		if len(f.Path) == 1 {
			f.SpecialUse = special[f.Path[0]]
		}
		f.Subscribed = f.Path[0] != "Listes"
	}
	addOddities(folders)
	return folders
}

// A sampler makes messages, one after the other, from a fixed sequence of random numbers.
type sampler struct {
	random *rand.Rand
	count  int
}

// folder makes a folder of n messages that came evenly between the years.
func (s *sampler) folder(n, from, to int, path ...string) Folder {
	f := Folder{Path: path}
	begin := time.Date(from, 1, 4, 7, 0, 0, 0, time.UTC)
	span := time.Date(to, 12, 20, 0, 0, 0, 0, time.UTC).Sub(begin)
	for i := range n {
		when := begin.Add(span / time.Duration(n) * time.Duration(i)).Add(time.Duration(s.random.IntN(86400)) * time.Second)
		f.Messages = append(f.Messages, s.message(path[0], when))
	}
	return f
}

// zones are those of the people who write.
var zones = []*time.Location{
	time.FixedZone("", 1*3600), time.FixedZone("", 2*3600), time.UTC, time.FixedZone("", 3*3600), time.FixedZone("", 9*3600), time.FixedZone("", -7*3600),
}

// message makes the next message, of the next kind.
func (s *sampler) message(folder string, when time.Time) Message {
	s.count++
	t := topics[s.count%len(topics)]
	when = when.In(zones[s.count%len(zones)])
	m := builder{topic: t, number: s.count, sent: when.Add(-time.Duration(s.random.IntN(90)) * time.Second), random: s.random}
	kinds := []func() []byte{m.plain, m.alternative, m.plain, m.attachment, m.eightBit, m.alternative, m.forwarded, m.plain, m.inlineImage, m.rawHeader}
	return Message{Flags: s.flags(folder, when), InternalDate: when, Body: kinds[s.count%len(kinds)]()}
}

// flags are those that people and programs leave behind.
func (s *sampler) flags(folder string, when time.Time) []string {
	var flags []string
	set := func(flag string, one, of int) {
		if s.random.IntN(of) < one {
			flags = append(flags, flag)
		}
	}
	switch folder {
	case "Drafts":
		return []string{`\Draft`, `\Seen`}
	case "Junk":
		set("$Junk", 1, 1)
		set(`\Seen`, 1, 3)
		return flags
	case "Trash":
		set(`\Deleted`, 1, 4)
	}
	if when.Year() < 2025 {
		set(`\Seen`, 19, 20)
	} else {
		set(`\Seen`, 1, 2)
	}
	set(`\Answered`, 1, 5)
	set(`\Flagged`, 1, 9)
	set("$Forwarded", 1, 12)
	set("$Label1", 1, 15)
	set("Steuer2023", 1, 16)
	set("NonJunk", 1, 6)
	return flags
}

// addOddities puts in what goes wrong when mail is copied carelessly.
func addOddities(folders []Folder) {
	in, archive := &folders[0], &folders[6]

	// The same octets twice, once more with another date, and again with other flags: four messages, not one.
	twin := in.Messages[3]
	later := twin
	later.InternalDate = twin.InternalDate.AddDate(0, 0, 1)
	flagged := twin
	flagged.Flags = []string{`\Seen`, `\Flagged`, "Steuer2023"}
	in.Messages = append(in.Messages, twin, later, flagged)

	// Two that nothing but their content tells apart.
	date := time.Date(2016, 2, 29, 23, 59, 59, 0, zones[0])
	for _, text := range []string{"Notiz 1: Schlüssel liegt beim Nachbarn.", "Notiz 2: Schlüssel liegt unter der Matte."} {
		archive.Messages = append(archive.Messages, Message{Flags: []string{`\Seen`}, InternalDate: date, Body: []byte("Subject: Notiz\r\nContent-Type: text/plain; charset=utf-8\r\n" +
			"Content-Transfer-Encoding: 8bit\r\n\r\n" + text + "\r\n")})
	}

	// Without a Message-ID, as scanners and machines send it; with a header field folded in an unusual way; without a last line end.
	archive.Messages = append(archive.Messages,
		Message{Flags: []string{`\Seen`}, InternalDate: date.AddDate(0, 1, 0), Body: []byte("From: scanner@office.example\r\nTo: anna.berger@example.org\r\n" +
			"Subject: Scan from 2016-03-29\r\nDate: Tue, 29 Mar 2016 23:59:50 +0100\r\n\r\nThe scan is on the share.\r\n")},
		Message{InternalDate: date.AddDate(0, 2, 0), Body: []byte("From: =?utf-8?q?B=C3=BCro?= <office@example.org>\r\nTo: anna.berger@example.org\r\n" +
			"Subject:\r\n =?utf-8?q?Gefaltet=3A?=\r\n\t=?utf-8?q?_ein_langer_Betreff?=\r\nMessage-ID:\r\n <folded.1@example.org>\r\n" +
			"Date: Fri, 29 Apr 2016 23:59:59 +0100\r\n\r\nThe last line has no end")})
}
