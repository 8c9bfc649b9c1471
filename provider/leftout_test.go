package provider

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/storage"
)

// consenter signs a user in to the client "asks" and decides.
type consenter struct {
	*fixture
	s *session.SignedIn
}

// at opens a request of these parameters and returns the step it is at.
func (c *consenter) at(changes ...string) Step {
	c.t.Helper()
	b := c.begin(params("asks", changes...), c.s)
	if b.Finished != nil {
		return Step{Kind: StepDone}
	}
	if c.s == nil {
		c.enter(b.Request, "ada", nil)
	}
	return c.next(b.Request, c.s)
}

// allow decides, and returns the scopes of the tokens and the claims of userinfo.
func (c *consenter) allow(st Step, scopes []string) (string, map[string]any) {
	c.t.Helper()
	if st.Kind != StepConsent {
		c.t.Fatalf("step = %s, want consent", st.Kind)
	}
	c.ok(c.p.Allow(c.ctx, st, c.visit, scopes))
	f, q := c.finish(st.Request.ID, c.s)
	if f.SessionToken != "" {
		loaded, err := c.sessions.Load(c.ctx, f.SessionToken)
		c.ok(err)
		c.s = loaded
	}
	return c.tokens(q.Get("code"))
}

func (c *consenter) tokens(code string) (string, map[string]any) {
	c.t.Helper()
	r := c.post(c.p.Grants.Token, "asks", redeem(code))
	return r.get("scope"), c.userinfo(r.get("access_token")).Body
}

// What a user leaves out is in no token, however the client asks for it, and is remembered until the
// client asks with prompt=consent.
func TestScopesAreLeftOut(t *testing.T) {
	h := newFixture(t)
	h.client("asks", func(c *storage.Client) { c.Consent, c.RequiredScopes = "ask", []string{"read"} })
	h.user("ada", "")
	c := &consenter{fixture: h}
	names := `{"userinfo":{"email":null,"phone_number":null},"id_token":{"email":null}}`
	st := c.at("scope", "openid read email profile", "claims", names)
	want := []Asked{{Scope: "openid", Required: true}, {Scope: "read", Required: true}, {Scope: "email"}, {Scope: "profile"}, {Scope: "phone"}}
	if got := st.Asked(); !reflect.DeepEqual(got, want) {
		t.Fatalf("asked = %+v, want %+v", got, want)
	}
	// The required ones are there without being named, and what was not asked for cannot be added.
	scope, claims := c.allow(st, []string{"profile", "write", "offline_access"})
	if scope != "openid read profile" || claims["email"] != nil || claims["phone_number"] != nil || claims["updated_at"] == nil {
		t.Errorf("scope = %q, claims = %v, want no e-mail address and no number", scope, claims)
	}

	// A session finishes the next request, without what was left out.
	b := h.begin(params("asks", "scope", "openid read email profile", "claims", names), c.s)
	if b.Finished == nil {
		t.Fatalf("the user is asked again: %+v", b)
	}
	if scope, claims = c.tokens(h.values(b.Finished.Answer).Get("code")); scope != "openid read profile" || claims["email"] != nil {
		t.Errorf("from the session: scope = %q, claims = %v", scope, claims)
	}
	// So does a login with a password.
	fresh := &consenter{fixture: h}
	st = fresh.at("scope", "openid read email")
	if st.Kind != StepDone {
		t.Fatalf("step = %s, want done", st.Kind)
	}
	_, q := h.finish(st.Request.ID, nil)
	if scope, _ = fresh.tokens(q.Get("code")); scope != "openid read" {
		t.Errorf("after a password: scope = %q", scope)
	}

	// Only what is new is asked for; what was allowed stays.
	st = c.at("scope", "openid read email profile write")
	if !slices.Equal(st.Scopes, []string{"write"}) || !slices.Equal(st.Kept(), []string{"openid", "read", "profile"}) {
		t.Errorf("in question %v, kept %v", st.Scopes, st.Kept())
	}
	if scope, _ = c.allow(st, nil); scope != "openid read profile write" {
		t.Errorf("scope = %q", scope)
	}

	// prompt=consent asks for everything, and a tick taken away counts.
	st = c.at("scope", "openid read email write", "prompt", "consent")
	if got := st.Asked(); len(got) != 4 || !got[2].LeftOut || got[3].LeftOut {
		t.Errorf("asked = %+v, want the e-mail address as left out", got)
	}
	if scope, _ = c.allow(st, []string{"email"}); scope != "openid read email" {
		t.Errorf("scope = %q", scope)
	}
	stored, err := h.engine.Consent(h.ctx, c.s.Account.User.ID, "asks")
	h.ok(err)
	if got := strings.Join(stored.Scopes, " ") + "/" + strings.Join(stored.Declined, " "); got != "openid read email profile/write phone" {
		t.Errorf("remembered %q", got)
	}

	// What became required is asked for, although it was left out.
	h.client("asks", func(c *storage.Client) { c.Consent, c.RequiredScopes = "ask", []string{"write"} })
	h.ok(h.p.Poll(h.ctx))
	if st = c.at("scope", "openid write"); st.Kind != StepConsent || !slices.Equal(st.Scopes, []string{"write"}) {
		t.Errorf("step = %s for %v, want consent to write", st.Kind, st.Scopes)
	}
}

// Names of JSON members are exact: one that looks like userinfo asks for nothing.
func TestClaimsAreLeftOutHoweverTheyAreWritten(t *testing.T) {
	for _, names := range []string{
		`{"USERINFO":{"email":null},"Id_Token":{"email":null}}`,
		`{"u\u017ferinfo":{"email":null}}`,
		`{"userinfo":{"email":null},"id_token":{},"Id_Token":{"email":null},"UserInfo":{"email":null}}`,
		`{"userinfo":{"email":null},"userinfo":{"email":{"essential":true}},"id_token":{"email":null}}`,
	} {
		h := newFixture(t)
		h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
		h.user("ada", "")
		c := &consenter{fixture: h}
		st := c.at("scope", "openid email", "claims", names)
		h.ok(h.p.Allow(h.ctx, st, h.visit, []string{}))
		_, q := h.finish(st.Request.ID, nil)
		made := h.post(h.p.Grants.Token, "asks", redeem(q.Get("code")))
		id, _ := h.readJWT(made.get("id_token"))
		if got := h.userinfo(made.get("access_token")); id["sub"] == nil || got.Body["sub"] == nil || id["email"] != nil || got.Body["email"] != nil {
			t.Errorf("%s: userinfo %s, ID token %v, want no e-mail address", names, got.Raw, id)
		}
	}
}

// A consent in which everything was left out is one: the tokens identify the user, and have no scope.
func TestEverythingIsLeftOut(t *testing.T) {
	h := newFixture(t)
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", "")
	c := &consenter{fixture: h}
	st := c.at("scope", "read offline_access")
	if !st.Lasting() {
		t.Error("offline_access does not last")
	}
	h.ok(h.p.Allow(h.ctx, st, h.visit, []string{}))
	_, q := h.finish(st.Request.ID, nil)
	r := h.post(h.p.Grants.Token, "asks", redeem(q.Get("code")))
	if r.Status != 200 || r.Body["scope"] != "" || r.get("access_token") == "" {
		t.Errorf("tokens = %d %s", r.Status, r.Raw)
	}
	found, err := h.engine.ListEvents(h.ctx, storage.EventFilter{Kind: mfa.EventConsentGiven, Limit: 10})
	h.ok(err)
	if len(found) != 1 || found[0].Detail["scopes"] != "" || found[0].Detail["declined"] != "read offline_access" {
		t.Errorf("the trail has %+v", found)
	}
}

// First-party applications that ask for a confirmation get what they ask for.
func TestAConfirmationLeavesNothingOut(t *testing.T) {
	h := newFixture(t)
	h.client("asks")
	h.user("ada", "")
	c := &consenter{fixture: h}
	if scope, _ := c.allow(c.at("scope", "openid email", "prompt", "consent"), []string{}); scope != "openid email" {
		t.Errorf("scope = %q", scope)
	}
}

func TestWhereTheResponseGoes(t *testing.T) {
	for redirect, want := range map[string]Destination{
		"https://app.example.com/cb":         {Host: "app.example.com"},
		"https://App.Example.com:8443/cb":    {Host: "app.example.com"},
		"https://xn--pple-43d.com/cb":        {Host: "xn--pple-43d.com", Unicode: "аpple.com"},
		"https://xn--bcher-kva.example/cb":   {Host: "xn--bcher-kva.example", Unicode: "bücher.example"},
		"http://127.0.0.1:3000/cb":           {},
		"http://localhost/cb":                {},
		"https://localhost.:1/cb":            {},
		"com.example.app:/cb":                {Scheme: "com.example.app"},
		"https://google.com.evil.example/cb": {Host: "google.com.evil.example"},
	} {
		if got := destinationOf(redirect); got != want {
			t.Errorf("%s: %+v, want %+v", redirect, got, want)
		}
	}
}
