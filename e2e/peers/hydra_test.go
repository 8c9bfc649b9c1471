package peers

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/e2e/load"
	"sallyport/e2e/play"
)

// hydra is Ory Hydra; the directive is its go.mod's own replacement.
var hydra = play.Program{Name: "hydra", Variable: "HYDRA", Version: "v2.3.0", Command: "github.com/ory/hydra/v2",
	With: []string{"replace github.com/gobuffalo/pop/v6 => github.com/ory/pop/v6 v6.2.1-0.20241121111754-e5dfc0f3344b"}, Cgo: "0"}

const (
	hydraLogin   = "http://127.0.0.1:9/login"
	hydraConsent = "http://127.0.0.1:9/consent"
)

func startHydra(b *testing.B, db *database) (*peer, error) {
	program, version, err := hydra.Path()
	if err != nil {
		return nil, err
	}
	dsn, err := db.create("hydra")
	if err != nil {
		return nil, err
	}
	on := &process{addr: load.FreeAddress(b), admin: load.FreeAddress(b)}
	settings, err := hydraSettings(on, dsn+"&max_conns=20&max_idle_conns=20")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.TempDir(), "hydra.json")
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.Command(program, "migrate", "sql", "up", "-e", "--yes", "-c", file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("hydra migrate: %w\n%s", err, out)
	}
	if err := launch(b, on, "http://"+on.admin+"/health/ready", nil, program, "serve", "all", "--dev", "--sqa-opt-out", "-c", file); err != nil {
		return nil, err
	}
	e := endpoints{discovery: "/.well-known/openid-configuration", authorize: "/oauth2/auth", token: "/oauth2/token", introspection: "/admin/oauth2/introspect", userinfo: "/userinfo",
		scope: "openid profile email offline_access", alg: "ES256"}
	if err := seedHydra(on, e); err != nil {
		return nil, err
	}
	people := newPeople(256)
	p := &peer{version: version, on: on, flows: e.flows(func(v *visit) (tokens, error) {
		v.Forget()
		r, err := v.Open(e.authorization(nil))
		if err == nil {
			r, err = v.accept(r, "login", hydraLogin, map[string]any{"subject": people.next()})
		}
		if err == nil {
			r, err = v.accept(r, "consent", hydraConsent, map[string]any{"grant_scope": strings.Fields(e.scope),
				"session": map[string]any{"id_token": map[string]any{"name": "Bench", "email": "bench@example.com", "email_verified": true}}})
		}
		if err != nil {
			return tokens{}, err
		}
		return e.exchange(v, r)
	})}
	public := p.flows[introspection]
	p.flows[introspection] = flow{ready: public.ready, do: func(v *visit) error {
		r, err := v.admin.Post(e.introspection, url.Values{"token": {v.held.Access}})
		return contains(`"active":true`, r, err)
	}}
	return p, nil
}

// accept accepts what Hydra asks its login application, and returns to Hydra.
func (v *visit) accept(r load.Response, what, app string, decision map[string]any) (load.Response, error) {
	at, err := url.Parse(r.Location)
	challenge := at.Query().Get(what + "_challenge")
	if err != nil || !strings.HasPrefix(r.Location, app) || challenge == "" {
		return r, fmt.Errorf("%d to %q: no request for %s: %s", r.Code, r.Location, what, r.Text())
	}
	text, err := json.Marshal(decision)
	if err != nil {
		return r, err
	}
	accepted, err := v.admin.Do("PUT", "/admin/oauth2/auth/requests/"+what+"/accept?"+url.Values{what + "_challenge": {challenge}}.Encode(), string(text), "Content-Type: application/json")
	if err := want(200, accepted, err); err != nil {
		return r, err
	}
	var next struct {
		To string `json:"redirect_to"`
	}
	if err := json.Unmarshal(accepted.Body, &next); err != nil {
		return r, err
	}
	return v.Follow(load.Response{Code: 303, Location: next.To}, nil)
}

// seedHydra replaces the keys with ES256 ones and registers the client.
func seedHydra(on *process, e endpoints) error {
	if err := on.resume(); err != nil {
		return err
	}
	defer on.pause()
	admin, err := load.Dial(on.admin)
	if err != nil {
		return err
	}
	defer admin.Close()
	call := func(code int, method, path string, body any) error {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r, err := admin.Do(method, path, string(text), "Content-Type: application/json")
		return want(code, r, err)
	}
	for _, set := range []string{"hydra.openid.id-token", "hydra.jwt.access-token"} {
		if err := call(204, "DELETE", "/admin/keys/"+set, nil); err != nil {
			return err
		}
		if err := call(201, "POST", "/admin/keys/"+set, map[string]string{"alg": "ES256", "use": "sig", "kid": "es256"}); err != nil {
			return err
		}
	}
	return call(201, "POST", "/admin/clients", map[string]any{"client_id": clientID, "client_secret": clientSecret, "redirect_uris": []string{redirectURI},
		"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}, "response_types": []string{"code"}, "scope": e.scope,
		"token_endpoint_auth_method": "client_secret_basic", "skip_consent": false})
}

func hydraSettings(on *process, dsn string) ([]byte, error) {
	serve := map[string]any{}
	for name, addr := range map[string]string{"public": on.addr, "admin": on.admin} {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		serve[name] = map[string]any{"host": host, "port": json.Number(port), "request_log": map[string]bool{"disable_for_health": true}}
	}
	return json.Marshal(map[string]any{
		"dsn": dsn, "dev": true, "serve": serve,
		"log":        map[string]string{"level": "error"},
		"urls":       map[string]any{"self": map[string]string{"issuer": "http://" + on.addr}, "login": hydraLogin, "consent": hydraConsent},
		"secrets":    map[string]any{"system": []string{"a secret of the comparison, nothing else"}},
		"strategies": map[string]string{"access_token": "jwt"},
		"oauth2":     map[string]any{"hashers": map[string]any{"algorithm": "pbkdf2", "pbkdf2": map[string]int{"iterations": 1}}},
		"ttl":        map[string]string{"access_token": "10m", "id_token": "10m"},
	})
}
