package layout

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Count writes n with its thousands set apart.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return sign + strings.Join(append([]string{digits}, groups...), " ")
}

// Counted is Count with the noun in the right number.
func Counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Size writes octets in binary units.
func Size(octets int64) string {
	if octets < 1024 {
		return fmt.Sprintf("%d B", octets)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(octets)/1024, 0
	for value >= 1023.5 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	// Of a small number, and of a large unit, a tenth is still a lot.
	if value < 9.95 || unit >= 2 && value < 99.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// Duration writes d in at most two units: 9 ms, 1.2 s, 2 min 05 s, 5 h 31 min.
func Duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "0 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// Milliseconds is Duration for a number of milliseconds, as the JSON has them; sub-millisecond ones keep a digit.
func Milliseconds(ms float64) string {
	if ms > 0 && ms < 0.95 {
		return fmt.Sprintf("%.1f ms", max(ms, 0.1))
	}
	return Duration(time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond))
}
