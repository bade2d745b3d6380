package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/render/layout"
)

// sizeOf writes octets as a part of others, with the unit once where it is the same.
func sizeOf(part, whole int64) string {
	a, b := layout.Size(part), layout.Size(whole)
	if n, unit, _ := strings.Cut(a, " "); strings.HasSuffix(b, " "+unit) {
		a = n
	}
	return a + " of " + b
}

// elapsed is a duration for a clock that is watched: no fractions.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(max(d, 0).Seconds()))
	}
	return layout.Duration(d)
}

// ago writes how long something is past: whole minutes do.
func ago(d time.Duration) string {
	if d >= time.Minute && d < time.Hour {
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	}
	return elapsed(d) + " ago"
}

// share returns how many whole hundredths of whole part is: 100 only when nothing is missing.
func share(part, whole int64) int {
	if whole <= 0 {
		return 0
	}
	return int(min(max(part, 0)*100/whole, 100))
}
