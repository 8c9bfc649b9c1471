package users

import (
	"strconv"
	"strings"
	"testing"
)

func TestRoles(t *testing.T) {
	var most []string
	for i := range maxRoles {
		most = append(most, strconv.Itoa(i))
	}
	for _, tc := range []struct {
		name  string
		roles []string
		good  bool
	}{
		{"none", nil, true},
		{"words of any language, with spaces inside", []string{"editor", "Größter Prüfer", "realm:admin"}, true},
		{"as many as there may be", most, true},
		{"the longest", []string{strings.Repeat("r", maxRole)}, true},
		{"one too many", append([]string{"one"}, most...), false},
		{"one too long", []string{strings.Repeat("r", maxRole+1)}, false},
		{"an empty one", []string{""}, false},
		{"spaces around", []string{"admin "}, false},
		{"a line break", []string{"admin\nroot"}, false},
		{"a letter that is not seen", []string{"ad\u200bmin"}, false},
		{"what is no text", []string{"\xff"}, false},
		{"one twice", []string{"admin", "editor", "admin"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := checkRoles(tc.roles); (err == nil) != tc.good {
				t.Errorf("checkRoles = %v, want good: %v", err, tc.good)
			}
		})
	}
}
