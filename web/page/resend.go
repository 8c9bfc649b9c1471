package page

import (
	"maps"
	"net/url"
	"slices"
)

// Resent stands in the address of a form of ours that sends on what somebody else's
// form sent: it is not sent on again, whether cookies came along or not.
const Resent = "resent=yes"

// Fields are the parameters of a form to be sent on, in an order of their own.
func Fields(form url.Values) [][2]string {
	var out [][2]string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			out = append(out, [2]string{name, value})
		}
	}
	return out
}
