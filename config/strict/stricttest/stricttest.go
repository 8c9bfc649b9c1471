// Package stricttest is what the tests of readers share.
package stricttest

import (
	"errors"
	"strings"
	"testing"

	"sallyport/config/strict"
)

// Want demands these faults of an error, in their order, each by a part of its text; and that
// none quotes a value, which in these tests have "geheim" in them.
func Want(t *testing.T, err error, want []string) {
	t.Helper()
	var got strict.Faults
	if err != nil && !errors.As(err, &got) {
		t.Fatalf("error is %T, want Faults", err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d faults, want %d:\n%v", len(got), len(want), err)
	}
	for i := range want {
		if !strings.Contains(got[i].String(), want[i]) {
			t.Errorf("fault %d = %q, want %q in it", i, got[i], want[i])
		}
		if strings.Contains(got[i].String(), "geheim") {
			t.Errorf("fault %q quotes a secret", got[i])
		}
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != len(want) {
		t.Errorf("%d lines for %d faults", lines, len(want))
	}
}
