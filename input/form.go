package input

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

var errSemicolon = errors.New("a semicolon is no separator") // as in net/url

// Form reads the parameters of an address or a form (application/x-www-form-urlencoded) as
// url.ParseQuery does, but returns nothing of a malformed one, and has no limit of its own: the caller
// counts the parameters first. All values share one list.
func Form(text string) (url.Values, error) {
	n := 0
	if text != "" {
		n = strings.Count(text, "&") + 1
	}
	out, all := make(url.Values, n), make([]string, 0, n)
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		if strings.Contains(pair, ";") {
			return nil, errSemicolon
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, err
		}
		all = append(all, value)
		if before, ok := out[name]; ok {
			out[name] = append(before, value)
		} else {
			out[name] = slices.Clip(all[len(all)-1:])
		}
	}
	return out, nil
}
