package exchange_test

import (
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
)

func TestNamesOfAuthenticatorsMayBeShown(t *testing.T) {
	for name, want := range map[string]mfa.Code{" Ada’s phone ": "", "👩‍💻": "", "": "", "a\nb": mfa.InvalidRequest, "a\u202eb": mfa.InvalidRequest,
		"a\u2069": mfa.InvalidRequest, "\x1b[2J": mfa.InvalidRequest, "J\xfcrgen": mfa.InvalidRequest, "a\u2028b": mfa.InvalidRequest} {
		got, err := exchange.CleanName(name)
		mfatest.Want(t, name, err, want)
		if err == nil && got != strings.TrimSpace(name) {
			t.Errorf("CleanName(%q) = %q", name, got)
		}
	}
}
