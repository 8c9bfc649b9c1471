package config

import "time"

// Usernames are the rules for [user names that users choose](guides/addresses.md#user-names) on the
// account page. They do not bind administrators.
type Usernames struct {
	// Whether users choose and change their user name. Leave it off where another system or an
	// application identifies users by it. `sallyport apply` then needs the `id` of a user whom it
	// would find only by a user name that the user may have chosen.
	Editable bool `yaml:"editable" env:"EDITABLE"`
	// How long a user name that was given up is kept for its user: nobody else can have it, and it
	// signs nobody in.
	Keep time.Duration `yaml:"keep" env:"KEEP" min:"24h" max:"87600h"`
	// Names that no user can choose, in any case, and however `.`, `_` and `-` divide them.
	Reserved []string `yaml:"reserved" env:"RESERVED"`
}

// reservedUsernames are those of roles that mail is sent to (RFC 2142), and of who runs a server.
func reservedUsernames() []string {
	return []string{"abuse", "account", "admin", "administrator", "help", "helpdesk", "hostmaster", "info", "moderator", "noc", "noreply",
		"official", "operator", "postmaster", "root", "sales", "security", "staff", "support", "system", "team", "webmaster"}
}
