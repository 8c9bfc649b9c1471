package provider

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/session"
	"sallyport/provider/dpop/dpoptest"
	"sallyport/storage"
)

// push pushes a request as a client with a secret and returns its request_uri.
func (h *fixture) push(id storage.ClientID, changes ...string) string {
	h.t.Helper()
	r := h.post(h.p.Push, string(id), params(id, changes...))
	uri := r.get("request_uri")
	if r.Status != http.StatusCreated || !strings.HasPrefix(uri, pushedPrefix) || r.Body["expires_in"] != 60.0 {
		h.t.Fatalf("push = %d %s", r.Status, r.Raw)
	}
	return uri
}

// opened opens a pushed request and returns the login, or the code of the refusal.
func (h *fixture) opened(id storage.ClientID, uri string, v mfa.Caller, s *session.SignedIn, changes ...string) (Begun, string) {
	h.t.Helper()
	h.clock.Advance(time.Millisecond)
	in := url.Values{"client_id": {string(id)}, "request_uri": {uri}}
	for i := 0; i < len(changes); i += 2 {
		in.Set(changes[i], changes[i+1])
	}
	b, err := h.p.Begin(h.ctx, Params{Query: in}, v, s)
	if b.Answer != nil {
		return b, h.values(*b.Answer).Get("error")
	}
	return b, codeOf(err)
}

const gone = "page:invalid_request_uri:request_uri"

// Conformance (Pushed authorization requests): RFC 9126 2.2: 201 with a `request_uri` of 128 random bits and `expires_in`
// Conformance (Pushed authorization requests): RFC 9126 2.2: a `request_uri` is its client's
// Conformance (Pushed authorization requests): RFC 9126 4, 7.3: it is used once, and can be opened before
func TestAPushedRequestEndsOnce(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		h.client("other")
		h.user("ada", "")
		uri := h.push("rp", "state", "pushed", "prompt", "login")
		if _, refused := h.opened("other", uri, h.visit, nil); refused != gone {
			h.t.Errorf("another client's request = %q, want %q", refused, gone)
		}
		h.clock.Advance(59 * time.Second)
		// Parameters beside it are ignored.
		a, refused := h.opened("rp", uri, h.visit, nil, "state", "outside", "redirect_uri", "https://evil.example", "scope", "email", "prompt", "none", "request_uri", uri)
		if refused != "" || a.Request == "" {
			h.t.Fatalf("first visit = %q", refused)
		}
		h.clock.Advance(10 * time.Minute)
		b, refused := h.opened("rp", uri, h.visit, nil) // reloaded
		if refused != "" {
			h.t.Fatalf("second visit = %q", refused)
		}
		proven, err := h.first(a.Request, "ada", nil)
		h.ok(err)
		if proven.Finished == nil {
			h.t.Fatalf("after the password: %s", proven.Step.Kind)
		}
		q := h.values(proven.Finished.Answer)
		if q.Get("state") != "pushed" || q.Get("code") == "" || !strings.HasPrefix(proven.Finished.Answer.Location, callback+"?") {
			h.t.Errorf("response = %s", proven.Finished.Answer.Location)
		}
		if r := h.post(h.p.Grants.Token, "rp", redeem(q.Get("code"))); r.Status != 200 {
			h.t.Errorf("the code = %d %s", r.Status, r.Raw)
		}
		s, err := h.sessions.Load(h.ctx, proven.Finished.SessionToken)
		h.ok(err)
		for name, signedIn := range map[string]*session.SignedIn{"without a session": nil, "with one": s} {
			if _, refused := h.opened("rp", uri, h.visit, signedIn); refused != gone {
				h.t.Errorf("used again %s = %q, want %q", name, refused, gone)
			}
		}
		if st, err := h.p.Next(h.ctx, Ask{Request: b.Request, Identifier: "ada", MayBeSealed: true, Visit: h.visit}); err != nil || st.Kind != StepOver {
			h.t.Errorf("the other tab = %s, %v, want over", st.Kind, err)
		}
	})
}

// Conformance (Pushed authorization requests): RFC 9126 4, 7.3: it is used once, and can be opened before
func TestAPushedRequestEndsFromASessionOnce(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		h.user("ada", "")
		_, s := h.signIn(params("rp"), "ada")
		uri := h.push("rp")
		codes := make([]string, 8)
		var wg sync.WaitGroup
		for i := range codes {
			wg.Go(func() {
				b, err := h.p.Begin(h.ctx, Params{Query: url.Values{"client_id": {"rp"}, "request_uri": {uri}}}, h.visit, s)
				switch {
				case b.Finished != nil:
					codes[i] = "finished"
				case codeOf(err) != gone:
					codes[i] = "unexpected: " + codeOf(err)
				}
			})
		}
		wg.Wait()
		if got := strings.Join(codes, ""); got != "finished" {
			h.t.Errorf("visits ended as %q, want one to finish", codes)
		}
	})
}

// Conformance (Pushed authorization requests): RFC 9126 4, 7.3: it is used once, and can be opened before
func TestOneOfConcurrentProofsEndsAPushedRequest(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		h.user("ada", "")
		uri := h.push("rp")
		tabs := make([]Begun, 6)
		for i := range tabs {
			tabs[i], _ = h.opened("rp", uri, h.visit, nil)
			h.clock.Advance(time.Second)
		}
		finished := make([]bool, len(tabs))
		var wg sync.WaitGroup
		for i, tab := range tabs {
			wg.Go(func() {
				proven, err := h.first(tab.Request, "ada", nil)
				finished[i] = err == nil && proven.Finished != nil
			})
		}
		wg.Wait()
		n := 0
		for _, f := range finished {
			if f {
				n++
			}
		}
		if n != 1 {
			h.t.Errorf("%d logins ended, want 1", n)
		}
	})
}

func TestAPushedRequestGoesOnWhereItWas(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.user("ada", totpSecret)
	uri := h.push("rp")
	a, _ := h.opened("rp", uri, h.visit, nil)
	if _, err := h.first(a.Request, "ada", nil); err != nil {
		t.Fatal(err)
	}
	b, refused := h.opened("rp", uri, h.visit, nil)
	if refused != "" || b.Step.Kind != StepVerify {
		t.Errorf("a visit after the password = %s %q, want the second factor", b.Step.Kind, refused)
	}
	stranger := h.visit
	stranger.Browser = strings.Repeat("x", 43)
	if _, refused := h.opened("rp", uri, stranger, nil); refused != gone {
		t.Errorf("another browser in it = %q, want %q", refused, gone)
	}
	st := h.next(b.Request, nil)
	if _, err := h.p.Cancel(h.ctx, st, h.visit); err != nil {
		t.Fatal(err)
	}
	if _, refused := h.opened("rp", uri, h.visit, nil); refused != gone {
		t.Errorf("after it was cancelled = %q, want %q", refused, gone)
	}
}

// Conformance (Pushed authorization requests): RFC 9126 4, 7.3: it is used once, and can be opened before
func TestAPushedRequestOfTokensEndsOnce(t *testing.T) {
	h := newFixture(t)
	h.p.options.LegacyResponseTypes = true
	h.client("spa", func(c *storage.Client) { c.LegacyResponseTypes = []string{"id_token"} })
	h.user("ada", "")
	_, s := h.signIn(params("spa"), "ada")
	uri := h.push("spa", "response_type", "id_token")
	b, refused := h.opened("spa", uri, h.visit, s)
	if refused != "" || b.Request == "" {
		t.Fatalf("visit = %+v %q, want a stored login", b, refused)
	}
	if f, q := h.finish(b.Request, s); q.Get("id_token") == "" {
		t.Fatalf("response = %+v", f)
	}
	if _, refused := h.opened("spa", uri, h.visit, s); refused != gone {
		t.Errorf("used again = %q, want %q", refused, gone)
	}
}

// Conformance (Pushed authorization requests): RFC 9126 4: it expires
func TestPushedRequestsExpire(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		unopened, opened := h.push("rp"), h.push("rp")
		if _, refused := h.opened("rp", opened, h.visit, nil); refused != "" {
			h.t.Fatal(refused)
		}
		h.clock.Advance(time.Minute)
		if _, refused := h.opened("rp", unopened, h.visit, nil); refused != gone {
			h.t.Errorf("after a minute = %q, want %q", refused, gone)
		}
		h.clock.Advance(29*time.Minute - time.Second)
		if _, refused := h.opened("rp", opened, h.visit, nil); refused != "" {
			h.t.Errorf("reloaded within the life of the login = %q", refused)
		}
		h.clock.Advance(2 * time.Second)
		if _, refused := h.opened("rp", opened, h.visit, nil); refused != gone {
			h.t.Errorf("after the login expired = %q, want %q", refused, gone)
		}
		swept, err := h.engine.Sweep(h.ctx, h.now(), 100)
		if err != nil || swept < 2 {
			h.t.Errorf("swept %d rows, %v, want both requests", swept, err)
		}
		for _, uri := range []string{pushedPrefix, pushedPrefix + "x", pushedPrefix + strings.Repeat("x", 5000), pushedPrefix + "\x00"} {
			if _, refused := h.opened("rp", uri, h.visit, nil); !strings.HasPrefix(refused, "page:invalid_request") {
				h.t.Errorf("%.60q = %q", uri, refused)
			}
		}
	})
}

// Conformance (Request objects): RFC 9101 10.5: `require_signed_request_object`
// Conformance (Pushed authorization requests): RFC 9126 2: the client authenticates as at the token endpoint
// Conformance (Pushed authorization requests): RFC 9126 2.1: the request is checked as at the authorization endpoint
// Conformance (Pushed authorization requests): RFC 9126 2.1: no `request_uri` in a pushed request
// Conformance (Pushed authorization requests): RFC 9126 5, 6: `require_pushed_authorization_requests`, per server and client
func TestPushRefuses(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("spa", public)
	h.client("fapi", func(c *storage.Client) { c.Profile = "fapi2" })
	key := newKey(t)
	h.client("signs", func(c *storage.Client) { c.JWKS, c.RequireSignedRequestObject = key.set(t), true })
	for _, tc := range []struct {
		name, as string
		in       url.Values
		status   int
		code     string
	}{
		{"good", "rp", params("rp"), 201, ""},
		{"good, without client_id", "rp", params("rp", "client_id", ""), 201, ""},
		{"public", "", params("spa"), 201, ""},
		{"fapi2", "fapi", params("fapi"), 201, ""},
		{"fapi2 without a challenge", "fapi", params("fapi", "code_challenge", "", "code_challenge_method", ""), 400, "invalid_request"},
		{"a wrong secret", "", params("rp", "client_secret", "wrong"), 401, "invalid_client"},
		{"no secret", "", params("rp"), 401, "invalid_client"},
		{"another client's name", "rp", params("spa"), 400, "invalid_request"},
		{"request_uri", "rp", params("rp", "request_uri", pushedPrefix+"x"), 400, "invalid_request"},
		{"no redirect URI", "rp", params("rp", "redirect_uri", ""), 400, "invalid_request"},
		{"another redirect URI", "rp", params("rp", "redirect_uri", "https://evil.example/cb"), 400, "invalid_request"},
		{"another response type", "rp", params("rp", "response_type", "code id_token"), 400, "unsupported_response_type"},
		{"an unknown scope", "rp", params("rp", "scope", "nonsense"), 400, "invalid_scope"},
		{"plain PKCE", "rp", params("rp", "code_challenge_method", "plain"), 400, "invalid_request"},
		{"no request object", "signs", params("signs"), 400, "invalid_request"},
		{"a request object of a client without keys", "rp", params("rp", "request", "a.b.c"), 400, "request_not_supported"},
		{"registration", "rp", params("rp", "registration", "{}"), 400, "registration_not_supported"},
	} {
		r := h.post(h.p.Push, tc.as, tc.in)
		if r.Status != tc.status || r.get("error") != tc.code {
			t.Errorf("%s: %d %s, want %d %s", tc.name, r.Status, r.Raw, tc.status, tc.code)
		}
	}
	for name, in := range map[string]url.Values{"fapi2": params("fapi"), "request object beside it": params("fapi", "request", "a.b.c"),
		"no request object": params("signs")} {
		if b, err := h.p.Begin(h.ctx, Params{Query: in}, h.visit, nil); err != nil || b.Answer == nil || h.values(*b.Answer).Get("error") != "invalid_request" {
			t.Errorf("%s at the authorization endpoint: %+v, %v, want invalid_request", name, b, err)
		}
	}
	h.p.options.RequirePushed = true
	if b, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, nil); err != nil || b.Answer == nil {
		t.Errorf("a request that was not pushed: %+v, %v", b, err)
	}
	if _, refused := h.opened("rp", h.push("rp"), h.visit, nil); refused != "" {
		t.Errorf("a pushed one = %q", refused)
	}
}

func TestWhoHasProvenNothingPushesLittle(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("spa", public)
	h.admit = func(_ mfa.Caller, of string, _ int) time.Duration {
		if of == budget.Opens {
			return 5 * time.Second
		}
		return 0
	}
	if r := h.post(h.p.Push, "", params("spa")); r.Status != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "5" {
		t.Errorf("a public client = %d %s, want 429", r.Status, r.Raw)
	}
	h.push("rp")
}

func TestAFailureOfStorageIsNotARefusal(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	uri := h.push("rp")
	h.store.broken = "PushRequest"
	if r := h.post(h.p.Push, "rp", params("rp")); r.Status != http.StatusServiceUnavailable {
		t.Errorf("push = %d %s, want 503", r.Status, r.Raw)
	}
	h.store.broken = "OpenPushed"
	if _, refused := h.opened("rp", uri, h.visit, nil); strings.Contains(refused, "page:") || refused == "" {
		t.Errorf("open = %q, want a failure of the server", refused)
	}
	h.store.broken = ""
	if _, refused := h.opened("rp", uri, h.visit, nil); refused != "" {
		t.Errorf("afterwards = %q", refused)
	}
}

// objectClaims has what a request object needs.
func objectClaims(h *fixture, id string) map[string]any {
	return map[string]any{"iss": id, "aud": issuer, "client_id": id, "response_type": "code", "redirect_uri": callback, "scope": "openid", "state": "inside",
		"nonce": "n", "code_challenge": challengeB, "code_challenge_method": "S256", "exp": h.now().Add(5 * time.Minute).Unix(), "nbf": h.now().Unix()}
}

// object signs claims; they are changed by name and value, nil leaves out.
func (k clientKey) object(t testing.TB, claims map[string]any, changes ...any) string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(claims, changes[i].(string))
			continue
		}
		claims[changes[i].(string)] = changes[i+1]
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return k.sign(t, jose.ES256, "oauth-authz-req+jwt", payload)
}

// Conformance (DPoP): RFC 9449 10.1: a pushed request is bound to the key of its proof
func TestAPushedProofBindsTheCode(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	key := dpoptest.NewKey(t)
	push := func(proof string, in url.Values) reply {
		r := httptest.NewRequest(http.MethodPost, "/par", strings.NewReader(in.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", basic("rp", clientSecret))
		r.Header.Set("DPoP", proof)
		return h.call(h.p.Push, r)
	}
	proof := func() string { return key.Proof("POST", issuer+"/par", "", h.now()) }
	if r := push(proof(), params("rp", "dpop_jkt", strings.Repeat("a", 43))); r.get("error") != "invalid_request" {
		t.Errorf("another dpop_jkt = %d %s", r.Status, r.Raw)
	}
	if r := push("nonsense", params("rp")); r.get("error") != "invalid_dpop_proof" {
		t.Errorf("a malformed proof = %d %s", r.Status, r.Raw)
	}
	used := proof()
	r := push(used, params("rp"))
	if r.Status != http.StatusCreated {
		t.Fatalf("push = %d %s", r.Status, r.Raw)
	}
	if again := push(used, params("rp")); again.get("error") != "invalid_dpop_proof" {
		t.Errorf("the proof again = %d %s", again.Status, again.Raw)
	}
	b, _ := h.opened("rp", r.get("request_uri"), h.visit, nil)
	proven, err := h.first(b.Request, "ada", nil)
	h.ok(err)
	if got := h.post(h.p.Grants.Token, "rp", redeem(h.values(proven.Finished.Answer).Get("code"))); got.Status == 200 {
		t.Errorf("the code without the key = %d %s", got.Status, got.Raw)
	}
}
