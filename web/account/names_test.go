package account

import (
	"context"
	"crypto/rand"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// nameless finds a place for a name that holds none.
var nameless = regexp.MustCompile(`“”|„“|<strong>\s*</strong>|aria-label="[^"]* "|\(\)|(?: to| of| bei| von) ?<`)

func TestNoPageShowsAnEmptyName(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey) // the authenticator has no name
	device := string(h.devices(id)[""].ID)
	var events []storage.Event
	for _, kind := range mfa.EventKinds() {
		events = append(events, storage.Event{ID: storage.EventID(storage.TimeOrdered(t0, rand.Reader)), At: t0, Kind: kind, Outcome: mfa.OutcomeOK, UserID: id})
	}
	h.OK(h.Store.AppendEvents(context.Background(), events))
	c := storage.Client{ID: "nameless", Public: true, AuthMethod: "none", RedirectURIs: []string{issuer + "/account/nameless"},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid"}, MFA: mfa.MFAOff, Consent: "ask"}
	h.OK(h.Store.PutClient(context.Background(), c, nil))
	first := h.browser()
	first.signIn("/account", "ada", id, "")
	first.Get("/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"nameless"}, "redirect_uri": c.RedirectURIs, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}.Encode())
	first.Submit("consent-allow", "decision", "allow")
	for language, label := range map[string]string{"en": "Codes from “Authenticator app”", "de": "„Authenticator-App“"} {
		b := h.browser()
		b.Header.Set("Accept-Language", language)
		b.signIn("/account", "ada", id, "")
		b.Must("/account", 200, "nameless")
		for _, path := range []string{"/account", "/account/rename?id=" + device, "/account/remove?id=" + device} {
			b.Get(path)
			body := b.Page.Body.String()
			if found := nameless.FindString(body); found != "" || b.Page.Code != 200 {
				t.Errorf("%s in %s: %d, %q in %s", path, language, b.Page.Code, found, body)
			}
			if strings.Contains(path, "remove") && !strings.Contains(body, label) {
				t.Errorf("%s in %s lacks %s", path, language, label)
			}
		}
	}
}
