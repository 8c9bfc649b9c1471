package input

import "strings"

// longestKey bounds the work for a key, in bytes. No known key is as long.
const longestKey = 64

// NoSuchKey returns what is wrong with a key that is none of the known ones. It names those,
// or the one that was probably meant, and never the key itself: it may be a secret in the
// wrong place.
func NoSuchKey(key string, known []string) string {
	nearest, least := "", 1+min((len(key)+2)/3, 3)
	for _, k := range known {
		if len(key) > longestKey {
			break
		}
		if d := edits(key, k); d < least {
			nearest, least = k, d
		}
	}
	switch {
	case nearest != "":
		return "there is no such key; did you mean " + nearest + "?"
	case len(known) == 0:
		return "there is no such key; none belongs here"
	}
	return "there is no such key; those here are " + strings.Join(known, ", ")
}

// edits returns how many characters have to be inserted, removed or replaced to turn one text
// into another (Levenshtein distance).
func edits(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(to) {
			cost := diagonal
			if from[i] != to[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
