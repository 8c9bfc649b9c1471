package provider

import (
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/storage"
)

func managing(c *storage.Client) { c.ManagesFactors = true }

// access returns an access token of a login with only a password.
func (h *fixture) access(id storage.ClientID, changes ...string) (string, *session.SignedIn) {
	h.t.Helper()
	code, s := h.signIn(params(id, changes...), "ada")
	return h.post(h.p.Grants.Token, string(id), redeem(code)).get("access_token"), s
}

func TestWhichAccessTokensManageFactors(t *testing.T) {
	for _, tc := range []struct {
		name     string
		change   func(*storage.Client)
		resource string // of the request
		later    func(*storage.Client)
		want     mfa.Code
	}{
		{name: "of a client that may", change: managing},
		{name: "of a client that never could", change: func(*storage.Client) {}, want: mfa.NotSignedIn},
		{name: "of a client that no longer may", change: managing, later: func(c *storage.Client) { c.ManagesFactors = false }, want: mfa.NotSignedIn},
		{name: "of a disabled client", change: managing, later: func(c *storage.Client) { c.Disabled = true }, want: mfa.NotSignedIn},
		{name: "for another resource server", change: func(c *storage.Client) { c.ManagesFactors, c.Audience = true, []string{api} },
			want: mfa.NotSignedIn},
		{name: "for the issuer", change: func(c *storage.Client) { c.ManagesFactors, c.Audience = true, []string{api, issuer} }, resource: issuer},
		{name: "for the issuer and another resource server", change: func(c *storage.Client) { c.ManagesFactors, c.Audience = true, []string{issuer, api} },
			want: mfa.NotSignedIn},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", tc.change)
			h.user("ada", "")
			token, _ := h.access("rp", "resource", tc.resource)
			if tc.later != nil {
				h.client("rp", tc.change, tc.later)
			}
			o, err := h.p.Introspection.Owner(h.ctx, token)
			if mfa.CodeOf(err) != tc.want || err != nil && tc.want == "" {
				t.Errorf("got client %q and %v, want %q", o.Client, err, tc.want)
			}
		})
	}
}

// A session collects factors from logins to several clients. A token includes those proved before
// it was issued, not those proved later for another client.
func TestATokenInheritsNoLaterProof(t *testing.T) {
	h := newFixture(t)
	h.client("rp", managing)
	h.client("bank", managing, func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.user("ada", appKey)
	token, s := h.access("rp")
	h.wait(time.Minute)
	b := h.begin(params("bank"), s)
	h.prove(b.Request, s)
	f, q := h.finish(b.Request, s)
	s, err := h.sessions.Load(h.ctx, f.SessionToken)
	h.ok(err)
	if len(s.Session.Factors) != 2 {
		t.Fatalf("the session has %v, want both factors", s.Session.Factors)
	}
	o, err := h.p.Introspection.Owner(h.ctx, token)
	h.ok(err)
	if len(o.Factors) != 1 || o.Factors[0].Method != "password" || mfa.CodeOf(h.verifier.CheckFresh(o)) != mfa.ReauthenticationRequired {
		t.Errorf("the old token proves %v, want the password alone", o.Factors)
	}
	newer := h.post(h.p.Grants.Token, "bank", redeem(q.Get("code"))).get("access_token")
	if o, err = h.p.Introspection.Owner(h.ctx, newer); err != nil || len(o.Factors) != 2 || h.verifier.CheckFresh(o) != nil {
		t.Errorf("the new token proves %v (%v), want both", o.Factors, err)
	}
}
