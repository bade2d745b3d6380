package job

import (
	"fmt"
	"strings"
	"time"
)

// size writes octets for a person.
func size(octets int64) string {
	if octets < 1024 {
		return fmt.Sprintf("%d B", octets)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(octets)/1024, 0
	for value >= 1023.5 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	if value < 99.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// counted writes a number with its noun, whose plural has an s.
func counted(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func messages(n int64) string { return counted(n, "message") }

// span writes a time that was only estimated: nobody needs its seconds.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under a second"
	case d < 90*time.Second:
		return fmt.Sprintf("about %.0f s", d.Seconds())
	case d < 90*time.Minute:
		return fmt.Sprintf("about %.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("about %.0f h", d.Hours())
	}
	return fmt.Sprintf("about %.0f days", d.Hours()/24)
}

// firstOf joins the first few of list.
func firstOf(list []string) string {
	const few = 3
	if more := len(list) - few; more > 0 {
		list = append(list[:few:few], fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}

// short cuts a name to what a sentence can bear; the evidence has the whole of it.
func short(name string) string {
	const most = 48 // characters
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return name
}
