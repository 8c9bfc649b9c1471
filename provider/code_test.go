package provider

import (
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// issuedCode signs a user in and returns the code and its grant.
func (h *fixture) issuedCode(id storage.ClientID) (string, storage.GrantID) {
	h.t.Helper()
	code, _ := h.signIn(params(id, "scope", "openid offline_access"), "ada")
	grant, ok := h.p.codec.ReadCode(code)
	if !ok {
		h.t.Fatalf("code %q names no grant", code)
	}
	return code, grant
}

// A code and the tokens of its grant are derived from the same ID, with the same key.
func TestACodeOpensNothingElse(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, grant := h.issuedCode("rp")
	refresh, err := h.p.codec.WriteRefresh(grant, 0)
	h.ok(err)
	bare := strings.TrimPrefix(code, "sp_ac_")
	for name, token := range map[string]string{"the code": code, "without its prefix": bare, "with that of a refresh token": "sp_rt_" + bare,
		"with that of an access token": "sp_at_" + bare, "the refresh token before the redemption": refresh} {
		if h.active("rp", token) {
			t.Errorf("%s is an active token", name)
		}
		if got := h.userinfo(token); got.Status != 401 {
			t.Errorf("%s at userinfo = %d, want 401", name, got.Status)
		}
		if got := h.post(h.p.Grants.Token, "rp", refreshOf(token)); got.get("error") != "invalid_grant" {
			t.Errorf("%s as refresh token = %d %s, want invalid_grant", name, got.Status, got.Raw)
		}
	}
	for name, c := range map[string]string{"without its prefix": bare, "a refresh token": refresh, "a refresh token with the prefix": strings.Replace(refresh, "_rt_", "_ac_", 1)} {
		if got := h.post(h.p.Grants.Token, "rp", redeem(c)); got.get("error") != "invalid_grant" {
			t.Errorf("%s as code = %d %s, want invalid_grant", name, got.Status, got.Raw)
		}
	}
	got := h.post(h.p.Grants.Token, "rp", redeem(code))
	if got.Status != 200 || got.get("refresh_token") != refresh {
		t.Errorf("the code afterwards = %d %s, want 200 with the refresh token", got.Status, got.Raw)
	}
}

// The grant of an access token that an authorization response contained had no code.
func TestAGrantWithoutACodeIsNotRedeemed(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.PKCEOptional = true })
	user := h.user("ada", "")
	now := storedTime(h.now())
	g := storage.Grant{ID: storage.GrantID(storage.TimeOrdered(now, strings.NewReader(strings.Repeat("r", 10)))),
		Authorization: storage.Authorization{ClientID: "rp", UserID: user.ID}, CreatedAt: now, RedeemedAt: now, ExpiresAt: now.Add(time.Hour)}
	h.ok(h.engine.FinishRequest(h.ctx, storage.Finish{Now: now, Grant: &g}))
	code, err := h.p.codec.WriteCode(g.ID)
	h.ok(err)
	if got := h.post(h.p.Grants.Token, "rp", redeem(code, "code_verifier", "")); got.get("error") != "invalid_grant" {
		t.Errorf("redemption = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	if st, err := h.engine.Grant(h.ctx, g.ID); err != nil || !st.Alive() || h.events(mfa.EventCodeReplayed) != 0 {
		t.Errorf("grant = %+v, %v, with %d replays; want it valid, without a replay", st.Grant, err, h.events(mfa.EventCodeReplayed))
	}
}

// After its minute a used code is unknown, as any other is.
func TestAUsedCodeExpiresToo(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, _ := h.issuedCode("rp")
	token := h.post(h.p.Grants.Token, "rp", redeem(code)).get("access_token")
	h.wait(time.Minute)
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.get("error") != "invalid_grant" {
		t.Errorf("second use = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	if !h.active("rp", token) || h.events(mfa.EventCodeReplayed) != 0 {
		t.Errorf("the grant ended, or one of %d replays was logged", h.events(mfa.EventCodeReplayed))
	}
}

// What ends a grant ends its code, before the token endpoint reads it or after; neither is a
// replay.
func TestAnEndedGrantIsNotRedeemed(t *testing.T) {
	for name, between := range map[string]bool{"before the read": false, "between read and redemption": true} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp")
			user := h.user("ada", "")
			code, grant := h.issuedCode("rp")
			end := func() { h.ok(h.engine.EndSessions(h.ctx, user.ID, "", false, h.now(), nil)) }
			if between {
				h.store.before = map[string]func(){"RedeemCode": end}
			} else {
				end()
			}
			if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.get("error") != "invalid_grant" || got.Body["access_token"] != nil {
				t.Errorf("redemption = %d %s, want invalid_grant", got.Status, got.Raw)
			}
			if st, err := h.engine.Grant(h.ctx, grant); err != nil || st.Alive() || !st.Grant.RedeemedAt.IsZero() {
				t.Errorf("grant = %+v, %v; want it not redeemed", st.Grant, err)
			}
			if n := h.events(mfa.EventCodeReplayed); n != 0 {
				t.Errorf("%d replays were logged, want none", n)
			}
		})
	}
}

// A caller that gives the grant an ID gets one grant of that ID.
func TestAGrantGetsTheIDOfItsCaller(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	user := h.user("ada", "")
	r, err := h.p.read(h.ctx, params("rp"), storedTime(h.now()))
	h.ok(err)
	id := storage.GrantID(storage.TimeOrdered(h.now(), strings.NewReader("0123456789")))
	finish := func(id storage.GrantID) (string, error) {
		a := storage.Authorization{ClientID: "rp", UserID: user.ID, Scopes: []string{"openid"}}
		issued, err := h.p.Grants.Authorize(h.ctx, r.grant(), a, &storage.Account{User: user}, id)
		h.ok(err)
		return issued.Fields[0][1], h.engine.FinishRequest(h.ctx, storage.Finish{Now: h.now(), Code: issued.Code})
	}
	code, err := finish(id)
	h.ok(err)
	if again, err := finish(id); err != storage.ErrConflict || again != code {
		t.Errorf("the same again = %v, %v; want the same code and %v", again == code, err, storage.ErrConflict)
	}
	if other, err := finish(""); err != nil || other == code {
		t.Errorf("without an ID = %v, %v; want another code", other == code, err)
	}
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.Status != 200 {
		t.Errorf("redemption = %d %s, want 200", got.Status, got.Raw)
	}
}
