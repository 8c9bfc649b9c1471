package account

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

const tillSecret = "a secret of 32 random bytes, say"

// till is a client that asks its users.
func (h *fixture) till(id storage.ClientID, name string) {
	h.T.Helper()
	sum := sha256.Sum256([]byte(tillSecret))
	h.OK(h.Store.PutClient(h.T.Context(), storage.Client{ID: id, Name: name, AuthMethod: "client_secret_basic", SecretHashes: [][]byte{sum[:]},
		GrantTypes: []string{clients.CIBA}, Scopes: []string{"openid"}, MFA: mfa.MFAOff, Consent: "ask"}, nil))
}

// asked is a request of a client for ada.
func (h *fixture) asked(id, words string) string {
	h.T.Helper()
	form := url.Values{"scope": {"openid"}, "login_hint": {"ada"}, "binding_message": {words}}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, url.QueryEscape(tillSecret))
	w := httptest.NewRecorder()
	h.Provider.BackchannelAuthentication(w, r, mfa.Caller{Address: "203.0.113.9", Country: "PT"})
	var out map[string]any
	h.OK(json.Unmarshal(w.Body.Bytes(), &out))
	request, _ := out["auth_req_id"].(string)
	if request == "" {
		h.T.Fatalf("backchannel authentication = %d %v", w.Code, out)
	}
	return request
}

func TestRequestsThatWaitAreShownToTheirUserAlone(t *testing.T) {
	h := newFixture(t)
	h.till("till", "Lighthouse Till")
	ada := h.User("ada", "")
	h.User("eve", "")
	b, other := h.browser(), h.browser()
	b.signIn("/account", "ada", "", "")
	other.signIn("/account", "eve", "", "")
	if b.Must("/account", http.StatusOK); strings.Contains(b.Page.Body.String(), `id="waiting"`) {
		t.Error("the page shows requests where there are none")
	}
	h.asked("till", `Pay <5> € "now"`)
	b.Get("/account")
	b.Must("/account", http.StatusOK, `id="waiting"`, "Lighthouse Till", "“Pay &lt;5&gt; € &#34;now&#34;”", "203.0.113.9", "(PT)", "Lighthouse Till asked you to confirm a sign-in")
	list, err := h.Provider.Waiting(t.Context(), ada)
	h.OK(err)
	form := url.Values{"id": {string(list[0].ID)}}
	other.Get("/account")
	if strings.Contains(other.Page.Body.String(), "Lighthouse Till") {
		t.Error("another user sees the request")
	}
	form.Set("csrf", other.csrf())
	for _, path := range []string{"/account/waiting", "/waiting"} {
		other.Post(path, form)
		if other.At == "/consent" {
			t.Errorf("another user opens the request by %s", path)
		}
	}
	b.Post("/account/waiting", form) // with the token of another browser
	b.Must("/account/waiting", http.StatusForbidden)
	if list, err := h.Provider.Waiting(t.Context(), ada); err != nil || len(list) != 1 {
		t.Fatalf("%d wait after the attempts: %v", len(list), err)
	}
	form.Set("csrf", b.csrf())
	for _, said := range []string{"The sign-in is refused.", "That sign-in was over already. If you did not allow it"} {
		b.Post("/account/waiting", form)
		b.Must("/account", http.StatusOK, said, "Sign-in to Lighthouse Till refused")
	}
	if strings.Contains(b.Page.Body.String(), "The sign-in is refused.") {
		t.Error("what was over is said to be refused")
	}
	if strings.Contains(b.Page.Body.String(), `id="waiting"`) {
		t.Error("a refused request waits")
	}
}
