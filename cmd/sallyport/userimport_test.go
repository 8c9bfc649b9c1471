package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
)

// TestAnImportedLineWithAnIDOfItsOwn: a line whose id exists is done only if that is its user, and an
// id is one before it becomes part of an address.
func TestAnImportedLineWithAnIDOfItsOwn(t *testing.T) {
	o := newFixtureWithUsers(t)
	alice := o.account("alice").User.ID
	file := o.file("users.jsonl", fmt.Sprintf(`{"id": %q, "username": "alice", "email": "Alice@example.com"}
{"id": %q, "username": "mallory"}
{"id": %q, "username": "alice", "email": "mallory@example.com"}
{"id": "", "username": "alice"}
{"id": "%s/sessions", "username": "alice"}
{"username": "alice"}
{"username": "bob"}
`, alice, alice, alice, alice))
	code, out, stderr := o.run("", "user", "import", file)
	if code != cli.ExitFailed || !strings.Contains(out, "created 2 users, refused 5 lines") {
		t.Errorf("exit code %d: %s%s", code, out, stderr)
	}
	for _, want := range []string{"line 4: id: ", "line 5: id: "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not in\n%s", want, stderr)
		}
	}
	refused, err := os.ReadFile(file + ".refused")
	if err != nil || strings.Count(string(refused), "\n") != 5 || strings.Contains(string(refused), "bob") {
		t.Errorf("refused, %v:\n%s", err, refused)
	}
}
