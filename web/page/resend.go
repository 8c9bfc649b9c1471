package page

import (
	"maps"
	"net/url"
	"slices"
)

// Resent marks the address of a form that resends another site's form: it is not resent
// again, even if it has no cookies.
const Resent = "resent=yes"

// Fields are the parameters of a form, in a stable order.
func Fields(form url.Values) [][2]string {
	var out [][2]string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			out = append(out, [2]string{name, value})
		}
	}
	return out
}
