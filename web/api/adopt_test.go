package api_test

import (
	"strings"
	"sync"
	"testing"
)

// A login opened by a program continues in the browser that takes it over.
func TestBrowserAdoptsALogin(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	t.Run("done already: the browser is signed in and gets the code", func(t *testing.T) {
		h.T = t
		a, b := h.app(), h.browser()
		a.begin("front")
		a.call("/password", "identifier", "ada", "password", password).at("done")
		b.takeOver(a, site)
		h.redeem("front", b.mustCode())
		if b.Cookies["__Host-sallyport_session"] == "" {
			t.Error("the browser is not signed in")
		}
		a.call("/step").refused(404, "unknown_request")
	})
	t.Run("password by JSON, code on the page", func(t *testing.T) {
		h.T = t
		a, b := h.app(), h.browser()
		a.begin("vault")
		a.call("/password", "identifier", "ada", "password", password).at("verify")
		b.takeOver(a, site)
		b.Must("/mfa", 200)
		a.call("/step").refused(404, "unknown_request")
		b.submit("/mfa", "method", "totp", "passcode", h.code(totpKey))
		h.redeem("vault", b.mustCode())
	})
	t.Run("nothing proven yet: any page may redirect there", func(t *testing.T) {
		h.T = t
		a, b := &caller{h: h}, h.browser()
		a.begin("own")
		b.Get("/continue?requestId=" + a.id.(string))
		b.Must("/login", 200) // not the client's page: it could not continue without the cookie
		b.submit("/login", "username", "ada", "password", password)
		b.Must("/mfa", 200)
		// The caller who opened the login gets nothing from another user's proofs.
		for _, path := range []string{"/step", "/finish", "/cancel", "/restart"} {
			a.call(path).refused(404, "unknown_request")
		}
		(&caller{h: h, origin: site, jar: b.copy(), id: a.id}).call("/step").at("verify")
	})
}

// Following a link signs no user in as another.
func TestProofsDoNotTravelByLink(t *testing.T) {
	h := newFixture(t)
	h.User("mallory", "")
	h.User("ada", "")
	for _, referer := range []string{"", "https://evil.example/", "https://other.example/", "https://app.example.evil.example/", issuer + "/"} {
		a, b := h.app(), h.browser()
		a.begin("front")
		login := a.call("/password", "identifier", "mallory", "password", password).at("done")
		for _, id := range []any{a.id, login.body["request_id"]} {
			b.getFrom(referer, "/continue?requestId="+id.(string))
			b.Must("/continue", 400)
		}
		if referer != issuer+"/" {
			if b.takeOver(a, strings.TrimSuffix(referer, "/")); b.Page.Code != 400 {
				t.Errorf("a post from %q = %d", referer, b.Page.Code)
			}
		}
		if b.Cookies["__Host-sallyport_session"] != "" || b.Cookies["__Host-sallyport_login"] != "" {
			t.Errorf("from %q: cookies = %v", referer, b.Cookies)
		}
		a.call("/step").at("done")
	}
	// The same with a login begun in a browser, opened in one without any cookie.
	own, victim := h.browser(), h.browser()
	a := &caller{h: h, origin: site, id: own.authorize("front")}
	a.call("/password", "identifier", "mallory", "password", password).at("done")
	victim.getFrom(site+"/", "/continue?requestId="+a.id.(string))
	victim.Must("/continue", 400)
	victim.takeOver(a, site) // even if an attacker gets the client's own page to do it
	victim.Must("/continue", 400)
	delete(victim.Cookies, "__Host-sallyport_browser")
	delete(victim.Cookies, "__Host-sallyport_login")
	for _, page := range []string{"/login", "/mfa", "/consent"} {
		victim.Get(page + "?requestId=" + a.id.(string))
		victim.Must(page, 400)
	}
	if len(victim.Cookies) != 0 {
		t.Errorf("cookies = %v", victim.Cookies)
	}
	own.Get("/continue?requestId=" + a.id.(string))
	own.Must("/login", 200)
	own.takeOver(a, site)
	own.mustCode()
}

func TestOnlyUnboundLoginsAreAdopted(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	first, second := h.browser(), h.browser()
	id := first.authorize("shop")
	second.getFrom(site+"/", "/continue?requestId="+id)
	second.Must("/continue", 400)
	a := h.app()
	a.begin("front")
	// Other pages do not work before /continue has bound it.
	first.Get("/login?requestId=" + a.id.(string))
	first.Must("/login", 400)
	a.call("/cancel").refused(403, "not_allowed") // the caller is not the owner
	a.call("/password", "identifier", "ada", "password", password).at("done")
	second.getFrom(site+"/", "/continue?requestId="+a.id.(string))
	second.Must("/continue", 400)
	a.call("/cancel").at("refused")
	second.getFrom(site+"/", "/continue?requestId="+a.id.(string))
	second.Must("/continue", 400)
}

func TestOneOfManyBrowsersAdoptsALogin(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	a := h.app()
	a.begin("front")
	a.call("/password", "identifier", "ada", "password", password).at("done")
	var done sync.WaitGroup
	browsers := make([]*browser, 8)
	for i := range browsers {
		browsers[i] = h.browser()
		done.Go(func() { browsers[i].takeOver(a, site) })
	}
	done.Wait()
	good := 0
	for _, b := range browsers {
		if strings.HasPrefix(b.Left, callback+"?code=") {
			good++
		} else if b.Page.Code != 400 {
			t.Errorf("a loser got %d: %s", b.Page.Code, b.Page.Body)
		}
	}
	if good != 1 {
		t.Errorf("%d browsers got the code, want 1", good)
	}
}

func TestOneOfManyFinishesGetsTheCode(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	a := h.app()
	a.begin("front")
	a.call("/password", "identifier", "ada", "password", password).at("done")
	replies := make([]reply, 16)
	var done sync.WaitGroup
	for i := range replies {
		done.Go(func() { replies[i] = (&caller{h: h, origin: site, id: a.id, token: a.token}).call("/finish") })
	}
	done.Wait()
	good := 0
	for _, r := range replies {
		switch {
		case r.code == 200 && r.get("code") != "":
			good++
			h.redeem("front", r.get("code"))
		case r.code == 409 && r.get("code") == "request_changed", r.code == 410 && r.get("code") == "request_over":
		default:
			t.Errorf("a loser got %d %s", r.code, r.raw)
		}
	}
	if good != 1 {
		t.Errorf("%d finishes got a code, want 1", good)
	}
}

func TestAppCodeCountsOnce(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	callers := make([]*caller, 8)
	for i := range callers {
		callers[i] = h.app()
		callers[i].begin("vault")
		callers[i].call("/password", "identifier", "ada", "password", password).at("verify")
	}
	code := h.code(totpKey)
	replies := make([]reply, len(callers))
	var done sync.WaitGroup
	for i, c := range callers {
		done.Go(func() { replies[i] = c.call("/verify", "method", "totp", "passcode", code) })
	}
	done.Wait()
	good := 0
	for _, r := range replies {
		if r.code == 200 {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d logins got on with one code, want 1", good)
	}
}
