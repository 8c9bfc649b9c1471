package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
)

// faceless is a problem without what differs between any two responses.
func faceless(r reply) string { return strings.ReplaceAll(r.raw, r.get("support_id"), "") }

// An unauthorized caller gets from every call the same response as for a request that does
// not exist (B-2).
func TestUnauthorizedCallersLearnNothing(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	own, second := h.browser(), h.browser()
	bound := own.authorize("shop")
	headless := own.authorize("vault")
	second.authorize("shop")
	alone := h.app().begin("vault").get("request_id")
	gone := h.app().begin("front").get("request_id")
	h.OK(h.Store.DeleteClient(context.Background(), "front", nil))
	h.OK(h.Provider.Poll(context.Background()))
	for _, tc := range []struct {
		name string
		who  caller
		id   string
	}{
		{"an unknown request", caller{origin: site}, "00000000-0000-0000-0000-000000000000"},
		{"no number at all", caller{origin: site}, "' OR 1=1 --"},
		{"a client without headless login, from its own page", caller{origin: site}, bound},
		{"the same without an origin", caller{}, bound},
		{"the same with another browser's cookie", caller{origin: issuer, jar: second}, bound},
		{"the same from a foreign page with the right cookie", caller{origin: "https://evil.example", jar: own}, bound},
		{"the same from another client's page with the right cookie", caller{origin: "https://other.example", jar: own}, bound},
		{"a headless client from a foreign page", caller{origin: "https://evil.example"}, alone},
		{"a headless client from another client's page", caller{origin: "https://other.example"}, alone},
		{"a headless client from no origin", caller{origin: "null"}, alone},
		{"a headless client with another browser's cookie", caller{origin: site, jar: second}, headless},
		{"the client is gone", caller{origin: site}, gone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			want := faceless((&caller{h: h, origin: site, id: "99999999-9999-9999-9999-999999999999"}).call("/step").refused(404, "unknown_request"))
			tc.who.h, tc.who.id = h, tc.id
			for path, pairs := range map[string][]any{
				"/step": nil, "/cancel": nil, "/restart": nil, "/finish": nil, "/recovery-codes/seen": nil,
				"/identify": {"identifier", "ada"}, "/password": {"identifier", "ada", "password", password},
				"/initiate": {"method", "totp"}, "/verify": {"method", "totp", "passcode", "000000"}, "/consent": {"allow", true},
				"/enroll": {"method", "totp"}, "/enroll/code": {}, "/enroll/confirm": {"exchange_id", "x", "passcode", "000000"},
			} {
				r := tc.who.call(path, pairs...).refused(404, "unknown_request")
				if got := faceless(r); got != want {
					t.Errorf("%s = %s, want %s", path, got, want)
				}
			}
		})
	}
	h.T = t
	(&caller{h: h, origin: issuer, jar: own, id: bound}).call("/step").at("identify")
	(&caller{h: h, id: alone}).call("/step").at("identify")
}

func TestOpeningALogin(t *testing.T) {
	h := newFixture(t)
	for _, tc := range []struct {
		name   string
		origin string
		params map[string]any
		status int
		code   string
	}{
		{"from the client's page", site, params("front"), 200, ""},
		{"from the server's own origin", issuer, params("front"), 200, ""},
		{"from no page", "", params("front"), 200, ""},
		{"without PKCE", site, params("front", "code_challenge", "", "code_challenge_method", ""), 400, "invalid_request"},
		{"PKCE plain", site, params("front", "code_challenge_method", "plain"), 400, "invalid_request"},
		{"a redirect address that is not registered", site, params("front", "redirect_uri", site+"/cb2"), 400, "invalid_request"},
		{"an unknown scope", site, params("front", "scope", "openid root"), 400, "invalid_scope"},
		{"another response type", site, params("front", "response_type", "token"), 400, "unsupported_response_type"},
		{"silently", site, params("front", "prompt", "none"), 400, "login_required"},
		{"a request object", site, params("front", "request", "x"), 400, "request_not_supported"},
		{"a reserved parameter", site, params("front", "opened_alone", "", "hint_sub", "x"), 200, ""},
		{"an unknown client", site, params("nobody"), 403, "unauthorized_client"},
		{"no client", site, params(""), 403, "unauthorized_client"},
		{"a client without headless login", site, params("shop"), 403, "unauthorized_client"},
		{"from another client's page", "https://other.example", params("front"), 403, "unauthorized_client"},
		{"from a foreign page", "https://evil.example", params("front"), 403, "unauthorized_client"},
		{"from no origin", "null", params("front"), 403, "unauthorized_client"},
		{"a number", site, map[string]any{"client_id": 7}, 400, "invalid_request"},
		{"a list of clients", site, map[string]any{"client_id": []any{"front", "vault"}}, 400, "invalid_request"},
		{"a list of lists", site, map[string]any{"resource": []any{[]any{"a"}}}, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			r := (&caller{h: h, origin: tc.origin}).send("/requests", tc.params)
			if tc.code == "" {
				r.at("identify")
				return
			}
			r.refused(tc.status, tc.code)
		})
	}
	h.T = t
	refused := map[string]bool{}
	for _, who := range []*caller{{h: h, origin: site}, {h: h, origin: "https://evil.example"}} {
		for _, client := range []string{"nobody", "shop"} {
			refused[faceless(who.begin(client))] = true
		}
	}
	if len(refused) != 1 {
		t.Errorf("%d different refusals, want 1: %v", len(refused), refused)
	}
}

// A login continues in another surface.
func TestLoginSwitchesSurfaces(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	t.Run("password on the page, code by JSON", func(t *testing.T) {
		h.T = t
		b := h.browser()
		id := b.authorize("vault")
		b.submit("/login", "username", "ada", "password", password)
		b.Must("/mfa", 200)
		other := &caller{h: h, origin: site, id: id}
		other.call("/step").at("identify")
		other.call("/verify", "method", "totp", "identifier", "ada", "passcode", h.code(totpKey)).refused(409, "not_configured")
		a := b.own(id)
		a.call("/verify", "method", "totp", "passcode", h.code(totpKey)).at("done")
		a.call("/finish").refused(403, "not_allowed")
		b.Get("/continue?requestId=" + id)
		h.redeem("vault", b.mustCode())
		if b.Cookies["__Host-sallyport_session"] == "" {
			t.Error("the browser is not signed in")
		}
	})
	t.Run("password by JSON, code on the page, and by JSON again", func(t *testing.T) {
		h.T = t
		b := h.browser()
		a := &caller{h: h, origin: site, id: b.authorize("vault")}
		a.call("/password", "identifier", "ada", "password", password).at("verify")
		first := a.id.(string)
		b.Get("/continue?requestId=" + first)
		b.Must("/login", 200) // no factor is proven in the browser
		b.takeOver(a, site)
		b.Must("/mfa", 200)
		b.submit("/mfa", "method", "totp", "passcode", "000000")
		b.Must("/mfa", 422)
		a.call("/verify", "method", "totp", "passcode", h.code(totpKey)).at("done")
		a.call("/finish").refused(403, "not_allowed")
		b.takeOver(a, site)
		h.redeem("vault", b.mustCode())
		b.Get("/continue?requestId=" + first)
		b.Must("/continue", 410)
	})
	t.Run("a factor initiated by JSON, verified by JSON without the origin", func(t *testing.T) {
		h.T = t
		b := h.browser()
		id := b.authorize("vault")
		b.submit("/login", "username", "ada", "password", password)
		a := b.own(id)
		exchange := a.call("/initiate", "method", "totp").body["exchange"].(map[string]any)
		a.origin = ""
		a.call("/verify", "method", "totp", "passcode", h.code(totpKey), "exchange_id", exchange["exchange_id"]).at("done")
	})
	t.Run("the server's own page by JSON with the cookie, signed in at the end", func(t *testing.T) {
		h.T = t
		b := h.browser()
		a := &caller{h: h, origin: issuer, jar: b, id: b.authorize("shop")}
		a.call("/password", "identifier", "ada", "password", password).at("verify")
		a.call("/verify", "method", "totp", "passcode", h.code(totpKey)).at("done")
		r := a.call("/finish").at("done")
		h.redeem("shop", r.get("code"))
		if !strings.HasPrefix(r.get("redirect_to"), callback+"?code=") || b.Cookies["__Host-sallyport_device"] == "" {
			t.Errorf("response = %s, cookies = %v", r.raw, b.Cookies)
		}
		q := url.Values{"prompt": {"none"}}
		for name, value := range params("shop") {
			q.Set(name, value.(string))
		}
		b.Get("/authorize?" + q.Encode())
		b.mustCode()
	})
}

// The exchanges of another user's login, sent with the attacker's own request.
func TestForeignExchanges(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	a, b := h.app(), h.app()
	for _, c := range []*caller{a, b} {
		c.begin("vault")
		c.call("/password", "identifier", "ada", "password", password).at("verify")
	}
	foreign := a.call("/initiate", "method", "totp").body["exchange"].(map[string]any)["exchange_id"]
	right := h.code(totpKey)
	want := faceless(b.call("/verify", "method", "totp", "passcode", right, "exchange_id", "00000000-0000-0000-0000-000000000000").refused(409, "invalid_exchange"))
	for _, id := range []any{foreign, "x"} {
		if got := faceless(b.call("/verify", "method", "totp", "passcode", right, "exchange_id", id).refused(409, "invalid_exchange")); got != want {
			t.Errorf("exchange %v = %s, want %s", id, got, want)
		}
	}
	a.call("/verify", "method", "totp", "passcode", right, "exchange_id", foreign).at("done")
}

func TestPagesOfRegisteredOriginsMayCall(t *testing.T) {
	h := newFixture(t)
	for _, tc := range []struct {
		name, origin, path, method string
		want                       string
	}{
		{"a registered one", site, "/requests", "POST", site},
		{"another registered one: a preflight names no client", "https://other.example", "/verify", "POST", "https://other.example"},
		{"a foreign one", "https://evil.example", "/verify", "POST", ""},
		{"none", "null", "/verify", "POST", ""},
		{"another method, for the page to read why it is refused", site, "/verify", "PUT", site},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			r := httptest.NewRequest(http.MethodOptions, base+tc.path, nil)
			r.Header.Set("Access-Control-Request-Method", tc.method)
			r.Header.Set("Access-Control-Request-Headers", "content-type")
			got := (&caller{h: h, origin: tc.origin}).do(r)
			if got.code != 204 || got.header.Get("Access-Control-Allow-Origin") != tc.want || got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("response = %d %v, want %q allowed", got.code, got.header, tc.want)
			}
		})
	}
	h.T = t
	if r := h.app().begin("front"); r.header.Get("Access-Control-Allow-Origin") != site || r.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("headers = %v", r.header)
	}
}

// What a request took over from a session counts only in the browser that holds it.
func TestSessionsAreHiddenFromPages(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	b := h.browser()
	b.authorize("front")
	b.submit("/login", "username", "ada", "password", password)
	b.mustCode()
	h.Wait(time.Second)
	id := b.authorize("vault")
	a := &caller{h: h, origin: site, id: id}
	r := a.call("/step").at("identify")
	if strings.Contains(r.raw, `"ada`) || strings.Contains(r.raw, "ada@") { // an ID may have the three letters
		t.Errorf("step = %s reveals who is signed in", r.raw)
	}
	if r = (&caller{h: h, origin: issuer, jar: b, id: id}).call("/step").at("verify"); r.get("account") != "ada@example.org" {
		t.Errorf("account = %q in its own browser", r.get("account"))
	}
	a.call("/password", "password", password).refused(400, "invalid_request") // no identifier
	a.call("/password", "identifier", "ada", "password", password).at("verify")
}

// The client's own page receives the logins that began in a browser.
func TestOwnLoginPage(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	b := h.browser()
	a := &caller{h: h, origin: site, id: b.authorize("own")}
	if want := site + "/login?theme=dark&requestId=" + a.id.(string); b.Left != want {
		t.Fatalf("left to %q, want %q", b.Left, want)
	}
	if r := a.call("/step").at("identify"); r.get("state") != "" {
		t.Errorf("state = %q for a caller who is not the owner", r.get("state"))
	}
	if r := a.call("/password", "identifier", "ada", "password", password).at("verify"); r.get("state") != "the-state" {
		t.Errorf("state = %q", r.get("state"))
	}
	b.Get("/continue?requestId=" + a.id.(string))
	if !strings.HasPrefix(b.Left, site+"/login?") {
		t.Errorf("left to %q, want the client's page for every step", b.Left)
	}
	a.call("/verify", "method", "totp", "passcode", h.code(totpKey)).at("done")
	b.takeOver(a, site)
	h.redeem("own", b.mustCode())
	if b.Cookies["__Host-sallyport_session"] == "" {
		t.Error("the browser is not signed in")
	}
	c, err := h.Provider.Client(context.Background(), "own")
	h.OK(err)
	c.HeadlessLogin = false
	h.OK(h.Store.PutClient(context.Background(), c, []storage.Event{}))
	h.OK(h.Provider.Poll(context.Background()))
	b = h.browser()
	b.authorize("own")
	b.Must("/login", 200)
}
