package cli

import (
	"strings"

	"sallyport/input"
)

// didYouMean returns a question about the name that is most like what was typed, or nothing.
func didYouMean(typed string, names []string) string {
	best, least := "", 0
	for _, name := range names {
		d := input.Distance(typed, name)
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
