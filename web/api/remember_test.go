package api_test

import (
	"context"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// remembering makes a client of the fixture accept remembered devices.
func (h *fixture) remembering(id storage.ClientID) {
	h.T.Helper()
	c, err := h.Store.Client(context.Background(), id)
	h.OK(err)
	c.MFA, c.MFARemember = mfa.MFAAlways, 3600
	h.OK(h.Store.PutClient(context.Background(), c, nil))
}

func TestTheBrowserOfALoginIsRemembered(t *testing.T) {
	h := newFixture(t)
	h.remembering("shop")
	ada := h.User("ada", webtest.TOTPKey)
	b := h.browser()
	c := &caller{h: h, jar: b, id: b.authorize("shop")}
	if r := c.call("/password", "identifier", "ada", "password", webtest.Password).at("verify"); r.body["remember_for"] != 3600.0 {
		t.Errorf("remember_for = %v, want the client's hour", r.body["remember_for"])
	}
	c.call("/verify", "method", "totp", "passcode", h.code(webtest.TOTPKey), "remember", true).at("done")
	if b.Cookies["__Host-sallyport_remembered"] == "" {
		t.Error("the browser was not remembered")
	}
	other := &caller{h: h, jar: b, id: b.authorize("shop")}
	other.call("/password", "identifier", "ada", "password", webtest.Password).at("done")
	if list, err := h.Store.RememberedOf(context.Background(), ada, h.Now()); err != nil || len(list) != 1 || list[0].Generation != 1 {
		t.Errorf("devices = %+v (%v), want one, not used before its login ends", list, err)
	}
	before := b.Cookies["__Host-sallyport_remembered"]
	other.call("/finish")
	if b.Cookies["__Host-sallyport_remembered"] == before {
		t.Error("the end of the login did not replace the token")
	}
}

func TestAProgramIsNotRemembered(t *testing.T) {
	h := newFixture(t)
	h.remembering("vault")
	ada := h.User("ada", webtest.TOTPKey)
	c := h.app()
	c.begin("vault")
	if r := c.call("/password", "identifier", "ada", "password", webtest.Password).at("verify"); r.body["remember_for"] != nil {
		t.Error("the step offers what sets a cookie to a page that gets none")
	}
	r := c.call("/verify", "method", "totp", "passcode", h.code(webtest.TOTPKey), "remember", true).at("done")
	if list, err := h.Store.RememberedOf(context.Background(), ada, h.Now()); err != nil || len(list) != 0 || len(r.header.Values("Set-Cookie")) != 0 {
		t.Errorf("devices = %+v (%v), cookies %v; want none", list, err, r.header.Values("Set-Cookie"))
	}
}
