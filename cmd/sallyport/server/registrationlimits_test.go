package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
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
	g.clock.Move(24 * time.Hour)
	if _, err := g.Store.Sweep(t.Context(), g.clock.Now(), 1000); err != nil {
		t.Fatal(err)
	}
	if err := g.Provider.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, out := g.form("/token", id, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(tokens["refresh_token"])}}); code != 401 || out["error"] != "invalid_client" {
		t.Errorf("a day without tokens: %d %v, want the client gone", code, out)
	}
}

// A client that nobody knows, or no longer, is told to register again: 401 with invalid_client, whatever it
// asks for and however it authenticates.
//
// Conformance (Registration): RFC 6749 5.2: an unknown client, also one that was deleted, gets 401 invalid_client at every endpoint where clients authenticate
func TestAnUnknownClientIsToldSoEverywhere(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, open+"limits: {registrations: 0, refusals: 0}\n")
	id, token, out := g.registered(plainClient)
	if code, _, _ := g.send("DELETE", "/register/"+id, token, ""); code != 204 {
		t.Fatalf("DELETE = %d", code)
	}
	secret := fmt.Sprint(out["client_secret"])
	encode := base64.RawURLEncoding.EncodeToString
	forms := map[string][]url.Values{"/par": {{"response_type": {"code"}, "scope": {"openid"}}}, "/introspect": {{"token": {"x"}}}, "/revoke": {{"token": {"x"}}},
		"/device_authorization": {{"scope": {"openid"}}}, "/bc-authorize": {{"scope": {"openid"}, "login_hint": {"vera"}}}}
	for _, grant := range clients.GrantTypes {
		forms["/token"] = append(forms["/token"], url.Values{"grant_type": {grant}})
	}
	for path, asked := range forms {
		for _, form := range asked {
			for _, id := range []string{id, "never-there", "https://rp.example/client.json"} {
				ways := map[string]url.Values{"client_secret_basic": {}, "client_secret_post": {"client_id": {id}, "client_secret": {secret}}, "none": {"client_id": {id}},
					"private_key_jwt": {"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
						"client_assertion": {encode([]byte(`{"alg":"ES256"}`)) + "." + encode(fmt.Appendf(nil, `{"iss":%q,"sub":%q}`, id, id)) + "." + encode(make([]byte, 64))}}}
				for way, sent := range ways {
					values := url.Values{}
					maps.Copy(values, form)
					maps.Copy(values, sent)
					r := httptest.NewRequest("POST", path, strings.NewReader(values.Encode()))
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					if len(sent) == 0 {
						r.SetBasicAuth(url.QueryEscape(id), secret)
					}
					w := httptest.NewRecorder()
					if g.Handler.ServeHTTP(w, r); w.Code != 401 || !strings.Contains(w.Body.String(), `"invalid_client"`) {
						t.Errorf("%s as %s by %s, %v = %d %s", path, id, way, form, w.Code, w.Body)
					}
				}
			}
			g.clock.Move(11 * time.Minute) // failures count for ten
		}
	}
}

// Users allowed a name and a host. A client that takes others is asked about again.
func TestAConsentIsForANameAndAHost(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, open+"limits: {registrations: 0}\n")
		for what, x := range map[string]struct {
			name, uris string
			forgotten  bool
		}{
			"another path":         {"Shop", `"https://rp.example/cb","https://rp.example/2"`, false},
			"another name":         {"Other", `"https://rp.example/cb"`, true},
			"another host besides": {"Shop", `"https://rp.example/cb","https://evil.example/cb"`, true},
		} {
			id, token, _ := g.registered(plainClient)
			_, finish := g.login(id)
			finish()
			ctx := t.Context()
			c, err := g.Store.Client(ctx, storage.ClientID(id))
			was := c.UpdatedAt
			c.Consent, c.UpdatedAt = "skip", was.Add(time.Second) // an operator trusts it
			if err == nil {
				err = g.Store.ReplaceClient(ctx, c, was, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			code, out, _ := g.send("PUT", "/register/"+id, token, fmt.Sprintf(`{"client_id":%q,"client_name":%q,"redirect_uris":[%s]}`, id, x.name, x.uris))
			if code != 200 {
				t.Fatalf("%s: %d %v", what, code, out)
			}
			c, err = g.Store.Client(ctx, c.ID)
			if err != nil || (c.Consent == "ask") != x.forgotten {
				t.Errorf("%s: consent: %s, %v", what, c.Consent, err)
			}
			b, _ := g.login(id)
			b.Submit("username", "username", "vera", "password", "a lighthouse at dusk")
			if left := strings.HasPrefix(b.Left, "https://rp.example/cb"); left == x.forgotten {
				t.Errorf("%s: the user leaves without a question: %v", what, left)
			}
		}
	})
}

// Conformance (Registration): RFC 7592 3: of a PUT and a DELETE with one registration access token one gets through
func TestAPutAndADeleteWithOneToken(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, open+"limits: {registrations: 0}\n")
		for range 10 {
			id, token, _ := g.registered(plainClient)
			var put, deleted int
			var all sync.WaitGroup
			all.Go(func() {
				put, _, _ = g.send("PUT", "/register/"+id, token, fmt.Sprintf(`{"client_id":%q,"redirect_uris":["https://rp.example/cb"]}`, id))
			})
			all.Go(func() { deleted, _, _ = g.send("DELETE", "/register/"+id, token, "") })
			all.Wait()
			if got := fmt.Sprint(put, deleted); got != "200 401" && got != "401 204" {
				t.Fatalf("PUT and DELETE: %s", got)
			}
		}
	})
}
