package api_test

import (
	"testing"
	"time"
)

// A page on another site sends no session cookie, so its calls lack the first factor as
// well; proven again, it must belong to the same user.
func TestPageOnAnotherSiteNeedsThePassword(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	h.User("bob", totpKey)
	b := h.browser()
	b.authorize("front") // on the server's pages a password is enough: the browser is signed in afterwards
	b.submit("/login", "username", "ada", "password", password)
	b.mustCode()
	h.Wait(time.Minute)
	a := &caller{h: h, origin: site, id: b.authorize("own")}
	a.call("/step").at("identify")
	a.call("/verify", "method", "totp", "passcode", h.code(totpKey)).refused(409, "not_configured")
	a.call("/password", "identifier", "bob", "password", password).refused(422, "invalid_credentials")
	a.call("/password", "identifier", "ada", "password", password).at("verify")
	a.call("/verify", "method", "totp", "passcode", h.code(totpKey)).at("done")
	b.takeOver(a, site)
	if claims := h.redeem("own", b.mustCode()); claims["acr"] != "aal2" {
		t.Errorf("acr = %v, want aal2", claims["acr"])
	}
	a = &caller{h: h, origin: site, id: b.authorize("own", "prompt", "login")}
	a.call("/restart").refused(403, "not_allowed") // the caller is not the owner yet
	a.call("/password", "identifier", "bob", "password", password).at("verify")
}
