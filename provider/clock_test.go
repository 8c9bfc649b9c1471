package provider

import (
	"net/http"
	"testing"
	"time"
)

// fosite reads its own clock in many places; none of them may be visible. Here the server's
// clock is ten years ahead of it.
func TestTheServersClockDecides(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	h.wait(10 * 365 * 24 * time.Hour)
	code, s := h.signIn(params("rp", "scope", "openid offline_access", "max_age", "60", "prompt", "login"), "ada")
	got := h.post(h.p.Grants.Token, "rp", redeem(code))
	id, _ := h.readJWT(got.get("id_token"))
	now := float64(h.now().Unix())
	if got.Body["expires_in"] != 600.0 || id["iat"] != now || id["exp"] != now+600 || id["auth_time"] != now {
		t.Errorf("token = %s, ID token = %v, want times of the server's clock", got.Raw, id)
	}
	if b := h.begin(params("rp", "prompt", "none", "max_age", "60"), s); b.Finished == nil {
		t.Errorf("prompt=none = %v, want a code", h.values(*b.Answer))
	}
	if again := h.post(h.p.Grants.Token, "rp", refreshOf(got.get("refresh_token"))); again.Status != http.StatusOK {
		t.Errorf("refresh = %d %s, want 200", again.Status, again.Raw)
	}
}

// Edges 8 and 9: a missing state and a short nonce go all the way, and nothing is
// invented in their place.
func TestAMissingStateAndAShortNonceAreKept(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	b := h.begin(params("rp", "state", "", "nonce", "n"), nil)
	h.enter(b.Request, "ada", nil)
	_, q := h.finish(b.Request, nil)
	if q.Has("state") || len(q) != 2 || q.Get("iss") != issuer {
		t.Errorf("response = %v, want code and iss alone", q)
	}
	got := h.post(h.p.Grants.Token, "rp", redeem(q.Get("code")))
	if id, _ := h.readJWT(got.get("id_token")); id["nonce"] != "n" {
		t.Errorf("nonce = %v, want n", id["nonce"])
	}
	odd := "-._~ \u00e4&=#?%+/"
	b = h.begin(params("rp", "state", odd), nil)
	h.enter(b.Request, "ada", nil)
	if _, q := h.finish(b.Request, nil); q.Get("state") != odd {
		t.Errorf("state = %q, want %q byte for byte", q.Get("state"), odd)
	}
}

func (h *fixture) wait(d time.Duration) { h.clock.Advance(d) }
