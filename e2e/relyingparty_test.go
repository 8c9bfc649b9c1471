package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/client/tokenexchange"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

// relying is a stage with applications of zitadel/oidc and go-oidc: a server for the pages of the
// first, and for the logout tokens of both.
type relying struct {
	*stage
	key   []byte                                 // of the client "keyed", PEM
	heard chan string                            // logout tokens
	got   chan *oidc.Tokens[*oidc.IDTokenClaims] // at a callback
	pages *http.ServeMux                         // of applications
}

const deviceGrant, exchangeGrant = "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"

func newRelying(t *testing.T, engine string) relying {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r := relying{key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), heard: make(chan string, 16),
		got: make(chan *oidc.Tokens[*oidc.IDTokenClaims], 1), pages: http.NewServeMux()}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "first"}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r.stage = setStageWith(t, dir, engineDSN(t, dir, engine), func(s *stage) string {
		var b strings.Builder
		for id, more := range map[string]string{
			"secret": fmt.Sprintf("grant_types: [authorization_code, refresh_token], client_secret: %q", s.secret),
			"keyed": fmt.Sprintf("grant_types: [authorization_code, refresh_token, %q, %q], token_endpoint_auth_method: private_key_jwt, jwks: %s, token_exchange_subject_clients: [keyed], token_exchange_audiences: [\"https://orders.example\"], token_exchange_scopes: [email]",
				deviceGrant, exchangeGrant, set),
		} {
			fmt.Fprintf(&b, "  - {client_id: %s, redirect_uris: [%q], post_logout_redirect_uris: [%q], backchannel_logout_uri: %q, scopes: [openid, profile, email, offline_access], %s}\n",
				id, s.pages+"/"+id+"/callback", s.pages+"/bye", s.pages+"/heard", more)
		}
		return strings.Replace(s.state(1, 8), "\nusers:\n", "\n"+b.String()+"users:\n", 1)
	})
	r.pages.HandleFunc("POST /heard", func(w http.ResponseWriter, q *http.Request) { r.heard <- q.PostFormValue("logout_token") })
	u, err := url.Parse(r.stage.pages)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: r.pages}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	r.env = append(r.env, "SALLYPORT_FETCH_ALLOWED_NETWORKS=127.0.0.0/8")
	r.serve(t)
	return r
}

// login is the key of a context with the nonce of a login: refreshed ID tokens have none (OpenID Connect
// Core section 12.2).
type login struct{}

// party is an application with zitadel/oidc, with its pages ID/login and ID/callback.
func (r relying) party(t *testing.T, id string, options ...rp.Option) rp.RelyingParty {
	t.Helper()
	cookies := httphelper.NewCookieHandler([]byte(random(16)), []byte(random(16)), httphelper.WithUnsecure())
	nonce := rp.WithNonce(func(ctx context.Context) string {
		text, _ := ctx.Value(login{}).(string)
		return text
	})
	party, err := rp.NewRelyingPartyOIDC(t.Context(), r.issuer, id, map[string]string{"secret": r.secret}[id], r.stage.pages+"/"+id+"/callback", []string{"openid", "profile", "email", "offline_access"},
		append([]rp.Option{rp.WithPKCEFromDiscovery(cookies), rp.WithSigningAlgsFromDiscovery(), rp.WithVerifierOpts(nonce)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	if !party.IsPKCE() {
		t.Fatal("the library finds no PKCE in the metadata")
	}
	sent := random(16)
	r.pages.Handle("GET /"+id+"/login", rp.AuthURLHandler(func() string { return random(16) }, party, rp.WithURLParam("nonce", sent)))
	callback := rp.CodeExchangeHandler(rp.UserinfoCallback(
		func(_ http.ResponseWriter, _ *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
			tokens.IDTokenClaims.UserInfoEmail = info.UserInfoEmail
			r.got <- tokens
		}), party)
	r.pages.HandleFunc("GET /"+id+"/callback", func(w http.ResponseWriter, q *http.Request) {
		callback(w, q.WithContext(context.WithValue(q.Context(), login{}, sent)))
	})
	return party
}

// arrive lets a person open the login page of an application, where they are signed in or sign in as a
// user, and returns the tokens that the application gets.
func (r relying) arrive(t *testing.T, p *person, id string, as ...user) *oidc.Tokens[*oidc.IDTokenClaims] {
	t.Helper()
	p.open(r.stage.pages + "/" + id + "/login")
	for _, u := range as {
		p.signIn(u)
	}
	if p.sent(); !strings.HasPrefix(p.arrived.String(), r.stage.pages) {
		t.Fatalf("sent to %s", p.arrived)
	}
	if p.open(p.arrived.String()); p.code != http.StatusOK {
		t.Fatalf("the application responds %d: %s", p.code, p.text)
	}
	return <-r.got
}

// TestGoRelyingParties: the relying parties of zitadel/oidc and go-oidc, unmodified, from login to logout.
//
// Conformance (Client assertions): RFC 7523 2.2, 3: the relying party of zitadel/oidc authenticates with a key: code, refresh, revocation, introspection, device and exchange
// Conformance (Logout): RP-Initiated Logout 2: the relying party of zitadel/oidc signs its user out
// Conformance (Logout): Back-Channel Logout 2.4, 2.6: go-oidc verifies logout tokens
func TestGoRelyingParties(t *testing.T) {
	t.Parallel()
	r := newRelying(t, "sqlite")
	basic := r.party(t, "secret", rp.WithAuthStyle(oauth2.AuthStyleInHeader))
	keyed := r.party(t, "keyed", rp.WithJWTProfile(rp.SignerFromKeyAndKeyID(r.key, "first")), rp.WithAuthStyle(oauth2.AuthStyleInParams))
	device := r.device(t, keyed)
	u, p := r.user(t, false), newPerson(t, r.issuer)
	first, second := r.arrive(t, p, "secret", u), r.arrive(t, p, "keyed")
	for party, got := range map[rp.RelyingParty]*oidc.Tokens[*oidc.IDTokenClaims]{basic: first, keyed: second} {
		id := party.OAuthConfig().ClientID
		if got.IDTokenClaims.Email != u.email || !bool(got.IDTokenClaims.EmailVerified) {
			t.Errorf("%s: userinfo = %+v", id, got.IDTokenClaims.UserInfoEmail)
		}
		next, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, got.RefreshToken, "", "")
		if err != nil || next.IDTokenClaims == nil || next.IDTokenClaims.Subject != got.IDTokenClaims.Subject || next.RefreshToken == got.RefreshToken {
			t.Fatalf("%s: refresh = %+v, %v", id, next, err)
		}
		got.RefreshToken = next.RefreshToken
	}
	r.checkResources(t, keyed, second.AccessToken)
	r.checkRotation(t, basic, first)
	r.checkSignOut(t, p, basic, first, second)
	device()
}

// device starts a device with a key, and returns what waits for its tokens.
func (r relying) device(t *testing.T, party rp.RelyingParty) func() {
	t.Helper()
	asked, err := rp.DeviceAuthorization(t.Context(), []string{"openid", "email"}, party, nil)
	if err != nil {
		t.Fatalf("device authorization: %v", err)
	}
	u := r.user(t, false)
	newPerson(t, r.issuer).open(asked.VerificationURIComplete).submit("device-submit").signIn(u).at("/consent").submit("consent-allow", "decision", "allow").at("/device/allowed")
	failure := make(chan error, 1)
	go func() {
		tokens, err := rp.DeviceAccessToken(t.Context(), asked.DeviceCode, time.Duration(asked.Interval)*time.Second, party)
		if err == nil {
			_, err = rp.VerifyTokens[*oidc.IDTokenClaims](t.Context(), tokens.AccessToken, tokens.IDToken, party.IDTokenVerifier())
		}
		failure <- err
	}()
	return func() {
		t.Helper()
		if err := <-failure; err != nil {
			t.Errorf("device: %v", err)
		}
	}
}

// checkResources introspects, exchanges and revokes an access token, with a key.
func (r relying) checkResources(t *testing.T, party rp.RelyingParty, token string) {
	t.Helper()
	server, err := rs.NewResourceServerJWTProfile(t.Context(), r.issuer, "keyed", "first", r.key)
	if err != nil {
		t.Fatal(err)
	}
	active := func(want bool) {
		t.Helper()
		got, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), server, token)
		if err != nil || got.Active != want || want && (got.ClientID != "keyed" || !slices.Contains(got.Scope, "email")) {
			t.Errorf("introspection = %+v, %v, want active %v", got, err, want)
		}
	}
	active(true)
	exchanger, err := tokenexchange.NewTokenExchangerJWTProfile(t.Context(), r.issuer, "keyed", party.Signer())
	if err != nil {
		t.Fatal(err)
	}
	exchanged, err := tokenexchange.ExchangeToken(t.Context(), exchanger, token, oidc.AccessTokenType, "", "", nil, []string{"https://orders.example"}, []string{"email"}, oidc.AccessTokenType)
	if err != nil || exchanged.AccessToken == "" || exchanged.IssuedTokenType != oidc.AccessTokenType || !slices.Equal(exchanged.Scopes, []string{"email"}) {
		t.Errorf("exchange = %+v, %v", exchanged, err)
	}
	if err := rp.RevokeToken(t.Context(), party, token, "access_token"); err != nil {
		t.Errorf("revocation: %v", err)
	}
	active(false)
}

// checkRotation replaces the signing key while both libraries know only the one before.
func (r relying) checkRotation(t *testing.T, party rp.RelyingParty, got *oidc.Tokens[*oidc.IDTokenClaims]) {
	t.Helper()
	provider, err := goidc.NewProvider(t.Context(), r.issuer)
	if err != nil {
		t.Fatal(err)
	}
	verifier, old := provider.Verifier(&goidc.Config{ClientID: "secret"}), got.IDToken
	if _, err := verifier.Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	r.command(t, "keys", "rotate", "--config", r.config, "--use", "oidc", "--now")
	tick, end := time.NewTicker(100*time.Millisecond), time.Now().Add(time.Minute)
	defer tick.Stop()
	for token := old; kid(t, token) == kid(t, old); <-tick.C {
		next, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, got.RefreshToken, "", "") // verifies
		if err != nil || time.Now().After(end) {
			t.Fatalf("refresh after the rotation = %+v, %v, want another key", next, err)
		}
		token, got.RefreshToken = next.IDToken, next.RefreshToken
		if _, err := verifier.Verify(t.Context(), token); err != nil {
			t.Fatalf("go-oidc, after the rotation: %v", err)
		}
	}
	if _, err := verifier.Verify(t.Context(), old); err != nil {
		t.Errorf("go-oidc, a token of the key before: %v", err)
	}
	if _, err := rp.VerifyIDToken[*oidc.IDTokenClaims](context.WithValue(t.Context(), login{}, got.IDTokenClaims.Nonce), old, party.IDTokenVerifier()); err != nil {
		t.Errorf("zitadel/oidc, a token of the key before: %v", err)
	}
}

// checkSignOut signs a person out at one application, and verifies what both are told.
func (r relying) checkSignOut(t *testing.T, p *person, party rp.RelyingParty, of ...*oidc.Tokens[*oidc.IDTokenClaims]) {
	t.Helper()
	bye := r.stage.pages + "/bye"
	r.arrive(t, p, "secret") // signed in
	// The library calls the endpoint itself, without the browser.
	if onward, err := rp.EndSession(t.Context(), party, of[0].IDToken, bye, "s", "", nil); err != nil || onward.String() != bye+"?state=s" {
		t.Errorf("signed out to %s, %v", onward, err)
	}
	if p.open(r.stage.pages + "/secret/login"); p.arrived != nil {
		t.Error("the user is still signed in")
	}
	provider, err := goidc.NewProvider(t.Context(), r.issuer)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]*oidc.Tokens[*oidc.IDTokenClaims]{}
	for _, tokens := range of {
		left[tokens.IDTokenClaims.Audience[0]] = tokens
	}
	for range of {
		raw := <-r.heard
		var claims oidc.LogoutTokenClaims
		payload, err := oidc.ParseToken(raw, &claims)
		if err != nil {
			t.Fatal(err)
		}
		told := left[claims.Audience[0]]
		delete(left, claims.Audience[0])
		if told == nil || claims.SessionID != told.IDTokenClaims.SessionID || claims.SessionID == "" || claims.Subject != told.IDTokenClaims.Subject {
			t.Fatalf("logout token %s, of a session %+v", payload, told)
		}
		verifier := provider.Verifier(&goidc.Config{ClientID: claims.Audience[0]})
		if got, err := verifier.VerifyLogout(t.Context(), raw); err != nil || got.SessionID != claims.SessionID || got.TokenID == "" {
			t.Errorf("go-oidc: logout token %s = %+v, %v", payload, got, err)
		}
		if _, err := verifier.VerifyLogout(t.Context(), told.IDToken); err == nil {
			t.Error("go-oidc takes an ID token for a logout token")
		}
	}
}
