package provider

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

const appKey = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

func TestATrackLeadsToItsLogin(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.user("ada", appKey)
	id := h.begin(params("rp"), nil).Request
	if _, err := h.p.Track(h.ctx, h.next(id, nil), h.visit); codeOf(err) != string(mfa.InvalidRequest) {
		t.Fatalf("a track before the first factor: %v", err)
	}
	h.enter(id, "ada", nil)
	st := h.next(id, nil)
	track, err := h.p.Track(h.ctx, st, h.visit)
	h.ok(err)
	again, err := h.p.Track(h.ctx, h.next(id, nil), h.visit)
	h.ok(err)
	if again != track || string(track) == string(id) {
		t.Errorf("track = %s, then %s, of %s", track, again, id)
	}
	if _, err := h.p.Track(h.ctx, st, h.visit); codeOf(err) != string(mfa.RequestChanged) {
		t.Errorf("a track for what is out of date: %v", err)
	}
	byTrack, err := h.p.Next(h.ctx, Ask{Track: track, Visit: h.visit})
	h.ok(err)
	if byTrack.Request.ID != st.Request.ID || byTrack.Kind != StepVerify || h.p.Masked(byTrack) == "" || h.p.Masked(byTrack) == string(byTrack.Request.Subject) {
		t.Errorf("step = %+v", byTrack.Kind)
	}
	other := h.visit
	other.Browser = strings.Repeat("c", 43)
	if _, err := h.p.Next(h.ctx, Ask{Track: track, Visit: other}); codeOf(err) != string(mfa.UnknownRequest) {
		t.Errorf("another browser: %v", err)
	}
	h.wait(40 * time.Minute) // a login with a track lives longer
	h.prove(id, nil)
	h.finish(id, nil)
	over, err := h.p.Next(h.ctx, Ask{Track: track, Visit: h.visit})
	h.ok(err)
	if over.Kind != StepOver {
		t.Errorf("step = %s, want over", over.Kind)
	}
}

func TestTheOwnerOfAnAccessToken(t *testing.T) {
	h := newFixture(t)
	h.client("rp", managing)
	user := h.user("ada", "")
	code, s := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
	token := h.post(h.p.Grants.Token, "rp", redeem(code)).get("access_token")
	o, err := h.p.Introspection.Owner(h.ctx, token)
	h.ok(err)
	if o.Account.User.ID != user.ID || o.Session != s.Session.ID || len(o.Factors) != 1 || o.Client != "rp" {
		t.Errorf("owner = %+v", o)
	}
	machine := h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials", "scope", "read")).get("access_token")
	for name, dead := range map[string]string{"nothing": "", "rubbish": "x.y.z", "a machine's": machine} {
		if _, err := h.p.Introspection.Owner(h.ctx, dead); codeOf(err) != string(mfa.NotSignedIn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.ok(h.sessions.End(h.ctx, s, h.visit, "")) // an offline grant outlives it, its proofs do not
	o, err = h.p.Introspection.Owner(h.ctx, token)
	h.ok(err)
	if o.Session != "" || len(o.Factors) != 0 || h.verifier.CheckFresh(o) == nil {
		t.Errorf("after signing out: %+v", o)
	}
	disabled := storage.UserDisabled
	h.ok(h.engine.UpdateUser(h.ctx, storage.UserChange{ID: user.ID, Status: &disabled, Now: h.now()}))
	if _, err := h.p.Introspection.Owner(h.ctx, token); codeOf(err) != string(mfa.NotSignedIn) {
		t.Errorf("a disabled user's: %v", err)
	}
}

func TestABearerIntrospectsItsOwnTokens(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("other")
	h.user("ada", "")
	tokens := func(id storage.ClientID) reply {
		code, _ := h.signIn(params(id, "scope", "openid offline_access"), "ada")
		return h.post(h.p.Grants.Token, string(id), redeem(code))
	}
	own, others := tokens("rp"), tokens("other")
	access := own.get("access_token")
	for _, tc := range []struct {
		name, token string
		want        bool
	}{
		{"itself", access, true},
		{"another client's", others.get("access_token"), false},
		{"a refresh token", own.get("refresh_token"), false},
		{"rubbish", "rubbish", false},
	} {
		if got := h.inspectBy(access, tc.token); got.Status != http.StatusOK || got.Body["active"] != tc.want {
			t.Errorf("%s: %d %s, want active %t", tc.name, got.Status, got.Raw, tc.want)
		}
	}
	if got := h.inspectBy("rubbish", access); got.Status != http.StatusUnauthorized {
		t.Errorf("authenticated with rubbish: %d %s", got.Status, got.Raw)
	}
	if got := h.inspectBy(access, ""); got.Status != http.StatusBadRequest {
		t.Errorf("nothing to inspect: %d %s", got.Status, got.Raw)
	}
	h.wait(11 * time.Minute)
	if got := h.inspectBy(access, access); got.Status != http.StatusUnauthorized {
		t.Errorf("authenticated with an expired token: %d %s", got.Status, got.Raw)
	}
}

func TestAnAccessTokenConfirmsALogout(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, s := h.signIn(params("rp"), "ada")
	token := h.post(h.p.Grants.Token, "rp", redeem(code)).get("access_token")
	h.client("shared", func(c *storage.Client) { c.Audience = []string{"https://api.example"} })
	b := h.begin(params("shared"), s)
	handed := h.post(h.p.Grants.Token, "shared", redeem(h.values(b.Finished.Answer).Get("code"))).get("access_token")
	for name, in := range map[string]Params{
		"rubbish":                {Form: formOf("access_token_hint", "rubbish")},
		"named another client's": {Form: formOf("access_token_hint", token, "client_id", "other")},
		"in an address":          {Query: formOf("access_token_hint", token, "post_logout_redirect_uri", "https://rp.example/bye")},
		"for a resource server":  {Form: formOf("access_token_hint", handed)},
	} {
		if out, err := h.p.EndSession(h.ctx, in, h.visit, s, false); err != nil || !out.Confirm || out.Redirect != "" {
			t.Errorf("%s: %+v, %v; want a confirmation", name, out, err)
		}
	}
	out, err := h.p.EndSession(h.ctx, Params{Form: formOf("access_token_hint", token, "post_logout_redirect_uri", "https://rp.example/bye")}, h.visit, s, false)
	if err != nil || !out.Ended || out.Redirect != "https://rp.example/bye" {
		t.Errorf("logout = %+v, %v", out, err)
	}
	_, s = h.signIn(params("rp"), "ada")
	if out, err := h.p.EndSession(h.ctx, Params{Form: formOf("access_token_hint", token)}, h.visit, s, false); err != nil || out.Ended {
		t.Errorf("a dead token: %+v, %v", out, err)
	}
}
