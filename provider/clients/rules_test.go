package clients

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestInvalidClientsAreRefused(t *testing.T) {
	hash := make([]byte, 32)
	valid := storage.Client{ID: "rp", AuthMethod: "client_secret_basic", SecretHashes: [][]byte{hash}, GrantTypes: []string{"authorization_code"},
		RedirectURIs: []string{"https://rp.example/cb"}, MFA: "OFF", Consent: "skip"}
	r := NewRegistry(nil, nil, time.Now, nil) // refuses before it uses any of these
	for field, change := range map[string]func(*storage.Client){
		"client_id":                  func(c *storage.Client) { c.ID = "r p" },
		"client_name":                func(c *storage.Client) { c.Name = "Your bank\u202emoc" },
		"token_endpoint_auth_method": func(c *storage.Client) { c.AuthMethod = "client_secret" },
		"":                           func(c *storage.Client) { c.SecretHashes = nil },
		"client_secret_sha256":       func(c *storage.Client) { c.SecretHashes = [][]byte{hash[:31]} },
		"jwks":                       func(c *storage.Client) { c.JWKS = []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`) },
		"jwks_uri":                   func(c *storage.Client) { c.JWKSURI = "http://rp.example/jwks" },
		"grant_types[0]":             func(c *storage.Client) { c.GrantTypes[0] = "password" },
		"grant_types":                func(c *storage.Client) { c.GrantTypes = []string{"refresh_token"} },
		"scopes[0]":                  func(c *storage.Client) { c.Scopes = []string{"a b"} },
		"redirect_uris":              func(c *storage.Client) { c.RedirectURIs = nil },
		"required_scopes[0]":         func(c *storage.Client) { c.RequiredScopes = []string{"orders"} },
		"redirect_uris[0]":           func(c *storage.Client) { c.RedirectURIs = []string{"http://rp.example/cb"} },
		"allowed_origins[0]":         func(c *storage.Client) { c.AllowedOrigins = []string{"https://rp.example/"} },
		"logo_uri":                   func(c *storage.Client) { c.LogoURI = "http://rp.example/logo" },
		"terms_url":                  func(c *storage.Client) { c.TermsURL, c.TermsVersion = "http://rp.example/terms", "3" },
		"terms_version":              func(c *storage.Client) { c.TermsURL = "https://rp.example/terms" },
		"login_url":                  func(c *storage.Client) { c.LoginURL = "https://rp.example/login" },
		"pkce_optional":              func(c *storage.Client) { c.PKCEOptional, c.Native = true, true },
		"mfa_remember":               func(c *storage.Client) { c.MFARemember = 299 },
		"mfa_interval":               func(c *storage.Client) { c.MFA = "TIME_BASED" },
		"access_token_ttl":           func(c *storage.Client) { c.AccessTokenTTL = 3601 },
	} {
		c := valid
		c.GrantTypes = slices.Clone(valid.GrantTypes)
		change(&c)
		for name, err := range map[string]error{"Create": r.Create(t.Context(), mfa.Caller{}, c), "Change": r.Change(t.Context(), mfa.Caller{}, c, c)} {
			if e, ok := errors.AsType[*InvalidError](err); !ok || len(e.Faults) != 1 || e.Faults[0].Field != field {
				t.Errorf("%s with a fault in %q = %v", name, field, err)
			}
		}
	}
	lone := valid
	lone.TermsVersion = "3"
	if faults := Faults(lone); len(faults) != 1 || faults[0].Field != "terms_url" {
		t.Errorf("faults of a version without terms: %v", faults)
	}
	if faults := Faults(valid); faults != nil {
		t.Errorf("faults of a valid client: %v", faults)
	}
}

// Conformance (Client assertions): RFC 7518 3.2: a secret that is shorter than the hash of its algorithm is no setting
func TestSecretsToSignWith(t *testing.T) {
	long, short := strings.Repeat("s", 64), strings.Repeat("s", 32)
	for _, tc := range []struct {
		name, alg string
		secrets   []string
		change    func(*storage.Client)
		want      string // the field at fault
	}{
		{"any algorithm", "", []string{short}, nil, ""},
		{"HS256", "HS256", []string{short}, nil, ""},
		{"HS384, too short", "HS384", []string{short}, nil, "client_secret"},
		{"HS512, too short", "HS512", []string{long[:63]}, nil, "client_secret"},
		{"HS512", "HS512", []string{long}, nil, ""},
		{"a short one in a rotation", "HS512", []string{long, short}, nil, "client_secret"},
		{"shorter than any hash", "", []string{short[:31]}, nil, "client_secret"},
		{"a hash alone", "", []string{short}, func(c *storage.Client) { c.Secrets = nil }, "client_secret"},
		{"another secret than the hash", "", []string{short}, func(c *storage.Client) { c.Secrets = []storage.ClientSecret{storage.ClientSecret(long)} }, "client_secret"},
		{"no secret", "", nil, nil, ""},
		{"an algorithm of keys", "RS256", []string{long}, nil, "token_endpoint_auth_signing_alg"},
		{"none", "none", []string{long}, nil, "token_endpoint_auth_signing_alg"},
		{"HMAC with a key", "HS256", nil, func(c *storage.Client) { c.AuthMethod, c.JWKSURI = "private_key_jwt", "https://rp.example/jwks" }, "token_endpoint_auth_signing_alg"},
		{"an algorithm of a secret in a form", "HS256", []string{long}, func(c *storage.Client) { c.AuthMethod = "client_secret_post" }, "token_endpoint_auth_signing_alg"},
		{"HMAC of request objects", "", []string{long}, func(c *storage.Client) { c.RequestObjectAlg = "HS256" }, "request_object_signing_alg"},
		{"HMAC of ID tokens", "", []string{long}, func(c *storage.Client) { c.IDTokenAlg = "HS256" }, "id_token_signed_response_alg"},
	} {
		c := storage.Client{ID: "rp", AuthMethod: SecretJWT, AuthSigningAlg: tc.alg, GrantTypes: []string{"authorization_code"},
			RedirectURIs: []string{"https://rp.example/cb"}, MFA: "OFF", Consent: "skip"}
		for _, s := range slices.Backward(tc.secrets) {
			AddSecret(&c, s)
		}
		if tc.change != nil {
			tc.change(&c)
		}
		faults := Faults(c)
		none := tc.want == "" && (len(faults) == 0) == (tc.name != "no secret")
		if one := len(faults) == 1 && faults[0].Field == tc.want && tc.want != ""; !none && !one {
			t.Errorf("%s: faults %v, want one of %q", tc.name, faults, tc.want)
		}
		for _, f := range faults {
			if strings.Contains(f.Text, short[:31]) {
				t.Errorf("%s: the fault quotes the secret: %s", tc.name, f.Text)
			}
		}
		for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c.Secrets)} {
			if strings.Contains(text, short[:31]) {
				t.Errorf("%s: a log would have the secret: %s", tc.name, text)
			}
		}
	}
}

// Conformance (FAPI 2.0): Security Profile 5.3.2, 5.4.1: what `profile: fapi2` excludes is no setting
func TestTheProfileOfFAPIExcludes(t *testing.T) {
	for _, auth := range []struct {
		method string
		bind   func(*storage.Client)
	}{
		{"private_key_jwt", func(c *storage.Client) { c.DPoPBound = true }},
		{"self_signed_tls_client_auth", func(c *storage.Client) { c.CertificateBound = true }},
		{"private_key_jwt", func(c *storage.Client) { c.CertificateBound = true }},
	} {
		valid := storage.Client{ID: "rp", Profile: FAPI2, AuthMethod: auth.method, JWKSURI: "https://rp.example/jwks", GrantTypes: []string{"authorization_code", "refresh_token"},
			RedirectURIs: []string{"https://rp.example/cb"}, MFA: "OFF", Consent: "skip", IDTokenAlg: "ES256", AuthorizationAlg: "PS256", IntrospectionAlg: "EdDSA"}
		auth.bind(&valid)
		if faults := Faults(valid); faults != nil {
			t.Errorf("faults of a valid client: %v", faults)
		}
		grace, hash := storage.Seconds(5), make([]byte, 32)
		for _, tc := range []struct {
			field  string
			change func(*storage.Client)
		}{
			{"token_endpoint_auth_method", func(c *storage.Client) { c.AuthMethod, c.SecretHashes = "client_secret_basic", [][]byte{hash} }},
			{"token_endpoint_auth_method", func(c *storage.Client) { c.AuthMethod = SecretJWT; AddSecret(c, strings.Repeat("s", 64)) }},
			{"token_endpoint_auth_method", func(c *storage.Client) { c.AuthMethod, c.Public = "none", true }},
			{"profile", func(c *storage.Client) { c.DPoPBound, c.CertificateBound = false, false }},
			{"legacy_response_types", func(c *storage.Client) { c.LegacyResponseTypes = []string{"code id_token"} }},
			{"id_token_signed_response_alg", func(c *storage.Client) { c.IDTokenAlg = "" }},
			{"id_token_signed_response_alg", func(c *storage.Client) { c.IDTokenAlg = "RS256" }},
			{"request_object_signing_alg", func(c *storage.Client) { c.RequestObjectAlg = "RS256" }},
			{"authorization_signed_response_alg", func(c *storage.Client) { c.AuthorizationAlg = "RS256" }},
			{"introspection_signed_response_alg", func(c *storage.Client) { c.IntrospectionAlg = "RS256" }},
			{"redirect_uris[0]", func(c *storage.Client) { c.RedirectURIs = []string{"http://127.0.0.1/cb"} }},
			{"pkce_optional", func(c *storage.Client) { c.PKCEOptional = true }},
			{"grant_types", func(c *storage.Client) { c.GrantTypes = append(slices.Clone(c.GrantTypes), DeviceCode) }},
			{"token_exchange_subject_types", func(c *storage.Client) {
				c.GrantTypes, c.ExchangeSubjectTypes = append(slices.Clone(c.GrantTypes), TokenExchange), []string{"id_token"}
				c.ExchangeSubjectClients, c.ExchangeAudiences = []string{"app"}, []string{"https://api.example"}
			}},
			{"headless_login", func(c *storage.Client) { c.HeadlessLogin = true }},
			{"refresh_grace", func(c *storage.Client) { c.RefreshGrace = &grace }},
			{"", func(c *storage.Client) {
				c.Native, c.RedirectURIs = true, []string{"http://127.0.0.1/cb", "http://[::1]/cb"}
			}},
		} {
			c := valid
			tc.change(&c)
			faults := Faults(c)
			if tc.field == "" && faults != nil || tc.field != "" && (len(faults) != 1 || faults[0].Field != tc.field) {
				t.Errorf("%s: faults in %v, want one in %q", auth.method, faults, tc.field)
			}
		}
	}
	c := storage.Client{Profile: FAPI2, AuthMethod: "private_key_jwt", AuthSigningAlg: "RS256"}
	k := &checker{Client: New(c)}
	if k.checkProfile(); !slices.ContainsFunc(k.faults, func(f Fault) bool { return f.Field == "token_endpoint_auth_signing_alg" }) {
		t.Errorf("RS256 for assertions: %v", k.faults)
	}
}

func TestAlgorithmsOfSignedResponses(t *testing.T) {
	k := &checker{Client: New(storage.Client{AuthorizationAlg: "HS256", IntrospectionAlg: "none"})}
	if k.checkResponses(); len(k.faults) != 2 {
		t.Errorf("faults of algorithms that the server never uses: %v", k.faults)
	}
}

// OpenID Connect Back-Channel Logout 1.0 section 2.2, Front-Channel Logout 1.0 section 2.
//
// Conformance (Logout): Back-Channel Logout 2.2, Front-Channel Logout 2: the address has no fragment; the other one the origin of a redirect URI
func TestLogoutURIs(t *testing.T) {
	for uri, want := range map[string][2]bool{ // back-channel, front-channel
		"https://rp.example/out?tenant=a": {true, true}, "https://RP.example:443/out": {true, true}, "http://localhost:3000/out": {true, true},
		"https://other.example/out": {true, false}, "https://rp.example:8443/out": {true, false}, "http://127.0.0.1:3000/out": {true, false}, "http://rp.example/out": {false, false},
		"https://rp.example/out#x": {false, false}, "https://me@rp.example/out": {false, false}, "com.example.app:/out": {false, false}, "javascript:alert(1)": {false, false},
		"https://rp.example/a b": {false, false}, "https://rp.example\\@evil.example/": {false, false}, "/out": {false, false}, "https://": {false, false},
	} {
		for i, set := range []func(*storage.Client){func(c *storage.Client) { c.BackchannelLogoutURI = uri }, func(c *storage.Client) { c.FrontchannelLogoutURI = uri }} {
			c := storage.Client{RedirectURIs: []string{"https://rp.example/cb", "http://localhost:3000/cb"}}
			set(&c)
			k := &checker{Client: New(c)}
			k.checkLogoutURIs()
			if ok := len(k.faults) == 0; ok != want[i] {
				t.Errorf("%q is accepted: %v in row %d, want %v (%v)", uri, ok, i, want[i], k.faults)
			}
		}
	}
	k := &checker{Client: New(storage.Client{BackchannelLogoutSessionRequired: true, FrontchannelLogoutSessionRequired: true})}
	if k.checkLogoutURIs(); len(k.faults) != 2 {
		t.Errorf("faults of settings without addresses: %v", k.faults)
	}
}

func TestAllowedOriginsOfAClient(t *testing.T) {
	for text, want := range map[string]bool{
		"https://app.example.com": true, "https://app.example.com:443": true, "https://App.Example.com": true, "https://bücher.example": true,
		"http://localhost:8081": true, "http://[::1]:3000": true, "https://app.example.com/": false, "https://app.example.com/x": false,
		"https://app.example.com?": false, "https://app.example.com#": false, "https://me@app.example.com": false, "http://app.example.com": false,
		"app.example.com": false, "com.example.app://x": false, "null": false, "*": false, "https://*.example.com": false, "https://a b": false, "": false,
	} {
		k := &checker{Client: New(storage.Client{AllowedOrigins: []string{text}})}
		k.checkURIs()
		if got := len(k.faults) == 0; got != want {
			t.Errorf("%q: %v, want %v", text, k.faults, want)
		}
	}
}

func TestRedirectURIsOfAClient(t *testing.T) {
	for _, tc := range []struct {
		uri    string
		native bool
		want   bool
	}{
		{"https://app.example.com/cb", false, true},
		{"https://app.example.com/cb?a=b", false, true},
		{"http://localhost:8081/callback", false, true},
		{"http://127.0.0.1/cb", true, true},
		{"http://[::1]/cb", true, true},
		{"com.example.app:/cb", true, true},
		{"com.example.app:/cb", false, false},
		{"app:/cb", true, false},
		{"javascript:alert(1)", true, false},
		{"http://app.example.com/cb", false, false},
		{"https://user@app.example.com/cb", false, false},
		{"https://app.example.com/cb#", false, false},
		{"https://app.example.com/ü", false, false},
		{"https://app.example.com/\ncb", false, false},
		{`https://app.example.com\@evil.example`, false, false},
		{"https:///cb", false, false},
		{"/cb", false, false},
		{"", false, false},
	} {
		k := &checker{Client: New(storage.Client{Native: tc.native})}
		if got := k.redirectFault(tc.uri) == ""; got != tc.want {
			t.Errorf("redirect %q (native %v) accepted: %v, want %v", tc.uri, tc.native, got, tc.want)
		}
	}
}

func TestARememberedDeviceBelongsToPoliciesThatItSpares(t *testing.T) {
	for policy, want := range map[string]bool{"OFF": false, "ALWAYS": false, "SMART": true, "PHR": true} {
		k := &checker{Client: New(storage.Client{MFA: policy, MFARemember: 3600})}
		if k.checkPolicy(); slices.ContainsFunc(k.faults, func(f Fault) bool { return f.Field == "mfa_remember" }) != want {
			t.Errorf("mfa %s with mfa_remember: %v", policy, k.faults)
		}
	}
}

// A client is refused when it is set up, not when it redeems its first code.
func TestAlgorithmsWithoutAKey(t *testing.T) {
	keys := []string{"RS256", "ES256"}
	if got := UnsignedFaults(storage.Client{IDTokenAlg: "ES256", UserinfoAlg: "RS256"}, keys); got != nil {
		t.Errorf("faults %v of algorithms that have keys", got)
	}
	got := UnsignedFaults(storage.Client{IDTokenAlg: "PS256", UserinfoAlg: "EdDSA", AuthorizationAlg: "PS256", IntrospectionAlg: "EdDSA"}, keys)
	if len(got) != 4 || !strings.Contains(got[0].Text, "RS256, ES256") {
		t.Errorf("faults %v, want one of each algorithm", got)
	}
}
