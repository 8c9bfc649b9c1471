package provider

import (
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/session"
	"sallyport/storage"
)

// An enrolment begun with an access token ends with that token, its session and its password.
func TestAnEnrolmentEndsWithItsToken(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(h *fixture, o mfa.Owner, s *session.SignedIn)
		want mfa.Code
	}{
		{"nothing happens", func(*fixture, mfa.Owner, *session.SignedIn) {}, ""},
		{"the session is ended", func(h *fixture, _ mfa.Owner, s *session.SignedIn) { h.ok(h.sessions.End(h.ctx, s, h.visit, "")) }, mfa.InvalidExchange},
		{"the token is revoked", func(h *fixture, o mfa.Owner, _ *session.SignedIn) {
			h.ok(h.engine.RevokeGrant(h.ctx, o.Grant, "test", h.now(), nil))
		}, mfa.InvalidExchange},
		{"the password is changed", func(h *fixture, _ mfa.Owner, s *session.SignedIn) {
			h.ok(h.accounts.ChangePassword(h.ctx, h.visit, s.Owner(), selfservice.PasswordChange{Old: password, New: "seven grey geese on ice"}))
		}, mfa.InvalidExchange},
		{"another session signs out everywhere else", func(h *fixture, _ mfa.Owner, _ *session.SignedIn) {
			_, other := h.signIn(params("rp"), "ada")
			h.ok(h.sessions.EndOthers(h.ctx, h.visit, other.Owner()))
		}, mfa.InvalidExchange},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", managing)
			ada := h.user("ada", "")
			code, s := h.signIn(params("rp"), "ada")
			o, err := h.p.Introspection.Owner(h.ctx, h.post(h.p.Grants.Token, "rp", redeem(code)).get("access_token"))
			h.ok(err)
			begun, err := h.verifier.Enroll(h.ctx, h.visit, exchange.SignedIn(o), exchange.NewFactor{Method: "totp"})
			h.ok(err)
			tc.end(h, o, s)
			secret := base32Secret(t, begun.Handout.Secret)
			_, err = h.verifier.ConfirmAlone(h.ctx, h.visit, exchange.Answer{Exchange: begun.Exchange, Method: "totp",
				Response: mfa.Typed(h.totp.CodeAt(secret, h.now()))})
			if mfa.CodeOf(err) != tc.want {
				t.Errorf("confirm = %v, want %q", err, tc.want)
			}
			account, err := h.engine.Account(h.ctx, ada.ID)
			h.ok(err)
			for _, a := range account.Authenticators {
				if a.Method == "totp" && (a.State == storage.AuthenticatorActive) != (tc.want == "") {
					t.Errorf("the app is %s", a.State)
				}
			}
		})
	}
}
