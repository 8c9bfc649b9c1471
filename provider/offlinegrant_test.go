package provider

import (
	"testing"

	"sallyport/mfa/session"
	"sallyport/storage"
)

// TestTheClientOfAGrantDecidesWhetherItOutlivesTheSession ends a session in every way a user,
// an application or an administrator can.
func TestTheClientOfAGrantDecidesWhetherItOutlivesTheSession(t *testing.T) {
	signOut := func(from string) func(h *fixture, s *session.SignedIn, hints map[string]string) error {
		return func(h *fixture, s *session.SignedIn, hints map[string]string) error {
			_, err := h.p.EndSession(h.ctx, Params{Query: formOf("id_token_hint", hints[from])}, h.visit, s, from == "")
			return err
		}
	}
	for name, end := range map[string]func(h *fixture, s *session.SignedIn, hints map[string]string) error{
		"by the client that keeps it": signOut("keeps"),
		"by the client that ends it":  signOut("ends"),
		"by no client, on a page":     signOut(""),
		"on the account page": func(h *fixture, s *session.SignedIn, _ map[string]string) error {
			return h.sessions.EndOne(h.ctx, h.visit, s.Owner(), s.Session.ID)
		},
		"by an administrator": func(h *fixture, s *session.SignedIn, _ map[string]string) error {
			_, err := h.sessions.EndByID(h.ctx, h.visit, s.Session.ID, false)
			return err
		},
		"all sessions, by administrator": func(h *fixture, s *session.SignedIn, _ map[string]string) error {
			return h.sessions.EndAll(h.ctx, h.visit, s.Session.UserID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.user("ada", "")
			refresh, hints := map[string]string{}, map[string]string{}
			var s *session.SignedIn
			for _, id := range []storage.ClientID{"keeps", "ends"} {
				h.client(id, func(c *storage.Client) { c.LogoutEndsOffline = id == "ends" })
				code := ""
				if s == nil {
					code, s = h.signIn(params(id, "scope", "openid offline_access"), "ada")
				} else {
					code = h.values(h.begin(params(id, "scope", "openid offline_access"), s).Finished.Answer).Get("code")
				}
				res := h.post(h.p.Grants.Token, string(id), redeem(code))
				refresh[string(id)], hints[string(id)] = res.get("refresh_token"), res.get("id_token")
			}
			h.ok(end(h, s, hints))
			for id, want := range map[string]int{"keeps": 200, "ends": 400} {
				if got := h.post(h.p.Grants.Token, id, refreshOf(refresh[id])); got.Status != want {
					t.Errorf("refresh of %s: %d, want %d: %s", id, got.Status, want, got.Body)
				}
			}
		})
	}
}
