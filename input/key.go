package input

import "strings"

// NoSuchKey returns what is wrong with a key that is none of the known ones. It names those,
// or the one that was probably meant, and never the key itself: it may be a secret in the
// wrong place.
func NoSuchKey(key string, known []string) string {
	nearest, least := "", 1+min((len(key)+2)/3, 3)
	for _, k := range known {
		if d := Distance(key, k); d < least {
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
