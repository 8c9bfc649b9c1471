package provider

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/provider/mtls"
	"sallyport/provider/mtls/mtlstest"
	"sallyport/storage"
)

// RFC 8705 section 3.
//
// Conformance (Certificates of clients): RFC 8705 3, 3.1: a token is bound to the certificate, as `x5t#S256`, and refused without it or with another
// Conformance (Certificates of clients): RFC 8705 3.2: introspection returns the binding
func TestATokenIsOfUseWithItsCertificateOnly(t *testing.T) {
	for _, tc := range []struct {
		name, format string
		register     func(*storage.Client)
	}{
		{"a confidential client", "jwt", func(*storage.Client) {}}, {"a confidential client", "opaque", func(*storage.Client) {}},
		{"a public client", "jwt", public}, {"a public client", "opaque", public},
	} {
		t.Run(tc.name+" "+tc.format, func(t *testing.T) {
			h := newFixture(t)
			h.mutual()
			h.client("rp", tc.register, withCertificate, func(c *storage.Client) { c.AccessTokenFormat = tc.format })
			h.client("api")
			h.user("ada", "")
			own, thief := mtlstest.SelfSigned(t, "a", h.now()), mtlstest.SelfSigned(t, "a", h.now())
			as, form := "rp", func(code string) url.Values { return redeem(code) }
			if h.clientIsPublic("rp") {
				as, form = "", func(code string) url.Values { return redeem(code, "client_id", "rp") }
			}
			code, _ := h.signIn(params("rp", "scope", "openid"), "ada")
			h.presents()
			if got := h.post(h.p.Grants.Token, as, form(code)); got.Status != http.StatusBadRequest || got.get("error") != "invalid_request" || got.Refusal.Reason != "no_certificate" {
				t.Errorf("without a certificate = %d %s (%s), want 400 invalid_request", got.Status, got.Raw, got.Refusal.Reason)
			}
			h.presents(mtlstest.SelfSigned(t, "a", h.now().Add(-10*365*24*time.Hour)))
			if got := h.post(h.p.Grants.Token, as, form(code)); got.get("error") != "invalid_request" || got.Refusal.Reason != "invalid_certificate" {
				t.Errorf("with an expired one = %d %s (%s), want invalid_request", got.Status, got.Raw, got.Refusal.Reason)
			}
			h.presents(own)
			tokens := h.post(h.p.Grants.Token, as, form(code))
			token := tokens.get("access_token")
			if tokens.Status != http.StatusOK || tokens.get("token_type") != "Bearer" {
				t.Fatalf("tokens = %d %s", tokens.Status, tokens.Raw)
			}
			if got := h.userinfo(token); got.Status != http.StatusOK {
				t.Errorf("userinfo = %d %s, want claims", got.Status, got.Raw)
			}
			want := mtls.Thumbprint(h.visit.Certificates)
			if got := h.inspectBy(token, token); got.Body["active"] != true || fmt.Sprint(got.Body["cnf"]) != fmt.Sprint(map[string]any{"x5t#S256": want}) || got.get("token_type") != "Bearer" {
				t.Errorf("introspection = %s, want the certificate %s", got.Raw, want)
			}
			for name, presented := range map[string][]tls.Certificate{"without a certificate": nil, "with another": {thief}, "with another and its own behind it": {thief, own}} {
				h.presents(presented...)
				got := h.userinfo(token)
				if got.Status != http.StatusUnauthorized || got.get("error") != "invalid_token" || !strings.Contains(got.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
					t.Errorf("userinfo %s = %d %s, want 401 invalid_token", name, got.Status, got.Raw)
				}
				if got := h.inspectBy(token, token); got.Status != http.StatusUnauthorized {
					t.Errorf("introspection by the token %s = %d %s, want 401", name, got.Status, got.Raw)
				}
				if _, err := h.p.Introspection.Owner(h.ctx, token); err == nil {
					t.Errorf("%s the token manages the account", name)
				}
			}
		})
	}
}

func (h *fixture) clientIsPublic(id storage.ClientID) bool {
	c, err := h.p.Client(h.ctx, id)
	h.ok(err)
	return c.Public
}

// RFC 8705 section 4.
//
// Conformance (Certificates of clients): RFC 8705 4: refresh tokens of public clients are bound, too
func TestRefreshTokensOfPublicClientsAreBoundToTheirCertificate(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.mutual()
		h.client("app", public, grace(10), withCertificate)
		h.client("rp", withCertificate)
		h.user("ada", "")
		own, thief := mtlstest.SelfSigned(h.t, "a", h.now()), mtlstest.SelfSigned(h.t, "a", h.now())
		code, _ := h.signIn(params("app", "scope", "openid offline_access"), "ada")
		form := func(token string) url.Values { return refreshOf(token, "client_id", "app") }
		h.presents(own)
		old := h.post(h.p.Grants.Token, "", redeem(code, "client_id", "app")).get("refresh_token")
		h.presents(thief)
		for range 2 {
			if got := h.post(h.p.Grants.Token, "", form(old)); got.get("error") != "invalid_grant" || got.Refusal.Reason != "wrong_certificate" {
				h.t.Errorf("another certificate = %d %s (%s), want invalid_grant", got.Status, got.Raw, got.Refusal.Reason)
			}
		}
		h.presents(own)
		next := h.post(h.p.Grants.Token, "", form(old))
		if next.Status != http.StatusOK {
			h.t.Fatalf("its own = %d %s", next.Status, next.Raw)
		}
		h.presents(thief)
		if got := h.post(h.p.Grants.Token, "", form(old)); got.get("error") != "invalid_grant" {
			h.t.Errorf("the old token with another certificate, within the grace = %d %s, want invalid_grant", got.Status, got.Raw)
		}
		h.presents(own)
		if got := h.post(h.p.Grants.Token, "", form(old)); got.get("refresh_token") != next.get("refresh_token") {
			h.t.Errorf("the old token within the grace = %d %s, want the same successor", got.Status, got.Raw)
		}
		// A client that authenticates may renew its certificate.
		code, _ = h.signIn(params("rp", "scope", "openid offline_access"), "ada")
		first := h.post(h.p.Grants.Token, "rp", redeem(code))
		h.presents(thief)
		renewed := h.post(h.p.Grants.Token, "rp", refreshOf(first.get("refresh_token")))
		if renewed.Status != http.StatusOK {
			h.t.Fatalf("a new certificate of a client that authenticates = %d %s", renewed.Status, renewed.Raw)
		}
		if got := h.userinfo(renewed.get("access_token")); got.Status != http.StatusOK {
			h.t.Errorf("with the new certificate = %d %s, want claims", got.Status, got.Raw)
		}
		if got := h.userinfo(first.get("access_token")); got.Status != http.StatusUnauthorized {
			h.t.Errorf("the old token with the new certificate = %d %s, want 401", got.Status, got.Raw)
		}
	})
}

// A token that is bound to a key and a certificate needs both.
//
// Conformance (Certificates of clients): RFC 8705 3, 3.1: a token is bound to the certificate, as `x5t#S256`, and refused without it or with another
func TestATokenCanBeBoundTwice(t *testing.T) {
	h := newFixture(t)
	h.mutual()
	h.client("rp", withCertificate)
	h.user("ada", "")
	own, p := mtlstest.SelfSigned(t, "a", h.now()), h.prover()
	h.presents(own)
	code, _ := h.signIn(params("rp"), "ada")
	tokens := h.tokenWith("rp", redeem(code), p.forToken(part{"htu", aliased + "/token"}))
	token := tokens.get("access_token")
	claims, _ := h.readJWT(token)
	if cnf, _ := claims["cnf"].(map[string]any); tokens.get("token_type") != "DPoP" || cnf["jkt"] != p.jkt() || cnf["x5t#S256"] != mtls.Thumbprint(h.visit.Certificates) {
		t.Fatalf("tokens = %s, cnf %v, want both", tokens.Raw, claims["cnf"])
	}
	if got := h.userinfoWith("DPoP", token, p.forUserinfo(token, part{"htu", aliased + "/userinfo"})); got.Status != http.StatusOK {
		t.Errorf("with both = %d %s, want claims", got.Status, got.Raw)
	}
	if got := h.userinfo(token); got.Status != http.StatusUnauthorized {
		t.Errorf("with the certificate alone = %d %s, want 401", got.Status, got.Raw)
	}
	h.presents()
	if got := h.userinfoWith("DPoP", token, p.forUserinfo(token)); got.Status != http.StatusUnauthorized {
		t.Errorf("with the key alone = %d %s, want 401", got.Status, got.Raw)
	}
}
