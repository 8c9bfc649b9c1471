package provider

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// hints are ID tokens to log out with: of the session at hand, of another provider, of
// another user, of another session of the same user.
type hints struct{ own, forged, others, elsewhere string }

type logoutCase struct {
	name      string
	in        func(h hints) url.Values
	confirmed bool
	signedOut bool
	want      Logout
	page      string
}

func logouts() []logoutCase {
	const bye = "https://rp.example/bye"
	return []logoutCase{
		{"hint, address, state", func(h hints) url.Values {
			return formOf("id_token_hint", h.own, "post_logout_redirect_uri", bye, "state", "s&1")
		}, false, false, Logout{Redirect: bye + "?state=s%261", Ended: true}, ""},
		{"hint and address", func(h hints) url.Values { return formOf("id_token_hint", h.own, "post_logout_redirect_uri", bye) }, false, false,
			Logout{Redirect: bye, Ended: true}, ""},
		{"hint alone", func(h hints) url.Values { return formOf("id_token_hint", h.own, "client_id", "rp") }, false, false, Logout{Ended: true}, ""},
		{"nothing", func(h hints) url.Values { return url.Values{} }, false, false, Logout{Confirm: true}, ""},
		{"state alone", func(h hints) url.Values { return formOf("state", "s") }, false, false, Logout{Confirm: true}, ""},
		{"address without a hint", func(h hints) url.Values { return formOf("post_logout_redirect_uri", bye, "client_id", "rp") }, false, false,
			Logout{Confirm: true, Redirect: bye}, ""},
		{"address without a hint, confirmed", func(h hints) url.Values { return formOf("post_logout_redirect_uri", bye, "client_id", "rp") }, true, false,
			Logout{Redirect: bye, Ended: true}, ""},
		{"unregistered address without a hint", func(h hints) url.Values {
			return formOf("post_logout_redirect_uri", "https://evil.example", "client_id", "rp")
		}, true, false,
			Logout{}, "page:invalid_request:post_logout_redirect_uri"},
		{"address of an unknown client", func(h hints) url.Values { return formOf("post_logout_redirect_uri", bye, "client_id", "none") }, true, false,
			Logout{Ended: true}, ""},
		{"signed out, without a hint", func(h hints) url.Values {
			return formOf("post_logout_redirect_uri", bye, "client_id", "rp", "state", "s")
		}, false, true,
			Logout{Redirect: bye + "?state=s", Ended: true}, ""},
		{"signed out, with nothing", func(h hints) url.Values { return url.Values{} }, false, true, Logout{Ended: true}, ""},
		{"unregistered address", func(h hints) url.Values {
			return formOf("id_token_hint", h.own, "post_logout_redirect_uri", "https://evil.example")
		}, false, false, Logout{}, "page:invalid_request:post_logout_redirect_uri"},
		{"query added to the address", func(h hints) url.Values {
			return formOf("id_token_hint", h.own, "post_logout_redirect_uri", bye+"?foo=bar")
		}, false, false, Logout{}, "page:invalid_request:post_logout_redirect_uri"},
		{"hint without a signature", func(h hints) url.Values {
			parts := strings.Split(h.own, ".")
			head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
			return formOf("id_token_hint", head+"."+parts[1]+".", "post_logout_redirect_uri", bye)
		}, false, false, Logout{Confirm: true}, ""},
		{"hint of another provider", func(h hints) url.Values { return formOf("id_token_hint", h.forged, "post_logout_redirect_uri", bye) }, false, false,
			Logout{Confirm: true}, ""},
		{"hint of another user's session", func(h hints) url.Values {
			return formOf("id_token_hint", h.others, "post_logout_redirect_uri", bye)
		}, false, false, Logout{Confirm: true, Redirect: bye}, ""},
		{"hint of the user's other session", func(h hints) url.Values { return formOf("id_token_hint", h.elsewhere) }, false, false, Logout{Confirm: true}, ""},
		{"hint of another client", func(h hints) url.Values { return formOf("id_token_hint", h.own, "client_id", "other") }, false, false,
			Logout{Confirm: true}, ""},
		{"a parameter twice", func(h hints) url.Values { return url.Values{"state": {"a", "b"}} }, false, false, Logout{}, "page:invalid_request:state"},
		{"signed out, with a hint", func(h hints) url.Values { return formOf("id_token_hint", h.own, "post_logout_redirect_uri", bye) }, false, true,
			Logout{Redirect: bye, Ended: true}, ""},
		{"confirmed", func(h hints) url.Values { return url.Values{} }, true, false, Logout{Ended: true}, ""},
	}
}

// An attacker has ID tokens of their own account, or of another application. A page on another
// site must not end the logins of this browser's user with one.
func TestAHintEndsOnlyItsUsersLogins(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", "")
	h.user("mallory", "")
	token := func(name string) string {
		code, _ := h.signIn(params("rp"), name)
		return h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token")
	}
	theirs, own := token("mallory"), token("ada")
	login := h.begin(params("asks"), nil).Request
	h.enter(login, "ada", nil)
	leave := func(hint string, confirmed bool) {
		t.Helper()
		out, err := h.p.EndSession(h.ctx, Params{Query: formOf("id_token_hint", hint, "client_id", "rp")}, h.visit, nil, confirmed)
		h.ok(err)
		if !out.Ended {
			t.Errorf("%+v, want it ended", out)
		}
	}
	at := func(what string, want StepKind) {
		t.Helper()
		if st := h.next(login, nil); st.Kind != want {
			t.Fatalf("%s: the login is at %s, want %s", what, st.Kind, want)
		}
	}
	leave(theirs, false)
	at("another user's hint", StepConsent)
	out, err := h.p.EndSession(h.ctx, Params{Query: formOf("client_id", "rp")}, h.visit, nil, false)
	if err != nil || !out.Confirm || out.Ended {
		t.Errorf("no hint: %+v, %v, want a question: the next user of the browser could finish the login", out, err)
	}
	at("no hint", StepConsent)
	leave(own, false)
	at("the hint of its user", StepOver)
	login = h.begin(params("asks"), nil).Request
	h.enter(login, "ada", nil)
	leave(theirs, true)
	at("a confirmation", StepOver)
}

// Conformance (OpenID Connect): RP-Initiated Logout 2, 3: modules oidcc-rp-initiated-logout, oidcc-rp-initiated-logout-no-state, oidcc-rp-initiated-logout-bad-post-logout-redirect-uri, oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri, oidcc-rp-initiated-logout-modified-id-token-hint, oidcc-rp-initiated-logout-bad-id-token-hint, oidcc-rp-initiated-logout-no-id-token-hint, oidcc-rp-initiated-logout-no-post-logout-redirect-uri: only a registered address is redirected to, with `state` as it was sent; whom no valid hint is about is asked
func TestEndSession(t *testing.T) {
	h := newFixture(t)
	foreign := newFixture(t)
	for _, x := range []*fixture{h, foreign} {
		x.client("rp")
		x.user("ada", "")
	}
	h.client("other")
	h.user("bob", "")
	foreignCode, _ := foreign.signIn(params("rp"), "ada")
	forged := foreign.post(foreign.p.Grants.Token, "rp", redeem(foreignCode)).get("id_token")
	bobCode, _ := h.signIn(params("rp"), "bob")
	bobs := h.post(h.p.Grants.Token, "rp", redeem(bobCode)).get("id_token")
	elsewhereCode, _ := h.signIn(params("rp"), "ada")
	elsewhere := h.post(h.p.Grants.Token, "rp", redeem(elsewhereCode)).get("id_token")
	for _, tc := range logouts() {
		t.Run(tc.name, func(t *testing.T) {
			h.t = t
			code, s := h.signIn(params("rp"), "ada")
			hint := h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token")
			token := h.sessions.Token(s.Session)
			h.wait(20 * 60 * 1e9) // the hint has expired, the session has not
			who := s
			if tc.signedOut {
				who = nil
			}
			got, err := h.p.EndSession(h.ctx, Params{Query: tc.in(hints{own: hint, forged: forged, others: bobs, elsewhere: elsewhere})}, h.visit, who, tc.confirmed)
			if codeOf(err) != tc.page {
				t.Fatalf("EndSession = %v, want %q", err, tc.page)
			}
			if got.Confirm != tc.want.Confirm || got.Redirect != tc.want.Redirect || got.Ended != tc.want.Ended {
				t.Errorf("EndSession = %+v, want %+v", got, tc.want)
			}
			living, err := h.sessions.Load(h.ctx, token)
			h.ok(err)
			if ended := tc.want.Ended && (!tc.signedOut || tc.in(hints{own: hint}).Has("id_token_hint")); (living == nil) != ended {
				t.Errorf("the session exists: %v, want ended %v", living != nil, ended)
			}
		})
	}
	if h.events(mfa.EventLogout) == 0 {
		t.Error("no event of a logout")
	}
}

// A session that nobody used for a while signs nobody in, but its applications and their tokens go on
// until it is ended.
func TestAnExpiredSessionIsEnded(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) {
		c.BackchannelLogoutURI, c.FrontchannelLogoutURI = "https://rp.example/out", "https://rp.example/frame"
	})
	h.user("ada", "")
	h.user("mallory", "")
	code, theirs := h.signIn(params("rp"), "mallory")
	foreign := h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token")
	h.ok(h.sessions.End(h.ctx, theirs, h.visit, ""))
	told := func() int {
		list, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: h.now(), For: 100 * time.Hour, Limit: 10})
		h.ok(err)
		return len(list)
	}
	told()
	for _, tc := range []struct {
		name      string
		age       time.Duration
		hint      func(own string) string
		token     func(token string) string
		confirmed bool
		want      Logout
		ended     bool
	}{
		{"idle, with its hint", time.Hour, own, own, false, Logout{Ended: true}, true},
		{"after its last moment", 13 * time.Hour, own, own, false, Logout{Ended: true}, true},
		{"confirmed", time.Hour, none, own, true, Logout{Ended: true}, true},
		{"without a hint", time.Hour, none, own, false, Logout{Confirm: true}, false},
		{"with another user's hint", time.Hour, func(string) string { return foreign }, own, false, Logout{Confirm: true}, false},
		{"with another user's hint in another browser", time.Hour, func(string) string { return foreign }, none, false, Logout{Ended: true}, false},
	} {
		h.t = t
		code, s := h.signIn(params("rp"), "ada")
		hint := h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token")
		v := h.visit
		v.Session = tc.token(h.sessions.Token(s.Session))
		h.wait(tc.age)
		got, err := h.p.EndSession(h.ctx, Params{Query: formOf("id_token_hint", tc.hint(hint))}, v, nil, tc.confirmed)
		h.ok(err)
		messages := map[bool]int{true: 1}[tc.ended]
		if got.Confirm != tc.want.Confirm || got.Ended != tc.want.Ended || len(got.Frontchannel) != messages || told() != messages {
			t.Errorf("%s: %+v, want %+v and %d messages", tc.name, got, tc.want, messages)
		}
	}
}

// A program of an application, or a window that shares no cookies with the browser, has the ID token and
// not the session. The token ends the session that it names, whatever its age, and nothing else.
//
// Conformance (OpenID Connect): RP-Initiated Logout 4: a hint ends the session that its `sid` names, also without the browser
func TestAHintEndsItsSessionWithoutACookie(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) {
		c.BackchannelLogoutURI, c.FrontchannelLogoutURI = "https://rp.example/out", "https://rp.example/frame"
	})
	h.client("stranger", registered(""), func(c *storage.Client) { c.Consent = "skip" })
	h.client("pair", func(c *storage.Client) { c.SubjectType = clients.Pairwise })
	h.user("ada", "")
	for _, tc := range []struct {
		name   string
		client storage.ClientID
		age    time.Duration
		hint   func(id string) string
		ended  bool
	}{
		{"while it is signed in", "rp", 0, own, true},
		{"after the hint has expired", "rp", 20 * time.Minute, own, true},
		{"after the session has expired", "rp", 13 * time.Hour, own, true},
		{"of a client with subjects of its own", "pair", 0, own, true},
		{"of a client that nobody vetted", "stranger", 0, own, false},
		{"without a hint", "rp", 0, none, false},
		{"with a changed hint", "rp", 0, func(id string) string { return id[:len(id)-4] + "AAAA" }, false},
	} {
		h.t = t
		_, other := h.signIn(params(tc.client), "ada")
		code, s := h.signIn(params(tc.client), "ada")
		made := h.post(h.p.Grants.Token, string(tc.client), redeem(code))
		h.wait(tc.age)
		for range 2 { // the second time there is nothing left
			got, err := h.p.EndSession(h.ctx, Params{Query: formOf("id_token_hint", tc.hint(made.get("id_token")))}, mfa.Caller{}, nil, false)
			if err != nil || !got.Ended || got.Confirm || len(got.Frontchannel) != 0 {
				t.Errorf("%s: %+v, %v", tc.name, got, err)
			}
		}
		for x, want := range map[*session.SignedIn]bool{s: tc.ended, other: false} {
			_, _, err := h.engine.Session(h.ctx, x.Session.ID, time.Time{})
			if (err != nil) != want {
				t.Errorf("%s: a session ended: %v, want %v", tc.name, err, want)
			}
		}
		list, err := h.engine.ListEvents(h.ctx, storage.EventFilter{UserID: s.Session.UserID, Kind: mfa.EventLogout, Limit: 10})
		h.ok(err)
		if by := slices.ContainsFunc(list, func(e storage.Event) bool { return e.SessionID == s.Session.ID && e.ClientID == tc.client }); by != tc.ended {
			t.Errorf("%s: an event: %v", tc.name, by)
		}
	}
}

func own(text string) string { return text }
func none(string) string     { return "" }

// The cookie of an expired session is replaced by the next login.
func TestALoginEndsTheExpiredSessionOfAnotherUser(t *testing.T) {
	for name, want := range map[string]int{"ada": 0, "mallory": 1} {
		h := newFixture(t)
		h.client("rp", func(c *storage.Client) { c.BackchannelLogoutURI = "https://rp.example/out" })
		h.user("ada", "")
		h.user("mallory", "")
		_, s := h.signIn(params("rp"), "ada")
		h.visit.Session = h.sessions.Token(s.Session)
		h.wait(time.Hour)
		_, next := h.signIn(params("rp"), name)
		list, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: h.now(), For: time.Hour, Limit: 10})
		h.ok(err)
		if len(list) != want || next.Session.ID == s.Session.ID || want == 1 && list[0].Data[storage.LogoutSession] != string(s.Session.ID) {
			t.Errorf("%s signs in: clients were told %+v, want %d messages", name, list, want)
		}
	}
}
