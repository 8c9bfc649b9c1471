package dev

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sallyport/provider/desired"
)

// TestTheGreetingFitsATerminal: whatever the flags and the state file, it has at most 24 lines
// of 80 columns.
func TestTheGreetingFitsATerminal(t *testing.T) {
	many := desired.State{Clients: []desired.Client{{ID: "spa"}, {ID: "web"}, {ID: "bank"}, {ID: "native"}, {ID: "front"}, {ID: "vault"}, {ID: "m2m"}}}
	for i := range 60 {
		many.Clients = append(many.Clients, desired.Client{ID: fmt.Sprintf("application-%d", i)})
	}
	long := desired.State{Clients: []desired.Client{{ID: strings.Repeat("x", 255)}}}
	users := desired.State{Users: []desired.User{{Username: "carol"}, {Email: "Alice@example.com"}, {Phone: "+12025550123"}}}
	s := secrets{Alice: userSecrets{Password: strings.Repeat("a", 27)}, Bob: userSecrets{Password: strings.Repeat("b", 27)}}
	local := place{bind: "127.0.0.1", name: "localhost", port: 8080}
	for _, tc := range []struct {
		name  string
		at    place
		given bool
		state desired.State
		want  []string // lines
	}{
		{"built-in clients", local, false, desired.State{}, []string{"  Clients        spa, bank, web, native, front, vault, tv, till, m2m"}},
		{"a client of one's own", local, true, desired.State{Clients: []desired.Client{{ID: "shop"}}}, []string{"  From --state   shop"}},
		{"a client that is built in", local, true, desired.State{Clients: []desired.Client{{ID: "web"}}},
			[]string{"  From --state   nothing", "  Replaces       built-in web"}},
		{"users", local, true, users, []string{"  From --state   user carol",
			"  Replaces       built-in user Alice@example.com (password kept) and 1 more"}},
		{"clients without end, for the whole network", place{bind: "192.168.100.100", name: "192.168.100.100", port: 8080, secure: true, exposed: true}, true, many,
			[]string{"  From --state   application-0, application-1 and 58 more", "  Account page   https://192.168.100.100:8080/account"}},
		{"a name without end", local, true, long, []string{"  From --state   1 more"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			own := compare(seeds(tc.at, s), tc.state)
			own.given = tc.given
			writeGreeting(&b, tc.at, &folder{dir: "./.sallyport-dev"}, s, own, false)
			if n := strings.Count(b.String(), "\n"); n > 24 {
				t.Errorf("%d lines", n)
			}
			for line := range strings.Lines(b.String()) {
				if n := len([]rune(line)) - 1; n > width {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			for _, want := range tc.want {
				if !strings.Contains(b.String(), want+"\n") {
					t.Errorf("no line %q", want)
				}
			}
			if t.Failed() {
				t.Log(b.String())
			}
		})
	}
}
