package e2e

import "testing"

// TestAccountPageInChromium runs browser/account.test.mjs on a separate stage,
// because it changes what other tests depend on.
func TestAccountPageInChromium(t *testing.T) {
	t.Parallel()
	runBrowser(t, newStage(t, "sqlite"), "account.test.mjs", 3, 12)
}
