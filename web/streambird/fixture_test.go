package streambird

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passcode"
	"sallyport/provider"
	"sallyport/provider/apikeys"
	"sallyport/storage/seal"
	"sallyport/web/webtest"
)

const issuer = "https://login.example"

var t0 = time.Date(2026, 11, 29, 9, 0, 5, 0, time.UTC)

// fixture is the dialect over a real database, with an API key.
type fixture struct {
	*webtest.Fixture
	surface *Surface
	apiKeys *apikeys.Keys
	key     string // of the calls
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	h := &fixture{Fixture: webtest.New(t, t0, mfatest.Options{}, provider.Options{Issuer: issuer})}
	h.addKey("dialect")
	h.apiKeys = apikeys.New(h.Store, h.Journal, h.Now, rand.Reader, "test", h.Logger())
	codes := passcode.Options{Product: "Sallyport"}
	h.withMethods(passcode.NewEmail(h.Keyring, rand.Reader, codes), passcode.NewSMS(h.Keyring, rand.Reader, codes))
	_, h.key = h.newKey("backend", apikeys.VerbRead, apikeys.VerbWrite)
	return h
}

// withMethods serves the dialect with TOTP, recovery codes and more methods.
func (h *fixture) withMethods(more ...mfa.Method) {
	h.Verifier = exchange.NewVerifier(h.Store, h.Keyring, h.Journal, h.Now, rand.Reader, exchange.Options{Product: "Sallyport"},
		append([]mfa.Method{h.Password, h.TOTP, h.Recovery}, more...)...)
	b := backend.New(h.Store, h.Verifier, h.Sessions, h.Users, h.Journal, h.Now, rand.Reader, backend.Options{MatchCodes: []string{backend.MatchIP, backend.MatchUserAgent}})
	h.surface = New(b, h.apiKeys, NewSigner(h.Keyring, rand.Reader), h.Journal, h.Now, Options{Issuer: issuer})
	h.Serve(nil, h.surface)
}

// addKey adds a signing key to the keyring.
func (h *fixture) addKey(use string) {
	h.T.Helper()
	ctx := context.Background()
	key, err := h.Keyring.NewKey(use, seal.DialectAlg, h.Now())
	h.OK(err)
	rows, err := h.Store.Keys(ctx, h.Now())
	h.OK(err)
	h.OK(h.Keyring.Load(append(rows, key), h.Now()))
}

// newKey creates an API key of the dialect.
func (h *fixture) newKey(name string, verbs ...string) (string, string) {
	h.T.Helper()
	k, secret, err := h.apiKeys.Create(context.Background(), mfa.Caller{}, apikeys.Operator(), apikeys.Draft{Name: name, Dialects: []string{apikeys.DialectStreambird}, Verbs: verbs, App: "harbour"})
	h.OK(err)
	return string(k.ID), secret
}

// reply is the response to a call.
type reply struct {
	h         *fixture
	code      int
	header    http.Header
	raw       string
	body      map[string]any
	operation string // of the description
}

// document is the served description, read once for all tests.
var document = sync.OnceValues(func() (*openapi3.T, error) { return webtest.Description("openapi.yaml") })

// do sends a request and validates the response against the description.
func (h *fixture) do(r *http.Request) reply {
	h.T.Helper()
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	out := reply{h: h, code: w.Code, header: w.Header(), raw: w.Body.String()}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		h.T.Fatalf("%s %s: content type %q, want exactly application/json: %s", r.Method, r.URL.Path, kind, out.raw)
	}
	h.OK(json.Unmarshal(w.Body.Bytes(), &out.body))
	doc, err := document()
	h.OK(err)
	if out.code >= 400 {
		out.checkRefusal(doc)
	}
	if out.code == http.StatusOK || out.code < 404 && doc.Paths.Find(r.URL.Path) != nil {
		out.operation = r.Method + " " + webtest.Validate(h.T, doc, webtest.Response{Method: r.Method, Path: r.URL.Path, Code: out.code, Header: out.header, Raw: []byte(out.raw)})
	}
	return out
}

// checkRefusal checks that a refusal has its three members and nothing else.
func (r reply) checkRefusal(doc *openapi3.T) {
	r.h.T.Helper()
	if err := doc.Components.Schemas["Refusal"].Value.VisitJSON(r.body, openapi3.VisitAsResponse()); err != nil || r.body["status_code"] != float64(r.code) || len(r.body) != 3 {
		r.h.T.Fatalf("%d %s is not a refusal: %v", r.code, r.raw, err)
	}
	wait := r.header.Get("Retry-After")
	if r.code == http.StatusTooManyRequests && (wait == "" || wait > "30" || len(wait) > 2) || r.code == http.StatusForbidden && wait != "" {
		r.h.T.Fatalf("%d %s with Retry-After %q", r.code, r.raw, wait)
	}
}

// request is a call with a body as the libraries send it.
func (h *fixture) request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+h.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// call sends a body and validates the response.
func (h *fixture) call(method, path, body string) reply {
	h.T.Helper()
	return h.do(h.request(method, path, body))
}

// raw sends a body from any goroutine.
func (h *fixture) raw(method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, h.request(method, path, body))
	return w
}

// post sends members written as pairs; nil is left out.
func (h *fixture) post(path string, pairs ...any) reply {
	h.T.Helper()
	return h.call(http.MethodPost, path, object(pairs...))
}

// failures are the errors in the log.
func (h *fixture) failures() string {
	var out []string
	for _, line := range strings.Split(h.Log.String(), "\n") {
		if strings.Contains(line, `"ERROR"`) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// object is a JSON object of pairs; nil is left out.
func object(pairs ...any) string {
	members := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != nil {
			members[pairs[i].(string)] = pairs[i+1]
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// ok checks that a call succeeded.
func (r reply) ok() reply {
	r.h.T.Helper()
	if r.code != http.StatusOK {
		r.h.T.Fatalf("response = %d %s, want 200\n%s", r.code, r.raw, r.h.failures())
	}
	return r
}

// refused checks the status and the type of a refusal.
func (r reply) refused(status int, kind string) reply {
	r.h.T.Helper()
	if r.code != status || r.body["error_type"] != kind {
		r.h.T.Fatalf("response = %d %s, want %d %s\n%s", r.code, r.raw, status, kind, r.h.failures())
	}
	return r
}

// at returns a member: "session.factors.0.type".
func (r reply) at(path string) any {
	r.h.T.Helper()
	var value any = r.body
	for _, name := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i := slices.Index([]string{"0", "1", "2", "3"}, name)
			if i < 0 || i >= len(v) {
				r.h.T.Fatalf("no %s in %s", path, r.raw)
			}
			value = v[i]
		default:
			r.h.T.Fatalf("no %s in %s", path, r.raw)
		}
	}
	return value
}

// text returns a member that is a string.
func (r reply) text(path string) string {
	r.h.T.Helper()
	text, ok := r.at(path).(string)
	if !ok {
		r.h.T.Fatalf("no text %s in %s", path, r.raw)
	}
	return text
}
