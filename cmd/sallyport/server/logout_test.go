package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// content is what is in an ID token or a logout token.
type content struct {
	Subject storage.UserID    `json:"sub"`
	Session storage.SessionID `json:"sid"`
	ID      string            `json:"jti"`
	Client  storage.ClientID  `json:"aud"`
}

func contentOf(t *testing.T, token string) content {
	t.Helper()
	parts := strings.Split(token, ".")
	var out content
	if len(parts) != 3 {
		t.Fatalf("token %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apps is a server with applications, which share one receiver of logout tokens.
type apps struct {
	*server.Server
	t     *testing.T
	clock *servertest.Clock
	told  chan content
	// respond returns the status of the response to a token; nil: 200.
	respond func(content) int
}

func newApps(t *testing.T, settings string) *apps {
	t.Helper()
	a := &apps{t: t, told: make(chan content, 100), clock: new(servertest.Clock)}
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := contentOf(t, r.PostFormValue("logout_token"))
		if a.respond != nil {
			w.WriteHeader(a.respond(c))
		}
		a.told <- c
	}))
	t.Cleanup(receiver.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	servertest.AppendSettings(t, settings, fmt.Sprintf("fetch: {allowed_networks: [127.0.0.0/8], ca_file: %q}\n", ca))
	state := "users:\n"
	for i := range 20 {
		state += fmt.Sprintf("  - {username: user%d, email: user%d@example.com, email_verified: true, password: \"a lighthouse at dusk\"}\n", i, i)
	}
	state += "clients:\n"
	for _, id := range []string{"shop", "desk", "mute"} {
		state += fmt.Sprintf("  - {client_id: %s, public: true, consent: skip, redirect_uris: [\"https://%s.example/cb\"], grant_types: [authorization_code], scopes: [openid]", id, id)
		if id != "mute" {
			state += fmt.Sprintf(", backchannel_logout_uri: %q", receiver.URL+"/"+id)
		}
		state += "}\n"
	}
	servertest.Apply(t, settings, state)
	o := servertest.Options(t, settings, a.clock)
	o.Log = slog.New(slog.DiscardHandler)
	a.Server = servertest.Open(t, o)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Deliveries.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return a
}

// open opens an application and returns its ID token, once the browser is signed in.
func (a *apps) open(b *webtest.Browser, id, user string) (token string) {
	a.t.Helper()
	verifier := strings.Repeat("v", 43)
	b.Get("/authorize?" + url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {"https://" + id + ".example/cb"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {webtest.Challenge(verifier)}, "code_challenge_method": {"S256"}}.Encode())
	if b.At == "/login" {
		b.Submit("login-submit", "username", user, "password", "a lighthouse at dusk")
	}
	q := b.MustLeave("https://" + id + ".example/cb")
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "redirect_uri": {"https://" + id + ".example/cb"}, "code": {q.Get("code")}, "code_verifier": {verifier}}
	r := httptest.NewRequest("POST", "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	a.Handler.ServeHTTP(w, r)
	var out struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.IDToken == "" {
		a.t.Fatalf("token response: %d %s", w.Code, w.Body)
	}
	return out.IDToken
}

func (a *apps) browser() *webtest.Browser {
	return (&webtest.Fixture{T: a.t, Handler: a.Handler}).Browser()
}

// end is one end of a session of a user who is signed in at all applications.
type end struct {
	*apps
	b       *webtest.Browser
	token   string // an ID token of the session
	session *session.SignedIn
	user    string
}

func (e *end) ok(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// other returns another session of the user, at the application that is not told.
func (e *end) other() mfa.Owner {
	e.t.Helper()
	in, err := e.Sessions.ByID(e.t.Context(), contentOf(e.t, e.open(e.browser(), "mute", e.user)).Session)
	e.ok(err)
	return in.Owner()
}

// Every way in which people, administrators and programs end sessions.
//
// Conformance (Logout): Back-Channel Logout 2.5, 2.7: they are posted to all clients of the session, and to no others
func TestClientsAreToldHoweverASessionEnds(t *testing.T) {
	admin := mfa.Caller{Actor: "admin"}
	ways := []struct {
		name string
		do   func(e *end)
		all  bool // sessions end
	}{
		{"an application signs out", func(e *end) { e.b.Get("/logout?id_token_hint=" + e.token) }, false},
		{"an application signs out without the browser", func(e *end) {
			r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(url.Values{"id_token_hint": {e.token}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			if e.Handler.ServeHTTP(w, r); w.Code != http.StatusSeeOther {
				e.t.Errorf("POST /logout = %d %s", w.Code, w.Body)
			}
		}, false},
		{"the page signs out", func(e *end) {
			e.b.Get("/logout")
			e.b.Submit("logout-confirm")
		}, false},
		{"the account page ends the session", func(e *end) {
			e.ok(e.Sessions.EndOne(e.t.Context(), mfa.Caller{}, e.other(), e.session.Session.ID))
		}, false},
		{"sign out everywhere else", func(e *end) { e.ok(e.Sessions.EndOthers(e.t.Context(), mfa.Caller{}, e.other())) }, false},
		{"an administrator ends the session", func(e *end) {
			_, err := e.Sessions.EndByID(e.t.Context(), admin, e.session.Session.ID, false)
			e.ok(err)
		}, false},
		{"a backend ends the session", func(e *end) { e.ok(e.Backend.EndSession(e.t.Context(), mfa.Caller{}, e.session.Session.ID)) }, false},
		{"an administrator ends all", func(e *end) { e.ok(e.Sessions.EndAll(e.t.Context(), admin, e.session.Session.UserID)) }, true},
		{"an administrator ends everything", func(e *end) { e.ok(e.Users.SignOut(e.t.Context(), admin, e.session.Account)) }, true},
		{"an administrator sets a password", func(e *end) {
			e.ok(e.Users.SetPassword(e.t.Context(), admin, e.session.Account, "seven ships at sea"))
		}, true},
		{"an administrator disables the user", func(e *end) { e.ok(e.Users.Disable(e.t.Context(), admin, e.session.Account)) }, true},
		{"an administrator deletes the user", func(e *end) { e.ok(e.Users.Delete(e.t.Context(), admin, e.session.Account)) }, true},
	}
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		a := newApps(t, settings)
		for i, tc := range ways {
			e := &end{apps: a, b: a.browser(), user: fmt.Sprintf("user%d", i)}
			e.token = a.open(e.b, "shop", e.user)
			first := contentOf(t, e.token)
			for _, id := range []string{"desk", "mute", "shop"} {
				if c := contentOf(t, a.open(e.b, id, e.user)); c.Session != first.Session || c.Session == "" {
					t.Fatalf("sid = %q at %s, %q before", c.Session, id, first.Session)
				}
			}
			var err error
			e.session, err = a.Sessions.ByID(t.Context(), first.Session)
			e.ok(err)
			tc.do(e)
			a.Deliveries.Wake()
			want := first.Session
			if tc.all {
				want = ""
			}
			got := map[storage.ClientID]bool{}
			for range 2 {
				c := <-a.told
				got[c.Client] = true
				if c.Subject != first.Subject || c.Session != want {
					t.Errorf("%s: %s was told of %+v, want the session %q of %s", tc.name, c.Client, c, want, first.Subject)
				}
			}
			if !got["shop"] || !got["desk"] {
				t.Errorf("%s: told were %v", tc.name, got)
			}
			if in, err := a.Sessions.ByID(t.Context(), first.Session); err != nil || in != nil {
				t.Errorf("%s: the session goes on", tc.name)
			}
		}
		if n := len(a.told); n > 0 {
			t.Errorf("%d more tokens were sent", n)
		}
	})
}

// A receiver that is down is told later, under the same jti, and what is given up can be sent again.
func TestAReceiverThatWasDownIsToldLater(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		a := newApps(t, settings)
		status := http.StatusBadGateway
		a.respond = func(content) int { return status }
		token := a.open(a.browser(), "shop", "user0")
		_, err := a.Sessions.EndByID(t.Context(), mfa.Caller{}, contentOf(t, token).Session, false)
		if err != nil {
			t.Fatal(err)
		}
		a.Deliveries.Wake()
		first := <-a.told
		for range 3 {
			a.settled(storage.MessageRetrying)
			a.clock.Move(11 * time.Minute)
			a.Deliveries.Wake()
			if again := <-a.told; again != first {
				t.Errorf("told %+v, then %+v", first, again)
			}
		}
		m := a.settled(storage.MessageRetrying)
		if m.LastError != "HTTP 502" || m.Recipient != "shop" || string(m.ID) != first.ID {
			t.Errorf("the message is %+v", m)
		}
		a.clock.Move(4 * 24 * time.Hour)
		if _, err := a.Store.ExpireMessages(t.Context(), a.Now(), 10); err != nil {
			t.Fatal(err)
		}
		a.settled(storage.MessageDead)
		status = http.StatusNoContent
		if err := a.Messages.Resend(t.Context(), mfa.Caller{Actor: "admin"}, m.ID); err != nil {
			t.Fatal(err)
		}
		a.Deliveries.Wake()
		if again := <-a.told; again != first {
			t.Errorf("told %+v, then %+v", first, again)
		}
		if m := a.settled(storage.MessageDelivered); !m.Erased {
			t.Errorf("a delivered message keeps its content: %+v", m)
		}

		// A refusal of the application is written to the audit trail.
		status = http.StatusBadRequest
		token = a.open(a.browser(), "shop", "user1")
		if _, err := a.Sessions.EndByID(t.Context(), mfa.Caller{}, contentOf(t, token).Session, false); err != nil {
			t.Fatal(err)
		}
		a.Deliveries.Wake()
		refused := <-a.told
		a.settled(storage.MessageDead)
		var events []storage.Event
		for len(events) == 0 { // written after the outcome
			if err := a.Journal.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			events = (servertest.Server{Server: a.Server, T: t}).EventsOf(mfa.EventLogoutUndelivered)
		}
		if len(events) != 1 || events[0].ClientID != "shop" || events[0].SessionID != refused.Session || events[0].UserID != refused.Subject || events[0].Detail["reason"] != "HTTP 400" {
			t.Errorf("events are %+v", events)
		}
	})
}

// settled waits until the newest message has a state, and returns it.
func (a *apps) settled(state storage.MessageState) storage.MessageRecord {
	a.t.Helper()
	for {
		list, err := a.Messages.List(a.t.Context(), storage.MessageFilter{Kind: storage.BackchannelLogout, Recipient: "shop", Limit: 1})
		if err != nil {
			a.t.Fatal(err)
		}
		if len(list) == 1 && list[0].State == state && !list[0].Leased {
			return list[0]
		}
	}
}
