package e2e

import "testing"

// TestClientLibraries runs browser/clients.test.mjs: the client libraries that most
// applications in JavaScript use, unmodified.
func TestClientLibraries(t *testing.T) {
	runBrowser(t, newStage(t, "sqlite"), "clients.test.mjs", 8, 7)
}
