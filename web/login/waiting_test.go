package login

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// asking is a client that asks its users.
func asking(c *storage.Client) {
	c.GrantTypes, c.RedirectURIs, c.PostLogoutRedirectURIs, c.Name = []string{clients.CIBA}, nil, nil, "Lighthouse Till"
}

func (h *fixture) asked(name, words string) string {
	h.T.Helper()
	out := h.call(h.Provider.BackchannelAuthentication, url.Values{"scope": {"openid email"}, "login_hint": {name}, "binding_message": {words}})
	id, _ := out["auth_req_id"].(string)
	if id == "" {
		h.T.Fatalf("backchannel authentication = %v", out)
	}
	return id
}

func (h *fixture) answered(id string) any {
	h.T.Helper()
	h.Wait(5 * time.Second)
	out := h.call(h.Provider.Grants.Token, url.Values{"grant_type": {clients.CIBA}, "auth_req_id": {id}})
	if out["access_token"] != nil {
		return "tokens"
	}
	return out["error"]
}

// Conformance (CIBA): CIBA Core 7.1, 14: the page shows who asks, and the binding message, and takes no form of others
func TestAUserConfirmsWhatAClientAsked(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	ada := h.User("ada", totpKey)
	b := h.browser() // in which ada is signed in, with a password
	b.authorize()
	b.login("ada", password)
	b.mustCode(t)
	h.client(func(c *storage.Client) { asking(c); c.MFA = mfa.MFAAlways })
	id := h.asked("ada", `Pay <b>5</b> € "now"`)
	waiting := func() storage.PolledID {
		t.Helper()
		list, err := h.Provider.Waiting(t.Context(), ada)
		h.OK(err)
		if len(list) != 1 {
			t.Fatalf("%d wait, want 1", len(list))
		}
		return list[0].ID
	}
	form := func(b *browser) url.Values {
		t.Helper()
		b.Get("/device") // every page of this browser has the token
		_, f := b.Form(`id="device-submit"`)
		return url.Values{"csrf": {f.Get("csrf")}, "id": {string(waiting())}}
	}
	stranger := h.browser()
	stranger.Post("/waiting", form(stranger))
	if got := h.answered(id); got != "authorization_pending" || !strings.HasPrefix(stranger.URL, "/account") {
		t.Errorf("without a session: %s, %v", stranger.URL, got)
	}

	b.Post("/waiting", url.Values{"id": {string(waiting())}})
	b.Must("/waiting", 403)
	theirs := form(stranger)
	b.Post("/waiting", theirs) // a form with the token of another browser
	b.Must("/waiting", 403)
	b.Post("/waiting", form(b))
	b.Must("/mfa", 200)
	b.Submit("mfa-submit", "passcode", h.Code(totpKey))
	b.Must("/consent", 200, "Confirm the sign-in to Lighthouse Till?", "Pay &lt;b&gt;5&lt;/b&gt; € &#34;now&#34;", "from 203.0.113.9 (PT)", "Allow this only if you started it yourself", "see your e-mail address")
	b.Submit("consent-allow", "decision", "allow")
	b.Must("/waiting/allowed", 200, "You confirmed the sign-in")
	if got := h.answered(id); got != "tokens" {
		t.Errorf("allowed = %v", got)
	}

	id = h.asked("ada", "")
	f := form(b)
	b.Post("/waiting", f)
	b.Must("/consent", 200, "Confirm the sign-in to Lighthouse Till?")
	b.Submit("consent-deny", "decision", "deny")
	b.Must("/waiting/denied", 200, "You refused the sign-in")
	if got := h.answered(id); got != "access_denied" {
		t.Errorf("refused = %v", got)
	}
	b.Post("/waiting", f)
	b.Must("/waiting", 410)
	b.Get("/waiting/left") // where the login of another user ends
	b.Must("/waiting/left", 200, "Nothing was confirmed")
}
