package provider

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"sallyport/storage"
)

// A program that opens a pushed request again after a browser was in it gets no second end, and no
// way into the browser's login.
func TestAPushedRequestOfABrowserIsNotOpenedWithoutIt(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("app", func(c *storage.Client) { c.HeadlessLogin, c.AllowedOrigins = true, []string{elsewhere.Origin} })
		h.user("ada", totpSecret)
		h.user("bob", "")
		_, s := h.signIn(params("app"), "bob")
		uri := h.push("app")
		if b, refused := h.opened("app", uri, h.visit, s); refused != "" || b.Finished == nil {
			h.t.Fatalf("first visit = %+v %q, want a code", b, refused)
		}
		if _, refused := h.opened("app", uri, h.visit, s); refused != gone {
			h.t.Fatalf("second visit = %q, want %q", refused, gone)
		}
		in := url.Values{"client_id": {"app"}, "request_uri": {uri}}
		if id, err := h.p.Open(h.ctx, in, elsewhere); codeOf(err) != gone {
			st := h.beginDetached(id, "bob")
			f, err := h.p.Finish(h.ctx, st, elsewhere, nil)
			h.t.Errorf("it was opened without a browser, and ended in %+v, %v", f, err)
		}
		in.Set("request_uri", h.push("app", "acr_values", "aal2", "prompt", "login"))
		b, _ := h.opened("app", in.Get("request_uri"), h.visit, nil)
		if _, err := h.first(b.Request, "ada", nil); err != nil { // and now it is stored
			h.t.Fatal(err)
		}
		h.clock.Advance(time.Millisecond)
		if _, err := h.p.Open(h.ctx, in, elsewhere); codeOf(err) != gone {
			h.t.Errorf("a browser's login opened without it = %v, want a refusal", err)
		}
	})
}

// A browser and a program in the same pushed request at the same time: one of them ends it, in
// either order.
func TestAPushedRequestEndsInABrowserOrWithoutOne(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("app", func(c *storage.Client) { c.HeadlessLogin, c.AllowedOrigins = true, []string{elsewhere.Origin} })
		h.user("bob", "")
		_, s := h.signIn(params("app"), "bob")
		for _, first := range []string{"browser", "program"} {
			in := url.Values{"client_id": {"app"}, "request_uri": {h.push("app")}}
			id, err := h.p.Open(h.ctx, in, elsewhere)
			h.ok(err)
			st := h.beginDetached(id, "bob")
			r, err := h.p.readNew(h.ctx, in, nil) // a browser that looked before the program opened it
			h.ok(err)
			verdict, device, err := h.p.given(h.ctx, r, h.visit, s)
			h.ok(err)
			ends := map[string]func() error{
				"browser": func() error { return second(h.p.finishNow(h.ctx, r, h.visit, s, verdict, device, nil)) },
				"program": func() error { return second(h.p.Finish(h.ctx, st, elsewhere, nil)) },
			}
			other := map[string]string{"browser": "program", "program": "browser"}[first]
			h.ok(ends[first]())
			if err := ends[other](); !errors.Is(err, storage.ErrConflict) {
				h.t.Errorf("the %s after the %s = %v, want %v", other, first, err, storage.ErrConflict)
			}
		}
	})
}

// The end of a request that lives longer than an hour cannot be told from its ID, so a pushed one does
// not.
//
// Conformance (Pushed authorization requests): RFC 9126 4, 7.3: it is used once, and can be opened before
func TestAPushedRequestIsNotOpenedAgainAfterAnHour(t *testing.T) {
	h := newFixture(t)
	h.p.options.RequestTTL = 2 * time.Hour
	h.client("rp")
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	uri := h.push("rp")
	if b, refused := h.opened("rp", uri, h.visit, s); refused != "" || b.Finished == nil {
		t.Fatalf("first visit = %+v %q, want a code", b, refused)
	}
	for _, d := range []time.Duration{30 * time.Minute, 29 * time.Minute, 2 * time.Minute, 30 * time.Minute} {
		h.clock.Advance(d)
		if b, refused := h.opened("rp", uri, h.visit, s); refused != gone {
			t.Errorf("%s later = %+v %q, want %q", d, b, refused, gone)
		}
	}
}

// A pushed request of a program ends once, too.
func TestAPushedRequestWithoutABrowser(t *testing.T) {
	h := newFixture(t)
	h.client("app", func(c *storage.Client) { c.HeadlessLogin = true })
	uri := h.push("app")
	in := url.Values{"client_id": {"app"}, "request_uri": {uri}}
	v := h.visit
	v.Browser = ""
	a, err := h.p.Open(h.ctx, in, v)
	h.ok(err)
	h.clock.Advance(time.Second)
	b, err := h.p.Open(h.ctx, in, v)
	h.ok(err)
	if a != b {
		t.Errorf("two visits opened %s and %s, want the same login", a, b)
	}
}
