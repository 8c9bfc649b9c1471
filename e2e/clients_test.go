package e2e

import "testing"

// TestClientLibraries runs browser/clients.test.mjs: the most used
// JavaScript client libraries, unmodified.
//
// Conformance (Pushed authorization requests): RFC 9126 2: an independent client pushes a signed request
// Conformance (DPoP): RFC 9449 5, 7: an independent client sends proofs
// Conformance (Step-up): RFC 9470 3, 4, 5, 6: a resource server asks for more, and a client gets a token with it
func TestClientLibraries(t *testing.T) {
	t.Parallel()
	runBrowser(t, newStage(t, "sqlite"), "clients.test.mjs", 10, 10)
}
