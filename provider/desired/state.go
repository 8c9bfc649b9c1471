package desired

import (
	"time"

	"sallyport/config/strict"
)

// State is the desired state of clients, users and API keys. docs/desired-state.md is generated
// from the comments of its fields.
type State struct {
	// Clients. Those not named are kept, or deleted by `--prune`.
	Clients []Client `yaml:"clients"`
	// Users. Those not named are always kept.
	Users []User `yaml:"users"`
	// Keys of backends. Those not named are kept, or deleted by `--prune`.
	APIKeys []APIKey `yaml:"api_keys"`
}

// Client is the desired state of an OAuth client. Keys have RFC 7591 names where it has one.
type Client struct {
	// Required. 1 to 255 printable ASCII characters, no spaces.
	ID string `yaml:"client_id"`
	// Name shown on the hosted pages.
	Name string `yaml:"client_name"`
	// Refuse every request of the client.
	Disabled bool `yaml:"disabled"`
	// The client cannot keep a secret: it runs in a browser or on a phone.
	Public bool `yaml:"public"`
	// Allow loopback redirects on any port, and private-use schemes (RFC 8252).
	Native bool `yaml:"native"`
	// `client_secret_basic` (the default), `client_secret_post`, `client_secret_jwt`, `private_key_jwt`,
	// `tls_client_auth`, `self_signed_tls_client_auth`, or `none` for public clients. See
	// [client authentication](guides/client-authentication.md).
	AuthMethod string `yaml:"token_endpoint_auth_method"`
	// With `tls_client_auth`: the subject of its certificate in the form of RFC 4514, such as
	// `CN=ledger,O=Example,C=DE`. This, or one of the next four.
	TLSSubjectDN string `yaml:"tls_client_auth_subject_dn"`
	// A DNS name in its certificate.
	TLSSANDNS string `yaml:"tls_client_auth_san_dns"`
	// A URI in its certificate.
	TLSSANURI string `yaml:"tls_client_auth_san_uri"`
	// An IP address in its certificate.
	TLSSANIP string `yaml:"tls_client_auth_san_ip"`
	// An e-mail address in its certificate.
	TLSSANEmail string `yaml:"tls_client_auth_san_email"`
	// With `private_key_jwt`: the algorithm of the assertions, `RS256`, `PS256`, `ES256`,
	// `Ed25519`, or `EdDSA`, its older name; with `client_secret_jwt` `HS256`, `HS384` or `HS512`. Default:
	// any of them.
	AuthSigningAlg string `yaml:"token_endpoint_auth_signing_alg"`
	// For confidential clients: at least 32 random characters. Only its SHA-256 is stored, except with
	// `client_secret_jwt`: then it is stored sealed, and needs 48 characters for `HS384` and 64 for `HS512`.
	Secret string `yaml:"client_secret"`
	// Its SHA-256 as 64 hexadecimal digits, so that the file holds no secret. Not with `client_secret_jwt`.
	SecretSHA256 string `yaml:"client_secret_sha256"`
	// Public keys that the client signs with, or that the server encrypts with for it, a JWK Set
	// (RFC 7517): `{keys: [{kty: ...}]}`. RSA from 2048 bits, EC P-256 or Ed25519; for encryption RSA or EC.
	JWKS map[string]any `yaml:"jwks"`
	// Address of that set instead, `https://`, so that the client can change its keys. The server
	// [fetches it](configuration.md#fetch), and again for a key it does not know.
	JWKSURI string `yaml:"jwks_uri"`
	// Addresses at which the client publishes [request objects](guides/signed-and-pushed-requests.md), `https://`.
	RequestURIs []string `yaml:"request_uris"`
	// Algorithm of its request objects: `RS256`, `PS256`, `ES256`, `Ed25519` or `EdDSA`; default: any of them,
	// and with `profile: fapi2` any but `RS256`.
	RequestObjectAlg string `yaml:"request_object_signing_alg"`
	// Refuse its requests without a signed request object.
	RequireSignedRequestObject bool `yaml:"require_signed_request_object"`
	// Refuse its requests that were not pushed first (RFC 9126), as `profile: fapi2` does.
	RequirePushed bool `yaml:"require_pushed_authorization_requests"`
	// Compared as strings. https, or http on loopback; required for `authorization_code`.
	RedirectURIs []string `yaml:"redirect_uris"`
	// URIs a sign-out may redirect to.
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris"`
	// Address that the server posts a [logout token](guides/logout.md#back-channel) to when a session
	// of the client ends, `https://`.
	BackchannelLogoutURI string `yaml:"backchannel_logout_uri"`
	// Name the session in every logout token, also when all sessions of a user end: then there is one
	// for each.
	BackchannelLogoutSessionRequired bool `yaml:"backchannel_logout_session_required"`
	// Address that the browser of a user who signs out [loads in a frame](guides/logout.md#front-channel),
	// with the origin of one of `redirect_uris`.
	FrontchannelLogoutURI string `yaml:"frontchannel_logout_uri"`
	// For completeness: issuer and session are always in its query.
	FrontchannelLogoutSessionRequired bool `yaml:"frontchannel_logout_session_required"`
	// With [backchannel authentication](guides/backchannel-authentication.md): `poll` (the default), or `ping`.
	BackchannelMode string `yaml:"backchannel_token_delivery_mode"`
	// With `ping`: the address that the server posts to when a request has ended, `https://`.
	BackchannelNotificationEndpoint string `yaml:"backchannel_client_notification_endpoint"`
	// Algorithm that its backchannel authentication requests are signed with, `RS256`, `PS256`, `ES256`,
	// `Ed25519` or `EdDSA`; others are refused. Default: they are not signed.
	BackchannelRequestAlg string `yaml:"backchannel_authentication_request_signing_alg"`
	// Answer `unknown_user_id` if a hint names nobody who can sign in. Whoever has the credentials of the client
	// then learns who has an account.
	BackchannelUnknownUser bool `yaml:"backchannel_unknown_user_id"`
	// Origins that may call from a browser, besides those of the redirect URIs. Case, the default
	// port and the form of an international name do not matter.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// `authorization_code` (the default), `refresh_token`, `client_credentials`,
	// `urn:ietf:params:oauth:grant-type:device_code` for [devices without a browser](guides/devices-without-a-browser.md),
	// `urn:openid:params:grant-type:ciba` for [backchannel authentication](guides/backchannel-authentication.md),
	// `urn:ietf:params:oauth:grant-type:token-exchange`.
	GrantTypes []string `yaml:"grant_types"`
	// `code`.
	ResponseTypes []string `yaml:"response_types"`
	// Scopes the client may request.
	Scopes []string `yaml:"scopes"`
	// Resources it may request (RFC 8707). If it requests none, its access tokens are for all of
	// them. Include the issuer for clients that call userinfo, which refuses tokens for resource
	// servers only.
	Audience []string `yaml:"audience"`
	// Types of [authorization details](guides/authorization-details.md) that it may use.
	DetailsTypes []string `yaml:"authorization_details_types"`
	// With [token exchange](guides/token-exchange.md): the types of subject tokens it may present,
	// `access_token` (the default), `id_token`.
	ExchangeSubjectTypes []string `yaml:"token_exchange_subject_types"`
	// Clients whose tokens it may present.
	ExchangeSubjectClients []string `yaml:"token_exchange_subject_clients"`
	// Resources that it is: it may present access tokens for these, besides those for itself and its own.
	ExchangeSubjectAudiences []string `yaml:"token_exchange_subject_audiences"`
	// Audiences that it may get tokens for: resources, and names of clients.
	ExchangeAudiences []string `yaml:"token_exchange_audiences"`
	// Scopes that those may have, as far as the presented token has them.
	ExchangeScopes []string `yaml:"token_exchange_scopes"`
	// Do not name it in those tokens as the actor (`act`).
	ExchangeImpersonation bool `yaml:"token_exchange_impersonation"`
	// The client that alone may exchange this client's tokens; they name it (`may_act`).
	MayAct string `yaml:"may_act"`
	// Exempt a confidential web client from PKCE. Other clients cannot be exempt.
	PKCEOptional bool `yaml:"pkce_optional"`
	// Its access tokens are bound to a key, and every token request must prove it
	// ([DPoP](guides/client-authentication.md#dpop)).
	DPoPBound bool `yaml:"dpop_bound_access_tokens"`
	// Its tokens are bound to the certificate that every token request must come with
	// ([certificate-bound tokens](guides/client-authentication.md#certificate-bound-tokens)).
	CertificateBound bool `yaml:"tls_client_certificate_bound_access_tokens"`
	// Empty, or `fapi2`: the client follows [FAPI 2.0](guides/fapi.md). It authenticates with a key or
	// certificate, its tokens are bound to one, and its requests are pushed, with PKCE.
	Profile string `yaml:"profile"`
	// `OFF` (the default), `ALWAYS`, `TIME_BASED`, `SMART`: [when something is new](guides/remembered-devices.md#smart),
	// `PHR`: a passkey that verifies its user, or one beside the password; or `PHRH`: [a passkey in
	// hardware](guides/passkeys.md#keys-in-hardware).
	MFA string `yaml:"mfa"`
	// With `TIME_BASED`: how long a second factor stays valid.
	MFAInterval time.Duration `yaml:"mfa_interval"`
	// How long a second factor spares the next one in a [remembered
	// device](guides/remembered-devices.md), from `5m` to `8760h`; default `0`, never.
	MFARemember time.Duration `yaml:"mfa_remember"`
	// Methods allowed for this client; default: all.
	AllowedMethods []string `yaml:"allowed_methods"`
	// Offer a passkey [after a password](guides/passkeys.md#the-offer-after-a-password) or do not;
	// default: the server's `passkeys.offer`.
	PasskeyOffer *bool `yaml:"passkey_offer"`
	// Allow sign-in with only a code, at level aal1.
	Passwordless bool `yaml:"passwordless"`
	// Who may [sign up](guides/sign-up.md) for it: `off`, `open` or `invited`; default: the
	// server's setting `signup`. Where that is `off`, nobody.
	SignUp string `yaml:"signup"`
	// Claims that whoever signs up has to tell: any of `name`, `given_name`, `middle_name`,
	// `family_name`, `nickname`, `birthdate`, `gender`, `zoneinfo`.
	SignUpRequired []string `yaml:"signup_required"`
	// Claims that whoever signs up is asked for, and need not tell.
	SignUpOptional []string `yaml:"signup_optional"`
	// Address of terms of use, `https://`, which whoever signs up for it accepts in place of the
	// server's `terms.url`; with `terms_version`.
	TermsURL string `yaml:"terms_url"`
	// Their version, 1 to 64 characters, which is recorded with each acceptance.
	TermsVersion string `yaml:"terms_version"`
	// The client has its own login page, without the binding cookie (docs/divergences.md).
	HeadlessLogin bool `yaml:"headless_login"`
	// Its access tokens may list, set up and remove factors of their user through the [calls
	// of cidaas](guides/coming-from-cidaas.md), if their only audience is the client or the
	// issuer. For first-party applications only.
	ManagesFactors bool `yaml:"manages_factors"`
	// `skip` (the default) for first-party applications, `ask` for others. With `ask` users
	// consent even if no scope is requested, because a token identifies them.
	Consent string `yaml:"consent"`
	// Those of `scopes` without which the client is of no use: users who allow it anything cannot
	// leave them out. They can never leave out `openid`. See [consent](guides/consent.md).
	RequiredScopes []string `yaml:"required_scopes"`
	// Any program on the machine can impersonate a public client whose redirect URI is a loopback
	// address or a private-use scheme (RFC 8252 section 8.6). Unless this is set, its users
	// confirm each login that a session would finish, and `prompt=none` gets
	// `interaction_required`.
	SilentLogin bool `yaml:"silent_login"`
	// The client's login page, for `headless_login`: it gets `requestId` and uses
	// `/api/login/v1`.
	LoginURL string `yaml:"login_url"`
	// The client's page for further factors; default: `login_url`.
	MFAURL string `yaml:"mfa_url"`
	// Logo for the pages.
	LogoURI string `yaml:"logo_uri"`
	// Privacy policy.
	PolicyURI string `yaml:"policy_uri"`
	// Terms of service.
	TosURI string `yaml:"tos_uri"`
	// Where its users get help, `https:` or `mailto:`, linked where a page cannot help them;
	// default: the server's `support_url`.
	SupportURL string `yaml:"support_url"`
	// Target of "back to the application".
	ClientURI string `yaml:"client_uri"`
	// `public` (the default), or `pairwise`: users have [other subjects](guides/pairwise-subjects.md) at
	// clients of other hosts. A change gives every user of the client another subject.
	SubjectType string `yaml:"subject_type"`
	// With `pairwise`: an `https://` address whose host stands for this client and others that see the
	// same subjects; needed where `redirect_uris` have several hosts, or none of their own. It is not fetched.
	SectorIdentifierURI string `yaml:"sector_identifier_uri"`
	// Encrypt its ID tokens and logout tokens [with a key of its own](guides/encrypted-tokens.md):
	// `RSA-OAEP-256`, `ECDH-ES`, `ECDH-ES+A128KW` or `ECDH-ES+A256KW`; default: not encrypted.
	IDTokenEncryptionAlg string `yaml:"id_token_encrypted_response_alg"`
	// `A128CBC-HS256` (the default), `A128GCM` or `A256GCM`.
	IDTokenEncryptionEnc string `yaml:"id_token_encrypted_response_enc"`
	// Sign the [responses of userinfo](guides/encrypted-tokens.md#userinfo): `RS256`, `PS256`, `ES256` or
	// `EdDSA`; default: JSON.
	UserinfoAlg string `yaml:"userinfo_signed_response_alg"`
	// Encrypt them, as `id_token_encrypted_response_alg`.
	UserinfoEncryptionAlg string `yaml:"userinfo_encrypted_response_alg"`
	// As `id_token_encrypted_response_enc`.
	UserinfoEncryptionEnc string `yaml:"userinfo_encrypted_response_enc"`
	// Address that begins a login at the client, `https://`
	// ([OpenID Connect Core section 4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)).
	// "Back to the application" leads there, with `iss`.
	InitiateLoginURI string `yaml:"initiate_login_uri"`
	// Addresses of those responsible for the client, at most 10.
	Contacts []string `yaml:"contacts"`
	// What the client is an instance of.
	SoftwareID string `yaml:"software_id"`
	// And in which version.
	SoftwareVersion string `yaml:"software_version"`
	// `RS256`, `PS256`, `ES256` or `EdDSA`; default: the first of `signing_algs`.
	IDTokenAlg string `yaml:"id_token_signed_response_alg"`
	// Algorithm that signs its authorization responses ([JARM](guides/fapi.md#signed-responses)), which then are
	// always signed: `RS256`, `PS256`, `ES256` or `EdDSA`; default: those it asks for by `response_mode`
	// are signed like its ID tokens.
	AuthorizationAlg string `yaml:"authorization_signed_response_alg"`
	// Encrypt them with a key in `jwks` ([JARM](guides/fapi.md#encrypted-responses)), as `id_token_encrypted_response_alg`;
	// they then are always signed and encrypted.
	AuthorizationEncryptionAlg string `yaml:"authorization_encrypted_response_alg"`
	// As `id_token_encrypted_response_enc`.
	AuthorizationEncryptionEnc string `yaml:"authorization_encrypted_response_enc"`
	// Algorithm of [signed responses of introspection](guides/fapi.md#signed-introspection), which it asks for by a
	// header: `RS256`, `PS256`, `ES256` or `EdDSA`; default: that of its ID tokens.
	IntrospectionAlg string `yaml:"introspection_signed_response_alg"`
	// `requested` (the default): the ID token has the claims that `claims` requests by name, and
	// userinfo those of the scopes. `scopes`: the ID token has those of the scopes too, for clients
	// that do not call userinfo.
	IDTokenClaims string `yaml:"id_token_claims"`
	// `jwt` (the default) or `opaque`.
	AccessTokenFormat string `yaml:"access_token_format"`
	// 1m to 1h; default: the server's.
	AccessTokenTTL time.Duration `yaml:"access_token_ttl"`
	// 1m to 2160h; default: the server's.
	RefreshIdleTTL time.Duration `yaml:"refresh_token_idle_ttl"`
	// 1m to 2160h; default: the server's.
	RefreshTTL time.Duration `yaml:"refresh_token_ttl"`
	// 0s to 10s in which a rotated token gets the same successor; default: 10s for public
	// clients, 0s for others.
	RefreshGrace *time.Duration `yaml:"refresh_grace"`
	// The end of a session also ends this client's tokens with `offline_access`, whoever ends it.
	LogoutEndsOffline bool `yaml:"logout_ends_offline"`
	// `token`, `id_token`, `id_token token`, `code id_token`, `code token`, `code id_token
	// token`: those the client may use, if the server's setting of that name is on.
	LegacyTypes []string `yaml:"legacy_response_types"`
}

// User is the desired state of a user. Keys left out do not change an existing user.
type User struct {
	// 32 lower-case hexadecimal digits in the layout 8-4-4-4-12; default: generated.
	ID string `yaml:"id"`
	// One of `username`, `email` and `phone_number` is required. No spaces, no `@`, no leading `+`.
	Username string `yaml:"username"`
	// E-mail address.
	Email string `yaml:"email"`
	// It was proven.
	EmailVerified bool `yaml:"email_verified"`
	// International form, `+4915112345678`. A new one must be possible in its country.
	Phone string `yaml:"phone_number"`
	// It was proven.
	PhoneVerified bool `yaml:"phone_number_verified"`
	// A new password that meets [passwords](configuration.md#passwords), or `password_hash`.
	Password string `yaml:"password"`
	// argon2id in PHC form, or bcrypt of a cost up to 12, replaced by argon2id at the first
	// sign-in.
	PasswordHash string `yaml:"password_hash"`
	// base32 of 10 to 128 bytes, as apps show it: in upper or lower case, with or without spaces,
	// dashes and padding. The authenticator is active immediately.
	TOTPSecret string `yaml:"totp_secret"`
	// `SHA1` (the default), `SHA256` or `SHA512`, as in the user's app.
	TOTPAlgorithm string `yaml:"totp_algorithm"`
	// 6 (the default) or 8.
	TOTPDigits int `yaml:"totp_digits"`
	// `30s` (the default) or `60s`.
	TOTPPeriod time.Duration `yaml:"totp_period"`
	// At most 32, each valid once: 8 to 64 letters and digits, in upper or lower case, with or
	// without spaces and dashes.
	RecoveryCodes []string `yaml:"recovery_codes"`
	// At most 32 values, each of 1 to 64 bytes. See [Roles](#roles).
	Roles []string `yaml:"roles"`
	// Standard claims of OpenID Connect Core section 5.1, `address` as a mapping.
	Profile map[string]any `yaml:"profile"`
	// Require a second factor at every client.
	MFAEnabled *bool `yaml:"mfa_enabled"`
	// `active` (the default of a new user), `pending` or `disabled`. A pending user has proven
	// nothing yet and becomes active with the first proof. Setting `pending` or `disabled` ends
	// sessions, tokens and logins in progress.
	Status string `yaml:"status"`
}

// Check reports faults that only a caller can know, with the path of the key. A path is
// reported only once.
type Check func(s State, fault func(path, text string))

// Parse reads a desired state; source names the text in faults. The error lists every fault,
// including those of the checks, with its line.
func Parse(source string, text []byte, checks ...Check) (State, error) {
	var s State
	err := s.validate(strict.Decode(source, text, &s), checks)
	return s, err
}

// FromObject is Parse for a parsed JSON object with json.Number values.
func FromObject(members map[string]any, checks ...Check) (State, error) {
	var s State
	err := s.validate(strict.Object(members, &s), checks)
	return s, err
}

// validate returns every fault of a state that was read.
func (s *State) validate(r *strict.Reader, checks []Check) error {
	r.BeginChecks()
	s.check(r)
	for _, check := range checks {
		check(*s, r.Report)
	}
	return r.Err()
}

// Validate returns every fault of a state built in code.
func (s *State) Validate() error {
	r := strict.New()
	s.check(r)
	return r.Err()
}
