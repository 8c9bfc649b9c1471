package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/e2e/play"
	"sallyport/storage"
)

// surfaces is a server in this process that browsers, pages written for cidaas and backends of
// both dialects call. Its clock can be moved.
type surfaces struct {
	*stage
	*testing.T
	server   servertest.Server
	clock    *servertest.Clock
	settings string
	stytch   *caller
	bird     *caller // Streambird
}

// phoneNumber is the phone number of the user texter.
const phoneNumber = "+14155552222"

var texter = play.NewUser("texter", false)

// onSurfaces runs a test on both databases.
func onSurfaces(t *testing.T, test func(s *surfaces)) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		servertest.AppendSettings(t, settings, `
sms: {countries: ["*"]}
code_factors: [email, sms]
outbox_file: `+t.TempDir()+`/outbox
throttle: {address_failures: 100000, address_users: 100000}
limits: {opens: 0, initiations: 0, names: 0, failures: 0, refusals: 0, calls: 0}
`)
		s := &surfaces{stage: &stage{secret: random(32), free: map[bool][]user{}, log: &lines{}}, T: t, settings: settings, clock: new(servertest.Clock)}
		o := servertest.Options(t, settings, s.clock)
		s.server = servertest.Server{Server: servertest.Open(t, o), T: t}
		s.issuer, s.pages = o.Config.Issuer, "http://127.0.0.1:9"
		project, secret, key := "project-test-"+storage.FromBytes[string]([16]byte([]byte(random(8)))), "secret-test-"+random(20), random(32)
		servertest.Apply(t, settings, strings.Replace(s.state(3, 0), "clients:\n", shop, 1)+
			texter.State()+fmt.Sprintf("    phone_number: %q\n    phone_number_verified: true\n", phoneNumber)+
			fmt.Sprintf("api_keys:\n  - {name: stytch, dialects: [stytch], verbs: [read, write], project: %s, secret: %s}\n  - {name: streambird, dialects: [streambird], verbs: [read, write], secret: %s}\n", project, secret, key))
		s.server.Poll()
		s.listen(strings.TrimPrefix(s.issuer, "http://"))
		s.stytch, s.bird = newCaller(t, s.issuer), newCaller(t, s.issuer)
		s.stytch.header.Set("Authorization", basic(project, secret))
		s.bird.header.Set("Authorization", "Bearer "+key)
		test(s)
	})
}

// listen serves at the address of the issuer.
func (s *surfaces) listen(address string) {
	s.Helper()
	l, err := (&net.ListenConfig{}).Listen(s.Context(), "tcp", address)
	if err != nil {
		s.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s.server.Handler)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	s.Cleanup(server.Close)
}

// post sends a JSON body with members of any type.
func (c *caller) post(path string, body any) reply {
	c.t.Helper()
	return c.send(http.MethodPost, path, body)
}

func (c *caller) send(verb, path string, body any) reply {
	c.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(verb, path, "application/json", string(text))
}

// into decodes a response of 200.
func (r reply) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.is(t, http.StatusOK).text), v); err != nil {
		t.Fatalf("%v in %s", err, r.text)
	}
}

// ids are the IDs of a user in both dialects.
type ids struct{ stytch, bird string }

// ids finds a user by e-mail address.
func (s *surfaces) ids(email string) ids {
	s.Helper()
	var found struct {
		Users, Results []struct {
			ID string `json:"user_id"`
		}
	}
	type object = map[string]any
	s.bird.post("/v1/auth/users/search", object{"filters": object{"operator": "AND", "fields": []object{{"field": "email", "operator": "eq", "value": email}}}}).into(s.T, &found)
	s.stytch.post("/v1/users/search", object{"query": object{"operator": "AND", "operands": []object{{"filter_name": "email_address", "filter_value": []string{email}}}}}).into(s.T, &found)
	if len(found.Users) != 1 || len(found.Results) != 1 {
		s.Fatalf("found %+v, want one user", found)
	}
	return ids{found.Results[0].ID, found.Users[0].ID}
}

// totp returns the code of the current step, which no earlier call returned.
func (s *surfaces) totp(u user) string {
	s.Helper()
	s.clock.Move(time.Minute)
	return totpAt(s.T, u.totp, s.clock.Now().Unix()/30)
}

// atMFA returns a browser in a login whose password is proven.
func (s *surfaces) atMFA(u user) *person {
	s.Helper()
	a := newParty(s.T, s.stage, "bank", bankRedirect, "")
	return newPerson(s.T, s.issuer).open(a.start()).signIn(u).at("/mfa")
}

// generate opens a login at a client's page written for cidaas.
func (c *caller) generate(client string) string {
	c.t.Helper()
	return c.json("/authz-srv/authrequest/authz/generate", "client_id", client, "redirect_uri", shopRedirect, "response_type", "code", "scope", "openid",
		"state", random(16), "nonce", random(16), "code_challenge", strings.Repeat("c", 43), "code_challenge_method", "S256").is(c.t, http.StatusOK).at(c.t, "data", "requestId")
}

// exchange begins a try at a factor through cidaas, without a password.
func (s *surfaces) exchange(method, email string) (c *caller, exchange string) {
	s.Helper()
	c = newCaller(s.T, s.issuer)
	return c, c.json("/verification-srv/v2/authenticate/initiate/"+method, "usage_type", "PASSWORDLESS_AUTHENTICATION", "request_id", c.generate("shop"),
		"type", method, "processingType", "CODE", "email", email).is(s.T, http.StatusOK).at(s.T, "data", "exchange_id", "exchange_id")
}

// second begins a try at a second factor through cidaas, after the password.
func (s *surfaces) second(method string, u user) (c *caller, exchange string) {
	s.Helper()
	c = newCaller(s.T, s.issuer)
	request := c.generate("mall")
	to := c.form("/login-srv/login", "requestId", request, "username", u.name, "password", u.password).is(s.T, http.StatusSeeOther).location
	for to.Host == strings.TrimPrefix(s.issuer, "http://") {
		to = c.do(http.MethodGet, to.RequestURI(), "", "").location
	}
	return c, c.json("/verification-srv/v2/authenticate/initiate/"+method, "usage_type", "MULTIFACTOR_AUTHENTICATION", "request_id", request,
		"type", method, "sub", to.Query().Get("sub")).is(s.T, http.StatusOK).at(s.T, "data", "exchange_id", "exchange_id")
}

// lastCode returns the code that was sent last.
func (s *surfaces) lastCode() string {
	s.Helper()
	list, err := s.server.Store.ListMessages(s.Context(), storage.MessageFilter{Now: s.clock.Now(), Limit: 20})
	if err != nil {
		s.Fatal(err)
	}
	for _, m := range list {
		full, err := s.server.Store.Message(s.Context(), m.ID)
		if err != nil {
			s.Fatal(err)
		}
		if code := full.Data["code"]; code != "" {
			return code
		}
	}
	s.Fatal("no code was sent")
	return ""
}
