package peers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"sallyport/e2e/load"
)

const (
	clientID     = "bench"
	clientSecret = "a-client-secret-of-the-benchmark-with-length"
	redirectURI  = "http://127.0.0.1:9/callback"
	userPassword = "correct horse battery staple"
	codeVerifier = "a-verifier-that-is-long-enough-for-rfc-7636-and-fixed"
)

// endpoints are the paths of a provider, and what it calls things.
type endpoints struct {
	discovery, authorize, token, introspection, userinfo string
	scope                                                string
	alg                                                  string // of ID tokens, which every login checks
	client                                               string // "": clientID
}

// tokens is the used part of a token response.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

func (e endpoints) basic() string {
	id := e.client
	if id == "" {
		id = clientID
	}
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+clientSecret))
}

// authorization returns the path that begins a login.
func (e endpoints) authorization(more url.Values) string {
	sum := sha256.Sum256([]byte(codeVerifier))
	q := url.Values{"client_id": {clientID}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "scope": {e.scope},
		"state": {"0123456789abcdef"}, "nonce": {"fedcba9876543210"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	if e.client != "" {
		q.Set("client_id", e.client)
	}
	for name := range more {
		q.Set(name, more.Get(name))
	}
	return e.authorize + "?" + q.Encode()
}

// exchange exchanges the code with which a login ended.
func (e endpoints) exchange(v *visit, r load.Response) (tokens, error) {
	back, err := url.Parse(r.Location)
	if err != nil || !strings.HasPrefix(r.Location, redirectURI) || back.Query().Get("code") == "" || back.Query().Get("state") != "0123456789abcdef" {
		return tokens{}, fmt.Errorf("the login ended with %d at %q: %s", r.Code, r.Location, r.Text())
	}
	return e.tokens(v, url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"redirect_uri": {redirectURI}, "code_verifier": {codeVerifier}}, true)
}

// tokens makes a token request. A response with user must have all three tokens.
func (e endpoints) tokens(v *visit, form url.Values, user bool) (tokens, error) {
	var t tokens
	r, err := v.Post(e.token, form, e.basic())
	if err := want(200, r, err); err != nil {
		return t, err
	}
	if err := json.Unmarshal(r.Body, &t); err != nil {
		return t, err
	}
	switch {
	case t.Access == "" || user && t.Refresh == "":
		return t, fmt.Errorf("a token is missing: %s", r.Text())
	case user && algorithm(t.ID) != e.alg:
		return t, fmt.Errorf("the ID token is signed with %q, want %s", algorithm(t.ID), e.alg)
	case !user && algorithm(t.Access) != e.alg:
		return t, fmt.Errorf("the access token is signed with %q, want %s", algorithm(t.Access), e.alg)
	}
	return t, nil
}

// algorithm returns that of a JWT's signature.
func algorithm(jwt string) string {
	head, _, _ := strings.Cut(jwt, ".")
	text, _ := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Alg string `json:"alg"`
	}
	_ = json.Unmarshal(text, &header)
	return header.Alg
}

// flows returns the flows that every provider has in the same way, by its endpoints, and the
// given login.
func (e endpoints) flows(signIn func(*visit) (tokens, error)) map[string]flow {
	hold := func(v *visit) (err error) { v.held, err = signIn(v); return err }
	out := map[string]flow{
		login: {do: hold},
		discovery: {do: func(v *visit) error {
			r, err := v.Get(e.discovery)
			return contains(`"token_endpoint"`, r, err)
		}},
		clientCredentials: {do: func(v *visit) error {
			_, err := e.tokens(v, url.Values{"grant_type": {"client_credentials"}}, false)
			return err
		}},
		refresh: {ready: hold, do: func(v *visit) (err error) {
			v.held, err = e.tokens(v, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.held.Refresh}}, true)
			return err
		}},
		introspection: {ready: hold, do: func(v *visit) error {
			r, err := v.Post(e.introspection, url.Values{"token": {v.held.Access}}, e.basic())
			return contains(`"active":true`, r, err)
		}},
		userinfo: {ready: hold, do: func(v *visit) error {
			r, err := v.Get(e.userinfo, "Authorization: Bearer "+v.held.Access)
			return contains(`"sub"`, r, err)
		}},
	}
	return out
}

func want(code int, r load.Response, err error) error {
	if err == nil && r.Code != code {
		err = fmt.Errorf("status %d, want %d: %s", r.Code, code, r.Text())
	}
	return err
}

// contains requires 200 and a text in the body.
func contains(text string, r load.Response, err error) error {
	if err := want(200, r, err); err != nil {
		return err
	}
	if !bytes.Contains(r.Body, []byte(text)) {
		return fmt.Errorf("%s is missing: %s", text, r.Text())
	}
	return nil
}
