package provider

import (
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestBuiltInClients(t *testing.T) {
	h := newFixture(t)
	own := clientOf("own")
	own.Name = "Ours"
	p, err := New(h.engine, h.keyring, h.verifier, h.sessions, h.journal, h.now, h.p.random, Options{Issuer: issuer, SigningAlg: "ES256",
		BuiltIn: []storage.Client{own}})
	h.ok(err)
	stored := clientOf("own")
	stored.Name = "Stored"
	h.ok(h.engine.PutClient(h.ctx, stored, nil))
	h.ok(p.Poll(h.ctx))
	if c, err := p.Client(h.ctx, "own"); err != nil || c.Name != "Ours" {
		t.Errorf("client = %q (%v), want the built-in one, whatever is stored under its ID", c.Name, err)
	}
	h.p = p
	b := h.begin(params("own"), nil)
	if b.Request == "" {
		t.Errorf("begun = %+v, want a login for the built-in client", b)
	}
}

func TestConsentsAreListedAndWithdrawn(t *testing.T) {
	h := newFixture(t)
	h.client("asks", func(c *storage.Client) { c.Consent, c.Name = "ask", "Asker" })
	ada, eve := h.user("ada", ""), h.user("eve", "")
	b := h.begin(params("asks", "scope", "openid email"), nil)
	h.enter(b.Request, "ada", nil)
	h.ok(h.p.Allow(h.ctx, h.next(b.Request, nil), h.visit, nil))
	h.finish(b.Request, nil)
	list, err := h.p.Consents(h.ctx, ada.ID)
	h.ok(err)
	if len(list) != 1 || list[0].Client.Name != "Asker" || len(list[0].Scopes) != 2 {
		t.Fatalf("consents = %+v, want that to Asker", list)
	}
	for _, tc := range []struct {
		user   storage.UserID
		client storage.ClientID
	}{{eve.ID, "asks"}, {ada.ID, "nobody"}, {ada.ID, ""}} {
		if err := h.p.Withdraw(h.ctx, h.visit, tc.user, tc.client); mfa.CodeOf(err) != mfa.NotConfigured {
			t.Errorf("withdraw %q: %v, want %s", tc.client, err, mfa.NotConfigured)
		}
	}
	h.ok(h.engine.DeleteClient(h.ctx, "asks", nil))
	h.ok(h.p.Poll(h.ctx))
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	b = h.begin(params("asks"), nil)
	h.enter(b.Request, "ada", nil)
	h.ok(h.p.Allow(h.ctx, h.next(b.Request, nil), h.visit, nil))
	h.finish(b.Request, nil)
	h.ok(h.p.Withdraw(h.ctx, h.visit, ada.ID, "asks"))
	if list, err := h.p.Consents(h.ctx, ada.ID); err != nil || len(list) != 0 {
		t.Errorf("consents = %+v (%v), want none", list, err)
	}
	b = h.begin(params("asks"), nil)
	h.enter(b.Request, "ada", nil)
	if st := h.next(b.Request, nil); st.Kind != StepConsent {
		t.Errorf("step = %s, want the consent page again", st.Kind)
	}
}

// Every application with access is listed, including those that need no consent.
func TestFirstPartyApplicationsAreListedAndEnded(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Name = "Ours" })
	ada := h.user("ada", "")
	code, s := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
	tokens := h.post(h.p.Grants.Token, "rp", redeem(code))
	h.ok(h.sessions.End(h.ctx, s, h.visit, "")) // an offline grant outlives its session
	waiting, _ := h.signIn(params("rp"), "ada")
	list, err := h.p.Consents(h.ctx, ada.ID)
	h.ok(err)
	if len(list) != 1 || list[0].Client.Name != "Ours" || len(list[0].Scopes) != 2 || list[0].Since.IsZero() {
		t.Fatalf("list = %+v", list)
	}
	h.ok(h.p.Withdraw(h.ctx, h.visit, ada.ID, "rp"))
	if list, err := h.p.Consents(h.ctx, ada.ID); err != nil || len(list) != 0 {
		t.Errorf("afterwards %+v, %v", list, err)
	}
	if r := h.post(h.p.Grants.Token, "rp", refreshOf(tokens.get("refresh_token"))); r.Status != 400 || h.active("rp", tokens.get("access_token")) {
		t.Errorf("its tokens are still valid: %d", r.Status)
	}
	if r := h.post(h.p.Grants.Token, "rp", redeem(waiting)); r.Status != 400 {
		t.Errorf("an unused code is redeemed: %d", r.Status)
	}
}

func TestSignOutEverywhereElseKeepsOneGrant(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	const scopes = "openid offline_access"
	earlier, _ := h.signIn(params("rp", "scope", scopes), "ada")
	old := h.post(h.p.Grants.Token, "rp", redeem(earlier))
	h.wait(14 * time.Hour) // its session is deleted, so only the grant itself can end it
	_, err := h.engine.Sweep(h.ctx, h.now(), 1000)
	h.ok(err)
	if h.post(h.p.Introspection.Introspect, "rp", formOf("token", old.get("refresh_token"))).Body["active"] != true {
		t.Fatal("an offline grant ended with its session")
	}
	mine, s := h.signIn(params("rp", "scope", scopes), "ada")
	here := h.post(h.p.Grants.Token, "rp", redeem(mine))
	h.wait(time.Second)
	theirs, _ := h.signIn(params("rp", "scope", scopes), "ada")
	there := h.post(h.p.Grants.Token, "rp", redeem(theirs))
	waiting, _ := h.signIn(params("rp", "scope", scopes), "ada")
	h.ok(h.sessions.EndOthers(h.ctx, h.visit, s.Owner()))
	if r := h.post(h.p.Grants.Token, "rp", refreshOf(there.get("refresh_token"))); r.Status != 400 || h.active("rp", there.get("access_token")) {
		t.Errorf("an offline grant of another browser still works: %d", r.Status)
	}
	if r := h.post(h.p.Grants.Token, "rp", refreshOf(old.get("refresh_token"))); r.Status != 400 {
		t.Errorf("an offline grant without a session still works: %d", r.Status)
	}
	if r := h.post(h.p.Grants.Token, "rp", redeem(waiting)); r.Status != 400 {
		t.Errorf("a code of another browser is redeemed: %d", r.Status)
	}
	if r := h.post(h.p.Grants.Token, "rp", refreshOf(here.get("refresh_token"))); r.Status != 200 {
		t.Errorf("the grant of this browser ended: %d %s", r.Status, r.Raw)
	}
}
