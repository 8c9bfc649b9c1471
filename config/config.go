package config

import "time"

// Config is every setting of a server. The fields are its reference: yaml is the key in
// the file, env the variable behind SALLYPORT_, min and max the bounds (inclusive) that
// Validate enforces, and the comment is what docs/configuration.md and "sallyport config
// reference" show.
type Config struct {
	// Required. The URL under which browsers and clients reach the server: scheme and host,
	// no path. `http://` only for localhost. Every URL the server publishes begins with it;
	// headers of a request never change it.
	Issuer string `yaml:"issuer" env:"ISSUER"`
	// `test` or `live`. A token of one is not valid in the other.
	Environment string `yaml:"environment" env:"ENVIRONMENT"`
	// Name shown on the pages and in authenticator apps; 1 to 64 bytes, no colon.
	Product string `yaml:"product" env:"PRODUCT"`
	// Contact of your support, `https://` or `mailto:`. Pages show it wherever a user cannot go on
	// alone, and notices by mail name it.
	SupportURL string `yaml:"support_url" env:"SUPPORT_URL"`
	// File of networks with their countries: lines of `192.0.2.0/24,DE` or `192.0.2.0,192.0.2.255,DE`.
	// The policy [SMART](guides/remembered-devices.md#countries) then also says whether the country
	// is new. The server holds it in memory, and reads it again when it changes or on SIGHUP.
	CountryFile string `yaml:"country_file" env:"COUNTRY_FILE"`
	// File of the types of [authorization details](guides/authorization-details.md) that clients may use,
	// and of the texts that users see. It is read at the start. Empty: there are none.
	DetailsFile string `yaml:"authorization_details_file" env:"AUTHORIZATION_DETAILS_FILE"`
	// Who may [sign up](guides/sign-up.md): `off`, `open`, or `invited`, whom an administrator or a
	// backend has created. A client may say otherwise, unless this is `off`. Needs mail.
	SignUp string `yaml:"signup" env:"SIGNUP"`
	Terms  Terms  `yaml:"terms" envPrefix:"TERMS_"`
	// Address and port of the public listener.
	Listen string `yaml:"listen" env:"LISTEN"`
	// Address and port of `/healthz`, `/readyz`, `/metrics` and the admin API. Do not expose it to
	// the internet. Other than on loopback it needs `admin_tls`, or `admin_plaintext`.
	AdminListen string `yaml:"admin_listen" env:"ADMIN_LISTEN"`
	// The admin listener speaks plain HTTP although it is not on loopback: everybody on its
	// network can read the key of the admin API, and with it control every account. Only for
	// a network that no other machine is on.
	AdminPlaintext bool `yaml:"admin_plaintext" env:"ADMIN_PLAINTEXT"`
	// Required to serve. File with the key of the admin API, 43 characters, as `sallyport
	// adminkey` writes it. Commands use it too.
	AdminKeyFile string   `yaml:"admin_key_file" env:"ADMIN_KEY_FILE"`
	AdminTLS     AdminTLS `yaml:"admin_tls" envPrefix:"ADMIN_TLS_"`
	TLS          TLS      `yaml:"tls" envPrefix:"TLS_"`
	MTLS         MTLS     `yaml:"mtls" envPrefix:"MTLS_"`
	// Addresses and networks whose `X-Forwarded-For` is trusted. Never the whole internet:
	// together less than a sixteenth of all IPv4 addresses, and of all global IPv6 addresses.
	// Required for an https issuer without `tls`: there is a proxy in front then, and without
	// this setting all users would share its address for the limits.
	TrustedProxies []string `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
	// Connections that may be open at the same time; further ones wait.
	MaxConnections int      `yaml:"max_connections" env:"MAX_CONNECTIONS" min:"16" max:"1000000"`
	Database       Database `yaml:"database" envPrefix:"DATABASE_"`
	// Required. File of key-encryption keys, one per line, `id:base64 of 32 bytes`, the current
	// one first, `#` begins a comment. Everything secret in the database is sealed under them:
	// without this file nobody can use a backup.
	KeyFile string `yaml:"key_file" env:"KEY_FILE"`
	// Folder whose files, in `templates`, `messages` and `static`, replace the built-in ones
	// of the same name. Scripts and styles in them need `nonce="{{.Nonce}}"`.
	TemplateDir string `yaml:"template_dir" env:"TEMPLATE_DIR"`
	// `debug`, `info`, `warn` or `error`. The log is JSON lines on standard error.
	LogLevel  string    `yaml:"log_level" env:"LOG_LEVEL"`
	Tracing   Tracing   `yaml:"tracing" envPrefix:"TRACING_"`
	Lifetimes Lifetimes `yaml:"lifetimes" envPrefix:"LIFETIMES_"`
	// Steps of 30 s before and after the current one whose codes are accepted.
	TOTPWindow int       `yaml:"totp_window" env:"TOTP_WINDOW" min:"0" max:"1"`
	Passwords  Passwords `yaml:"passwords" envPrefix:"PASSWORDS_"`
	Passkeys   Passkeys  `yaml:"passkeys" envPrefix:"PASSKEYS_"`
	Argon2     Argon2    `yaml:"argon2" envPrefix:"ARGON2_"`
	Throttle   Throttle  `yaml:"throttle" envPrefix:"THROTTLE_"`
	Limits     Limits    `yaml:"limits" envPrefix:"LIMITS_"`
	Audit      Audit     `yaml:"audit" envPrefix:"AUDIT_"`
	Fetch      Fetch     `yaml:"fetch" envPrefix:"FETCH_"`
	Mail       Mail      `yaml:"mail" envPrefix:"MAIL_"`
	Hook       Hook      `yaml:"hook" envPrefix:"HOOK_"`
	// File that every message to a user is appended to instead of being sent, a line of JSON
	// each, for development and for tests that read codes. Only with `environment: test`.
	OutboxFile string `yaml:"outbox_file" env:"OUTBOX_FILE"`
	SMS        SMS    `yaml:"sms" envPrefix:"SMS_"`
	// Methods by which a code can be sent as a second factor, or in place of a password: any of
	// `email`, `sms`. Those that the server can send by are offered to users; backends can send codes
	// either way. See [codes by mail and text message](guides/codes-by-mail-and-sms.md).
	CodeFactors []string `yaml:"code_factors" env:"CODE_FACTORS"`
	// Claims of the profile that users edit on the account page: any of `name`, `given_name`,
	// `family_name`, `nickname`, `locale`, `zoneinfo`. Leave out those that another system sets;
	// `[]`: users edit none.
	ProfileEditable []string     `yaml:"profile_editable" env:"PROFILE_EDITABLE"`
	Usernames       Usernames    `yaml:"usernames" envPrefix:"USERNAMES_"`
	Fingerprints    Fingerprints `yaml:"fingerprints" envPrefix:"FINGERPRINTS_"`
	Keys            Keys         `yaml:"keys" envPrefix:"KEYS_"`
	// Algorithms that the server has a signing key for: any of `RS256`, `PS256`, `ES256`,
	// `EdDSA`. The first is for clients that register none.
	SigningAlgs []string `yaml:"signing_algs" env:"SIGNING_ALGS"`
	// Other names of the levels `aal1`, `aal2`, `phr` and `phrh`, as clients write them in
	// `acr_values`.
	ACRAliases map[string]string `yaml:"acr_aliases" env:"ACR_ALIASES" envKeyValSeparator:"="`
	// Enables the implicit and hybrid flows for clients that list them. These flows pass
	// tokens in URLs; leave them off where you can.
	LegacyResponseTypes bool `yaml:"legacy_response_types" env:"LEGACY_RESPONSE_TYPES"`
	// Refuses authorization requests that were not pushed first (RFC 9126), of every client. A client
	// setting of that name does it for one.
	RequirePushed bool `yaml:"require_pushed_authorization_requests" env:"REQUIRE_PUSHED_AUTHORIZATION_REQUESTS"`
	// DPoP proofs must have a nonce of the server (RFC 9449 section 8), so none can be made in
	// advance. Clients then ask twice at first. See [DPoP](guides/client-authentication.md#dpop).
	RequireDPoPNonce bool            `yaml:"require_dpop_nonce" env:"REQUIRE_DPOP_NONCE"`
	ClientDocuments  ClientDocuments `yaml:"client_documents" envPrefix:"CLIENT_DOCUMENTS_"`
	// Protected resources, https addresses, that accept tokens of this server: discovery lists them
	// (RFC 9728), and [clients with a document](guides/clients-by-document.md) may request tokens for
	// them (RFC 8707). Registered clients have an `audience` of their own.
	Resources    []string     `yaml:"resources" env:"RESOURCES"`
	Registration Registration `yaml:"registration" envPrefix:"REGISTRATION_"`
	// How long the server keeps serving after SIGTERM, while `/readyz` already fails.
	// Running requests then get 20 s. A second SIGTERM ends the process immediately.
	DrainTime time.Duration `yaml:"drain_time" env:"DRAIN_TIME" min:"0s" max:"60s"`
}

// TLS is the certificate of the public listener; empty: plain HTTP behind a proxy.
type TLS struct {
	// Certificate chain of the public listener, PEM. Without it the server speaks plain HTTP,
	// behind a proxy.
	Cert string `yaml:"cert" env:"CERT"`
	// Its private key, PEM.
	Key string `yaml:"key" env:"KEY"`
}

// AdminTLS is the certificate of the admin listener; empty: plain HTTP.
type AdminTLS struct {
	// Certificate chain of the admin listener, PEM. Commands on the same machine trust it, and
	// the issuers in it.
	Cert string `yaml:"cert" env:"CERT"`
	// Its private key, PEM.
	Key string `yaml:"key" env:"KEY"`
}

// Database is where the data is. A DSN with a password belongs in a file.
type Database struct {
	// `postgres://host/name?...` or `sqlite:PATH`, without a password; for several hosts see
	// [operations](operations.md#when-the-database-is-away). Either this or
	// `dsn_file` is required.
	DSN string `yaml:"dsn" env:"DSN"`
	// File that holds the DSN; there it may have a password.
	DSNFile string `yaml:"dsn_file" env:"DSN_FILE"`
	// What the connection to a PostgreSQL on another machine must have. `verified`: the DSN
	// has `sslmode=verify-full` or `verify-ca`. `encrypted`: `sslmode=require` is enough,
	// which does not verify the server. `any`: plaintext is allowed too, for a network that
	// no other machine is on. Sockets and loopback addresses need no TLS. A DSN without a
	// host connects to what `PGHOST` or `PGSERVICE` in the environment name, and is checked
	// as if it named that.
	TLS string `yaml:"tls" env:"TLS"`
	// Connections to the database; about four per core.
	MaxConnections int `yaml:"max_connections" env:"MAX_CONNECTIONS" min:"2" max:"256"`
}

// Terms are the terms of use that people accept when they sign up, unless the client has its own; both settings or neither.
type Terms struct {
	// Address of the terms, `https://`.
	URL string `yaml:"url" env:"URL"`
	// Their version, 1 to 64 characters, which is recorded with each acceptance.
	Version string `yaml:"version" env:"VERSION"`
}

// Lifetimes are how long requests, tokens, sessions and exchanges are valid.
type Lifetimes struct {
	// Authorization request.
	Request time.Duration `yaml:"request" env:"REQUEST" min:"1m" max:"60m"`
	// Authorization code.
	Code time.Duration `yaml:"code" env:"CODE" min:"10s" max:"60s"`
	// Access token; a client may have a lifetime of its own.
	AccessToken time.Duration `yaml:"access_token" env:"ACCESS_TOKEN" min:"1m" max:"1h"`
	// ID token.
	IDToken time.Duration `yaml:"id_token" env:"ID_TOKEN" min:"1m" max:"1h"`
	// Refresh token that is not used.
	RefreshIdle time.Duration `yaml:"refresh_idle" env:"REFRESH_IDLE" min:"1m" max:"2160h"`
	// All refresh tokens of a grant together.
	RefreshMax time.Duration `yaml:"refresh_max" env:"REFRESH_MAX" min:"1m" max:"2160h"`
	// Session that is not used for single sign-on.
	SessionIdle time.Duration `yaml:"session_idle" env:"SESSION_IDLE" min:"1m" max:"12h"`
	// Session, however often it is used.
	SessionMax time.Duration `yaml:"session_max" env:"SESSION_MAX" min:"1m" max:"24h"`
	// Session JWT of the Streambird dialect; none outlives its session.
	StreambirdJWT time.Duration `yaml:"streambird_jwt" env:"STREAMBIRD_JWT" min:"1m" max:"24h"`
	// One try at a second factor.
	Exchange time.Duration `yaml:"exchange" env:"EXCHANGE" min:"60s" max:"600s"`
	// From the verification of a factor to the end of its login.
	Verified time.Duration `yaml:"verified" env:"VERIFIED" min:"30s" max:"300s"`
	// From showing a secret to its first correct code.
	Enroll time.Duration `yaml:"enroll" env:"ENROLL" min:"1m" max:"15m"`
	// How recent a proof must be to enrol a first second factor. A user who has one must
	// have used it within 5 min.
	Reauth time.Duration `yaml:"reauth" env:"REAUTH" min:"1m" max:"15m"`
	// How long the link in the message about a changed address undoes the change.
	AddressUndo time.Duration `yaml:"address_undo" env:"ADDRESS_UNDO" min:"24h" max:"720h"`
	// Code that `user reset-factors` returns, with which the user enrols again.
	EnrollmentCode time.Duration `yaml:"enrollment_code" env:"ENROLLMENT_CODE" min:"1h" max:"720h"`
	// Link of an [invitation](guides/invitations.md).
	Invitation time.Duration `yaml:"invitation" env:"INVITATION" min:"1h" max:"720h"`
	// Link and code of a message to a user who
	// [forgot the password](guides/forgotten-passwords.md), at least `1h`; `0`: nobody can reset a password.
	PasswordReset time.Duration `yaml:"password_reset" env:"PASSWORD_RESET" min:"0s" max:"24h"`
	// Link and code of a message to a person who [signs up](guides/sign-up.md).
	SignUp time.Duration `yaml:"signup" env:"SIGNUP" min:"1h" max:"24h"`
}

// Passwords are the rules for a new password, wherever it is set. Existing passwords stay valid.
type Passwords struct {
	// Minimum number of characters, counted after NFKC. NIST SP 800-63B-4 requires 15 for a
	// password that is the only factor, and 8 for one beside a second factor.
	MinLength int `yaml:"min_length" env:"MIN_LENGTH" min:"8" max:"64"`
	// File of breached passwords, which are refused: SHA-1 in 40 hexadecimal digits, one per
	// line, alone or with a colon and a count, sorted by hash. The server searches the file
	// without reading it into memory, and it may be
	// [replaced](operations-users.md#a-file-of-breached-passwords) while the server runs.
	// While it cannot be searched, every new password is refused.
	BreachedFile string `yaml:"breached_file" env:"BREACHED_FILE"`
}

// Argon2 is the cost of a password hash, and the queue for computing one.
type Argon2 struct {
	// KiB of memory for one password hash. Raised settings reach a user's hash at the next sign-in.
	Memory uint32 `yaml:"memory" env:"MEMORY" min:"19456" max:"1048576"`
	// Passes over that memory.
	Time uint32 `yaml:"time" env:"TIME" min:"2" max:"32"`
	// Lanes.
	Threads uint8 `yaml:"threads" env:"THREADS" min:"1" max:"16"`
	// Hashes computed at the same time; 0: one per core.
	Parallel int `yaml:"parallel" env:"PARALLEL" min:"0" max:"256"`
	// Sign-ins that may wait for a hash, if they can be served in time. Addresses (IPv6: one
	// /64) take turns. If the queue is full, those of the address with the most get 503 with
	// Retry-After.
	Queue int `yaml:"queue" env:"QUEUE" min:"1" max:"4096"`
	// How long a sign-in waits at most. One that is likely to wait longer gets 503 with
	// Retry-After immediately.
	Wait time.Duration `yaml:"wait" env:"WAIT" min:"100ms" max:"5s"`
}

// Throttle limits failures by source address. The limits per user are not settings.
type Throttle struct {
	// Failures from one address (IPv6: one /64) within the window; further attempts must wait.
	AddressFailures int `yaml:"address_failures" env:"ADDRESS_FAILURES" min:"10" max:"100000"`
	// Different names that fail from one address within the window.
	AddressUsers int `yaml:"address_users" env:"ADDRESS_USERS" min:"2" max:"100000"`
	// That window.
	AddressWindow time.Duration `yaml:"address_window" env:"ADDRESS_WINDOW" min:"1m" max:"24h"`
}

// Limits bounds what unauthenticated callers make a server write. Each server counts on its
// own, by address (IPv6: one /64); an IPv6 network (/48) may have four times as much. A request
// over a limit gets 429 with Retry-After and writes nothing. 0: no limit.
type Limits struct {
	// Logins begun per minute, requests pushed and devices begun by clients that nobody vouched for, and request objects and keys fetched for one. A whole company may come from one address at the same time.
	Opens int `yaml:"opens" env:"OPENS" min:"0" max:"1000000"`
	// Tries at a factor begun, and logins restarted, per minute.
	Initiations int `yaml:"initiations" env:"INITIATIONS" min:"0" max:"1000000"`
	// Names per minute whose methods a login may list.
	Names int `yaml:"names" env:"NAMES" min:"0" max:"1000000"`
	// Wrong passwords and codes per minute. `throttle` allows fewer from one address; this
	// limits many addresses of one network.
	Failures int `yaml:"failures" env:"FAILURES" min:"0" max:"1000000"`
	// Failed authentications of clients and API keys per minute: further ones are refused as
	// before, without an event in the audit trail. Keys that are fetched to judge one count too.
	Refusals int `yaml:"refusals" env:"REFUSALS" min:"0" max:"1000000"`
	// Clients registered, and registrations read or changed, per minute, and documents fetched for one.
	Registrations int `yaml:"registrations" env:"REGISTRATIONS" min:"0" max:"1000000"`
	// Calls per second of the backends of one Stytch project, from whatever address.
	Calls int `yaml:"calls" env:"CALLS" min:"0" max:"1000000"`
}

// Audit is how long the audit trail is kept.
type Audit struct {
	// How long events of the [audit trail](events.md) are kept; 9504h are 13 months. Older
	// ones are removed within a minute.
	Keep time.Duration `yaml:"keep" env:"KEEP" min:"720h" max:"87600h"`
}

// Mail is the server that mail to users is handed over to; empty: none is sent. See
// [sending messages](guides/sending-messages.md).
type Mail struct {
	// Name or address of a submission server.
	Host string `yaml:"host" env:"HOST"`
	// Its port: 587 as a rule, 465 for `tls: implicit`.
	Port int `yaml:"port" env:"PORT" min:"1" max:"65535"`
	// `starttls`: a server that does not offer it gets no mail. `implicit`: TLS from the first
	// byte. `none`: plaintext, to a server on the same machine only. The certificate must be
	// valid for `mail.host`.
	TLS string `yaml:"tls" env:"TLS"`
	// Certificates that issue the certificate of the server, PEM, instead of those that the system
	// trusts.
	CAFile string `yaml:"ca_file" env:"CA_FILE"`
	// User at the server; empty: it asks for none.
	Username string `yaml:"username" env:"USERNAME"`
	// File with the password of that user.
	PasswordFile string `yaml:"password_file" env:"PASSWORD_FILE"`
	// Required with `mail.host`. Sender of all mail, such as `Example <no-reply@example.com>`.
	From string `yaml:"from" env:"FROM"`
}

// Hook is an HTTP endpoint of the operator that sends messages on; empty: none is sent. See
// [sending messages](guides/sending-messages.md).
type Hook struct {
	// URL that messages are posted to, `https://` or on the same machine. It must have no query.
	URL string `yaml:"url" env:"URL"`
	// Required with `hook.url`. File with the secret that requests are signed with: `whsec_` and
	// base64, or any text of at least 24 bytes. A second line is a second secret, which signs
	// too, so that the receiver can change from one to the other.
	SecretFile string `yaml:"secret_file" env:"SECRET_FILE"`
	// Kinds of messages that are posted: any of `sms`, `mail`.
	Kinds []string `yaml:"kinds" env:"KINDS"`
}

// SMS limits text messages. Attackers earn on messages to numbers of their own.
type SMS struct {
	// Countries that codes are sent to as text messages: ISO 3166-1 alpha-2, such as `DE`. Empty:
	// none, whatever can send them. `*`: every country, with `environment: test` only.
	Countries []string `yaml:"countries" env:"COUNTRIES"`
	// Text messages with codes to one country on one day (UTC).
	Daily int `yaml:"daily" env:"DAILY" min:"1" max:"10000000"`
	// Text messages to one country on one day that are sent even if none of their codes come back.
	Free int `yaml:"free" env:"FREE" min:"1" max:"10000000"`
	// Beyond those, one code in so many must have come back, or no more are sent to the country on
	// the day.
	Ratio int `yaml:"ratio" env:"RATIO" min:"1" max:"1000"`
	// Whether users without a verified e-mail address get the message for a
	// [forgotten password](guides/forgotten-passwords.md) as a text message. Whoever takes a number over
	// gets it too.
	PasswordReset bool `yaml:"password_reset" env:"PASSWORD_RESET"`
}

// Fingerprints are the devices that backends describe in `device_fingerprint`.
type Fingerprints struct {
	// What must not differ between the call that sends a code and the one that verifies it: any of
	// `ip`, `user_agent`. What one of the calls leaves out is not compared.
	Codes []string `yaml:"codes" env:"CODES"`
	// What must not differ between a session and a factor that is proven for it.
	Sessions []string `yaml:"sessions" env:"SESSIONS"`
}

// Keys is when keys are rotated without a command.
type Keys struct {
	// How long a signing key signs before the next one, which is published a day earlier,
	// replaces it; at least 48h. 0: only `sallyport keys rotate` rotates. One of several
	// servers does it.
	RotateAfter time.Duration `yaml:"rotate_after" env:"ROTATE_AFTER" min:"0s" max:"8760h"`
	// How long a key that is not published is used before the next one replaces it: those
	// that seal data and those that sessions and refresh tokens are derived from; at least
	// 48h. 0: only `sallyport keys rotate` rotates. One of several servers does it.
	RotateOwnAfter time.Duration `yaml:"rotate_own_after" env:"ROTATE_OWN_AFTER" min:"0s" max:"17520h"`
}

// Default returns the settings of a server without a file and variables.
func Default() Config {
	return Config{
		Environment:    "live",
		Product:        "Sallyport",
		Listen:         "127.0.0.1:8080",
		SignUp:         "off",
		AdminListen:    "127.0.0.1:8090",
		MaxConnections: 10_000,
		Database:       Database{TLS: "verified", MaxConnections: 16},
		LogLevel:       "info",
		Tracing:        Tracing{SampleRatio: 1},
		Lifetimes: Lifetimes{
			Request: 30 * time.Minute, Code: time.Minute,
			AccessToken: 10 * time.Minute, IDToken: 10 * time.Minute,
			RefreshIdle: 30 * 24 * time.Hour, RefreshMax: 90 * 24 * time.Hour,
			SessionIdle: 30 * time.Minute, SessionMax: 12 * time.Hour, StreambirdJWT: 24 * time.Hour,
			Exchange: 5 * time.Minute, Verified: 5 * time.Minute,
			Enroll: 10 * time.Minute, Reauth: 15 * time.Minute, PasswordReset: time.Hour, SignUp: time.Hour,
			AddressUndo: 7 * 24 * time.Hour, EnrollmentCode: 7 * 24 * time.Hour, Invitation: 7 * 24 * time.Hour,
		},
		TOTPWindow:   1,
		Passwords:    Passwords{MinLength: 8},
		Passkeys:     Passkeys{Offer: true, Attestation: "demanded"},
		Argon2:       Argon2{Memory: 19456, Time: 2, Threads: 1, Queue: 512, Wait: 2 * time.Second},
		Throttle:     Throttle{AddressFailures: 100, AddressUsers: 10, AddressWindow: 10 * time.Minute},
		Limits:       Limits{Opens: 1200, Initiations: 1200, Names: 1200, Failures: 300, Refusals: 300, Registrations: 5, Calls: 100},
		Registration: Registration{Mode: "off", Scopes: []string{"openid", "profile", "email", "offline_access"}, MFA: "OFF", Unused: time.Hour, Idle: 90 * 24 * time.Hour, MaxUnused: 1000},
		Audit:        Audit{Keep: 396 * 24 * time.Hour},
		Mail:         Mail{Port: 587, TLS: "starttls"},
		Hook:         Hook{Kinds: []string{"sms"}},
		SMS:          SMS{Daily: 1000, Free: 50, Ratio: 5, PasswordReset: true}, CodeFactors: []string{"email"}, ProfileEditable: profileClaims(),
		Usernames:       Usernames{Keep: 90 * 24 * time.Hour, Reserved: reservedUsernames()},
		Fingerprints:    Fingerprints{Codes: []string{"ip", "user_agent"}},
		Keys:            Keys{RotateAfter: 90 * 24 * time.Hour, RotateOwnAfter: 365 * 24 * time.Hour},
		SigningAlgs:     []string{"RS256", "ES256"},
		ClientDocuments: ClientDocuments{Scopes: []string{"openid", "profile", "email", "offline_access"}, MFA: "OFF"},
		DrainTime:       5 * time.Second,
	}
}
