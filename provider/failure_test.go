package provider

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

// breakage is a storage call that fails, and a request that needs it. tokens holds tokens by
// name.
type breakage struct {
	name   string
	broken string
	after  bool
	call   func(h *fixture, tokens map[string]string) reply
}

func breakages() []breakage {
	return []breakage{
		{"client of a code exchange", "Client", false, func(h *fixture, m map[string]string) reply { return h.post(h.p.Grants.Token, "rp", redeem(m["code"])) }},
		{"grant of a code", "Grant", false, func(h *fixture, m map[string]string) reply { return h.post(h.p.Grants.Token, "rp", redeem(m["code"])) }},
		{"redemption", "RedeemCode", false, func(h *fixture, m map[string]string) reply { return h.post(h.p.Grants.Token, "rp", redeem(m["code"])) }},
		{"redemption, lost at the commit", "RedeemCode", true, func(h *fixture, m map[string]string) reply { return h.post(h.p.Grants.Token, "rp", redeem(m["code"])) }},
		{"end of a replayed code's grant", "RevokeGrant", false, func(h *fixture, m map[string]string) reply { return h.post(h.p.Grants.Token, "rp", redeem(m["used"])) }},
		{"grant of a refresh", "Grant", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Grants.Token, "rp", refreshOf(m["refresh"]))
		}},
		{"rotation", "RotateRefresh", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Grants.Token, "rp", refreshOf(m["refresh"]))
		}},
		{"rotation, lost at the commit", "RotateRefresh", true, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Grants.Token, "rp", refreshOf(m["refresh"]))
		}},
		{"end of a reused refresh token's family", "RevokeGrant", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Grants.Token, "rp", refreshOf(m["old"]))
		}},
		{"client credentials", "Client", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials"))
		}},
		{"introspection", "GrantState", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Introspection.Introspect, "rp", formOf("token", m["access"]))
		}},
		{"introspection of a refresh token", "Grant", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Introspection.Introspect, "rp", formOf("token", m["refresh"]))
		}},
		{"introspection of a client's token", "TokenRevoked", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Introspection.Introspect, "rp", formOf("token", m["client"]))
		}},
		{"revocation, reading", "Grant", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Introspection.Revoke, "rp", formOf("token", m["refresh"]))
		}},
		{"revocation", "RevokeGrant", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Introspection.Revoke, "rp", formOf("token", m["access"]))
		}},
		{"revocation of a client's token", "RevokeToken", false, func(h *fixture, m map[string]string) reply {
			return h.post(h.p.Introspection.Revoke, "rp", formOf("token", m["client"]))
		}},
		{"revocation of what is revoked", "Settle", false, func(h *fixture, m map[string]string) reply {
			h.post(h.p.Introspection.Revoke, "rp", formOf("token", m["access"]))
			return h.post(h.p.Introspection.Revoke, "rp", formOf("token", m["access"]))
		}},
		{"userinfo", "Grant", false, func(h *fixture, m map[string]string) reply { return h.userinfo(m["access"]) }},
	}
}

// Edge 15, R-6, R-7: while storage fails, no token is issued and no success is reported.
func TestEveryStorageFailureIsReported(t *testing.T) {
	for _, tc := range breakages() {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", grace(0))
			h.user("ada", "")
			made := map[string]string{}
			made["used"], _ = h.signIn(params("rp", "scope", "openid offline_access"), "ada")
			first := h.post(h.p.Grants.Token, "rp", redeem(made["used"]))
			made["old"], made["access"] = first.get("refresh_token"), first.get("access_token")
			made["refresh"] = h.post(h.p.Grants.Token, "rp", refreshOf(made["old"])).get("refresh_token")
			made["client"] = h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials")).get("access_token")
			made["code"], _ = h.signIn(params("rp"), "ada")
			b := h.store
			h.p.clients.Drop()
			b.broken, b.after = tc.broken, tc.after
			got := tc.call(h, made)
			if got.Status != http.StatusServiceUnavailable || got.get("error") != "temporarily_unavailable" || got.Header.Get("Retry-After") == "" {
				t.Errorf("reply = %d %s, want 503 temporarily_unavailable with Retry-After", got.Status, got.Raw)
			}
			for _, name := range []string{"access_token", "refresh_token", "id_token", "active", "sub"} {
				if _, there := got.Body[name]; there {
					t.Errorf("%s left with the failure", name)
				}
			}
			if strings.Contains(got.Raw, "connection reset") {
				t.Error("the caller sees the cause")
			}
			if !strings.Contains(h.logged.String(), "connection reset by peer") {
				t.Error("the cause is not in the log")
			}
			for name, value := range made {
				if value != "" && strings.Contains(h.logged.String(), value) {
					t.Errorf("the log holds the %s token", name)
				}
			}
			b.broken = ""
			again := h.post(h.p.Grants.Token, "rp", redeem(made["code"]))
			if lost := tc.broken == "RedeemCode" && tc.after; (again.Status == http.StatusOK) == lost {
				t.Errorf("the code afterwards = %d %s", again.Status, again.Raw)
			}
		})
	}
}

func TestStorageFailuresOfALogin(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", "")
	id := h.begin(params("rp"), nil).Request
	h.enter(id, "ada", nil)
	sealed := h.begin(params("rp"), nil).Request
	b := h.store
	for _, tc := range []struct {
		broken string
		call   func() error
	}{
		{"Client", func() error {
			h.p.clients.Drop()
			_, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, nil)
			return err
		}},
		{"OpenRequest", func() error { _, err := h.p.Next(h.ctx, Ask{Request: sealed, Visit: h.visit}); return err }},
		{"Login", func() error { _, err := h.p.Next(h.ctx, Ask{Request: sealed, Visit: h.visit}); return err }},
		{"Client", func() error {
			h.p.clients.Drop()
			_, err := h.p.Next(h.ctx, Ask{Request: id, Visit: h.visit})
			return err
		}},
		{"Consent", func() error { _, err := h.p.Next(h.ctx, Ask{Request: id, Visit: h.visit}); return err }},
	} {
		b.broken = tc.broken
		if err := tc.call(); !errors.Is(err, errBroken) || mfa.CodeOf(err) != "" {
			t.Errorf("%s broken: %v, want the failure", tc.broken, err)
		}
	}
	b.broken = ""
	h.ok(h.p.Allow(h.ctx, h.next(id, nil), h.visit, nil))
	st := h.next(id, nil)
	b.broken = "FinishRequest"
	if f, err := h.p.Finish(h.ctx, st, h.visit, nil); !errors.Is(err, errBroken) || f.Answer.Location != "" || f.SessionToken != "" {
		t.Errorf("Finish = %+v, %v, want the failure alone", f, err)
	}
	b.broken = ""
	if _, q := h.finish(id, nil); q.Get("code") == "" {
		t.Error("the login cannot be finished afterwards")
	}
}

// With a closed database every call fails.
func TestAClosedDatabase(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, s := h.signIn(params("rp"), "ada")
	h.ok(h.engine.Close())
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.Status != 503 || got.get("error") != "temporarily_unavailable" {
		t.Errorf("token = %d %s, want 503", got.Status, got.Raw)
	}
	if _, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, s); err == nil {
		t.Error("Begin succeeded")
	}
	if err := h.p.Poll(h.ctx); err == nil {
		t.Error("Poll succeeded")
	}
	if len(h.p.JWKS().Body) == 0 || len(h.p.Discovery().Body) == 0 {
		t.Error("the documents are gone")
	}
}
