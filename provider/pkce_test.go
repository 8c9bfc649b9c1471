package provider

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"sallyport/provider/clients"
	"sallyport/storage"
)

// RFC 7636 appendix B.
const (
	verifierB  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challengeB = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestChallenge(t *testing.T) {
	public := storage.Client{Public: true, PKCEOptional: true}
	confidential := storage.Client{}
	excused := storage.Client{PKCEOptional: true}
	native := storage.Client{Native: true, PKCEOptional: true}
	headless := storage.Client{HeadlessLogin: true, PKCEOptional: true}
	fapi := storage.Client{Profile: "fapi2", PKCEOptional: true}
	for _, tc := range []struct {
		name              string
		c                 storage.Client
		challenge, method string
		ok                bool
	}{
		{"S256", confidential, challengeB, "S256", true},
		{"128 characters", confidential, strings.Repeat("a", 128), "S256", true},
		{"plain", confidential, challengeB, "plain", false},
		{"method left out, which means plain", confidential, challengeB, "", false},
		{"method in lower case", confidential, challengeB, "s256", false},
		{"method alone", confidential, "", "S256", false},
		{"too short", confidential, challengeB[:42], "S256", false},
		{"too long", confidential, strings.Repeat("a", 129), "S256", false},
		{"illegal character", confidential, challengeB[:42] + "=", "S256", false},
		{"none from a confidential client", confidential, "", "", false},
		{"none from an excused client", excused, "", "", true},
		{"plain from an excused client", excused, challengeB, "plain", false},
		{"none from a public client", public, "", "", false},
		{"none from a native client", native, "", "", false},
		{"none from a headless client", headless, "", "", false},
		{"none from a fapi2 client", fapi, "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			values := url.Values{}
			for name, v := range map[string]string{"code_challenge": tc.challenge, "code_challenge_method": tc.method} {
				if v != "" {
					values.Set(name, v)
				}
			}
			e := checkPKCE(context.Background(), &request{client: clients.New(tc.c)}, values)
			if (e == nil) != tc.ok || (e != nil && e.Code != "invalid_request") {
				t.Errorf("checkPKCE = %v, want ok %v", e, tc.ok)
			}
		})
	}
}
