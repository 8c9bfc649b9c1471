package e2e

import "testing"

// TestClientLibraries runs browser/clients.test.mjs: the most used
// JavaScript client libraries, unmodified.
func TestClientLibraries(t *testing.T) {
	t.Parallel()
	runBrowser(t, newStage(t, "sqlite"), "clients.test.mjs", 8, 10)
}
