package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// rivals are two issuers with clients of the same names, keys and secrets. The first is two servers on
// one database.
type rivals struct {
	t          *testing.T
	a, twin, b *stage
	key        *ecdsa.PrivateKey // of the client "keys"
	trap       string            // an address in headers of tokens
	called     atomic.Int64      // connections to it
}

// TestCodesAndTokensInTheWrongPlace sends what two issuers issued to where it does not belong.
//
// Conformance (Attacks): RFC 7523 3, RFC 9700 2.5: a client assertion is used once by all servers of an issuer, and by no other issuer
// Conformance (Attacks): RFC 9207 2, RFC 9700 4.4: a code of one issuer is of no use at another one that a client was mixed up with, and `iss` shows whose it is
// Conformance (Attacks): RFC 9700 4.5, RFC 7636 4.6: a code is of no use to another client, with another redirect URI, or with the verifier of another session; none of that uses it up
// Conformance (Attacks): OpenID Connect Core 3.1.3.7, 15.5.2: without PKCE the `nonce` of the ID token is that of the session that the code was pasted from
// Conformance (Attacks): RFC 9068 4, RFC 8725 3.11, 3.12: an ID token, a code and a refresh token are no access tokens, and an access token is neither
// Conformance (Attacks): RFC 9700 2.3, 4.14: tokens of one issuer or client are of no use to another, which also ends none
// Conformance (Attacks): RFC 8725 2.1, 2.2, 3.1, 3.10, RFC 7515 10.7: what a header says of algorithm and key counts for nothing: `none`, HMAC with the public key, `jwk`, `jku`, `x5u`, a `kid` that is a path, SQL or an address
func TestCodesAndTokensInTheWrongPlace(t *testing.T) {
	t.Parallel()
	r := newRivals(t)
	r.assertions()
	t.Run("codes", r.codes)
	t.Run("tokens", r.tokens)
	t.Run("signatures", r.signatures)
	for _, s := range []*stage{r.a, r.twin, r.b} {
		if text := s.log.String(); strings.Contains(text, `"msg":"panic"`) || strings.Contains(text, "DATA RACE") {
			t.Errorf("a server logged: %s", text)
		}
	}
}

func newRivals(t *testing.T) *rivals {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "first", Use: "sig", Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rivals{t: t, key: key}
	secret, signs := random(32), json.RawMessage(nil)
	set := func(engine string) *stage {
		dir := t.TempDir()
		s := setStageWith(t, dir, engineDSN(t, dir, engine), func(s *stage) string {
			s.secret = secret
			text := s.state(0, 4)
			if signs != nil { // both issuers know one key
				own, theirs := publicOf(t, s.clientKey), publicOf(t, signs)
				text, s.clientKey = strings.Replace(text, own, theirs, 1), signs
			}
			signs = s.clientKey
			return strings.Replace(text, "clients:\n", fmt.Sprintf("clients:\n  - client_id: keys\n    token_endpoint_auth_method: private_key_jwt\n"+
				"    jwks: {keys: [%s]}\n    grant_types: [client_credentials]\n    scopes: [reports]\n", public), 1)
		})
		s.serve(t)
		return s
	}
	r.a, r.b = set("postgres"), set("sqlite")
	port := freePort(t)
	r.twin = &stage{issuer: fmt.Sprintf("http://localhost:%d", port), config: r.a.config, log: &lines{},
		env: []string{fmt.Sprintf("SALLYPORT_LISTEN=127.0.0.1:%d", port), fmt.Sprintf("SALLYPORT_ADMIN_LISTEN=127.0.0.1:%d", freePort(t))}}
	r.twin.serve(t)
	trap, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trap.Close() })
	go func() {
		for {
			c, err := trap.Accept()
			if err != nil {
				return
			}
			r.called.Add(1)
			c.Close()
		}
	}()
	r.trap = "http://" + trap.Addr().String() + "/keys"
	return r
}

func publicOf(t *testing.T, private []byte) string {
	t.Helper()
	var key jose.JSONWebKey
	if err := json.Unmarshal(private, &key); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// post sends a form, with the credentials of a client if it has an ID.
func post(t *testing.T, address, id, secret string, form ...string) (int, map[string]any) {
	t.Helper()
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(v.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		r.SetBasicAuth(id, secret)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, decode(t, response)
}

// userinfo returns the status for a token.
func userinfo(t *testing.T, issuer, token string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, issuer+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// refusedAt sends a form to a token endpoint and wants an error.
func (r *rivals) refusedAt(t *testing.T, what string, s *stage, id, want string, form ...string) {
	t.Helper()
	code, body := post(t, s.issuer+"/token", id, s.secret, form...)
	if code < 400 || code > 401 || body["error"] != want || body["access_token"] != nil {
		t.Errorf("%s = %d %v, want %s", what, code, body, want)
	}
}

// codes are pasted into other requests and sessions.
func (r *rivals) codes(t *testing.T) {
	u := r.a.user(t, false)
	mine := newParty(t, r.a, "web", webRedirect, r.a.secret, "openid", "offline_access")
	q := newPerson(t, r.a.issuer).open(mine.start()).signIn(u).sent()
	code := q.Get("code")
	if q.Get("iss") != r.a.issuer || q.Get("iss") == r.b.issuer {
		t.Errorf("iss = %q, want %s", q.Get("iss"), r.a.issuer)
	}
	other := newParty(t, r.a, "web", webRedirect, r.a.secret)
	newPerson(t, r.a.issuer).open(other.start()).signIn(u).sent() // its code is not redeemed
	form := func(changes ...string) []string {
		return append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", webRedirect, "code_verifier", mine.verifier}, changes...)
	}
	r.refusedAt(t, "another issuer", r.b, "web", "invalid_grant", form()...)
	r.refusedAt(t, "another client", r.a, "post", "invalid_client", form()...) // client_secret_post
	r.refusedAt(t, "another client", r.a, "fast", "invalid_grant", form()...)
	r.refusedAt(t, "another client with its own redirect URI", r.a, "fast", "invalid_grant", form("redirect_uri", webRedirect+"/fast")...)
	r.refusedAt(t, "another redirect URI", r.a, "web", "invalid_grant", form("redirect_uri", webRedirect+"/post")...)
	r.refusedAt(t, "a longer redirect URI", r.a, "web", "invalid_grant", form("redirect_uri", webRedirect+"?x=1")...)
	r.refusedAt(t, "the verifier of another session", r.a, "web", "invalid_grant", form("code_verifier", other.verifier)...)
	r.refusedAt(t, "no verifier", r.a, "web", "invalid_grant", form("code_verifier", "")...)
	r.refusedAt(t, "a code as a refresh token", r.a, "web", "invalid_grant", "grant_type", "refresh_token", "refresh_token", code)
	if status := userinfo(t, r.a.issuer, code); status != 401 {
		t.Errorf("a code as an access token = %d", status)
	}
	status, body := post(t, r.twin.issuer+"/token", "web", r.a.secret, form()...)
	if status != 200 || body["id_token"] == nil {
		t.Fatalf("after all that the code = %d %v", status, body)
	}

	// A code that an attacker pastes into another session of a client without PKCE.
	pasted := newParty(t, r.a, "post", webRedirect+"/post", r.a.secret)
	start := func(nonce string) string { return pasted.oauth.AuthCodeURL(random(16), oidc.Nonce(nonce)) }
	q = newPerson(t, r.a.issuer).open(start("of-the-attacker")).signIn(u).sent()
	status, body = post(t, r.a.issuer+"/token", "", "", "grant_type", "authorization_code", "client_id", "post", "client_secret", r.a.secret, "code", q.Get("code"), "redirect_uri", webRedirect+"/post")
	raw, _ := body["id_token"].(string)
	if _, c := pasted.verify((&oauth2.Token{AccessToken: fmt.Sprint(body["access_token"])}).WithExtra(map[string]any{"id_token": raw})); status != 200 || c.Nonce != "of-the-attacker" {
		t.Errorf("the pasted code = %d with nonce %q", status, c.Nonce)
	}
}

// tokens are taken for others.
func (r *rivals) tokens(t *testing.T) {
	mine := newParty(t, r.a, "web", webRedirect, r.a.secret, "openid", "offline_access")
	token, _, _ := mine.tokens(newPerson(t, r.a.issuer).open(mine.start()).signIn(r.a.user(t, false)))
	id, _ := token.Extra("id_token").(string)
	if got := userinfo(t, r.a.issuer, token.AccessToken); got != 200 {
		t.Fatalf("userinfo = %d", got)
	}
	for what, text := range map[string]string{"an ID token": id, "a refresh token": token.RefreshToken} {
		if got := userinfo(t, r.a.issuer, text); got != 401 {
			t.Errorf("%s at userinfo = %d, want 401", what, got)
		}
	}
	if mine.active(id) {
		t.Error("an ID token is active")
	}
	for what, text := range map[string]string{"an ID token": id, "an access token": token.AccessToken} {
		r.refusedAt(t, what+" as a refresh token", r.a, "web", "invalid_grant", "grant_type", "refresh_token", "refresh_token", text)
	}
	hint := newPerson(t, r.a.issuer)
	if q := hint.open(mine.start(oauth2.SetAuthURLParam("prompt", "none"), oauth2.SetAuthURLParam("id_token_hint", token.AccessToken))).sent(); q.Get("error") != "invalid_request" {
		t.Errorf("an access token as a hint = %v", q)
	}
	if got := userinfo(t, r.b.issuer, token.AccessToken); got != 401 {
		t.Errorf("at another issuer = %d, want 401", got)
	}
	theirs := newParty(t, r.b, "web", webRedirect, r.b.secret)
	if theirs.active(token.AccessToken) || theirs.active(token.RefreshToken) {
		t.Error("active at another issuer")
	}
	refresh := []string{"grant_type", "refresh_token", "refresh_token", token.RefreshToken}
	r.refusedAt(t, "a refresh token at another issuer", r.b, "web", "invalid_grant", refresh...)
	r.refusedAt(t, "a refresh token of another client", r.a, "fast", "invalid_grant", refresh...)
	for _, at := range []struct {
		stage *stage
		id    string
	}{{r.b, "web"}, {r.a, "fast"}} { // RFC 7009 section 2.1
		q, err := http.NewRequest(http.MethodPost, at.stage.issuer+"/revoke", strings.NewReader(url.Values{"token": {token.RefreshToken}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.SetBasicAuth(at.id, at.stage.secret)
		response, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if _, err := mine.refresh(token.RefreshToken); err != nil {
		t.Errorf("the refresh token after all that: %v", err)
	}
}

// assertions are used once, whichever server gets them.
func (r *rivals) assertions() {
	t := r.t
	signed := func(aud string) string {
		now := time.Now().Unix()
		text, err := json.Marshal(map[string]any{"iss": "keys", "sub": "keys", "aud": aud, "jti": random(16), "iat": now, "exp": now + 60})
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: r.key}, (&jose.SignerOptions{}).WithHeader("kid", "first"))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign(text)
		if err != nil {
			t.Fatal(err)
		}
		out, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	send := func(s *stage, assertion string) (int, map[string]any) {
		return post(t, s.issuer+"/token", "", "", "grant_type", "client_credentials", "scope", "reports",
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion)
	}
	once := signed(r.a.issuer)
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			if code, _ := send([]*stage{r.a, r.twin}[i%2], once); code == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("an assertion was used %d times by two servers, want once", won.Load())
	}
	if code, body := send(r.b, signed(r.a.issuer)); code != 401 || body["error"] != "invalid_client" {
		t.Errorf("an assertion for another issuer = %d %v", code, body)
	}
	if code, body := send(r.b, signed(r.b.issuer)); code != 200 {
		t.Errorf("an assertion for this one = %d %v", code, body)
	}
}
