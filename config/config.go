package config

import "time"

// Config is every setting of a server. The tags are its documentation's source: yaml
// is the key in the file, env the variable behind SALLYPORT_, min and max the bounds
// (inclusive) that Validate enforces. docs/configuration.md says the same in prose and
// a test holds the two together.
type Config struct {
	Issuer         string            `yaml:"issuer" env:"ISSUER"`
	Environment    string            `yaml:"environment" env:"ENVIRONMENT"`
	Product        string            `yaml:"product" env:"PRODUCT"`
	Listen         string            `yaml:"listen" env:"LISTEN"`
	AdminListen    string            `yaml:"admin_listen" env:"ADMIN_LISTEN"`
	TLS            TLS               `yaml:"tls" envPrefix:"TLS_"`
	TrustedProxies []string          `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
	MaxConnections int               `yaml:"max_connections" env:"MAX_CONNECTIONS" min:"16" max:"1000000"`
	Database       Database          `yaml:"database" envPrefix:"DATABASE_"`
	KeyFile        string            `yaml:"key_file" env:"KEY_FILE"`
	TemplateDir    string            `yaml:"template_dir" env:"TEMPLATE_DIR"`
	LogLevel       string            `yaml:"log_level" env:"LOG_LEVEL"`
	Lifetimes      Lifetimes         `yaml:"lifetimes" envPrefix:"LIFETIMES_"`
	TOTPWindow     int               `yaml:"totp_window" env:"TOTP_WINDOW" min:"0" max:"1"`
	Argon2         Argon2            `yaml:"argon2" envPrefix:"ARGON2_"`
	Throttle       Throttle          `yaml:"throttle" envPrefix:"THROTTLE_"`
	Keys           Keys              `yaml:"keys" envPrefix:"KEYS_"`
	SigningAlgs    []string          `yaml:"signing_algs" env:"SIGNING_ALGS"`
	ACRAliases     map[string]string `yaml:"acr_aliases" env:"ACR_ALIASES" envKeyValSeparator:"="`
	// LegacyResponseTypes switches implicit and hybrid on for clients that list them.
	LegacyResponseTypes bool `yaml:"legacy_response_types" env:"LEGACY_RESPONSE_TYPES"`
	// DrainTime is how long a stopping server still serves while it says "not ready".
	DrainTime time.Duration `yaml:"drain_time" env:"DRAIN_TIME" min:"0s" max:"60s"`
}

// TLS names the certificate of the public listener; empty: plain HTTP behind a proxy.
type TLS struct {
	Cert string `yaml:"cert" env:"CERT"`
	Key  string `yaml:"key" env:"KEY"`
}

// Database says where the data is. A DSN with a password belongs in a file.
type Database struct {
	DSN            string `yaml:"dsn" env:"DSN"`
	DSNFile        string `yaml:"dsn_file" env:"DSN_FILE"`
	MaxConnections int    `yaml:"max_connections" env:"MAX_CONNECTIONS" min:"2" max:"256"`
}

// Lifetimes says how long things live.
type Lifetimes struct {
	Request     time.Duration `yaml:"request" env:"REQUEST" min:"1m" max:"60m"`
	Code        time.Duration `yaml:"code" env:"CODE" min:"10s" max:"60s"`
	AccessToken time.Duration `yaml:"access_token" env:"ACCESS_TOKEN" min:"1m" max:"1h"`
	IDToken     time.Duration `yaml:"id_token" env:"ID_TOKEN" min:"1m" max:"1h"`
	RefreshIdle time.Duration `yaml:"refresh_idle" env:"REFRESH_IDLE" min:"1m" max:"2160h"`
	RefreshMax  time.Duration `yaml:"refresh_max" env:"REFRESH_MAX" min:"1m" max:"2160h"`
	SessionIdle time.Duration `yaml:"session_idle" env:"SESSION_IDLE" min:"1m" max:"12h"`
	SessionMax  time.Duration `yaml:"session_max" env:"SESSION_MAX" min:"1m" max:"24h"`
	Exchange    time.Duration `yaml:"exchange" env:"EXCHANGE" min:"60s" max:"600s"`
	Verified    time.Duration `yaml:"verified" env:"VERIFIED" min:"30s" max:"300s"`
	Enroll      time.Duration `yaml:"enroll" env:"ENROLL" min:"1m" max:"15m"`
	Reauth      time.Duration `yaml:"reauth" env:"REAUTH" min:"1m" max:"15m"`
}

// Argon2 is the cost of a password hash and the queue in front of it.
type Argon2 struct {
	Memory   uint32        `yaml:"memory" env:"MEMORY" min:"19456" max:"1048576"` // KiB
	Time     uint32        `yaml:"time" env:"TIME" min:"2" max:"32"`
	Threads  uint8         `yaml:"threads" env:"THREADS" min:"1" max:"16"`
	Parallel int           `yaml:"parallel" env:"PARALLEL" min:"0" max:"256"` // 0: one a core
	Queue    int           `yaml:"queue" env:"QUEUE" min:"1" max:"4096"`
	Wait     time.Duration `yaml:"wait" env:"WAIT" min:"100ms" max:"5s"`
}

// Throttle bounds failures by source address. The bounds per user are not settings.
type Throttle struct {
	AddressFailures int           `yaml:"address_failures" env:"ADDRESS_FAILURES" min:"10" max:"100000"`
	AddressUsers    int           `yaml:"address_users" env:"ADDRESS_USERS" min:"2" max:"100000"`
	AddressWindow   time.Duration `yaml:"address_window" env:"ADDRESS_WINDOW" min:"1m" max:"24h"`
}

// Keys says when keys give way to new ones without being told.
type Keys struct {
	// RotateAfter is how long a signing key signs; 0: until somebody rotates it.
	RotateAfter time.Duration `yaml:"rotate_after" env:"ROTATE_AFTER" min:"0s" max:"8760h"`
}

// Default returns the settings of a server that was told nothing.
func Default() Config {
	return Config{
		Environment:    "live",
		Product:        "Sallyport",
		Listen:         "127.0.0.1:8080",
		AdminListen:    "127.0.0.1:8090",
		MaxConnections: 10_000,
		Database:       Database{MaxConnections: 16},
		LogLevel:       "info",
		Lifetimes: Lifetimes{
			Request: 30 * time.Minute, Code: time.Minute,
			AccessToken: 10 * time.Minute, IDToken: 10 * time.Minute,
			RefreshIdle: 30 * 24 * time.Hour, RefreshMax: 90 * 24 * time.Hour,
			SessionIdle: 30 * time.Minute, SessionMax: 12 * time.Hour,
			Exchange: 5 * time.Minute, Verified: 5 * time.Minute,
			Enroll: 10 * time.Minute, Reauth: 15 * time.Minute,
		},
		TOTPWindow:  1,
		Argon2:      Argon2{Memory: 19456, Time: 2, Threads: 1, Queue: 64, Wait: 2 * time.Second},
		Throttle:    Throttle{AddressFailures: 100, AddressUsers: 10, AddressWindow: 10 * time.Minute},
		Keys:        Keys{RotateAfter: 90 * 24 * time.Hour},
		SigningAlgs: []string{"RS256", "ES256"},
		DrainTime:   5 * time.Second,
	}
}
