package provider

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/provider/clientdocument"
	"sallyport/provider/fetch"
	"sallyport/storage"
)

// publisher is a site with documents of clients.
type publisher struct {
	*httptest.Server
	mu    sync.Mutex
	calls int
	serve func(w http.ResponseWriter, r *http.Request)
}

// publish replaces what the site says.
func (s *publisher) publish(serve func(w http.ResponseWriter, r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve = serve
}

func (s *publisher) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// describe publishes a document at every path; members are changed by pairs, nil removes one.
func (s *publisher) describe(changes ...any) {
	s.publish(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.document(r.URL.Path, changes...))
	})
}

func (s *publisher) document(path string, changes ...any) map[string]any {
	d := map[string]any{"client_id": s.URL + path, "client_name": "Editor", "redirect_uris": []string{"http://127.0.0.1/cb", "http://localhost/cb", s.URL + "/cb"},
		"grant_types": []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "none", "logo_uri": s.URL + "/logo.png", "scope": "everything"}
	for i := 0; i < len(changes); i += 2 {
		d[changes[i].(string)] = changes[i+1]
		if changes[i+1] == nil {
			delete(d, changes[i].(string))
		}
	}
	return d
}

const tools = "https://mcp.example/tools"

// documents lets clients describe themselves at a site.
func (h *fixture) documents(o clientdocument.Options, networks ...netip.Prefix) *publisher {
	h.t.Helper()
	s := &publisher{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls++
		serve := s.serve
		s.mu.Unlock()
		serve(w, r)
	}))
	h.t.Cleanup(s.Close)
	s.describe()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	settings := h.p.options
	settings.Fetcher = fetch.New(h.now, fetch.Options{Roots: roots, Allowed: networks})
	if o.Scopes == nil {
		o.Scopes = []string{"openid", "profile", "email", "offline_access", "tools:read"}
	}
	o.Audience = []string{tools, "https://bare.example"}
	settings.Documents = &o
	var err error
	h.p, err = New(h.store, h.keyring, h.verifier, h.sessions, h.journal, h.now, rand.Reader, settings)
	h.ok(err)
	return s
}

var loopbackNetwork = netip.MustParsePrefix("127.0.0.0/8")

const editorCallback = "http://127.0.0.1:33418/cb"

// Conformance (Clients by document): draft-ietf-oauth-client-id-metadata-document 3, 4: a client nobody registered signs a user in, who sees its host
// Conformance (Clients by document): RFC 8707 2, 2.2: `resource` is the audience as it is registered; the slash of a bare origin is forgiven
func TestAClientDescribesItself(t *testing.T) {
	h := newFixture(t)
	site := h.documents(clientdocument.Options{}, loopbackNetwork)
	id := site.URL + "/client.json"
	ada := h.user("ada", "")
	in := params(storage.ClientID(id), "redirect_uri", editorCallback, "scope", "tools:read offline_access", "resource", tools)
	b := h.begin(in, nil)
	h.enter(b.Request, "ada", nil)
	st := h.next(b.Request, nil)
	host := strings.TrimPrefix(site.URL, "https://")
	if st.Kind != StepConsent || st.Client.Name != host+" (Editor)" || st.Client.LogoURI != "" || st.Destination != (Destination{}) {
		t.Fatalf("step = %s of %q, %+v", st.Kind, st.Client.Name, st.Destination)
	}
	h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
	f, q := h.finish(b.Request, nil)
	public := func(form url.Values) reply {
		form.Set("client_id", id)
		return h.post(h.p.Grants.Token, "", form)
	}
	r := public(redeem(q.Get("code"), "redirect_uri", editorCallback, "resource", tools))
	claims, _ := h.readJWT(r.get("access_token"))
	if r.Status != 200 || r.get("scope") != "tools:read offline_access" || claims["aud"] != tools || claims["client_id"] != id {
		t.Fatalf("tokens = %d %s, claims %v", r.Status, r.Raw, claims)
	}
	if got := h.userinfo(r.get("access_token")); got.Status != 401 {
		t.Errorf("userinfo accepts a token of a resource: %d", got.Status)
	}

	// The session alone gives a program on the machine nothing.
	s, err := h.sessions.Load(h.ctx, f.SessionToken)
	h.ok(err)
	if again := h.begin(in, s); again.Finished != nil || again.Step.Kind != StepConsent {
		t.Errorf("without a user: %+v", again)
	}
	// Nor does a redirect URI on another host than the one that the user knows.
	site.describe("redirect_uris", []string{"https://elsewhere.example/cb"})
	h.wait(time.Minute)
	away := h.begin(params(storage.ClientID(id), "redirect_uri", "https://elsewhere.example/cb", "scope", "tools:read"), s)
	if away.Finished != nil || away.Step.Kind != StepConsent || away.Step.Destination.Host != "elsewhere.example" {
		t.Errorf("to another host: %+v", away)
	}
	// Its own host is as good as a registered one.
	site.describe()
	h.wait(time.Minute)
	if own := h.begin(params(storage.ClientID(id), "redirect_uri", site.URL+"/cb", "scope", "tools:read"), s); own.Finished != nil {
		t.Error("127.0.0.1 is a program on the machine")
	}

	// It goes when its document goes, and what it has can be seen and ended.
	refreshed := public(refreshOf(r.get("refresh_token")))
	if refreshed.Status != 200 {
		t.Fatalf("refresh = %d %s", refreshed.Status, refreshed.Raw)
	}
	for _, tc := range []struct {
		status int
		error  string
	}{{http.StatusServiceUnavailable, "temporarily_unavailable"}, {http.StatusNotFound, "invalid_client"}, {http.StatusGone, "invalid_client"}} {
		site.publish(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tc.status) })
		h.wait(61 * time.Minute)
		if got := public(refreshOf(refreshed.get("refresh_token"))); got.get("error") != tc.error {
			t.Errorf("refresh with HTTP %d: %d %s, want %s", tc.status, got.Status, got.Raw, tc.error)
		}
		if _, err := h.p.Begin(h.ctx, Params{Query: in}, h.visit, nil); !isPage(err, "client_id") {
			t.Errorf("a login with HTTP %d: %v", tc.status, err)
		}
	}
	list, err := h.p.Consents(h.ctx, ada.ID)
	h.ok(err)
	if len(list) != 1 || list[0].Client.ID != storage.ClientID(id) {
		t.Fatalf("applications = %+v", list)
	}
	h.ok(h.p.Withdraw(h.ctx, h.visit, ada.ID, storage.ClientID(id)))
	site.describe()
	h.wait(time.Minute)
	if got := public(refreshOf(refreshed.get("refresh_token"))); got.get("error") != "invalid_grant" {
		t.Errorf("refresh after the user ended it: %d %s", got.Status, got.Raw)
	}
}

func isPage(err error, parameter string) bool {
	page, ok := errors.AsType[*PageError](err)
	return ok && page.Parameter == parameter
}

// Without a resource the tokens are for the client, and for userinfo; that is there however the document
// is.
func TestUserinfoForAClientWithADocument(t *testing.T) {
	h := newFixture(t)
	site := h.documents(clientdocument.Options{}, loopbackNetwork)
	id := site.URL + "/client.json"
	h.user("ada", "")
	b := h.begin(params(storage.ClientID(id), "redirect_uri", "http://localhost:50000/cb", "scope", "openid profile"), nil)
	h.enter(b.Request, "ada", nil)
	st := h.next(b.Request, nil)
	if len(st.Resources) > 0 {
		t.Errorf("the page names %q", st.Resources)
	}
	h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
	_, q := h.finish(b.Request, nil)
	r := h.post(h.p.Grants.Token, "", redeem(q.Get("code"), "redirect_uri", "http://localhost:50000/cb", "client_id", id))
	site.Close()
	h.p.clients.With(clientdocument.New(fetch.New(h.now, fetch.Options{}), h.now, *h.p.options.Documents)) // another server
	if got := h.userinfo(r.get("access_token")); got.Status != 200 || got.Body["sub"] == nil {
		t.Errorf("userinfo = %d %s", got.Status, got.Raw)
	}
	if c, home := h.p.Home(h.ctx, storage.ClientID(id)); c != nil {
		t.Errorf("a page names an application that this server has not seen: %+v %s", c, home)
	}
}

// Conformance (Clients by document): draft-ietf-oauth-client-id-metadata-document 3: the client_id is an https URL with a path, without fragment, user and dot segments, in one spelling
func TestHostileClientIDs(t *testing.T) {
	h := newFixture(t)
	site := h.documents(clientdocument.Options{}, loopbackNetwork)
	host := strings.TrimPrefix(site.URL, "https://")
	for _, id := range []string{
		"http://" + host + "/c", "HTTPS://" + host + "/c", "https:/" + host + "/c", "https://" + host, "https://" + host + "/",
		"https://" + host + "/c#x", "https://" + host + "/c?x=y", "https://" + host + "/c?", "https://me@" + host + "/c", "https://me:pw@" + host + "/c",
		"https://" + host + "/./c", "https://" + host + "/a/../c", "https://" + host + "/a/%2e%2e/c", "https://" + host + "/a/.%2E/c", "https://" + host + "/c/..",
		"https://" + host + `\@evil.test/c`, "https://" + host + "/c\n", "https://Example.com/c", "https://example.com:443/c", "https://example.com:0443/c", "https://example.com:x/c",
		"https://b\u00fccher.example/c", "https://xn--a.example/c", "https:///c", "https://" + host + "/" + strings.Repeat("c", 255),
	} {
		_, err := h.p.Begin(h.ctx, Params{Query: params(storage.ClientID(id), "redirect_uri", editorCallback)}, h.visit, nil)
		if !isPage(err, "client_id") {
			t.Errorf("%q: %v, want a refusal", id, err)
		}
		if r := h.post(h.p.Grants.Token, "", redeem("x", "client_id", id)); r.get("error") != "invalid_client" {
			t.Errorf("%q at the token endpoint: %s", id, r.Raw)
		}
	}
	if n := site.called(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// Conformance (Clients by document): draft-ietf-oauth-client-id-metadata-document 4, 4.1, 6.6: what is no JSON document of this address, too large, or holds a secret is refused
func TestHostileDocuments(t *testing.T) {
	h := newFixture(t)
	site := h.documents(clientdocument.Options{}, loopbackNetwork)
	raw := func(kind, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			fmt.Fprint(w, body)
		}
	}
	with := func(changes ...any) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(site.document(r.URL.Path, changes...))
		}
	}
	tests := map[string]struct {
		serve func(http.ResponseWriter, *http.Request)
		ok    bool
	}{
		"as it should be": {with(), true},
		"another type of JSON": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/client+json; charset=utf-8")
			_ = json.NewEncoder(w).Encode(site.document(r.URL.Path))
		}, true},
		"no method named":             {with("token_endpoint_auth_method", nil), true},
		"another client_id":           {with("client_id", site.URL+"/other"), false},
		"no client_id":                {with("client_id", nil), false},
		"client_id as a list":         {with("client_id", []string{site.URL}), false},
		"a secret":                    {with("client_secret", "x"), false},
		"a secret that expires":       {with("client_secret_expires_at", 0), false},
		"client_secret_basic":         {with("token_endpoint_auth_method", "client_secret_basic"), false},
		"client_secret_jwt":           {with("token_endpoint_auth_method", "client_secret_jwt"), false},
		"tls_client_auth":             {with("token_endpoint_auth_method", "tls_client_auth", "tls_client_auth_san_dns", "x.example"), false},
		"private_key_jwt, no keys":    {with("token_endpoint_auth_method", "private_key_jwt"), false},
		"no redirect URIs":            {with("redirect_uris", nil), false},
		"another redirect URI":        {with("redirect_uris", []string{"http://127.0.0.1/other"}), false},
		"http elsewhere":              {with("redirect_uris", []string{editorCallback, "http://evil.example/cb"}), false},
		"a wildcard":                  {with("redirect_uris", []string{editorCallback, "https://*.example/cb"}), false},
		"javascript":                  {with("redirect_uris", []string{editorCallback, "javascript:alert(1)"}), false},
		"a name that hides something": {with("client_name", "bank\u202emoc"), false},
		"policy_uri in javascript":    {with("policy_uri", "javascript:alert(1)"), false},
		"an HTML page":                {raw("text/html", "<html>"), false},
		"text":                        {raw("text/plain", "{}"), false},
		"no JSON":                     {raw("application/json", "{"), false},
		"a list":                      {raw("application/json", "[]"), false},
		"nothing":                     {raw("application/json", ""), false},
		"a member twice":              {raw("application/json", `{"client_id":"`+site.URL+`/a","client_id":"`+site.URL+`/b"}`), false},
		"too large":                   {with("x", strings.Repeat("x", 6000)), false},
		"a redirect":                  {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, false},
		"another status": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(site.document(r.URL.Path))
		}, false},
	}
	n := 0
	for name, tc := range tests {
		n++
		site.publish(tc.serve)
		id := fmt.Sprintf("%s/%d", site.URL, n)
		b, err := h.p.Begin(h.ctx, Params{Query: params(storage.ClientID(id), "redirect_uri", editorCallback)}, h.visit, nil)
		if got := err == nil && b.Request != ""; got != tc.ok {
			t.Errorf("%s: accepted %v (%v), want %v", name, got, err, tc.ok)
		}
	}
	// The privileges that an operator grants are no metadata.
	site.publish(with("consent", "skip", "silent_login", true, "manages_factors", true, "headless_login", true, "audience", []string{"https://op.example"}, "scope", "roles",
		"post_logout_redirect_uris", []string{"https://evil.example/"}, "request_uris", []string{"https://evil.example/r"}, "frontchannel_logout_uri", site.URL+"/f"))
	c, err := h.p.clients.Described(h.ctx, storage.ClientID(site.URL+"/greedy"), nil)
	h.ok(err)
	if c.Consent != "ask" || c.SilentLogin || c.ManagesFactors || c.HeadlessLogin || len(c.Audience) != 2 || len(c.PostLogoutRedirectURIs)+len(c.RequestURIs) > 0 || c.FrontchannelLogoutURI != "" || len(c.Scopes) != 5 {
		t.Errorf("client = %+v", c)
	}
}

// A document counts as it is now: what was invalid is read again at once, and what is valid for as long as
// its server says, an hour at most.
func TestADocumentThatChanges(t *testing.T) {
	h := newFixture(t)
	site := h.documents(clientdocument.Options{}, loopbackNetwork)
	id := storage.ClientID(site.URL + "/client.json")
	for _, step := range []struct {
		name  string
		serve func(w http.ResponseWriter)
		wait  time.Duration
		ok    bool
		calls int
	}{
		{"no document", func(w http.ResponseWriter) { w.WriteHeader(404) }, 0, false, 1},
		{"a document that is not valid, to be kept for long", func(w http.ResponseWriter) { w.Header().Set("Cache-Control", "max-age=86400"); fmt.Fprint(w, "{}") }, 6 * time.Second, false, 1},
		{"a valid one, to be kept for ten minutes", func(w http.ResponseWriter) {
			w.Header().Set("Cache-Control", "max-age=600")
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(site.document("/client.json"))
		}, 6 * time.Second, true, 1},
		{"none, within that", func(w http.ResponseWriter) { w.WriteHeader(404) }, 9 * time.Minute, true, 0},
		{"none, after that", func(w http.ResponseWriter) { w.WriteHeader(404) }, 2 * time.Minute, false, 1},
		{"a valid one, to be kept for a day", func(w http.ResponseWriter) {
			w.Header().Set("Cache-Control", "max-age=86400")
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(site.document("/client.json"))
		}, time.Minute, true, 1},
		{"a server that is away, within an hour", func(w http.ResponseWriter) { w.WriteHeader(502) }, 59 * time.Minute, true, 0},
		{"after an hour", func(w http.ResponseWriter) { w.WriteHeader(502) }, 2 * time.Minute, false, 1},
		{"other redirect URIs", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(site.document("/client.json", "redirect_uris", []string{"http://127.0.0.1/new"}))
		}, time.Minute, false, 1},
	} {
		site.publish(func(w http.ResponseWriter, _ *http.Request) { step.serve(w) })
		h.wait(step.wait)
		before := site.called()
		b, err := h.p.Begin(h.ctx, Params{Query: params(id, "redirect_uri", editorCallback)}, h.visit, nil)
		if got := err == nil && b.Request != ""; got != step.ok {
			t.Errorf("%s: accepted %v (%v), want %v", step.name, got, err, step.ok)
		}
		if n := site.called() - before; n != step.calls {
			t.Errorf("%s: %d calls, want %d", step.name, n, step.calls)
		}
	}
}
