package main

import "strings"

// closest returns the candidate that name was probably meant to be, or "" when none is near.
func closest(name string, candidates []string) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		d := editDistance(strings.ToLower(name), c)
		if len(name) >= 3 && strings.HasPrefix(c, name) {
			d = 1 // --source-password for --source-password-from
		}
		if d < bestDistance && d < len(name) {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts the letters to insert, remove, replace or swap with their neighbour on the way from a to b.
func editDistance(a, b string) int {
	beforeLast, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], beforeLast[j-2]+1)
			}
		}
		beforeLast, last = last, row
	}
	return last[len(b)]
}
