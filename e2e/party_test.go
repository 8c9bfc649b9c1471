package e2e

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// party is an application that uses the most common Go libraries.
type party struct {
	t        *testing.T
	stage    *stage
	oauth    oauth2.Config
	provider *oidc.Provider
	verifier string
	state    string
	nonce    string
}

func newParty(t *testing.T, s *stage, id, redirect, secret string, scopes ...string) *party {
	t.Helper()
	provider, err := oidc.NewProvider(context.Background(), s.issuer)
	if err != nil {
		t.Fatal(err)
	}
	if scopes == nil {
		scopes = []string{"openid", "profile", "email"}
	}
	return &party{t: t, stage: s, provider: provider, verifier: oauth2.GenerateVerifier(), state: random(16), nonce: random(16),
		oauth: oauth2.Config{ClientID: id, ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: redirect, Scopes: scopes}}
}

func (a *party) start(options ...oauth2.AuthCodeOption) string {
	options = append(options, oauth2.S256ChallengeOption(a.verifier), oidc.Nonce(a.nonce))
	return a.oauth.AuthCodeURL(a.state, options...)
}

// tokens exchanges the code that arrived and verifies the ID token.
func (a *party) tokens(p *person) (*oauth2.Token, *oidc.IDToken, claims) {
	a.t.Helper()
	q := p.sent()
	if q.Get("state") != a.state || q.Get("iss") != a.stage.issuer {
		a.t.Fatalf("response %v, want state %q and iss %q", q, a.state, a.stage.issuer)
	}
	token, err := a.oauth.Exchange(context.Background(), q.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		a.t.Fatalf("exchange of %v: %v", q, err)
	}
	id, c := a.verify(token)
	return token, id, c
}

type claims struct {
	Nonce    string   `json:"nonce"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
	AuthTime int64    `json:"auth_time"`
	SID      string   `json:"sid"`
}

func (a *party) verify(token *oauth2.Token) (*oidc.IDToken, claims) {
	a.t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := a.provider.Verifier(&oidc.Config{ClientID: a.oauth.ClientID,
		SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256}}).Verify(context.Background(), raw)
	if err != nil {
		a.t.Fatalf("ID token %q: %v", raw, err)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		a.t.Fatal(err)
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		a.t.Fatal(err)
	}
	return id, c
}

func (a *party) refresh(token string) (*oauth2.Token, error) {
	return a.oauth.TokenSource(context.Background(), &oauth2.Token{RefreshToken: token}).Token()
}

// active calls the introspection endpoint (RFC 7662).
func (a *party) active(token string) bool {
	a.t.Helper()
	r, err := http.NewRequest(http.MethodPost, a.stage.issuer+"/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(a.oauth.ClientID, a.oauth.ClientSecret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	return decode(a.t, response)["active"] == true
}
