package provider

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/session"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

const (
	issuer       = "https://op.example"
	callback     = "https://rp.example/cb"
	clientSecret = "a secret of 32 random bytes, say"
	password     = "correct horse battery"
)

// fixture is a complete provider on a SQLite database, with a clock that only
// tests move.
type fixture struct {
	t        testing.TB
	ctx      context.Context
	clock    *mfatest.Clock
	engine   *relational.Engine
	keyring  *seal.Keyring
	journal  *audit.Journal
	verifier *exchange.Verifier
	accounts *selfservice.Accounts
	sessions *session.Registry
	users    *users.Registry
	totp     *totp.Method
	services *mfatest.Services
	p        *Provider
	visit    mfa.Caller
	logged   *strings.Builder
	admit    budget.Admit // of the provider; nil: unlimited
	store    *faultyStore // of the provider
}

func (h *fixture) now() time.Time { return h.clock.Now() }

// ok stops the test at an error.
func (h *fixture) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// newFixture returns a fixture with these signing keys. RSA keys take long, so tests that do not
// look at them do without.
func newFixture(t testing.TB, algs ...string) *fixture {
	t.Helper()
	return newFixtureOn(t, "", algs...)
}

// newFixtureOn is newFixture on a database; "": a SQLite file.
func newFixtureOn(t testing.TB, dsn string, algs ...string) *fixture {
	t.Helper()
	if len(algs) == 0 {
		algs = []string{"ES256"}
	}
	h := &fixture{t: t, ctx: context.Background(), clock: mfatest.NewClock(time.Date(2026, 5, 1, 10, 0, 0, 123456000, time.UTC)), logged: &strings.Builder{},
		visit: mfa.Caller{Browser: strings.Repeat("b", 43), Address: "192.0.2.1", UserAgent: "test", Locale: "en"}}
	services := mfatest.Open(t, mfatest.Options{Now: h.now, Algs: algs, DSN: dsn})
	h.engine, h.keyring, h.journal, h.verifier, h.accounts = services.Store, services.Keyring, services.Journal, services.Verifier, services.Accounts
	h.sessions, h.users, h.totp, h.services = services.Sessions, services.Users, services.TOTP, services
	var err error
	h.store = &faultyStore{Store: h.engine}
	h.p, err = New(h.store, h.keyring, h.verifier, h.sessions, h.journal, h.now, rand.Reader, Options{Issuer: issuer, SigningAlg: algs[0],
		Admit: func(v mfa.Caller, of string, n int) time.Duration {
			if h.admit == nil {
				return 0
			}
			return h.admit(v, of, n)
		},
		ACRAliases: map[string]mfa.Level{"urn:example:silver": mfa.AAL1, "urn:example:gold": mfa.AAL2},
		Logger:     slog.New(slog.NewTextHandler(h.logged, nil))})
	h.ok(err)
	return h
}

// clientOf is a confidential first-party client with everything switched on.
func clientOf(id storage.ClientID) storage.Client {
	sum := sha256.Sum256([]byte(clientSecret))
	return storage.Client{ID: id, Name: "Relying party", AuthMethod: "client_secret_basic", SecretHashes: [][]byte{sum[:]},
		RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{"https://rp.example/bye"},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		Scopes:     []string{"openid", "profile", "email", "phone", "address", "offline_access", "read", "write"},
		MFA:        mfa.MFAOff, Consent: "skip", ClientURI: "https://rp.example"}
}

// client stores a client, changed by the given functions.
func (h *fixture) client(id storage.ClientID, changes ...func(*storage.Client)) storage.Client {
	h.t.Helper()
	c := clientOf(id)
	for _, change := range changes {
		change(&c)
	}
	h.ok(h.engine.PutClient(h.ctx, c, nil))
	h.ok(h.p.Poll(h.ctx))
	return c
}

func public(c *storage.Client) { c.Public, c.AuthMethod, c.SecretHashes = true, "none", nil }

// user stores a user with a password, a verified address and, if totp is set, an
// authenticator app.
func (h *fixture) user(name string, totp string) storage.User {
	h.t.Helper()
	u, err := h.users.Create(h.ctx, h.visit, users.Draft{Username: name, Email: name + "@example.org", EmailVerified: true,
		Password: password, TOTPSecret: totp, Profile: map[string]any{"name": "Ada Lovelace", "given_name": "Ada"}})
	h.ok(err)
	return u
}

// params are a good authorization request, changed by name and value; "" leaves out.
func params(id storage.ClientID, changes ...string) url.Values {
	v := url.Values{"response_type": {"code"}, "client_id": {string(id)}, "redirect_uri": {callback}, "scope": {"openid"},
		"state": {"the-state"}, "nonce": {"the-nonce"}, "code_challenge": {challengeB}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			v.Del(changes[i])
			continue
		}
		v.Set(changes[i], changes[i+1])
	}
	return v
}

func (h *fixture) begin(v url.Values, s *session.SignedIn) Begun {
	h.t.Helper()
	b, err := h.p.Begin(h.ctx, Params{Query: v}, h.visit, s)
	h.ok(err)
	return b
}

func (h *fixture) next(id storage.RequestID, s *session.SignedIn) Step {
	h.t.Helper()
	st, err := h.p.Next(h.ctx, Ask{Request: id, Visit: h.visit, SignedIn: s})
	h.ok(err)
	return st
}

// enter types the password of a user into an open request.
func (h *fixture) enter(id storage.RequestID, name string, s *session.SignedIn) {
	h.t.Helper()
	st, err := h.p.Next(h.ctx, Ask{Request: id, Identifier: name, Visit: h.visit, SignedIn: s})
	h.ok(err)
	h.ok(h.verifier.Password(h.ctx, h.visit, st.Login, password))
}

// prove types the current code of the user's authenticator app.
func (h *fixture) prove(id storage.RequestID, s *session.SignedIn) {
	h.t.Helper()
	st := h.next(id, s)
	for _, a := range st.Account.Authenticators {
		if a.Method == "totp" {
			_, err := h.verifier.Prove(h.ctx, h.visit, st.Login, exchange.Choice{Method: "totp", Authenticator: a.ID, Usage: mfa.UsageSecond}, "",
				mfa.Typed(h.totp.CodeOf(a, h.now())))
			h.ok(err)
			return
		}
	}
	h.t.Fatal("the user has no authenticator app")
}

// finish ends a request that is done.
func (h *fixture) finish(id storage.RequestID, s *session.SignedIn) (Finished, url.Values) {
	h.t.Helper()
	st := h.next(id, s)
	if st.Kind != StepDone {
		h.t.Fatalf("step = %s %s, want done", st.Kind, st.Refusal)
	}
	f, err := h.p.Finish(h.ctx, st, h.visit, s)
	h.ok(err)
	return f, h.values(f.Answer)
}

// values returns the parameters of an authorization response.
func (h *fixture) values(a Answer) url.Values {
	h.t.Helper()
	if a.FormPost != nil {
		v := url.Values{}
		for _, f := range a.FormPost.Fields {
			v.Add(f[0], f[1])
		}
		return v
	}
	u, err := url.Parse(a.Location)
	h.ok(err)
	q, err := url.ParseQuery(u.RawQuery)
	h.ok(err)
	fragment, err := url.ParseQuery(u.Fragment)
	h.ok(err)
	maps.Copy(q, fragment)
	return q
}

// signIn goes through a whole login and returns the code and the session.
func (h *fixture) signIn(v url.Values, name string) (string, *session.SignedIn) {
	h.t.Helper()
	b := h.begin(v, nil)
	if b.Request == "" {
		h.t.Fatalf("no request was opened: %+v", b)
	}
	h.enter(b.Request, name, nil)
	f, q := h.finish(b.Request, nil)
	s, err := h.sessions.Load(h.ctx, f.SessionToken)
	h.ok(err)
	if s == nil || q.Get("code") == "" {
		h.t.Fatalf("session = %v, response = %v, want both", s, q)
	}
	return q.Get("code"), s
}

// reply is the response of an endpoint.
type reply struct {
	Status int
	Header http.Header
	Body   map[string]any
	Raw    string
	// Refusal is what the log says.
	Refusal mfa.Refusal
}

func (r reply) get(name string) string { s, _ := r.Body[name].(string); return s }

// post calls an endpoint as a confidential client; credentials in the form win.
func (h *fixture) post(serve func(http.ResponseWriter, *http.Request, mfa.Caller), id string, form url.Values) reply {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		r.Header.Set("Authorization", basic(id, clientSecret))
	}
	return h.call(serve, r)
}

func (h *fixture) call(serve func(http.ResponseWriter, *http.Request, mfa.Caller), r *http.Request) reply {
	return h.callFrom(h.visit, serve, r)
}

func (h *fixture) callFrom(v mfa.Caller, serve func(http.ResponseWriter, *http.Request, mfa.Caller), r *http.Request) reply {
	w := httptest.NewRecorder()
	refusal := &mfa.Refusal{}
	ctx := mfa.WithRefusal(r.Context(), refusal)
	serve(w, r.WithContext(ctx), v)
	out := reply{Status: w.Code, Header: w.Header(), Raw: w.Body.String(), Refusal: *refusal}
	if w.Code >= http.StatusBadRequest && refusal.Reason == "" {
		h.t.Errorf("a refusal without a reason: %d %s", w.Code, out.Raw)
	}
	if refusal.Operator {
		fmt.Fprintln(h.logged, *refusal)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &out.Body); err != nil {
			h.t.Errorf("body %q: %v", out.Raw, err)
		}
	}
	return out
}

func redeem(code string, changes ...string) url.Values {
	return formOf(append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifierB}, changes...)...)
}

func refreshOf(token string, changes ...string) url.Values {
	return formOf(append([]string{"grant_type", "refresh_token", "refresh_token", token}, changes...)...)
}

func formOf(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
			continue
		}
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// userinfo calls the userinfo endpoint with a token in the header.
func (h *fixture) userinfo(token string) reply {
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return h.call(h.p.Introspection.Userinfo, r)
}

// active reports whether introspection by a client calls a token active.
func (h *fixture) active(id, token string) bool {
	h.t.Helper()
	got := h.post(h.p.Introspection.Introspect, id, formOf("token", token))
	if got.Status != http.StatusOK {
		h.t.Fatalf("introspection = %d %s, want 200", got.Status, got.Raw)
	}
	active, _ := got.Body["active"].(bool)
	return active
}

// readJWT reads a JWT of the provider after verifying it with the published key set.
func (h *fixture) readJWT(token string) (map[string]any, jose.Header) {
	h.t.Helper()
	var set jose.JSONWebKeySet
	h.ok(json.Unmarshal(h.p.JWKS().Body, &set))
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA})
	h.ok(err)
	header := jws.Signatures[0].Protected
	keys := set.Key(header.KeyID)
	if len(keys) != 1 {
		h.t.Fatalf("key %q is published %d times, want once", header.KeyID, len(keys))
	}
	payload, err := jws.Verify(keys[0])
	h.ok(err)
	var claims map[string]any
	h.ok(json.Unmarshal(payload, &claims))
	return claims, header
}

// codeOf returns the code of an *mfa.Error, or the error's text.
func codeOf(err error) string {
	if code := mfa.CodeOf(err); code != "" {
		return string(code)
	}
	var page *PageError
	if errors.As(err, &page) {
		return "page:" + page.Code + ":" + page.Parameter
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// events counts the audit events of a kind.
func (h *fixture) events(kind string) int {
	h.t.Helper()
	h.ok(h.journal.Flush(h.ctx))
	found, err := h.engine.ListEvents(h.ctx, storage.EventFilter{Kind: kind, Limit: 1000})
	h.ok(err)
	return len(found)
}

// rotate adds a new signing key and retires the others, as the command does.
func (h *fixture) rotate(alg string) {
	h.t.Helper()
	rows, err := h.engine.Keys(h.ctx, h.now())
	h.ok(err)
	key, err := h.keyring.NewKey("oidc", alg, h.now())
	h.ok(err)
	key.ActiveAt = h.now()
	for _, row := range rows {
		if row.Use == "oidc" && row.Alg == alg {
			row.RetiredAt = h.now()
			h.ok(h.engine.UpdateKey(h.ctx, row, nil))
		}
	}
	h.ok(h.engine.AddKeys(h.ctx, []storage.Key{key}, false, nil))
	h.ok(h.p.Poll(h.ctx))
}

// base32Secret decodes the secret of an enrolment.
func base32Secret(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}
