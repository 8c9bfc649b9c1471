package stytch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
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
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/web"
	"sallyport/web/webtest"
)

const (
	origin  = "https://login.example"
	project = "project-test-11111111-2222-3333-4444-555555555555"
	other   = "project-test-66666666-7777-8888-9999-000000000000"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 5, 0, time.UTC)

// fixture is the surface over a real database.
type fixture struct {
	*webtest.Fixture
	surface *Surface
	backend *backend.Service
	keys    *apikeys.Keys
	secret  string // of project
	key     storage.APIKey
}

func newFixture(t testing.TB, more ...web.Surface) *fixture {
	return newFixtureWith(t, backend.Options{}, more...)
}

func newFixtureWith(t testing.TB, o backend.Options, more ...web.Surface) *fixture {
	t.Helper()
	ctx := context.Background()
	h := &fixture{Fixture: webtest.New(t, t0, mfatest.Options{}, provider.Options{Issuer: origin})}
	row, err := h.Keyring.NewKey("dialect", seal.DialectAlg, h.Now())
	h.OK(err)
	h.OK(h.Store.AddKeys(ctx, []storage.Key{row}, false, nil))
	rows, err := h.Store.Keys(ctx, h.Now())
	h.OK(err)
	h.OK(h.Keyring.Load(rows, h.Now()))
	h.keys = apikeys.New(h.Store, h.Journal, h.Now, rand.Reader, "test", h.Logger())
	h.key, h.secret = h.newKey("backend", project, apikeys.VerbRead, apikeys.VerbWrite)
	codes := passcode.Options{Product: "Harbour", Toll: func(number string) (storage.Toll, bool) {
		return storage.Toll{Country: "US", Max: 1000, Free: 1000, Ratio: 2}, !strings.HasPrefix(number, "+881")
	}}
	v := exchange.NewVerifier(h.Store, h.Keyring, h.Journal, h.Now, rand.Reader, exchange.Options{Product: "Harbour", AddressMax: -1},
		h.Password, h.TOTP, h.Recovery, passcode.NewEmail(h.Keyring, rand.Reader, codes), passcode.NewSMS(h.Keyring, rand.Reader, codes))
	h.backend = backend.New(h.Store, v, h.Sessions, h.Users, h.Journal, h.Now, rand.Reader, backend.Options{Product: "Harbour"})
	h.surface = New(h.backend, h.keys, h.Journal, h.Keyring, h.Now, rand.Reader, Options{Issuer: origin, Environment: "test"})
	h.Serve(nil, append([]web.Surface{h.surface}, more...)...)
	return h
}

// newKey creates a key and returns it with its secret.
func (h *fixture) newKey(name, project string, verbs ...string) (storage.APIKey, string) {
	h.T.Helper()
	k, secret, err := h.keys.Create(context.Background(), mfa.Caller{}, apikeys.Operator(),
		apikeys.Draft{Name: name, Dialects: []string{apikeys.DialectStytch}, Verbs: verbs, Project: project})
	h.OK(err)
	return k, secret
}

// reply is a response.
type reply struct {
	h    *fixture
	code int
	raw  string
	w    *httptest.ResponseRecorder
	body map[string]any
}

// documentation is the description, read once for all tests.
var documentation = sync.OnceValues(func() (*openapi3.T, error) { return webtest.Description("openapi.yaml") })

// exercised are the operations of the description that a test has called with success.
var exercised sync.Map

// call makes a call with the credentials of project and validates the response.
func (h *fixture) call(verb, path, body string) reply {
	h.T.Helper()
	r := request(verb, path, body)
	r.SetBasicAuth(project, h.secret)
	return h.do(r)
}

// post is call for names and values.
func (h *fixture) post(path string, pairs ...any) reply {
	h.T.Helper()
	members := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(members)
	h.OK(err)
	return h.call(http.MethodPost, path, string(text))
}

func request(verb, path, body string) *http.Request {
	r := httptest.NewRequest(verb, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (h *fixture) do(r *http.Request) reply {
	h.T.Helper()
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	out := reply{h: h, code: w.Code, raw: w.Body.String(), w: w}
	if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
		h.T.Fatalf("%s %s: %d %s: %v", r.Method, r.URL.Path, w.Code, w.Body, err)
	}
	if out.body["status_code"] != float64(w.Code) || !requestID.MatchString(out.get("request_id")) {
		h.T.Errorf("%s %s: envelope of %d %s", r.Method, r.URL.Path, w.Code, w.Body)
	}
	if described := out.get("error_type"); described != "route_not_found" && described != "method_not_allowed" {
		doc, err := documentation()
		h.OK(err)
		path := webtest.Validate(h.T, doc, webtest.Response{Method: r.Method, Path: r.URL.Path, Code: w.Code, Header: w.Header(), Raw: w.Body.Bytes()})
		if w.Code == http.StatusOK {
			exercised.Store(r.Method+" "+path, true)
		}
	}
	return out
}

var requestID = regexp.MustCompile(`^request-id-test-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// get returns a text by its path, such as "user.emails.0.email_id".
func (r reply) get(path string) string { text, _ := r.at(path).(string); return text }

// at returns a value by its path.
func (r reply) at(path string) any {
	var value any = r.body
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// ok checks for success.
func (r reply) ok() reply {
	r.h.T.Helper()
	if r.code != http.StatusOK {
		r.h.T.Fatalf("response = %d %s\n%s", r.code, r.raw, r.h.logged())
	}
	return r
}

// logged returns the end of the log.
func (h *fixture) logged() string {
	text := h.Log.String()
	return text[max(0, len(text)-1000):]
}

// refused checks for a refusal.
func (r reply) refused(status int, kind string) reply {
	r.h.T.Helper()
	if r.code != status || r.get("error_type") != kind || r.get("error_message") == "" ||
		r.get("error_url") != origin+described+"#"+kind || r.w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		r.h.T.Fatalf("response = %d %s, want %d %s\n%s", r.code, r.raw, status, kind, r.h.logged())
	}
	if !strings.Contains(r.h.Log.String(), r.get("request_id")) {
		r.h.T.Errorf("the log does not have the request ID of %s", r.raw)
	}
	return r
}

// user creates a user with an e-mail address and returns its ID.
func (h *fixture) user(name string) string {
	h.T.Helper()
	return h.post("/v1/users", "email", name+"@example.com").ok().get("user_id")
}

// app is a TOTP instance.
type app struct {
	user, id, secret string
	codes            []string
}

// newApp creates a TOTP instance of a user, not yet verified.
func (h *fixture) newApp(user string) app {
	h.T.Helper()
	r := h.post("/v1/totps", "user_id", user).ok()
	a := app{user, r.get("totp_id"), r.get("secret"), nil}
	for _, code := range r.at("recovery_codes").([]any) {
		a.codes = append(a.codes, code.(string))
	}
	return a
}

// verifiedApp is newApp with its first code used, half a minute ago.
func (h *fixture) verifiedApp(user string) app {
	h.T.Helper()
	a := h.newApp(user)
	h.prove(a).ok()
	h.Wait(30 * time.Second)
	return a
}

// prove sends the current code of a TOTP instance.
func (h *fixture) prove(a app, pairs ...any) reply {
	h.T.Helper()
	return h.post("/v1/totps/authenticate", append([]any{"user_id", a.user, "totp_code", h.Code(a.secret)}, pairs...)...)
}

// wrong returns a code that no step near now has.
func (h *fixture) wrong(a app) string {
	right := map[string]bool{}
	for d := -5 * time.Minute; d < 5*time.Minute; d += 30 * time.Second {
		right[h.Services.Code(a.secret, h.Now().Add(d))] = true
	}
	for _, code := range []string{"000000", "111111", "222222", "333333"} {
		if !right[code] {
			return code
		}
	}
	return "444444"
}

// sent returns the code that was sent to an address last.
func (h *fixture) sent(to string) string {
	h.T.Helper()
	code, n := h.SentCode(to)
	if n == 0 {
		h.T.Fatalf("no code was sent to %s", to)
	}
	return code
}
