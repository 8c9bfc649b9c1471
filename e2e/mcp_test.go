package e2e

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/provider/mtls/mtlstest"
)

// newOpenStage sets up a server at which programs register themselves, or describe themselves in a
// document, with every flow that a client may ask for. Documents and keys of clients are at the origin
// "tools" of the stage, where tests listen.
func newOpenStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := setStageWith(t, dir, engineDSN(t, dir, "sqlite"), func(s *stage) string {
		return strings.Replace(s.state(4, 2*usersWithoutTOTP), "\nusers:\n", "\n"+s.applications()+"users:\n", 1)
	})
	own := mtlstest.SelfSigned(t, "localhost", time.Now(), func(c *x509.Certificate) {
		c.DNSNames, c.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	ca := filepath.Join(dir, "tools.crt")
	writeFile(t, ca, string(mtlstest.PEM(own.Leaf)))
	tools := fmt.Sprintf("https://localhost:%d", freePort(t))
	bare := strings.Replace(tools, "localhost", "127.0.0.1", 1)
	writeFile(t, s.config, readFile(t, s.config)+fmt.Sprintf("client_documents: {enabled: true, scopes: [openid, profile, offline_access, \"tools:read\"]}\nresources: [%q, %q]\n"+
		"fetch: {allowed_networks: [127.0.0.0/8, \"::1/128\"], ca_file: %q}\nregistration: {mode: open, scopes: [openid, profile, email, offline_access, \"tools:read\"], audience: [%q, %q, \"https://api.example/orders\"]}\n"+
		"limits: {registrations: 10000}\nrequire_dpop_nonce: true\nlegacy_response_types: true\n", tools+"/mcp", bare, ca, s.issuer, tools+"/mcp"))
	s.more = map[string]any{"clientKey": s.clientKey, "tools": tools, "bare": bare, "ca": string(mtlstest.PEM(own.Leaf)), "key": string(mtlstest.KeyPEM(t, own))}
	s.serve(t)
	s.more["initial"] = strings.TrimSpace(s.command(t, "registration-token", "create", "--config", s.config, "--name", "suite", "--uses", "30"))
	s.trusted = ca
	return s
}

// applications are clients in the desired state, of frameworks and of profiles.
func (s *stage) applications() string {
	var b strings.Builder
	key := s.newClientKey()
	client := func(id, redirect, more string) {
		fmt.Fprintf(&b, "  - client_id: %s\n    client_name: The %s application\n    redirect_uris: [%q]\n    post_logout_redirect_uris: [%q]\n    grant_types: [authorization_code, refresh_token]\n"+
			"    scopes: [openid, profile, email, offline_access]\n%s", id, id, redirect, s.pages+"/bye", more)
	}
	secret := fmt.Sprintf("    client_secret: %q\n", s.secret)
	signed := fmt.Sprintf("    token_endpoint_auth_method: private_key_jwt\n    jwks: {keys: [%s]}\n", key)
	client("passport", s.pages+"/passport/callback", secret+"    token_endpoint_auth_method: client_secret_post\n    pkce_optional: true\n")
	client("authjs", s.pages+"/auth/callback/authjs", secret+"    id_token_claims: scopes\n")
	client("authjs-keys", s.pages+"/auth/callback/authjs-keys", signed)
	client("hybrid", webRedirect+"/hybrid", secret+"    legacy_response_types: [code id_token]\n")
	client("fapi", "https://bank.example/callback", signed+"    profile: fapi2\n    dpop_bound_access_tokens: true\n    id_token_signed_response_alg: ES256\n    authorization_signed_response_alg: ES256\n")
	return b.String()
}

// TestProgramsThatNobodyRegistered runs files of browser tests on one server: client libraries, frameworks
// and tools as published. Most register themselves or have a document.
//
// Conformance (Request objects): RFC 9101 4, 6: oauth4webapi and openid-client sign requests with keys that they registered
// Conformance (Pushed authorization requests): RFC 9126 2: oauth4webapi pushes a signed request with a proof
// Conformance (Client assertions): RFC 7523 2.2, 3: oauth4webapi, openid-client and Auth.js authenticate with a key
// Conformance (DPoP): RFC 9449 8, 9: oauth4webapi sends the nonce that the server asks for
// Conformance (Signed responses): JARM 2.1, 2.4: oauth4webapi and openid-client verify signed responses
// Conformance (Signed responses): RFC 9701 5: oauth4webapi verifies a signed introspection
// Conformance (FAPI 2.0): Security Profile 5.3.2, Message Signing 5.4: openid-client signs in as a client with the profile
// Conformance (Encryption): Core 10.2, JARM 2.2: openid-client decrypts ID tokens, userinfo and authorization responses, with RSA and elliptic curves
// Conformance (Userinfo): Core 5.3.2: oauth4webapi verifies signed userinfo
// Conformance (Device authorization): RFC 8628 3: oauth4webapi signs a device in
// Conformance (Logout): RP-Initiated Logout 2: Passport, Auth.js and openid-client sign users out
// Conformance (Registration): RFC 7591 3: oauth4webapi, openid-client, mcp-remote and two SDKs register themselves
// Conformance (Registration): RFC 7592 2.2, Core 10.1.1: openid-client replaces its keys by its registration, and at its address
// Conformance (Registration): OpenID Registration 2, 3: modules registration-logo-uri, -policy-uri, -tos-uri of the dynamic plan of the OpenID Foundation: the logo is shown, the others are linked, where users sign in
// Conformance (Registration): OpenID Registration 2, Core 10.1.1: modules registration-jwks-uri, refresh-token-rp-key-rotation: the keys at the address authenticate the client, and a new one counts at once
// Conformance (Registration): OpenID Registration 5, Core 8.1: modules registration-sector-uri, -sector-bad: subjects are the same at the hosts in the list; a list without a redirect URI is refused
// Conformance (Registration): OpenID Registration 2: modules redirect-uri-query-OK, -query-mismatch, -query-added, -regfrag, ensure-registered-redirect-uri, ensure-redirect-uri-in-authorization-request: a query is kept and compared, a fragment refused
// Conformance (Registration): OpenID Registration 2: modules userinfo-rs256, idtoken-rs256, idtoken-unsigned: signed as registered; `none` cannot be registered
// Conformance (Registration): Core 6.2: modules request-uri-signed-rs256, -unsigned: a registered address is read, and what nobody signed is refused
// Conformance (Registration): Core 4, OpenID Registration 2: plan oidcc-3rdparty-init-login-certification-test-plan: `initiate_login_uri` is kept, only with https, and pages lead there with `iss`
// Conformance (Registration): Core 6.1, 9, 12: modules ensure-request-object-with-redirect-uri, ensure-client-assertion-with-iss-aud-succeeds, refresh-token
// Conformance (Registration): OpenID Discovery 3: module discovery-endpoint-verification: the metadata names what such a client needs
// Conformance (Clients by document): draft-ietf-oauth-client-id-metadata-document 3, 4, 5: an independent client finds the server from a protected resource, and signs a user in with its document
// Conformance (Clients by document): Model Context Protocol 2026-07-28, Authorization: the conformance suite of the protocol (0.2.0-alpha.12, command `authorization`) passes every check of authorization servers
// Conformance (Protected resources): RFC 9728 3, 5: an independent client finds the authorization server of a resource
func TestProgramsThatNobodyRegistered(t *testing.T) {
	t.Parallel()
	s := newOpenStage(t)
	for _, run := range []struct {
		file        string
		totp, plain int
	}{
		{"oauth4webapi.test.mjs", 1, 2},
		{"registered.test.mjs", 0, 5},
		{"dynamicplan.test.mjs", 0, 9},
		{"frameworks.test.mjs", 0, 3},
		{"mcp.test.mjs", 0, 4},
		{"mcptools.test.mjs", 0, 5},
	} {
		t.Run(run.file, func(t *testing.T) { runBrowser(t, s, run.file, run.totp, run.plain) })
	}
}
