package server_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// form sends a form as a client with a secret.
func (g registry) form(path, id, secret string, form url.Values) (int, map[string]any) {
	g.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.RemoteAddr = g.address
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	w := httptest.NewRecorder()
	g.Handler.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		g.t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	return w.Code, out
}

// A secret that a stranger gave itself makes it no less of a stranger: what it writes has a budget.
func TestRegisteredClientsWriteLittle(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, open+"limits: {opens: 5}\n")
	id, _, out := g.registered(`{"redirect_uris":["https://rp.example/cb"],"grant_types":["authorization_code"]}`)
	c, err := g.Store.Client(t.Context(), storage.ClientID(id))
	if err == nil {
		c.GrantTypes = append(c.GrantTypes, clients.DeviceCode) // as an operator may
		err = g.Store.PutClient(t.Context(), c, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprint(out["client_secret"])
	for i, x := range []struct {
		path string
		form url.Values
	}{
		{"/par", url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {"https://rp.example/cb"}, "scope": {"openid"}, "state": {"s"},
			"code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}},
		{"/device_authorization", url.Values{"scope": {"openid"}}},
	} {
		g.address = fmt.Sprintf("192.0.2.%d:1", 10+i)
		codes := map[int]int{}
		for range 20 {
			code, _ := g.form(x.path, id, secret, x.form)
			codes[code]++
		}
		if codes[429] != 15 {
			t.Errorf("%s: answers %v, want 15 of 429", x.path, codes)
		}
	}
}

// Tokens that a stranger's client gets for itself keep it alive no longer than none would.
func TestAStrangersClientLivesByItsUsers(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, "registration: {mode: open, client_credentials: true, max_unused: 2}\n")
		id, _, out := g.registered(`{"grant_types":["client_credentials"],"response_types":[]}`)
		_, with, err := g.RegistrationTokens.Create(t.Context(), mfa.Caller{Actor: "admin"}, "CI", 2, g.clock.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		_, vouched, _ := g.send("POST", "/register", with, `{"grant_types":["client_credentials"],"response_types":[]}`)
		for _, c := range []map[string]any{out, vouched} {
			code, body := g.form("/token", fmt.Sprint(c["client_id"]), fmt.Sprint(c["client_secret"]), url.Values{"grant_type": {"client_credentials"}})
			if code != 200 {
				t.Fatalf("client_credentials: %d %v", code, body)
			}
		}
		g.clock.Move(2 * time.Hour)
		if _, err := g.Store.Sweep(t.Context(), g.clock.Now(), 1000); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Store.Client(t.Context(), storage.ClientID(id)); err == nil {
			t.Error("a client that got tokens for itself alone is still there")
		}
		if _, err := g.Store.Client(t.Context(), storage.ClientID(fmt.Sprint(vouched["client_id"]))); err != nil {
			t.Errorf("a client that registered with a token is gone: %v", err)
		}
	})
}

func TestAClientInUseStays(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, "registration: {mode: open, idle: 24h, scopes: [openid, offline_access]}\n")
	id, _, out := g.registered(`{"redirect_uris":["https://rp.example/cb"],"client_name":"Shop","grant_types":["authorization_code","refresh_token"]}`)
	secret := fmt.Sprint(out["client_secret"])
	_, finish := g.login(id)
	_, tokens := g.tokens(id, secret, finish())
	for hour := range 30 {
		code, next := g.form("/token", id, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(tokens["refresh_token"])}})
		if code != 200 {
			t.Fatalf("hour %d: %d %v", hour, code, next)
		}
		tokens = next
		g.clock.Move(time.Hour)
		if _, err := g.Store.Sweep(t.Context(), g.clock.Now(), 1000); err != nil {
			t.Fatal(err)
		}
	}
}
