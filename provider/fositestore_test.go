package provider

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/ory/fosite"
)

// fosite's revocation hands the storage a nil session.
func TestTheAdapterTakesANilSession(t *testing.T) {
	h := newHouse(t)
	h.client("rp")
	h.user("ada", "")
	token := h.tokensFor("rp", "ada", "openid offline_access").get("refresh_token")
	code, _ := h.signIn(params("rp"), "ada")
	store := &fositeStore{h.p}
	ctx, g := gather(h.ctx, h.now())
	g.client, g.verifier = "rp", verifierB
	if r, err := store.GetRefreshTokenSession(ctx, token, nil); err != nil || r.GetClient().GetID() != "rp" || r.GetSession() == nil {
		t.Errorf("refresh token = %v, %v, want its grant", r, err)
	}
	if r, err := store.GetAuthorizeCodeSession(ctx, code, nil); err != nil || r.GetRequestForm().Get("redirect_uri") != callback {
		t.Errorf("code = %v, %v, want its authorization", r, err)
	}
	if _, err := store.GetAccessTokenSession(ctx, "x", nil); !errors.Is(err, fosite.ErrNotFound) {
		t.Errorf("access token = %v, want not found", err)
	}
}

// A used code and a reused refresh token come back with their grant, or fosite could
// not revoke it.
func TestReuseNamesItsGrant(t *testing.T) {
	h := newHouse(t)
	h.client("rp", grace(0))
	h.user("ada", "")
	code, _ := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
	token := h.post(h.p.Token, "rp", redeem(code)).get("refresh_token")
	h.post(h.p.Token, "rp", refreshOf(token))
	store := &fositeStore{h.p}
	ctx, g := gather(h.ctx, h.now())
	g.client, g.verifier = "rp", verifierB
	if r, err := store.GetAuthorizeCodeSession(ctx, code, nil); !errors.Is(err, fosite.ErrInvalidatedAuthorizeCode) || r == nil || r.GetID() == "" {
		t.Errorf("used code = %v, %v, want the request with ErrInvalidatedAuthorizeCode", r, err)
	}
	if r, err := store.GetRefreshTokenSession(ctx, token, nil); !errors.Is(err, fosite.ErrInactiveToken) || r == nil || r.GetID() == "" {
		t.Errorf("reused token = %v, %v, want the request with ErrInactiveToken", r, err)
	}
}

func TestNothingIsWrittenWithoutAGathering(t *testing.T) {
	store := &fositeStore{}
	ctx := context.Background()
	for name, err := range map[string]error{
		"invalidate": store.InvalidateAuthorizeCodeSession(ctx, "x"), "create refresh": store.CreateRefreshTokenSession(ctx, "x", "y", nil),
		"rotate": store.RotateRefreshToken(ctx, "x", "y"), "revoke": store.RevokeRefreshToken(ctx, "x"), "commit": store.Commit(ctx),
		"rollback": store.Rollback(ctx),
	} {
		if err == nil {
			t.Errorf("%s succeeded, want an error", name)
		}
	}
}

func TestARollbackForgetsEverythingButARevocation(t *testing.T) {
	store := &fositeStore{}
	ctx, g := gather(context.Background(), time.Time{})
	for _, err := range []error{store.InvalidateAuthorizeCodeSession(ctx, ""), store.CreateRefreshTokenSession(ctx, "", "", nil),
		store.RevokeAccessToken(ctx, "g"), store.Commit(ctx), store.Rollback(ctx)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if g.redeem || g.refresh || g.committed || g.revoke != "g" {
		t.Errorf("gathered = %+v, want the revocation alone", g)
	}
}

// fosite reads its own clock in many places; none of them may show. Here the server's
// clock is ten years ahead of it.
func TestTheServersClockDecides(t *testing.T) {
	h := newHouse(t)
	h.client("rp")
	h.user("ada", "")
	h.wait(10 * 365 * 24 * time.Hour)
	code, s := h.signIn(params("rp", "scope", "openid offline_access", "max_age", "60", "prompt", "login"), "ada")
	got := h.post(h.p.Token, "rp", redeem(code))
	id, _ := h.opened(got.get("id_token"))
	now := float64(h.now().Unix())
	if got.Body["expires_in"] != 600.0 || id["iat"] != now || id["exp"] != now+600 || id["auth_time"] != now {
		t.Errorf("token = %s, ID token = %v, want times of the server's clock", got.Raw, id)
	}
	if b := h.begin(params("rp", "prompt", "none", "max_age", "60"), s); b.Finished == nil {
		t.Errorf("prompt=none = %v, want a code", h.answered(*b.Answer))
	}
	if again := h.post(h.p.Token, "rp", refreshOf(got.get("refresh_token"))); again.Status != http.StatusOK {
		t.Errorf("refresh = %d %s, want 200", again.Status, again.Raw)
	}
}

// Edges 8 and 9: a missing state and a short nonce go all the way, and nothing is
// invented in their place.
func TestNoStateAndAShortNonceGoAllTheWay(t *testing.T) {
	h := newHouse(t)
	h.client("rp")
	h.user("ada", "")
	b := h.begin(params("rp", "state", "", "nonce", "n"), nil)
	h.enter(b.Request, "ada", nil)
	_, q := h.finish(b.Request, nil)
	if q.Has("state") || len(q) != 2 || q.Get("iss") != issuer {
		t.Errorf("answer = %v, want code and iss alone", q)
	}
	got := h.post(h.p.Token, "rp", redeem(q.Get("code")))
	if id, _ := h.opened(got.get("id_token")); id["nonce"] != "n" {
		t.Errorf("nonce = %v, want n", id["nonce"])
	}
	odd := "-._~ \u00e4&=#?%+/"
	b = h.begin(params("rp", "state", odd), nil)
	h.enter(b.Request, "ada", nil)
	if _, q := h.finish(b.Request, nil); q.Get("state") != odd {
		t.Errorf("state = %q, want %q byte for byte", q.Get("state"), odd)
	}
}
