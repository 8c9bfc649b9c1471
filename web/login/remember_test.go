package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

const (
	rememberedCookie = "__Host-sallyport_remembered"
	sessionCookie    = "__Host-sallyport_session"
)

// remembering is a client that asks for a second factor, in a remembered device every 30 days.
func remembering(c *storage.Client) { c.MFA, c.MFARemember = mfa.MFAAlways, 30*24*3600 }

// remembered returns a browser that ada is remembered in, without her session.
func (h *fixture) remembered(t *testing.T, name string) *browser {
	t.Helper()
	b := h.browser()
	b.authorize()
	b.login(name, password)
	b.Must("/mfa", 200, `id="remember"`, "30 days")
	h.Wait(time.Minute)
	b.Submit("mfa-submit", "passcode", h.Code(totpKey), "remember", "yes")
	b.mustCode(t)
	if b.Cookies[rememberedCookie] == "" {
		t.Fatalf("cookies = %v, want the browser remembered", b.Cookies)
	}
	delete(b.Cookies, sessionCookie)
	return b
}

// devices returns the remembered devices of a user.
func (h *fixture) devices(user storage.UserID) []storage.RememberedDevice {
	h.T.Helper()
	list, err := h.Store.RememberedOf(context.Background(), user, h.Now())
	h.OK(err)
	return list
}

// claimsOf returns the claims of a token.
func (h *fixture) claimsOf(token string) map[string]any {
	h.T.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	h.OK(err)
	var out map[string]any
	h.OK(json.Unmarshal(raw, &out))
	return out
}

// reasons returns the reasons of all events of a kind.
func (h *fixture) reasons(kind string) []string {
	h.T.Helper()
	h.OK(h.Journal.Flush(context.Background()))
	events, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Kind: kind, Limit: 100})
	h.OK(err)
	var out []string
	for _, e := range events {
		out = append(out, e.Detail["reason"])
	}
	return out
}

func TestARememberedDeviceIsAskedForThePasswordAlone(t *testing.T) {
	h := newFixture(t)
	h.client(remembering)
	ada := h.User("ada", totpKey)
	b := h.remembered(t, "ada")
	first := b.Cookies[rememberedCookie]
	for range 3 {
		h.Wait(9 * 24 * time.Hour)
		before := b.Cookies[rememberedCookie]
		delete(b.Cookies, sessionCookie)
		b.authorize()
		b.login("ada", password)
		claims := h.claimsOf(h.idToken(b.MustLeave(callback)))
		if claims["acr"] != "aal1" || len(claims["amr"].([]any)) != 1 {
			t.Errorf("acr %v, amr %v; want aal1 by the password alone", claims["acr"], claims["amr"])
		}
		if b.Cookies[rememberedCookie] == before {
			t.Error("a use did not replace the token")
		}
	}
	if list := h.devices(ada); len(list) != 1 || list[0].Generation != 4 {
		t.Errorf("devices = %+v, want one, of the fourth generation", list)
	}
	for _, text := range []string{first, b.Cookies[rememberedCookie]} {
		if strings.Contains(h.Log.String(), text) {
			t.Error("the log holds a token")
		}
	}
	h.Wait(4 * 24 * time.Hour) // the window is that of the code, not of the last use
	delete(b.Cookies, sessionCookie)
	b.authorize()
	b.login("ada", password)
	b.Must("/mfa", 200)
}

func TestWithoutTheTickNothingIsRemembered(t *testing.T) {
	h := newFixture(t)
	h.client(remembering)
	ada := h.User("ada", totpKey)
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	b.Submit("mfa-submit", "passcode", "000000", "remember", "yes")
	b.Must("/mfa", 422, `id="remember" name="remember" value="yes" checked`)
	if len(h.devices(ada)) != 0 || b.Cookies[rememberedCookie] != "" {
		t.Error("a wrong code had the browser remembered")
	}
	b.Submit("mfa-submit", "passcode", h.Code(totpKey), "remember", "")
	b.mustCode(t)
	if len(h.devices(ada)) != 0 || b.Cookies[rememberedCookie] != "" {
		t.Error("the browser is remembered although its user did not want that")
	}
}

func TestAClientThatRemembersNothingOffersNothing(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	ada := h.User("ada", totpKey)
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	if strings.Contains(b.Page.Body.String(), `id="remember"`) {
		t.Error("the page offers what the client does not allow")
	}
	b.Submit("mfa-submit", "passcode", h.Code(totpKey), "remember", "yes")
	b.mustCode(t)
	if len(h.devices(ada)) != 0 || b.Cookies[rememberedCookie] != "" {
		t.Error("a forged field had the browser remembered")
	}
}

func TestARememberedLoginSatisfiesNoStrongerRequest(t *testing.T) {
	for name, changes := range map[string][]string{
		"essential acr":                         {"claims", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`},
		"voluntary acr":                         {"acr_values", "aal2"},
		"max_age":                               {"max_age", "3600"},
		"prompt=login":                          {"prompt", "login"},
		"another client that remembers nothing": {"client_id", "strict"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.client(remembering)
			h.client(func(c *storage.Client) { c.ID, c.MFA = "strict", mfa.MFAAlways })
			h.User("ada", totpKey)
			b := h.remembered(t, "ada")
			b.authorize(changes...)
			b.login("ada", password)
			b.Must("/mfa", 200)
			if b.Cookies[sessionCookie] != "" {
				t.Error("the password alone left a session (M-7)")
			}
			// Single sign-on with the session of a remembered login.
			b.authorize()
			b.login("ada", password)
			b.mustCode(t)
			b.authorize()
			b.mustCode(t)
			b.authorize(changes...)
			if name == "prompt=login" {
				b.Must("/login", 200)
				b.login("ada", password)
			}
			b.Must("/mfa", 200)
		})
	}
}

func TestAStolenCookieOpensNothingOfOthers(t *testing.T) {
	h := newFixture(t)
	h.client(remembering)
	h.User("ada", totpKey)
	eve := h.User("eve", totpKey)
	victim, thief := h.remembered(t, "ada"), h.browser()
	thief.Cookies[rememberedCookie] = victim.Cookies[rememberedCookie]
	thief.authorize()
	thief.login("eve", password)
	thief.Must("/mfa", 200)
	if len(h.devices(eve)) != 0 || len(h.reasons(mfa.EventDeviceForgotten)) != 0 {
		t.Error("the cookie of another user changed something")
	}
	other := "A"
	if strings.HasPrefix(victim.Cookies[rememberedCookie], other) {
		other = "B"
	}
	for name, forged := range map[string]string{
		"shorter": victim.Cookies[rememberedCookie][1:], "changed": other + victim.Cookies[rememberedCookie][1:], "a session": strings.Repeat("a", 64), "long": strings.Repeat("x.", 4000),
	} {
		thief := h.browser()
		thief.Cookies[rememberedCookie] = forged
		thief.authorize()
		thief.login("ada", password)
		if thief.Must("/mfa", 200); thief.Cookies[sessionCookie] != "" {
			t.Errorf("%s: a session", name)
		}
	}
	victim.authorize()
	victim.login("ada", password)
	victim.mustCode(t)
}

func TestACopiedCookieIsFoundOut(t *testing.T) {
	h := newFixture(t)
	h.client(remembering)
	ada := h.User("ada", totpKey)
	victim, thief := h.remembered(t, "ada"), h.browser()
	thief.Cookies[rememberedCookie] = victim.Cookies[rememberedCookie]
	thief.authorize()
	thief.login("ada", password)
	thief.mustCode(t)
	h.Wait(59 * time.Second) // two tabs
	victim.authorize()
	victim.login("ada", password)
	victim.mustCode(t)
	if victim.Cookies[rememberedCookie] != thief.Cookies[rememberedCookie] {
		t.Error("two uses of one token got different successors")
	}
	old := h.browser()
	delete(victim.Cookies, sessionCookie)
	victim.authorize()
	victim.login("ada", password)
	victim.mustCode(t)
	h.Wait(time.Minute)
	old.authorize()
	old.login("ada", password)
	old.Must("/mfa", 200)
	old.Cookies[rememberedCookie] = thief.Cookies[rememberedCookie]
	old.Get("/mfa?" + old.URL[len("/mfa?"):])
	if list := h.devices(ada); len(list) != 1 {
		t.Errorf("after a GET devices = %+v, want it to change nothing", list)
	}
	old.Submit("mfa-submit", "passcode", "000000")
	if list := h.devices(ada); len(list) != 0 {
		t.Errorf("after a replay devices = %+v, want none", list)
	}
	if got := strings.Join(h.reasons(mfa.EventDeviceForgotten), ","); got != mfa.ReasonReplayed {
		t.Errorf("reasons = %q, want one replay", got)
	}
	delete(victim.Cookies, sessionCookie)
	victim.authorize()
	victim.login("ada", password)
	victim.Must("/mfa", 200)
}

func TestAChangeOfThePasswordEndsRememberedDevices(t *testing.T) {
	h := newFixture(t)
	h.client(remembering)
	ada := h.User("ada", totpKey)
	b := h.remembered(t, "ada")
	a, err := h.Store.Account(context.Background(), ada)
	h.OK(err)
	h.OK(h.Users.SetPassword(context.Background(), mfa.Caller{Actor: "admin"}, a, "another good password"))
	b.authorize()
	b.login("ada", "another good password")
	b.Must("/mfa", 200)
}

func TestFourUsersAreRememberedInOneBrowser(t *testing.T) {
	h := newFixture(t)
	h.client(remembering)
	b := h.browser()
	names := []string{"ada", "bob", "cyn", "dan", "eve"}
	for _, name := range names {
		h.User(name, totpKey)
		one := h.browser()
		one.Cookies = b.Cookies
		one.authorize()
		one.login(name, password)
		h.Wait(time.Minute)
		one.Submit("mfa-submit", "passcode", h.Code(totpKey), "remember", "yes")
		one.mustCode(t)
		delete(b.Cookies, sessionCookie)
	}
	for i, name := range names {
		b.authorize()
		b.login(name, password)
		if i == 0 {
			b.Must("/mfa", 200) // dropped by the fifth
			continue
		}
		b.mustCode(t)
		delete(b.Cookies, sessionCookie)
	}
}

func TestTickingAgainRenewsTheDevice(t *testing.T) {
	h := newFixture(t)
	h.client(remembering)
	ada := h.User("ada", totpKey)
	b := h.remembered(t, "ada")
	was := h.devices(ada)[0]
	h.Wait(time.Hour)
	b.authorize("prompt", "login")
	b.login("ada", password)
	b.Submit("mfa-submit", "passcode", h.Code(totpKey), "remember", "yes")
	b.mustCode(t)
	list := h.devices(ada)
	if len(list) != 1 || list[0].ID != was.ID || !list[0].Factor.At.After(was.Factor.At) || !list[0].ExpiresAt.After(was.ExpiresAt) {
		t.Errorf("devices = %+v, want the same one, with the newer proof", list)
	}
	delete(b.Cookies, sessionCookie)
	b.authorize()
	b.login("ada", password)
	b.mustCode(t)
}
