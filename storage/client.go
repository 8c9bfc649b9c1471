package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Client is an OAuth client with all its settings (with RFC 7591 names where there is
// one). It is stored as one document; readers may share it but must not change it.
type Client struct {
	ID       ClientID `json:"client_id"`
	Name     string   `json:"client_name,omitempty"`
	Disabled bool     `json:"disabled,omitempty"`
	// Public clients have no secret (RFC 6749 section 2.1).
	Public bool `json:"public,omitempty"`
	// Native clients may use loopback redirects with any port (RFC 8252 section 7.3).
	Native bool `json:"native,omitempty"`
	// AuthMethod is token_endpoint_auth_method: client_secret_basic, client_secret_post,
	// client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth or none.
	AuthMethod string `json:"token_endpoint_auth_method"`
	// The name in its certificate (RFC 8705 section 2.1.2): with tls_client_auth one of these.
	TLSSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	TLSSANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	TLSSANEmail  string `json:"tls_client_auth_san_email,omitempty"`
	// AuthSigningAlg is the algorithm of its assertions; "": any of the server's.
	AuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`
	// SecretHashes are SHA-256 sums of random secrets of 256 bits or more: the current one and,
	// during a rotation, its predecessor.
	SecretHashes [][]byte `json:"secret_hashes,omitempty"`
	// Secrets are those secrets themselves, of a client with client_secret_jwt only: signatures are
	// verified with them. They are no part of the document.
	Secrets []ClientSecret `json:"-"`
	// Broken: the stored secrets do not open in this row, because they were changed or moved here. They
	// verify nothing. Set by the engine on reading, which logs it.
	Broken bool `json:"-"`
	// JWKS are the public keys of the client, a JWK Set (RFC 7517); JWKSURI is where they are
	// instead, and may change.
	JWKS    json.RawMessage `json:"jwks,omitempty"`
	JWKSURI string          `json:"jwks_uri,omitempty"`
	// RequestURIs are addresses of request objects (RFC 9101 section 10.4).
	RequestURIs []string `json:"request_uris,omitempty"`
	// RequestObjectAlg must have signed its request objects; "": any algorithm that clients may use.
	RequestObjectAlg string `json:"request_object_signing_alg,omitempty"`
	// RequireSignedRequestObject and RequirePushed refuse its other requests (RFC 9101 section
	// 10.5, RFC 9126 section 6).
	RequireSignedRequestObject bool     `json:"require_signed_request_object,omitempty"`
	RequirePushed              bool     `json:"require_pushed_authorization_requests,omitempty"`
	RedirectURIs               []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs     []string `json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURI is told of ended sessions by the server (OpenID Connect Back-Channel Logout
	// 1.0), FrontchannelLogoutURI by the browser that signs out (Front-Channel Logout 1.0). "": it is
	// not told. Each wants the session to be named if its SessionRequired is set.
	BackchannelLogoutURI              string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired  bool   `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI             string `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSessionRequired bool   `json:"frontchannel_logout_session_required,omitempty"`
	// BackchannelMode is how the client hears of the end of its backchannel authentication requests
	// (OpenID Connect Client-Initiated Backchannel Authentication section 4): "poll" (also ""), or "ping"
	// at BackchannelNotificationEndpoint. BackchannelRequestAlg must have signed those requests; "": they
	// are not signed. With BackchannelUnknownUser the client is told that a hint names nobody.
	BackchannelMode                 string `json:"backchannel_token_delivery_mode,omitempty"`
	BackchannelNotificationEndpoint string `json:"backchannel_client_notification_endpoint,omitempty"`
	BackchannelRequestAlg           string `json:"backchannel_authentication_request_signing_alg,omitempty"`
	BackchannelUnknownUser          bool   `json:"backchannel_unknown_user_id,omitempty"`
	// AllowedOrigins may call the API from a browser, besides the origins of RedirectURIs.
	AllowedOrigins []string `json:"allowed_origins,omitempty"`
	GrantTypes     []string `json:"grant_types"`
	ResponseTypes  []string `json:"response_types,omitempty"`
	Scopes         []string `json:"scopes,omitempty"`
	Audience       []string `json:"audience,omitempty"` // resources it may request (RFC 8707)
	// DetailsTypes are the types of authorization details that it may use (RFC 9396 section 10).
	DetailsTypes []string `json:"authorization_details_types,omitempty"`
	// The policy of its token exchanges (RFC 8693): which types of subject tokens it may present, of
	// which clients, for which resources besides itself; and for which audiences and with which scopes
	// it gets tokens. Without ExchangeImpersonation those name it as the actor.
	ExchangeSubjectTypes     []string `json:"token_exchange_subject_types,omitempty"` // "access_token" (also empty), "id_token"
	ExchangeSubjectClients   []string `json:"token_exchange_subject_clients,omitempty"`
	ExchangeSubjectAudiences []string `json:"token_exchange_subject_audiences,omitempty"`
	ExchangeAudiences        []string `json:"token_exchange_audiences,omitempty"`
	ExchangeScopes           []string `json:"token_exchange_scopes,omitempty"`
	ExchangeImpersonation    bool     `json:"token_exchange_impersonation,omitempty"`
	// MayAct is the client that alone may act for the users of its tokens (RFC 8693 section 4.4); "": any
	// whose policy allows it.
	MayAct ClientID `json:"may_act,omitempty"`
	// PKCEOptional exempts a confidential client from PKCE. Other clients cannot be exempt.
	PKCEOptional bool `json:"pkce_optional,omitempty"`
	// DPoPBound: every token request must have a DPoP proof (RFC 9449 section 5.2).
	DPoPBound bool `json:"dpop_bound_access_tokens,omitempty"`
	// CertificateBound: every token request must come with a certificate, to which its tokens are
	// bound (RFC 8705 section 3.4).
	CertificateBound bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	// Profile is "" or "fapi2".
	Profile string `json:"profile,omitempty"`

	// MFA is the policy: OFF, ALWAYS, SMART, PHR, PHRH, or TIME_BASED with MFAInterval.
	MFA         string  `json:"mfa,omitempty"`
	MFAInterval Seconds `json:"mfa_interval,omitempty"`
	// MFARemember is how long a second factor spares the next one in a browser whose user wants
	// that; 0: never.
	MFARemember    Seconds  `json:"mfa_remember,omitempty"`
	AllowedMethods []string `json:"allowed_methods,omitempty"` // empty: every method of the server
	Passwordless   bool     `json:"passwordless,omitempty"`
	HeadlessLogin  bool     `json:"headless_login,omitempty"`
	// PasskeyOffer: users who sign in with a password are offered a passkey; nil: as the server says.
	PasskeyOffer *bool `json:"passkey_offer,omitempty"`
	// SignUp is who may sign up for the client: "off", "open" or "invited"; "": as the server says.
	SignUp string `json:"signup,omitempty"`
	// SignUpRequired and SignUpOptional are the claims that people who sign up are asked for.
	SignUpRequired []string `json:"signup_required,omitempty"`
	SignUpOptional []string `json:"signup_optional,omitempty"`
	// TermsURL and TermsVersion are the terms of use that people who sign up for the client accept in
	// place of the server's; "": those.
	TermsURL     string `json:"terms_url,omitempty"`
	TermsVersion string `json:"terms_version,omitempty"`
	// ManagesFactors: the client's access tokens may set up and remove factors of their user.
	ManagesFactors bool `json:"manages_factors,omitempty"`
	// Consent is "skip" (a first-party application) or "ask".
	Consent string `json:"consent,omitempty"`
	// RequiredScopes cannot be left out by users who allow the client anything.
	RequiredScopes []string `json:"required_scopes,omitempty"`
	// SilentLogin lets a public client with a loopback or private-scheme redirect finish from
	// a session, though any program could impersonate it (RFC 8252 section 8.6).
	SilentLogin bool `json:"silent_login,omitempty"`

	LoginURL  string `json:"login_url,omitempty"` // the client's login page; "": the hosted one
	MFAURL    string `json:"mfa_url,omitempty"`   // the client's page for further factors; "": LoginURL
	LogoURI   string `json:"logo_uri,omitempty"`
	PolicyURI string `json:"policy_uri,omitempty"`
	TosURI    string `json:"tos_uri,omitempty"`
	// SupportURL is where its users get help; "": the server's.
	SupportURL string `json:"support_url,omitempty"`
	// Contacts are addresses of people responsible for the client; SoftwareID and SoftwareVersion name
	// what it is an instance of (RFC 7591 section 2). The server shows them to operators only.
	Contacts        []string `json:"contacts,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`
	// InitiateLoginURI begins a login at the client (OpenID Connect Core section 4).
	InitiateLoginURI string `json:"initiate_login_uri,omitempty"`
	ClientURI        string `json:"client_uri,omitempty"` // target of "back to the application"

	// SubjectType is "public" (also "") or "pairwise" (OpenID Connect Core section 8): its users have
	// other subjects at the clients of other sectors. SectorIdentifierURI names its sector by its host;
	// "": the host of RedirectURIs does. It is a list of redirect URIs, which contained those of a client
	// that registered itself (OpenID Connect Dynamic Client Registration section 5).
	SubjectType         string `json:"subject_type,omitempty"`
	SectorIdentifierURI string `json:"sector_identifier_uri,omitempty"`

	IDTokenAlg string `json:"id_token_signed_response_alg,omitempty"` // "": RS256
	// AuthorizationAlg signs its authorization responses, which then are always signed (JARM); "": those
	// it asks for are signed like its ID tokens. IntrospectionAlg is that of introspection (RFC 9701).
	AuthorizationAlg string `json:"authorization_signed_response_alg,omitempty"`
	// AuthorizationEncryptionAlg and AuthorizationEncryptionEnc encrypt them for the client with a key in
	// JWKS; "": they are not encrypted.
	AuthorizationEncryptionAlg string `json:"authorization_encrypted_response_alg,omitempty"`
	AuthorizationEncryptionEnc string `json:"authorization_encrypted_response_enc,omitempty"`
	IntrospectionAlg           string `json:"introspection_signed_response_alg,omitempty"`
	// IDTokenEncryptionAlg and IDTokenEncryptionEnc encrypt its ID tokens and logout tokens with its
	// keys (RFC 7516); "": not encrypted, and A128CBC-HS256.
	IDTokenEncryptionAlg string `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenEncryptionEnc string `json:"id_token_encrypted_response_enc,omitempty"`
	// UserinfoAlg signs the responses of userinfo, and the next two encrypt them; "": neither.
	UserinfoAlg           string `json:"userinfo_signed_response_alg,omitempty"`
	UserinfoEncryptionAlg string `json:"userinfo_encrypted_response_alg,omitempty"`
	UserinfoEncryptionEnc string `json:"userinfo_encrypted_response_enc,omitempty"`
	// IDTokenClaims is "requested" (also "") or "scopes": whether the claims of scopes are in ID tokens.
	IDTokenClaims       string  `json:"id_token_claims,omitempty"`
	AccessTokenFormat   string  `json:"access_token_format,omitempty"` // "jwt" (also "") or "opaque"
	AccessTokenTTL      Seconds `json:"access_token_ttl,omitempty"`    // 0: the server's
	RefreshTokenIdleTTL Seconds `json:"refresh_token_idle_ttl,omitempty"`
	RefreshTokenTTL     Seconds `json:"refresh_token_ttl,omitempty"`
	// RefreshGrace is how long a rotated token still gets the same successor: nil means
	// 10 s for public clients and 0 for confidential ones.
	RefreshGrace        *Seconds `json:"refresh_grace,omitempty"`
	LogoutEndsOffline   bool     `json:"logout_ends_offline,omitempty"`
	LegacyResponseTypes []string `json:"legacy_response_types,omitempty"`
	// Registration is that of a client that registered itself; nil: an operator registered it.
	Registration *Registration `json:"registration,omitempty"`
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
}

// ClientSecret is a client secret itself, which logs and errors do not show.
type ClientSecret string

// String implements fmt.Stringer.
func (ClientSecret) String() string { return "hidden" }

// GoString implements fmt.GoStringer.
func (ClientSecret) GoString() string { return "hidden" }

// SignUpClaims returns the claims that a client may ask people for who sign up, in the order they are
// shown (OpenID Connect Core section 5.1).
func SignUpClaims() []string {
	return []string{"name", "given_name", "middle_name", "family_name", "nickname", "birthdate", "gender", "zoneinfo"}
}

// Seconds is a duration in whole seconds, as OAuth metadata writes them.
type Seconds int64

// Duration converts to the standard type.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Consent has the scopes a user allowed a client, and where.
type Consent struct {
	UserID   UserID
	ClientID ClientID
	Scopes   []string
	// Declined are scopes that the user left out when allowing the others.
	Declined []string
	// Resources are the resource servers where the user was told the access would be used.
	Resources []string
	GrantedAt time.Time
}

// Clients stores OAuth clients and consents.
type Clients interface {
	// Client returns a client, even if disabled.
	Client(ctx context.Context, id ClientID) (Client, error)
	// ListClients returns all clients in the order of their IDs.
	ListClients(ctx context.Context) ([]Client, error)
	// PutClient adds or replaces a client and increments the version "clients".
	PutClient(ctx context.Context, c Client, events []Event) error
	// ReplaceClient is PutClient if the client is unchanged: was is the UpdatedAt that
	// was read, or zero if the client must not exist. ErrConflict: it was changed,
	// created or deleted since.
	ReplaceClient(ctx context.Context, c Client, was time.Time, events []Event) error
	// DeleteClient removes a client with its grants and increments the version
	// "clients". The events are written with the first removal.
	DeleteClient(ctx context.Context, id ClientID, events []Event) error
	// Versions returns the version counters "clients", "api_keys" and "keys", which
	// servers poll to invalidate their caches. One statement.
	Versions(ctx context.Context) (map[string]int64, error)
	// Consent returns the consent of a user for a client.
	Consent(ctx context.Context, user UserID, client ClientID) (Consent, error)
	// ConsentsOf returns all consents of a user.
	ConsentsOf(ctx context.Context, user UserID) ([]Consent, error)
	// WithdrawConsent removes a consent and the client's grants for that user.
	WithdrawConsent(ctx context.Context, user UserID, client ClientID, now time.Time, events []Event) error
}
