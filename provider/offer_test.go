package provider

import (
	"testing"
	"time"

	"sallyport/storage"
)

// Only a page that can offer a passkey is at the step that does; leaving it ends the login.
func TestAPasskeyIsOfferedAfterAPassword(t *testing.T) {
	h := newFixture(t)
	h.withPasskeys()
	h.p.options.Offer = true
	h.client("off")
	h.client("totp", func(c *storage.Client) { c.AllowedMethods = []string{"password", "totp"} })
	no, yes := false, true
	h.client("never", func(c *storage.Client) { c.PasskeyOffer = &no })
	h.client("always", func(c *storage.Client) { c.PasskeyOffer = &yes })
	h.client("page", func(c *storage.Client) { c.HeadlessLogin, c.LoginURL = true, "https://rp.example/login" })
	h.user("bob", "")
	h.user("ada", totpSecret)
	keeper := h.user("eve", "")
	h.enrol(keeper.ID, nil)
	for _, tc := range []struct {
		name   string
		client storage.ClientID
		user   string
		change func(a *Ask)
		want   StepKind
	}{
		{"who has none", "off", "bob", nil, StepOffer},
		{"who has one", "off", "eve", nil, StepDone},
		{"who could not add one, without the second factor", "off", "ada", nil, StepDone},
		{"where the client allows none", "totp", "bob", nil, StepDone},
		{"where the client has its own pages", "page", "bob", nil, StepDone},
		{"where the client wants no offer", "never", "bob", nil, StepDone},
		{"any other caller", "off", "bob", func(a *Ask) { a.MayOffer = false }, StepDone},
	} {
		id := h.begin(params(tc.client), nil).Request
		h.enter(id, tc.user, nil)
		a := Ask{Request: id, Visit: h.visit, MayOffer: true}
		if tc.change != nil {
			tc.change(&a)
		}
		st, err := h.p.Next(h.ctx, a)
		h.ok(err)
		if st.Kind != tc.want {
			t.Errorf("%s: step = %s, want %s", tc.name, st.Kind, tc.want)
		}
	}
	id := h.begin(params("off"), nil).Request
	h.enter(id, "bob", nil)
	a := Ask{Request: id, Visit: h.visit, MayOffer: true}
	st, err := h.p.Next(h.ctx, a)
	h.ok(err)
	if st.Offer != "passkey" {
		t.Errorf("offered is %q, want passkey", st.Offer)
	}
	h.wait(16 * time.Minute)
	if old, err := h.p.Next(h.ctx, a); err != nil || old.Kind == StepOffer {
		t.Errorf("16 minutes after the password: step = %s, %v, want no offer", old.Kind, err)
	}
	h.p.options.Offer = false
	for client, want := range map[storage.ClientID]StepKind{"off": StepDone, "always": StepOffer} {
		id := h.begin(params(client), nil).Request
		h.enter(id, "bob", nil)
		if st, err := h.p.Next(h.ctx, Ask{Request: id, Visit: h.visit, MayOffer: true}); err != nil || st.Kind != want {
			t.Errorf("%s, at a server without the offer: step = %s, %v, want %s", client, st.Kind, err, want)
		}
	}
	h.p.options.Offer = true
	h.ok(h.verifier.Decline(h.ctx, st.Login))
	h.ok(h.verifier.Decline(h.ctx, st.Login)) // in a second tab
	id = h.begin(params("off"), nil).Request
	h.enter(id, "bob", nil)
	if st, err = h.p.Next(h.ctx, Ask{Request: id, Visit: h.visit, MayOffer: true}); err != nil || st.Kind != StepDone {
		t.Errorf("after it was declined: step = %s, %v, want done", st.Kind, err)
	}
}
