package provider

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/session"
	"sallyport/storage"
)

// pairwiseAt makes a client pairwise, with the redirect URI of a host.
func pairwiseAt(host string) func(*storage.Client) {
	return func(c *storage.Client) {
		c.SubjectType, c.RedirectURIs = "pairwise", []string{"https://" + host + "/cb"}
		c.FrontchannelLogoutURI = "https://" + host + "/out"
	}
}

// tokensAt signs the user of a session in at a client, and returns its tokens.
func (h *fixture) tokensAt(id storage.ClientID, host string, s *session.SignedIn, more ...string) reply {
	h.t.Helper()
	b := h.begin(params(id, append([]string{"redirect_uri", "https://" + host + "/cb"}, more...)...), s)
	if b.Finished == nil {
		h.t.Fatalf("no single sign-on at %s", id)
	}
	return h.post(h.p.Grants.Token, string(id), redeem(h.values(b.Finished.Answer).Get("code"), "redirect_uri", "https://"+host+"/cb"))
}

// views returns sub and sid everywhere that a client sees them.
func (h *fixture) views(id storage.ClientID, tokens reply) (subs, sids map[string]string) {
	h.t.Helper()
	subs, sids = map[string]string{}, map[string]string{}
	put := func(where string, m map[string]any) {
		subs[where], _ = m["sub"].(string)
		if sid, ok := m["sid"].(string); ok {
			sids[where] = sid
		}
	}
	claims, _ := h.readJWT(tokens.get("id_token"))
	put("ID token", claims)
	if access := tokens.get("access_token"); strings.Count(access, ".") == 2 {
		claims, _ = h.readJWT(access)
		put("access token", claims)
	}
	put("userinfo", h.userinfo(tokens.get("access_token")).Body)
	put("introspection", h.post(h.p.Introspection.Introspect, string(id), url.Values{"token": {tokens.get("access_token")}}).Body)
	if refresh := tokens.get("refresh_token"); refresh != "" {
		put("introspection of the refresh token", h.post(h.p.Introspection.Introspect, string(id), url.Values{"token": {refresh}}).Body)
		again := h.post(h.p.Grants.Token, string(id), refreshOf(refresh))
		claims, _ = h.readJWT(again.get("id_token"))
		put("refreshed ID token", claims)
	}
	return subs, sids
}

// one returns the value that all views agree on.
func one(t *testing.T, views map[string]string) string {
	t.Helper()
	value := ""
	for where, v := range views {
		if value == "" {
			value = v
		}
		if v == "" || v != value {
			t.Errorf("%q in %s, want %q as elsewhere: %v", v, where, value, views)
		}
	}
	return value
}

// A pairwise client sees one subject and one session everywhere, and nothing by which clients of other
// sectors, or public ones, could tell that its user is theirs.
//
// Conformance (Subjects): Core 8, 8.1: pairwise subjects are the same at clients of one sector, and tell those of others nothing
func TestPairwiseSubjects(t *testing.T) {
	h := newFixture(t)
	u := h.user("ada", "")
	h.client("public")
	h.client("a", pairwiseAt("a.example"))
	h.client("opaque", pairwiseAt("a.example"), func(c *storage.Client) { c.AccessTokenFormat = "opaque" })
	h.client("b", pairwiseAt("b.example"))
	_, s := h.signIn(params("public"), "ada")
	sub, sid := map[string]string{}, map[string]string{}
	for id, host := range map[storage.ClientID]string{"public": "rp.example", "a": "a.example", "opaque": "a.example", "b": "b.example"} {
		tokens := h.tokensAt(id, host, s)
		subs, sids := h.views(id, tokens)
		sub[string(id)], sid[string(id)] = one(t, subs), one(t, sids)
		if id == "public" {
			continue
		}
		text, err := json.Marshal([]any{h.userinfo(tokens.get("access_token")).Body, subs, sids, tokens.Body})
		h.ok(err)
		for _, secret := range []string{string(u.ID), string(s.Session.ID)} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s sees %s", id, secret)
			}
		}
	}
	if sub["public"] != string(u.ID) || sid["public"] != string(s.Session.ID) {
		t.Errorf("the public client sees %v, %v", sub, sid)
	}
	if sub["a"] != sub["opaque"] || sid["a"] != sid["opaque"] {
		t.Errorf("clients of one sector see %v, %v", sub, sid)
	}
	if sub["a"] == sub["b"] || sub["a"] == sub["public"] || sub["b"] == sub["public"] || sid["a"] == sid["b"] || sid["a"] == sid["public"] {
		t.Errorf("clients of several sectors see %v, %v", sub, sid)
	}
	// A restart, and a change of every key that changes.
	for _, use := range []string{"subject", "hash", "session", "token"} {
		rows, err := h.engine.Keys(h.ctx, h.now())
		h.ok(err)
		r, err := h.keyring.Rotate(rows, use, "", h.now(), 0)
		h.ok(err)
		h.ok(h.engine.ChangeKeys(h.ctx, storage.KeyChange{Version: h.version("keys"), Add: r.Add, Change: r.Change}))
	}
	rows, err := h.engine.Keys(h.ctx, h.now())
	h.ok(err)
	h.ok(h.keyring.Load(rows, h.now()))
	subs, _ := h.views("a", h.tokensAt("a", "a.example", s))
	if again := one(t, subs); again != sub["a"] {
		t.Errorf("after other keys: %q, want %q", again, sub["a"])
	}
}

func (h *fixture) version(of string) int64 {
	h.t.Helper()
	versions, err := h.engine.Versions(h.ctx)
	h.ok(err)
	return versions[of]
}

// Subjects that clients send are theirs, in hints and in the claims parameter.
func TestPairwiseSubjectsInRequests(t *testing.T) {
	h := newFixture(t)
	u := h.user("ada", "")
	h.user("bob", "")
	h.client("public")
	h.client("a", pairwiseAt("a.example"))
	h.client("b", pairwiseAt("b.example"))
	_, s := h.signIn(params("public"), "ada")
	a, b := h.tokensAt("a", "a.example", s), h.tokensAt("b", "b.example", s)
	subOf := func(r reply) string {
		claims, _ := h.readJWT(r.get("id_token"))
		sub, _ := claims["sub"].(string)
		return sub
	}
	wanted := func(sub string) string { return `{"id_token":{"sub":{"value":"` + sub + `"}}}` }
	for _, tc := range []struct {
		name, parameter, value, want string
	}{
		{"its hint", "id_token_hint", a.get("id_token"), ""},
		{"its subject", "claims", wanted(subOf(a)), ""},
		{"the hint of another client", "id_token_hint", b.get("id_token"), "invalid_request"},
		{"the subject at another client", "claims", wanted(subOf(b)), "login_required"},
		{"the ID of the user", "claims", wanted(string(u.ID)), "login_required"},
		{"no subject", "claims", wanted("ada"), "login_required"},
	} {
		in := params("a", "redirect_uri", "https://a.example/cb", "prompt", "none", tc.parameter, tc.value)
		begun := h.begin(in, s)
		got := ""
		if begun.Answer != nil {
			got = h.values(*begun.Answer).Get("error")
		}
		if got != tc.want || (begun.Finished != nil) != (tc.want == "") {
			t.Errorf("%s: error %q, want %q", tc.name, got, tc.want)
		}
	}
	// A response of userinfo is no hint.
	h.client("signed", pairwiseAt("a.example"), func(c *storage.Client) { c.UserinfoAlg = "ES256" })
	text := h.userinfo(h.tokensAt("signed", "a.example", s).get("access_token")).Raw
	if begun := h.begin(params("signed", "redirect_uri", "https://a.example/cb", "prompt", "none", "id_token_hint", text), s); begun.Finished != nil {
		t.Error("a response of userinfo is taken for an ID token")
	}
}

// A sign-out finds the session by the hint of a pairwise client, and tells each client of the session by
// its own name for it.
func TestPairwiseSignOut(t *testing.T) {
	h := newFixture(t)
	h.user("ada", "")
	h.client("public")
	h.client("a", pairwiseAt("a.example"))
	h.client("b", pairwiseAt("b.example"))
	_, s := h.signIn(params("public"), "ada")
	tokens := h.tokensAt("a", "a.example", s)
	claims, _ := h.readJWT(h.tokensAt("b", "b.example", s).get("id_token"))
	sidB, _ := claims["sid"].(string)
	claims, _ = h.readJWT(tokens.get("id_token"))
	sidA, _ := claims["sid"].(string)
	out, err := h.p.EndSession(h.ctx, Params{Query: url.Values{"id_token_hint": {tokens.get("id_token")}}}, h.visit, s, false)
	h.ok(err)
	if out.Confirm || !out.Ended {
		t.Fatalf("sign-out with the hint of a pairwise client: %+v", out)
	}
	got := strings.Join(out.Frontchannel, " ")
	for _, want := range []string{"https://a.example/out?iss=https%3A%2F%2Fop.example&sid=" + sidA, "https://b.example/out?iss=https%3A%2F%2Fop.example&sid=" + sidB} {
		if !strings.Contains(got, want) {
			t.Errorf("frames %s, want %s", got, want)
		}
	}
	if strings.Contains(got, string(s.Session.ID)) {
		t.Errorf("frames %s have the ID of the session", got)
	}
}

// A logout token has the subject and the session of the client it is for.
func TestPairwiseLogoutTokens(t *testing.T) {
	h := newFixture(t)
	u := h.user("ada", "")
	r := newReceiver(t)
	h.client("public", told(r.URL))
	h.client("a", pairwiseAt("a.example"), told(r.URL))
	_, s := h.signIn(params("public"), "ada")
	claims, _ := h.readJWT(h.tokensAt("a", "a.example", s).get("id_token"))
	h.ok(h.sessions.End(h.ctx, s, h.visit, ""))
	list, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: h.now(), For: time.Minute, Limit: 10})
	h.ok(err)
	for _, m := range list {
		h.ok(r.sender(h, "127.0.0.0/8").Send(h.ctx, outgoing(m)))
		told, _ := h.readJWT(r.tokens[len(r.tokens)-1])
		want := []any{string(u.ID), string(s.Session.ID)}
		if m.Recipient == "a" {
			want = []any{claims["sub"], claims["sid"]}
		}
		if told["sub"] != want[0] || told["sid"] != want[1] {
			t.Errorf("%s is told of %v, %v; want %v", m.Recipient, told["sub"], told["sid"], want)
		}
	}
	if len(list) != 2 {
		t.Errorf("%d clients are told, want 2", len(list))
	}
}

// An exchanged token names the user as the client that got it sees them.
func TestExchangingTokensOfPairwiseClients(t *testing.T) {
	h := newFixture(t)
	h.withGateway(pairwiseAt("gateway.example"), func(c *storage.Client) { c.ExchangeSubjectTypes = []string{"access_token", "id_token"} })
	h.client("rp", resources(api), pairwiseAt("rp.example"))
	h.client("direct", pairwiseAt("gateway.example"))
	code, s := h.signIn(params("rp", "scope", "openid read"), "ada")
	tokens := h.post(h.p.Grants.Token, "rp", redeem(code))
	want, _ := h.readJWT(h.tokensAt("direct", "gateway.example", s).get("id_token"))
	for kind, subject := range map[string]string{accessType: tokens.get("access_token"), idTokenType: tokens.get("id_token")} {
		got := h.exchange("gateway", subject, "subject_token_type", kind)
		if got.Status != http.StatusOK {
			t.Errorf("%s: %d %s", kind, got.Status, got.Raw)
			continue
		}
		if claims, _ := h.readJWT(got.get("access_token")); claims["sub"] != want["sub"] || claims["sid"] != want["sid"] || strings.Contains(got.Raw, string(s.Session.UserID)) {
			t.Errorf("%s: claims %v, want the subject and session of the sector %v", kind, claims, want)
		}
	}
}
