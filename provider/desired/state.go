package desired

import (
	"slices"
	"time"

	"sallyport/config/strict"
)

// State is the desired state of clients, users and API keys. The fields are its reference, as
// those of Config are: docs/desired-state.md shows their comments.
type State struct {
	// Clients; one that is not named is left alone, or deleted by `--prune`.
	Clients []Client `yaml:"clients"`
	// Users; one that is not named is left alone, always.
	Users []User `yaml:"users"`
	// Keys of backends; one that is not named is left alone, or deleted by `--prune`.
	APIKeys []APIKey `yaml:"api_keys"`
}

// Client is an OAuth client as it should be. Keys have the names of RFC 7591 where it
// has one.
type Client struct {
	// Required. 1 to 255 printable ASCII characters, no spaces.
	ID string `yaml:"client_id"`
	// Name on our pages.
	Name string `yaml:"client_name"`
	// A disabled client gets nothing.
	Disabled bool `yaml:"disabled"`
	// Runs where it can keep no secret: a browser, a phone.
	Public bool `yaml:"public"`
	// May use loopback redirects on any port, and a scheme of its own (RFC 8252).
	Native bool `yaml:"native"`
	// `client_secret_basic`, `client_secret_post`, or `none` for public clients. Left out:
	// `none` or `client_secret_basic`.
	AuthMethod string `yaml:"token_endpoint_auth_method"`
	// For confidential clients: 32 characters or more, made at random. Only its SHA-256 is
	// kept.
	Secret string `yaml:"client_secret"`
	// The same as 64 hexadecimal digits, so that the file holds no secret.
	SecretSHA256 string `yaml:"client_secret_sha256"`
	// Compared character by character. https, or http on loopback; required for
	// `authorization_code`.
	RedirectURIs []string `yaml:"redirect_uris"`
	// Where a sign-out may lead.
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris"`
	// Origins that may call from a browser, besides those of the redirect URIs.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// `authorization_code` (also when left out), `refresh_token`, `client_credentials`.
	GrantTypes []string `yaml:"grant_types"`
	// `code`.
	ResponseTypes []string `yaml:"response_types"`
	// Scopes the client may ask for.
	Scopes []string `yaml:"scopes"`
	// Resources it may ask for (RFC 8707). Where it asks for none, its access tokens are for
	// all of them. A token for resource servers alone opens nothing here: name the issuer among
	// them for clients that call userinfo.
	Audience []string `yaml:"audience"`
	// Excuses a confidential web client from PKCE. Nobody else can be excused.
	PKCEOptional bool `yaml:"pkce_optional"`
	// Empty, or `fapi2`.
	Profile string `yaml:"profile"`
	// `OFF` (also when left out), `ALWAYS` or `TIME_BASED`.
	MFA string `yaml:"mfa"`
	// With `TIME_BASED`: how long a second factor holds.
	MFAInterval time.Duration `yaml:"mfa_interval"`
	// Methods that count for this client; left out: all.
	AllowedMethods []string `yaml:"allowed_methods"`
	// A code alone may sign in, at level aal1.
	Passwordless bool `yaml:"passwordless"`
	// The client shows its own login page without our cookie (docs/divergences.md).
	HeadlessLogin bool `yaml:"headless_login"`
	// Its access tokens may list, set up and remove factors of their user through the [calls
	// of cidaas](guides/coming-from-cidaas.md), if they are for the client itself or for the
	// issuer and for no other `audience`. For your own applications only.
	ManagesFactors bool `yaml:"manages_factors"`
	// `skip` (also when left out) for your own applications, `ask` for others', whose users
	// are asked also where no scope is: a token names them.
	Consent string `yaml:"consent"`
	// A public client whose redirect URI is a loopback address or a scheme of its own can be
	// impersonated by any program on the machine (RFC 8252 section 8.6). Its users confirm each
	// login that a living session would finish, and `prompt=none` gets `interaction_required`,
	// unless this is set.
	SilentLogin bool `yaml:"silent_login"`
	// The client's own login page, for `headless_login`: it gets `requestId` and signs in
	// through `/api/login/v1`.
	LoginURL string `yaml:"login_url"`
	// The client's own page for further factors, beside `login_url`; left out: `login_url`
	// is opened for them too.
	MFAURL string `yaml:"mfa_url"`
	// Picture for the pages.
	LogoURI string `yaml:"logo_uri"`
	// Privacy policy.
	PolicyURI string `yaml:"policy_uri"`
	// Terms of service.
	TosURI string `yaml:"tos_uri"`
	// Where "back to the application" leads.
	ClientURI string `yaml:"client_uri"`
	// `RS256`, `PS256`, `ES256` or `EdDSA`; left out: the first of `signing_algs`.
	IDTokenAlg string `yaml:"id_token_signed_response_alg"`
	// `jwt` (also when left out) or `opaque`.
	AccessTokenFormat string `yaml:"access_token_format"`
	// 1m to 1h; left out: the server's.
	AccessTokenTTL time.Duration `yaml:"access_token_ttl"`
	// 1m to 2160h; left out: the server's.
	RefreshIdleTTL time.Duration `yaml:"refresh_token_idle_ttl"`
	// 1m to 2160h; left out: the server's.
	RefreshTTL time.Duration `yaml:"refresh_token_ttl"`
	// 0s to 10s in which the loser of a race gets the winner's token; left out: 10s for
	// public clients, 0s for others.
	RefreshGrace *time.Duration `yaml:"refresh_grace"`
	// A sign-out ends `offline_access` too.
	LogoutEndsOffline bool `yaml:"logout_ends_offline"`
	// `token`, `id_token`, `id_token token`, `code id_token`, `code token`, `code id_token
	// token`: those the client may use, if the server's setting of that name is on.
	LegacyTypes []string `yaml:"legacy_response_types"`
}

// User is a user as it should be. Of an existing one, what is left out here stays.
type User struct {
	// 32 lower-case hexadecimal digits in the layout 8-4-4-4-12; left out: made.
	ID string `yaml:"id"`
	// One of these three is required. No spaces, no `@`, no `+` in front.
	Username string `yaml:"username"`
	// E-mail address.
	Email string `yaml:"email"`
	// It was proven.
	EmailVerified bool `yaml:"email_verified"`
	// International form, `+4915112345678`.
	Phone string `yaml:"phone_number"`
	// It was proven.
	PhoneVerified bool `yaml:"phone_number_verified"`
	// A new password, as [passwords](configuration.md#passwords) asks for it; or
	Password string `yaml:"password"`
	// argon2id in PHC form, or bcrypt of a cost up to 12; it becomes our own argon2id at the
	// first sign-in.
	PasswordHash string `yaml:"password_hash"`
	// base32 of 16 bytes or more; the authenticator is active at once.
	TOTPSecret string `yaml:"totp_secret"`
	// `SHA1` (also when left out), `SHA256` or `SHA512`, as the user's app was told.
	TOTPAlgorithm string `yaml:"totp_algorithm"`
	// 6 (also when left out) or 8.
	TOTPDigits int `yaml:"totp_digits"`
	// `30s` (also when left out) or `60s`.
	TOTPPeriod time.Duration `yaml:"totp_period"`
	// At most 32, each good once.
	RecoveryCodes []string `yaml:"recovery_codes"`
	// At most 32 words of your own, each of 1 to 64 bytes. [Where they are told](#roles).
	Roles []string `yaml:"roles"`
	// Standard claims of OpenID Connect Core section 5.1, `address` as a table.
	Profile map[string]any `yaml:"profile"`
	// The user wants a second factor everywhere.
	MFAEnabled *bool `yaml:"mfa_enabled"`
	// `active`, `pending` or `disabled`; left out: a new user is active. A pending user has
	// proven nothing yet, and becomes active with the first proof. Who is made pending or
	// disabled loses what they had: sessions, tokens, logins under way.
	Status string `yaml:"status"`
}

// Check looks for faults that only a room above can know. It tells each with the
// path of its key; one where the path has a fault already is not told again.
type Check func(s State, fault func(path, text string))

// Parse reads a desired state; source names the text in faults. The error lists every
// fault with its line, those that the checks find included.
func Parse(source string, text []byte, checks ...Check) (State, error) {
	var s State
	err := s.judge(strict.Decode(source, text, &s), checks)
	return s, err
}

// FromObject is Parse for a JSON object that was parsed before, with its numbers as json.Number.
func FromObject(members map[string]any, checks ...Check) (State, error) {
	var s State
	err := s.judge(strict.Object(members, &s), checks)
	return s, err
}

// judge returns every fault of a state that was read.
func (s *State) judge(r *strict.Reader, checks []Check) error {
	s.defaults()
	r.BeginChecks()
	s.check(r)
	for _, check := range checks {
		check(*s, r.Report)
	}
	return r.Err()
}

// Validate fills in defaults and returns every fault of a state made in code.
func (s *State) Validate() error {
	r := strict.New()
	s.defaults()
	s.check(r)
	return r.Err()
}

// Users have no defaults: what a file leaves out is not touched.
func (s *State) defaults() {
	for i := range s.Clients {
		s.Clients[i].defaults()
	}
}

// defaults are those of RFC 7591 section 2, where a client says nothing.
func (c *Client) defaults() {
	if c.AuthMethod == "" {
		c.AuthMethod = "client_secret_basic"
		if c.Public {
			c.AuthMethod = "none"
		}
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{"authorization_code"}
	}
	if len(c.ResponseTypes) == 0 && slices.Contains(c.GrantTypes, "authorization_code") {
		c.ResponseTypes = []string{"code"}
	}
	if c.MFA == "" {
		c.MFA = "OFF"
	}
	if c.Consent == "" {
		c.Consent = "skip"
	}
}
