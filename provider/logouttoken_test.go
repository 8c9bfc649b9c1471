package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/mfa/session"
	"sallyport/provider/backchannel"
	"sallyport/provider/fetch"
	"sallyport/storage"
)

// receiver is the server of a client, which takes logout tokens.
type receiver struct {
	*httptest.Server
	respond http.HandlerFunc
	tokens  []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{respond: func(http.ResponseWriter, *http.Request) {}}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		if in.Method != http.MethodPost || in.URL.RequestURI() != "/out?tenant=a" || in.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || len(in.Cookies()) > 0 {
			t.Errorf("%s %s with %v", in.Method, in.URL, in.Header)
		}
		if err := in.ParseForm(); err != nil || len(in.PostForm) != 1 {
			t.Errorf("the form is %v, %v", in.PostForm, err)
		}
		r.tokens = append(r.tokens, in.PostForm.Get("logout_token"))
		r.respond(w, in)
	}))
	t.Cleanup(r.Close)
	return r
}

// sender returns what sends to the receiver, and may reach networks.
func (r *receiver) sender(h *fixture, networks ...string) *backchannel.Sender {
	o := fetch.Options{Roots: x509.NewCertPool()}
	o.Roots.AddCert(r.Certificate())
	for _, n := range networks {
		o.Allowed = append(o.Allowed, netip.MustParsePrefix(n))
	}
	return backchannel.New(h.p.clients, h.p.codec, fetch.New(h.now, o), h.now)
}

// signedOut signs a user in at clients, out at the first one, and returns what is sent.
func (h *fixture) signedOut(ids ...storage.ClientID) []storage.Message {
	h.t.Helper()
	code, s := h.signIn(params(ids[0]), "ada")
	token := h.post(h.p.Grants.Token, string(ids[0]), redeem(code)).get("id_token")
	for _, id := range ids[1:] {
		h.enters(id, s)
	}
	_, err := h.p.EndSession(h.ctx, Params{Query: url.Values{"id_token_hint": {token}}}, h.visit, s, false)
	h.ok(err)
	list, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: h.now(), For: time.Minute, Limit: 10})
	h.ok(err)
	slices.SortFunc(list, func(a, b storage.Message) int { return strings.Compare(a.Recipient, b.Recipient) })
	return list
}

// enters signs in to another client with a session.
func (h *fixture) enters(id storage.ClientID, s *session.SignedIn) {
	h.t.Helper()
	if b := h.begin(params(id), s); b.Finished == nil || h.values(b.Finished.Answer).Get("code") == "" {
		h.t.Fatalf("no single sign-on at %s", id)
	}
}

func outgoing(m storage.Message) delivery.Outgoing {
	return delivery.Outgoing{ID: m.ID, CreatedAt: m.CreatedAt, Kind: m.Kind, Recipient: m.Recipient, Template: m.Template, Data: m.Data}
}

func told(uri string) func(*storage.Client) {
	return func(c *storage.Client) { c.BackchannelLogoutURI = uri + "/out?tenant=a" }
}

// OpenID Connect Back-Channel Logout 1.0 section 2.4.
//
// Conformance (Logout): Back-Channel Logout 2.1, 2.4: ID tokens have `sid`, and logout tokens the same
// Conformance (Logout): Back-Channel Logout 2.4, 4: logout tokens: `typ`, `iss`, `aud`, `iat`, `exp` in two minutes, `jti`, `events`, `sub`, `sid`, no `nonce`; signed as ID tokens are
// Conformance (Logout): Back-Channel Logout 2.4, 4: a logout token is no ID token and no access token
func TestLogoutTokens(t *testing.T) {
	h := newFixture(t, "ES256", "EdDSA")
	r := newReceiver(t)
	h.user("ada", "")
	h.client("a", told(r.URL))
	h.client("b", told(r.URL), func(c *storage.Client) { c.IDTokenAlg = "EdDSA" })
	h.client("c")
	h.client("d", told(r.URL)) // never signed in to
	list := h.signedOut("a", "b", "c")
	if len(list) != 2 || list[0].Recipient != "a" || list[1].Recipient != "b" {
		t.Fatalf("messages are %+v, want one to a and to b", list)
	}
	s := r.sender(h, "127.0.0.0/8")
	for i, alg := range []string{"ES256", "EdDSA"} {
		m := list[i]
		h.ok(s.Send(h.ctx, outgoing(m)))
		claims, header := h.readJWT(r.tokens[i])
		if header.Algorithm != alg || header.ExtraHeaders["typ"] != "logout+jwt" {
			t.Errorf("the header is %+v, want %s and logout+jwt", header, alg)
		}
		iat, _ := claims["iat"].(float64)
		exp, _ := claims["exp"].(float64)
		if claims["iss"] != issuer || claims["aud"] != m.Recipient || claims["jti"] != string(m.ID) || claims["sub"] != m.Data["user"] || claims["sid"] != m.Data["session"] ||
			int64(iat) != h.now().Unix() || exp-iat != 120 || claims["toe"] != float64(m.CreatedAt.Unix()) || len(claims) != 9 {
			t.Errorf("the claims are %v", claims)
		}
		if got := fmt.Sprint(claims["events"]); got != "map[http://schemas.openid.net/event/backchannel-logout:map[]]" {
			t.Errorf("events = %s", got)
		}
	}
	if !s.Repeatable() {
		t.Error("a token may not be sent again")
	}
	h.wait(time.Hour)
	h.ok(s.Send(h.ctx, outgoing(list[0])))
	first, _ := h.readJWT(r.tokens[0])
	again, _ := h.readJWT(r.tokens[2])
	if first["jti"] != again["jti"] || first["toe"] != again["toe"] || first["exp"] == again["exp"] {
		t.Errorf("sent again: %v, after %v; want the same jti and toe, and another end", again, first)
	}

	// It is not an ID token, nor an access token.
	_, in := h.signIn(params("a"), "ada")
	out, err := h.p.EndSession(h.ctx, Params{Query: url.Values{"id_token_hint": {r.tokens[2]}}}, h.visit, in, false)
	h.ok(err)
	if !out.Confirm {
		t.Error("a logout token signs a user out as a hint")
	}
	if got := h.userinfo(r.tokens[2]); got.Status != 401 {
		t.Errorf("userinfo takes a logout token: %d %s", got.Status, got.Raw)
	}
}

// Conformance (Logout): Back-Channel Logout 2.2, 2.4: without `sid` if all sessions end, except for clients that require it
func TestAllSessionsOfAUserEndWithoutSID(t *testing.T) {
	h := newFixture(t)
	r := newReceiver(t)
	u := h.user("ada", "")
	h.client("a", told(r.URL))
	h.client("strict", told(r.URL), func(c *storage.Client) { c.BackchannelLogoutSessionRequired = true })
	_, s := h.signIn(params("a"), "ada")
	h.enters("strict", s)
	h.ok(h.sessions.EndAll(h.ctx, h.visit, u.ID))
	list, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: h.now(), For: time.Minute, Limit: 10})
	h.ok(err)
	got := map[string]any{}
	for _, m := range list {
		h.ok(r.sender(h, "127.0.0.0/8").Send(h.ctx, outgoing(m)))
		claims, _ := h.readJWT(r.tokens[len(r.tokens)-1])
		if claims["sub"] != string(u.ID) {
			t.Errorf("sub = %v", claims["sub"])
		}
		got[m.Recipient] = claims["sid"]
	}
	if len(got) != 2 || got["a"] != nil || got["strict"] != string(s.Session.ID) {
		t.Errorf("sid = %v, want that of the session for the client that requires it", got)
	}
}

// Conformance (Logout): Back-Channel Logout 2.8: 200 and 204 are successes, 400 a refusal
func TestWhatAReceiverMayDo(t *testing.T) {
	h := newFixture(t)
	r := newReceiver(t)
	h.user("ada", "")
	h.client("a", told(r.URL))
	h.client("gone", told(r.URL))
	h.client("quiet", told(r.URL))
	list := h.signedOut("a", "gone", "quiet")
	h.ok(h.engine.DeleteClient(h.ctx, "gone", nil))
	h.client("quiet")
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, tc := range []struct {
		name     string
		to       int
		networks string
		respond  http.HandlerFunc
		want     string
	}{
		{"200", 0, "127.0.0.0/8", status(200), "<nil>"},
		{"204", 0, "127.0.0.0/8", status(204), "<nil>"},
		{"its own refusal", 0, "127.0.0.0/8", status(400), "permanent HTTP 400"},
		{"not there", 0, "127.0.0.0/8", status(404), "retry HTTP 404"},
		{"a fault", 0, "127.0.0.0/8", status(500), "retry HTTP 500"},
		{"asks to wait", 0, "127.0.0.0/8", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(503)
		}, "retry HTTP 503 after 1m30s"},
		{"a redirect", 0, "127.0.0.0/8", func(w http.ResponseWriter, in *http.Request) {
			http.Redirect(w, in, r.URL+"/elsewhere", http.StatusTemporaryRedirect)
		}, "retry HTTP 307"},
		{"a huge answer", 0, "127.0.0.0/8", func(w http.ResponseWriter, in *http.Request) {
			for in.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		}, "<nil>"},
		{"hangs up", 0, "127.0.0.0/8", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "retry the connection ended"},
		{"on a private address", 0, "10.0.0.0/8", status(200), "retry " + fetch.ErrForbidden.Error()},
		{"a client that was deleted", 1, "127.0.0.0/8", status(200), "permanent the client was deleted"},
		{"a client without an address", 2, "127.0.0.0/8", status(200), "permanent the client has no backchannel_logout_uri any more"},
	} {
		r.respond = tc.respond
		if got := outcome(r.sender(h, tc.networks).Send(h.ctx, outgoing(list[tc.to]))); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// outcome returns the error of a Sender in words.
func outcome(err error) string {
	var permanent *delivery.Permanent
	var retry *delivery.Retry
	switch {
	case errors.As(err, &permanent):
		return "permanent " + permanent.Reason
	case errors.As(err, &retry) && retry.After > 0:
		return "retry " + retry.Reason + " after " + retry.After.String()
	case errors.As(err, &retry):
		return "retry " + retry.Reason
	}
	return fmt.Sprint(err)
}

// A server that does not respond is asked by one message at a time, so that the others are left to
// those that do.
func TestASilentReceiverHoldsUpNoOther(t *testing.T) {
	h := newFixture(t)
	silent, other := newReceiver(t), newReceiver(t)
	hang, asked := make(chan struct{}), make(chan struct{}, 10)
	t.Cleanup(func() { close(hang) })
	silent.respond = func(_ http.ResponseWriter, in *http.Request) {
		asked <- struct{}{}
		select {
		case <-hang:
		case <-in.Context().Done():
		}
	}
	h.user("ada", "")
	h.client("other", told(other.URL))
	h.client("silent", told(silent.URL))
	list := h.signedOut("other", "silent")
	s := silent.sender(h, "127.0.0.0/8")
	given := func() (context.Context, context.CancelFunc) { return context.WithCancel(h.ctx) }

	ctx, leave := given()
	first := make(chan string)
	go func() { first <- outcome(s.Send(ctx, outgoing(list[1]))) }()
	<-asked
	leave()
	if got := <-first; got != "retry no response in time" {
		t.Fatalf("the first message: %s", got)
	}
	ctx, leave = given()
	go func() { first <- outcome(s.Send(ctx, outgoing(list[1]))) }()
	<-asked
	if got := outcome(s.Send(h.ctx, outgoing(list[1]))); got != "retry the server of the client responds slowly or not at all" {
		t.Errorf("a message beside the one that asks: %s", got)
	}
	if got := outcome(other.sender(h, "127.0.0.0/8").Send(h.ctx, outgoing(list[0]))); got != "<nil>" {
		t.Errorf("a message to another server: %s", got)
	}
	leave()
	<-first
	silent.respond = func(http.ResponseWriter, *http.Request) {}
	for range 2 {
		if got := outcome(s.Send(h.ctx, outgoing(list[1]))); got != "<nil>" {
			t.Errorf("once it responds again: %s", got)
		}
	}
}

// Nor does one that responds, but slowly.
func TestASlowReceiverHoldsUpNoOther(t *testing.T) {
	h := newFixture(t)
	r := newReceiver(t)
	h.user("ada", "")
	h.client("slow", told(r.URL))
	m := h.signedOut("slow")[0]
	s := r.sender(h, "127.0.0.0/8")
	send := func(want string) {
		t.Helper()
		if got := outcome(s.Send(h.ctx, outgoing(m))); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	r.respond = func(http.ResponseWriter, *http.Request) { h.wait(1100 * time.Millisecond) }
	send("<nil>")
	asked, answer, done := make(chan struct{}, 9), make(chan struct{}), make(chan struct{})
	r.respond = func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-answer
	}
	go func() {
		send("<nil>")
		close(done)
	}()
	<-asked
	send("retry the server of the client responds slowly or not at all")
	close(answer)
	<-done
	r.respond = func(http.ResponseWriter, *http.Request) {
		r.respond = func(http.ResponseWriter, *http.Request) {}
		send("<nil>") // beside the one that asks: the last one was quick
	}
	send("<nil>")

	// One that has sent its status has decided, whatever becomes of the rest.
	r.respond = func(w http.ResponseWriter, in *http.Request) {
		_, _ = w.Write([]byte("."))
		http.NewResponseController(w).Flush() //nolint:errcheck // the caller has gone
		<-in.Context().Done()
	}
	ctx, stop := context.WithTimeout(h.ctx, 4*time.Second)
	defer stop()
	if got := outcome(s.Send(ctx, outgoing(m))); got != "<nil>" || ctx.Err() != nil {
		t.Errorf("with a body that does not end: %s, %v", got, ctx.Err())
	}
}

// Conformance (Logout): Front-Channel Logout 2, 3: frames with `iss` and `sid` for all clients of the session, then the redirect
func TestFrontchannelAddresses(t *testing.T) {
	h := newFixture(t)
	h.user("ada", "")
	h.client("a", func(c *storage.Client) { c.FrontchannelLogoutURI = "https://rp.example/out?tenant=a" })
	h.client("b", func(c *storage.Client) { c.FrontchannelLogoutURI = "https://rp.example/b" })
	h.client("c")
	_, s := h.signIn(params("a"), "ada")
	h.enters("b", s)
	h.enters("c", s)
	ask, err := h.p.EndSession(h.ctx, Params{}, h.visit, s, false)
	h.ok(err)
	if !ask.Confirm || len(ask.Frontchannel) > 0 {
		t.Errorf("before the confirmation: %+v", ask)
	}
	out, err := h.p.EndSession(h.ctx, Params{}, h.visit, s, true)
	h.ok(err)
	q := "iss=" + url.QueryEscape(issuer) + "&sid=" + string(s.Session.ID)
	if want := []string{"https://rp.example/out?tenant=a&" + q, "https://rp.example/b?" + q}; !slices.Equal(out.Frontchannel, want) {
		t.Errorf("addresses are %q, want %q", out.Frontchannel, want)
	}
}
