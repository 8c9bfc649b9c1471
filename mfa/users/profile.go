package users

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"sallyport/input"
	"sallyport/mfa"
)

// errClaim does not name the claim: an operator's file may have a secret in its place.
var errClaim = &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("a text of the profile " + input.NameFault)}

// hiddenClaims returns the claims of a profile that may not be shown. An address may have
// several lines (OpenID Connect Core section 5.1.1).
func hiddenClaims(profile map[string]any) []string {
	var out []string
	for _, claim := range slices.Sorted(maps.Keys(profile)) {
		if !shown(profile[claim], false) {
			out = append(out, claim)
		}
	}
	return out
}

func shown(value any, lines bool) bool {
	switch x := value.(type) {
	case string:
		if lines {
			x = strings.NewReplacer("\r\n", "", "\n", "").Replace(x)
		}
		return input.Shown(x)
	case []any:
		return !slices.ContainsFunc(x, func(v any) bool { return !shown(v, lines) })
	case map[string]any:
		for name, v := range x {
			if !input.Shown(name) || !shown(v, true) {
				return false
			}
		}
	}
	return true
}
