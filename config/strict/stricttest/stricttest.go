// Package stricttest has what tests of readers share.
package stricttest

import (
	"errors"
	"strings"
	"testing"

	"sallyport/config/strict"
)

// Want fails unless an error has these faults, in order, each given by a part of its text,
// and none quotes a value: values of these tests contain "geheim".
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
