package provider

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/session"
	"sallyport/provider/clientdocument"
	"sallyport/storage"
)

// registered makes a client one that registered itself.
func registered(token storage.RegistrationTokenID) func(*storage.Client) {
	return func(c *storage.Client) {
		c.Registration, c.Consent, c.Name, c.LogoURI = &storage.Registration{Token: token}, "ask", "Bank", "https://rp.example/logo.png"
	}
}

// A link to this server does not lead to the site of a stranger before a page was shown, whatever is wrong
// with the request, unless the user has allowed that client something and it asks for no page.
func TestStrangersAreNoOpenRedirect(t *testing.T) {
	h := newFixture(t)
	site := h.documents(clientdocument.Options{}, loopbackNetwork)
	h.client("stranger", registered(""))
	h.client("admitted", registered("token"))
	h.client("operators")
	h.user("ada", "")
	begun := h.begin(params("stranger"), nil)
	h.enter(begun.Request, "ada", nil)
	h.ok(h.p.Allow(h.ctx, h.next(begun.Request, nil), h.visit, nil))
	done, _ := h.finish(begun.Request, nil)
	known, err := h.sessions.Load(h.ctx, done.SessionToken)
	h.ok(err)
	page := storage.ClientID(site.URL + "/client.json")
	at := func(id storage.ClientID, changes ...string) url.Values {
		if id == page {
			changes = append(changes, "redirect_uri", site.URL+"/cb")
		}
		return params(id, changes...)
	}
	for _, tc := range []struct {
		name   string
		in     url.Values
		s      *session.SignedIn
		leaves bool
	}{
		{"a wrong scope", at("stranger", "scope", "nope"), nil, false},
		{"a wrong scope, signed in", at("stranger", "scope", "nope"), known, false},
		{"prompt=none", at("stranger", "prompt", "none"), nil, false},
		{"prompt=none and a wrong scope, with consent", at("stranger", "prompt", "none", "scope", "nope"), known, true},
		{"a described client", at(page, "scope", "nope"), nil, false},
		{"prompt=none of a described client", at(page, "prompt", "none"), nil, false},
		{"prompt=none of a described client without consent", at(page, "prompt", "none"), known, false},
		{"a client with an initial access token", at("admitted", "scope", "nope"), nil, true},
		{"an operator's client", at("operators", "scope", "nope"), nil, true},
		{"prompt=none of an operator's client", at("operators", "prompt", "none"), nil, true},
	} {
		b, err := h.p.Begin(h.ctx, Params{Query: tc.in}, h.visit, tc.s)
		_, shown := errors.AsType[*PageError](err)
		if left := err == nil && b.Answer != nil; left != tc.leaves || shown == left {
			t.Errorf("%s: leaves %v (error %v), want %v", tc.name, left, err, tc.leaves)
		}
	}
}

// What a user allowed a stranger as one host sends no response to another one without a question.
func TestAStrangersOtherHostIsAskedAbout(t *testing.T) {
	h := newFixture(t)
	h.client("stranger", registered(""), func(c *storage.Client) { c.RedirectURIs = append(c.RedirectURIs, "https://other.example/cb") })
	h.user("ada", "")
	begun := h.begin(params("stranger"), nil)
	h.enter(begun.Request, "ada", nil)
	h.ok(h.p.Allow(h.ctx, h.next(begun.Request, nil), h.visit, nil))
	done, _ := h.finish(begun.Request, nil)
	known, err := h.sessions.Load(h.ctx, done.SessionToken)
	h.ok(err)
	b, err := h.p.Begin(h.ctx, Params{Query: params("stranger", "redirect_uri", "https://other.example/cb", "prompt", "none")}, h.visit, known)
	if err == nil && b.Answer != nil && strings.Contains(b.Answer.Location, "code=") {
		t.Errorf("the other host got a code: %v", b.Answer)
	}
	if b, err = h.p.Begin(h.ctx, Params{Query: params("stranger", "redirect_uri", "https://other.example/cb")}, h.visit, known); err != nil || b.Answer != nil || b.Request == "" {
		t.Errorf("the other host is not asked about: %v, %v", b, err)
	}
}

// A sign-out that nobody confirmed leads to no site of a stranger.
func TestASignOutLeadsToNoStranger(t *testing.T) {
	h := newFixture(t)
	after := func(c *storage.Client) { c.PostLogoutRedirectURIs = []string{"https://rp.example/bye"} }
	h.client("stranger", registered(""), after)
	h.client("operators", after)
	for id, want := range map[string]string{"stranger": "", "operators": "https://rp.example/bye"} {
		out, err := h.p.EndSession(h.ctx, Params{Query: url.Values{"client_id": {id}, "post_logout_redirect_uri": {"https://rp.example/bye"}}}, h.visit, nil, false)
		if err != nil || out.Redirect != want {
			t.Errorf("%s: leads to %q, %v; want %q", id, out.Redirect, err, want)
		}
	}
}

// The name of a stranger's client comes after where it leads, and its logo is not shown.
func TestStrangersDoNotLookVetted(t *testing.T) {
	h := newFixture(t)
	h.client("stranger", registered(""))
	h.client("nameless", registered(""), func(c *storage.Client) { c.Name = "" })
	h.client("native", registered(""), public, func(c *storage.Client) { c.Native, c.RedirectURIs = true, []string{"com.example.app:/cb"} })
	h.client("local", registered(""), public, func(c *storage.Client) { c.Native, c.RedirectURIs = true, []string{"http://127.0.0.1/cb"} })
	h.client("admitted", registered("token"))
	for _, tc := range []struct {
		id, redirect, name, logo string
		unvetted                 bool
	}{
		{"stranger", "", "rp.example (Bank)", "", true},
		{"nameless", "", "rp.example", "", true},
		{"native", "com.example.app:/cb", "com.example.app (Bank)", "", true},
		{"local", "http://127.0.0.1/cb", "127.0.0.1 (Bank)", "", true},
		{"admitted", "", "Bank", "https://rp.example/logo.png", false},
	} {
		in := params(storage.ClientID(tc.id))
		if tc.redirect != "" {
			in.Set("redirect_uri", tc.redirect)
		}
		st := h.next(h.begin(in, nil).Request, nil)
		if st.Client.Name != tc.name || st.Client.LogoURI != tc.logo || st.Unvetted != tc.unvetted {
			t.Errorf("%s: %q, logo %q, unvetted %v", tc.id, st.Client.Name, st.Client.LogoURI, st.Unvetted)
		}
		if c, err := h.p.Shown(h.ctx, storage.ClientID(tc.id)); err != nil || c.Name != tc.name || c.LogoURI != tc.logo {
			t.Errorf("%s outside of a login: %q, logo %q, %v", tc.id, c.Name, c.LogoURI, err)
		}
		if c, _ := h.p.Home(h.ctx, storage.ClientID(tc.id)); c.Name != tc.name || c.LogoURI != tc.logo {
			t.Errorf("%s as where a page leads: %q, logo %q", tc.id, c.Name, c.LogoURI)
		}
	}

	// Without a request no host of several is picked, neither for the name nor for a link.
	two := []string{"https://bank.example/cb", "https://evil.example/cb", "https://bank.example/other"}
	for _, tc := range []struct {
		id         string
		redirects  []string
		uri        string
		name, home string
	}{
		{"two", two, "https://evil.example/", "bank.example, evil.example (Bank)", ""},
		{"two-linkless", two, "", "bank.example, evil.example (Bank)", ""},
		{"four", []string{"https://a.example/", "https://b.example/", "app.c:/", "https://d.example/"}, "https://a.example/", "a.example, b.example, app.c, \u2026 (Bank)", ""},
		{"elsewhere", []string{"https://bank.example/cb"}, "https://evil.example/", "bank.example (Bank)", ""},
		{"one", two[2:], "https://bank.example/start", "bank.example (Bank)", "https://bank.example/start"},
		{"one-linkless", two[2:], "", "bank.example (Bank)", "https://bank.example/"},
		{"devices", nil, "https://evil.example/", "devices (Bank)", ""},
	} {
		h.client(storage.ClientID(tc.id), registered(""), func(c *storage.Client) { c.RedirectURIs, c.ClientURI = tc.redirects, tc.uri })
		c, home := h.p.Home(h.ctx, storage.ClientID(tc.id))
		if shown, err := h.p.Shown(h.ctx, storage.ClientID(tc.id)); err != nil || shown.Name != tc.name || c.Name != tc.name || home != tc.home {
			t.Errorf("%s: %q and %q, %v, leads to %q; want %q, %q", tc.id, shown.Name, c.Name, err, home, tc.name, tc.home)
		}
		if len(tc.redirects) > 0 {
			if st := h.next(h.begin(params(storage.ClientID(tc.id), "redirect_uri", tc.redirects[0]), nil).Request, nil); st.ClientHome != tc.home {
				t.Errorf("%s: in a login pages lead to %q, want %q", tc.id, st.ClientHome, tc.home)
			}
		}
	}
	h.client("initiates", registered(""), func(c *storage.Client) { c.InitiateLoginURI = "https://evil.example/login" })
	if _, home := h.p.Home(h.ctx, "initiates"); home != "" {
		t.Errorf("a login begins at %q", home)
	}
}

// Consent that a page asked for before the client changed is good for that login alone: the next one asks.
func TestConsentToWhatAClientWasIsNotKept(t *testing.T) {
	h := newFixture(t)
	h.client("stranger", registered(""))
	ada := h.user("ada", "")
	for _, tc := range []struct{ changed, elsewhere bool }{{true, false}, {true, true}, {false, false}} {
		begun, changed := h.begin(params("stranger"), nil), tc.changed
		h.enter(begun.Request, "ada", nil)
		asked := h.next(begun.Request, nil)
		later := func(c *storage.Client) { c.Name, c.UpdatedAt = "Broker", h.now().Add(time.Second) }
		switch {
		case tc.elsewhere: // by another server, which this one has not heard of
			c := clientOf("stranger")
			registered("")(&c)
			later(&c)
			h.ok(h.engine.PutClient(h.ctx, c, nil))
		case changed:
			h.client("stranger", registered(""), later)
		}
		h.ok(h.p.Allow(h.ctx, asked, h.visit, nil))
		h.finish(begun.Request, nil)
		if _, err := h.engine.Consent(h.ctx, ada.ID, "stranger"); (err != nil) != changed {
			t.Errorf("%+v: stored consent %v", tc, err)
		}
		h.wait(time.Minute)
	}
}
