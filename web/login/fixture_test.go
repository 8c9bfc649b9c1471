package login

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
	"sallyport/web/webtest"
)

const (
	password     = webtest.Password
	clientSecret = "a secret of 32 random bytes, say"
	callback     = "https://app.example/cb"
	totpKey      = webtest.TOTPKey
)

// fixture is the login pages over a real database.
type fixture struct{ *webtest.Fixture }

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureWith(t, mfatest.Options{})
}

func newFixtureWith(t testing.TB, o mfatest.Options) *fixture {
	t.Helper()
	h := &fixture{webtest.New(t, t0, o, provider.Options{Issuer: issuer, Offer: true})}
	look, err := page.New(h.Keyring, page.Options{Issuer: issuer, Methods: h.Verifier.Methods(), Logger: h.Logger()}, Files())
	h.OK(err)
	pages := New(h.Provider, h.Verifier, h.Sessions, look)
	h.Serve(pages.Refusal, look, pages)
	return h
}

// client stores an application, changed by the given function.
func (h *fixture) client(change func(*storage.Client)) {
	h.T.Helper()
	sum := sha256.Sum256([]byte(clientSecret))
	c := storage.Client{ID: "shop", Name: "Lighthouse Shop", AuthMethod: "client_secret_basic", SecretHashes: [][]byte{sum[:]},
		RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{"https://app.example/bye"}, ClientURI: "https://app.example/",
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, MFA: mfa.MFAOff, Consent: "skip"}
	if change != nil {
		change(&c)
	}
	h.OK(h.Store.PutClient(context.Background(), c, nil))
	h.OK(h.Provider.Poll(context.Background()))
}

// idToken redeems the code of a response to the client.
func (h *fixture) idToken(q url.Values) string {
	h.T.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {callback},
		"code_verifier": {strings.Repeat("v", 43)}}
	r := httptest.NewRequest("POST", "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", url.QueryEscape(clientSecret))
	w := httptest.NewRecorder()
	h.Provider.Grants.Token(w, r, mfa.Caller{})
	var out struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.IDToken == "" {
		h.T.Fatalf("token response = %d %s", w.Code, w.Body)
	}
	return out.IDToken
}

type browser struct{ *webtest.Browser }

func (h *fixture) browser() *browser { return &browser{h.Browser()} }

func authorizeParams(changes ...string) url.Values {
	v := url.Values{"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {callback}, "scope": {"openid"},
		"state": {"the-state"}, "code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
	}
	return v
}

func (b *browser) authorize(changes ...string) {
	b.Get("/authorize?" + authorizeParams(changes...).Encode())
}

func (b *browser) login(name, password string) {
	b.Submit("login-submit", "username", name, "password", password)
}

// mustCode checks that the application received a code, with state and issuer.
func (b *browser) mustCode(t *testing.T) {
	t.Helper()
	q := b.MustLeave(callback)
	if q.Get("code") == "" || q.Get("state") != "the-state" || q.Get("iss") != issuer {
		t.Fatalf("response = %v, want a code, the state and the issuer", q)
	}
}
