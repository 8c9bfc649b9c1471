package provider

import (
	"slices"

	"sallyport/provider/claims"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clients"
	"sallyport/provider/dpop"
	"sallyport/provider/oauth"
	"sallyport/provider/registration"
)

// metadata is the discovery document of OpenID Connect Discovery section 3 and RFC 8414
// section 2.
type metadata struct {
	Issuer                 string            `json:"issuer"`
	Authorization          string            `json:"authorization_endpoint"`
	Token                  string            `json:"token_endpoint"`
	Userinfo               string            `json:"userinfo_endpoint"`
	JWKS                   string            `json:"jwks_uri"`
	Registration           string            `json:"registration_endpoint,omitempty"`
	EndSession             string            `json:"end_session_endpoint"`
	Introspection          string            `json:"introspection_endpoint"`
	Revocation             string            `json:"revocation_endpoint"`
	Scopes                 []string          `json:"scopes_supported"`
	ResponseTypes          []string          `json:"response_types_supported"`
	ResponseModes          []string          `json:"response_modes_supported"`
	GrantTypes             []string          `json:"grant_types_supported"`
	ACR                    []string          `json:"acr_values_supported"`
	Subjects               []string          `json:"subject_types_supported"`
	IDTokenAlgs            []string          `json:"id_token_signing_alg_values_supported"`
	IDTokenEncryptionAlgs  []string          `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncryptionEncs  []string          `json:"id_token_encryption_enc_values_supported"`
	UserinfoAlgs           []string          `json:"userinfo_signing_alg_values_supported"`
	UserinfoEncryptionAlgs []string          `json:"userinfo_encryption_alg_values_supported"`
	UserinfoEncryptionEncs []string          `json:"userinfo_encryption_enc_values_supported"`
	TokenAuth              []string          `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth      []string          `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth         []string          `json:"revocation_endpoint_auth_methods_supported"`
	TokenAuthAlgs          []string          `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthAlgs  []string          `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthAlgs     []string          `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	Displays               []string          `json:"display_values_supported"`
	ClaimTypes             []string          `json:"claim_types_supported"`
	Claims                 []string          `json:"claims_supported"`
	UILocales              []string          `json:"ui_locales_supported"`
	Prompts                []string          `json:"prompt_values_supported"`
	Challenges             []string          `json:"code_challenge_methods_supported"`
	ClaimsParameter        bool              `json:"claims_parameter_supported"`
	RequestParameter       bool              `json:"request_parameter_supported"`
	RequestURIParameter    bool              `json:"request_uri_parameter_supported"`
	RequireRequestURI      bool              `json:"require_request_uri_registration"`
	IssuerInResponse       bool              `json:"authorization_response_iss_parameter_supported"`
	FrontchannelLogout     bool              `json:"frontchannel_logout_supported"`
	FrontchannelSession    bool              `json:"frontchannel_logout_session_supported"`
	BackchannelLogout      bool              `json:"backchannel_logout_supported"`
	BackchannelSession     bool              `json:"backchannel_logout_session_supported"`
	MTLSAliases            map[string]string `json:"mtls_endpoint_aliases,omitempty"`
	CertificateBound       bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	DPoPAlgs               []string          `json:"dpop_signing_alg_values_supported"`
	RequirePushedAuthorize bool              `json:"require_pushed_authorization_requests"`
	Pushed                 string            `json:"pushed_authorization_request_endpoint"`
	Device                 string            `json:"device_authorization_endpoint"`
	Backchannel            string            `json:"backchannel_authentication_endpoint"`
	BackchannelModes       []string          `json:"backchannel_token_delivery_modes_supported"`
	BackchannelAlgs        []string          `json:"backchannel_authentication_request_signing_alg_values_supported"`
	BackchannelUserCode    bool              `json:"backchannel_user_code_parameter_supported"`
	RequestObjectAlgs      []string          `json:"request_object_signing_alg_values_supported"`
	ClientDocuments        bool              `json:"client_id_metadata_document_supported,omitempty"`
	ProtectedResources     []string          `json:"protected_resources"`
	DetailsTypes           []string          `json:"authorization_details_types_supported,omitempty"`
	RequireSignedObject    bool              `json:"require_signed_request_object"`
	AuthorizationAlgs      []string          `json:"authorization_signing_alg_values_supported"` // JARM section 4
	AuthorizationEncAlgs   []string          `json:"authorization_encryption_alg_values_supported"`
	AuthorizationEncEncs   []string          `json:"authorization_encryption_enc_values_supported"`
	IntrospectionAlgs      []string          `json:"introspection_signing_alg_values_supported"` // RFC 9701 section 7
}

// describe returns the discovery document. It includes request_uri_parameter_supported,
// because its default is true.
func (p *Provider) describe(algs []string) (oauth.Document, error) {
	auth := slices.Concat([]string{"client_secret_basic", "client_secret_post", clients.SecretJWT, "private_key_jwt"}, p.options.MTLS.Methods())
	authAlgs := slices.Concat(clientkeys.Algorithms(), clientkeys.SecretAlgorithms())
	m := metadata{
		Issuer: p.options.Issuer, Authorization: p.url("/authorize"), Token: p.url("/token"), Userinfo: p.url("/userinfo"),
		JWKS: p.url("/jwks.json"), EndSession: p.url("/logout"), Introspection: p.url("/introspect"), Revocation: p.url("/revoke"),
		Scopes:        claims.Scopes(),
		ResponseTypes: []string{"code"}, ResponseModes: responseModes(), GrantTypes: clients.GrantTypes,
		ACR: p.acrValues(), Subjects: []string{"public", clients.Pairwise}, IDTokenAlgs: algs, UserinfoAlgs: algs,
		IDTokenEncryptionAlgs: clientkeys.EncryptionAlgorithms(), IDTokenEncryptionEncs: clientkeys.ContentEncryptions(),
		UserinfoEncryptionAlgs: clientkeys.EncryptionAlgorithms(), UserinfoEncryptionEncs: clientkeys.ContentEncryptions(),
		TokenAuth: slices.Concat(auth, []string{"none"}), IntrospectionAuth: auth, RevocationAuth: slices.Concat(auth, []string{"none"}),
		MTLSAliases: p.options.MTLS.Aliases(p.options.Issuer), CertificateBound: p.options.MTLS != nil,
		TokenAuthAlgs: authAlgs, IntrospectionAuthAlgs: authAlgs, RevocationAuthAlgs: authAlgs,
		Displays: []string{"page"}, ClaimTypes: []string{"normal"}, UILocales: []string{"en", "de"},
		Prompts: []string{"none", "login", "consent", "select_account"}, Challenges: []string{"S256"},
		DPoPAlgs:           dpop.Algorithms(),
		FrontchannelLogout: true, FrontchannelSession: true, BackchannelLogout: true, BackchannelSession: true,
		DetailsTypes:    p.options.Details.Names(),
		ClaimsParameter: true, IssuerInResponse: true,
		Pushed: p.url("/par"), Device: p.url("/device_authorization"), RequirePushedAuthorize: p.options.RequirePushed,
		Backchannel: p.url(BackchannelPath), BackchannelModes: []string{"poll", clients.Ping}, BackchannelAlgs: clientkeys.Algorithms(),
		RequestParameter: true, RequestURIParameter: true, RequireRequestURI: true, RequestObjectAlgs: clientkeys.Algorithms(),
		AuthorizationAlgs: algs, IntrospectionAlgs: algs,
		AuthorizationEncAlgs: clientkeys.EncryptionAlgorithms(), AuthorizationEncEncs: clientkeys.ContentEncryptions(),
	}
	if mode := p.options.Registration.Mode; mode == registration.Token || mode == registration.Open {
		m.Registration = p.url(registration.Path)
	}
	m.ClientDocuments = p.options.Documents != nil
	m.ProtectedResources = append([]string{p.url(oauth.UserinfoPath)}, p.options.Resources...)
	if p.options.SignUp != nil {
		m.Prompts = append(m.Prompts, "create")
	}
	if p.options.LegacyResponseTypes {
		m.ResponseTypes = append(m.ResponseTypes, clients.LegacyResponseTypes...)
		m.GrantTypes = append(slices.Clone(m.GrantTypes), "implicit")
	}
	m.Claims = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "jti", "at_hash"}
	if p.options.LegacyResponseTypes {
		m.Claims = append(m.Claims, "c_hash")
	}
	m.Claims = append(m.Claims, claims.Names()...)
	return oauth.NewDocument(m)
}

// resourceMetadata describes a protected resource (RFC 9728 section 2).
type resourceMetadata struct {
	Resource    string   `json:"resource"`
	Servers     []string `json:"authorization_servers"`
	Scopes      []string `json:"scopes_supported"`
	Bearer      []string `json:"bearer_methods_supported"`
	DPoPAlgs    []string `json:"dpop_signing_alg_values_supported"`
	Certificate bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// describeUserinfo returns the metadata of the userinfo endpoint. Its scopes are those that return
// claims.
func (p *Provider) describeUserinfo() (oauth.Document, error) {
	scopes := slices.DeleteFunc(claims.Scopes(), func(s string) bool { return s == "offline_access" })
	return oauth.NewDocument(resourceMetadata{Resource: p.url(oauth.UserinfoPath), Servers: []string{p.options.Issuer}, Scopes: scopes,
		Bearer: []string{"header", "body"}, DPoPAlgs: dpop.Algorithms(), Certificate: p.options.MTLS != nil})
}

// UserinfoMetadata returns the metadata of the userinfo endpoint as a protected resource (RFC 9728).
func (p *Provider) UserinfoMetadata() oauth.Document { return p.userinfo }

// JWKS returns the published key set (RFC 7517 section 5).
func (p *Provider) JWKS() oauth.Document { return p.keys.JWKS() }

// Discovery returns the discovery document, the same for both well-known URLs.
func (p *Provider) Discovery() oauth.Document { return *p.discovery.Load() }
