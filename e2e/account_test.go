package e2e

import "testing"

// TestAccountPageInChromium runs browser/account.test.mjs against a stage of its own:
// it changes what other tests rely on.
func TestAccountPageInChromium(t *testing.T) {
	runBrowser(t, newStage(t, "sqlite"), "account.test.mjs", 3, 12)
}
