package provider

import (
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestBuiltInClients(t *testing.T) {
	h := newHouse(t)
	own := clientOf("own")
	own.Name = "Ours"
	p, err := New(h.engine, h.keyring, h.verifier, h.sessions, h.journal, h.now, h.p.random, Options{Issuer: issuer, SigningAlg: "ES256",
		BuiltIn: []storage.Client{own}})
	h.ok(err)
	stored := clientOf("own")
	stored.Name = "Somebody else's"
	h.ok(h.engine.PutClient(h.ctx, stored, nil))
	h.ok(p.Poll(h.ctx))
	if c, err := p.Client(h.ctx, "own"); err != nil || c.Name != "Ours" {
		t.Errorf("client = %q (%v), want ours, whatever is stored under its name", c.Name, err)
	}
	h.p = p
	b := h.begin(params("own"), nil)
	if b.Request == "" {
		t.Errorf("begun = %+v, want a login for the built-in client", b)
	}
}

func TestConsentsAreListedAndWithdrawn(t *testing.T) {
	h := newHouse(t)
	h.client("asks", func(c *storage.Client) { c.Consent, c.Name = "ask", "Asker" })
	ada, eve := h.user("ada", ""), h.user("eve", "")
	b := h.begin(params("asks", "scope", "openid email"), nil)
	h.enter(b.Request, "ada", nil)
	h.ok(h.p.Allow(h.ctx, h.next(b.Request, nil), h.visit))
	h.finish(b.Request, nil)
	list, err := h.p.Consents(h.ctx, ada.ID)
	h.ok(err)
	if len(list) != 1 || list[0].Client.Name != "Asker" || len(list[0].Consent.Scopes) != 2 {
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
	h.ok(h.p.Allow(h.ctx, h.next(b.Request, nil), h.visit))
	h.finish(b.Request, nil)
	h.ok(h.p.Withdraw(h.ctx, h.visit, ada.ID, "asks"))
	if list, err := h.p.Consents(h.ctx, ada.ID); err != nil || len(list) != 0 {
		t.Errorf("consents = %+v (%v), want none", list, err)
	}
	b = h.begin(params("asks"), nil)
	h.enter(b.Request, "ada", nil)
	if st := h.next(b.Request, nil); st.Kind != StepConsent {
		t.Errorf("step = %s, want the consent asked for again", st.Kind)
	}
}
