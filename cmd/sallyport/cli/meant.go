package cli

import (
	"strings"
)

// didYouMean returns a question about the name that is most like what was typed, or nothing.
func didYouMean(typed string, names []string) string {
	best, least := "", 0
	for _, name := range names {
		d := distance(typed, name)
		// A name that was cut off is as good as a name with one wrong letter.
		if bare := strings.TrimLeft(typed, "-"); len(bare) > 1 && strings.HasPrefix(name, typed) {
			d = min(d, 1)
		}
		if d <= max(1, len(name)/3) && (best == "" || d < least) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// distance is the number of letters to add, remove, replace or swap with their neighbour to
// turn a into b.
func distance(a, b string) int {
	const most = 64 // longer words are like none
	if len(a) > most || len(b) > most {
		return most
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := 1
			if a[i-1] == b[j-1] {
				replaced = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
