package web

import (
	"strings"
	"testing"

	"sallyport/mfa"
)

func TestOnlyHarmlessValuesAreLogged(t *testing.T) {
	for _, tc := range []struct{ parameter, value, want string }{
		{"redirect_uri", "https://rp.example/cb", "https://rp.example/cb"},
		{"redirect_uri", "https://u:p@rp.example/cb?code=x#token=y", "https://rp.example/cb"},
		{"redirect_uri", "https://u:p@rp.example/%zz?code=x", "https://rp.example/%zz"},
		{"redirect_uri", "javascript:alert(1)", "javascript:alert(1)"},
		{"post_logout_redirect_uri", "https://rp.example/out?state=x", "https://rp.example/out"},
		{"resource", "https://api.example/?key=x", "https://api.example/"},
		{"scope", "openid\nlevel=ERROR", `openid\nlevel=ERROR`},
		{"scope", "openid \u202e", `openid \u202e`},
		{"scope", strings.Repeat("x", 500), strings.Repeat("x", longest) + "…"},
		{"scope", "\xff", "\ufffd"},
		{"client_id", "shop", "shop"},
		{"client_id", "9c2f1b4e-7d3a-4f66-9a43-0f1e2d3c4b5a", "9c2f1b4e-7d3a-4f66-9a43-0f1e2d3c4b5a"},
		{"client_id", "qL8yT0mRr3x2ZkVYw1p9Ub7Nf5Hd4Gs6Jc0Ea8Io3Qk", ""},
		{"client_id", "a secret of 32 random bytes, say", ""},
		{"state", "x", ""}, {"nonce", "x", ""}, {"code", "x", ""}, {"code_verifier", "x", ""}, {"client_secret", "x", ""},
		{"login_hint", "ada@example.org", ""}, {"password", "x", ""}, {"xscope", "x", ""}, {"", "x", ""},
	} {
		if got := shown(tc.parameter, tc.value); got != tc.want {
			t.Errorf("%s=%q is logged as %q, want %q", tc.parameter, tc.value, got, tc.want)
		}
	}
}

func TestOnlyNamesAreLoggedAsNames(t *testing.T) {
	for name, logged := range map[string]bool{"redirect_uri": true, "requestId": true, "clients[0].redirect_uris[12]": true, "X-Forwarded-For": true,
		"": false, "a b": false, "eyJhbGciOiJFUzI1NiJ9": false, "hunter2": false, "a\n": false, strings.Repeat("x", 65): false, "a[12345]": false} {
		if got := loggedName(name); (got == name && name != "") != logged {
			t.Errorf("%q is logged as %q", name, got)
		}
	}
}

// The code closest to the cause knows most.
func TestTheFirstReasonStays(t *testing.T) {
	r := &mfa.Refusal{}
	ctx := mfa.WithRefusal(t.Context(), r)
	mfa.Refused(ctx, mfa.Refusal{Client: "shop"})
	mfa.Refused(ctx, mfa.Refusal{Reason: "wrong_secret", Client: "other"})
	mfa.Refused(ctx, mfa.Refusal{Reason: "invalid_client", Parameter: "scope", Value: "x"})
	mfa.Refused(ctx, mfa.Refusal{Parameter: "state", Value: "y", Operator: true})
	if *r != (mfa.Refusal{Reason: "wrong_secret", Client: "shop", Parameter: "scope", Value: "x", Operator: true}) {
		t.Errorf("refusal = %+v", *r)
	}
	mfa.Refused(t.Context(), mfa.Refusal{Reason: "x"}) // outside of a request
}
