package claims

import (
	"slices"

	"sallyport/storage"
)

// table lists the claims about a user with the scope that requests each and the source of
// its value (OpenID Connect Core sections 5.1 and 5.4).
var table = [...]struct {
	name  string
	scope string
	value func(*storage.Account) any // nil: from the profile, under the same name
}{
	{"name", "profile", nil},
	{"family_name", "profile", nil},
	{"given_name", "profile", nil},
	{"middle_name", "profile", nil},
	{"nickname", "profile", nil},
	{"preferred_username", "profile", preferredUsername},
	{"profile", "profile", nil},
	{"picture", "profile", nil},
	{"website", "profile", nil},
	{"gender", "profile", nil},
	{"birthdate", "profile", nil},
	{"zoneinfo", "profile", nil},
	{"locale", "profile", nil},
	{"updated_at", "profile", updatedAt},
	{"email", "email", func(a *storage.Account) any { return valueOf(a, storage.Email) }},
	{"email_verified", "email", func(a *storage.Account) any { return verified(a, storage.Email) }},
	{"address", "address", nil},
	{"phone_number", "phone", func(a *storage.Account) any { return valueOf(a, storage.Phone) }},
	{"phone_number_verified", "phone", func(a *storage.Account) any { return verified(a, storage.Phone) }},
	{"roles", rolesScope, roles},
}

// rolesScope requests the roles of a user.
const rolesScope = "roles"

// Scopes returns the scopes that this server knows (OpenID Connect Core sections 5.4 and 11);
// each has a text on the consent page. Clients may use others, which their resource servers
// understand.
func Scopes() []string {
	out := []string{"openid"}
	for _, c := range table {
		if !slices.Contains(out, c.scope) {
			out = append(out, c.scope)
		}
	}
	return append(out, "offline_access")
}

// Names returns the claims about a user.
func Names() []string {
	var out []string
	for _, c := range table {
		out = append(out, c.name)
	}
	return out
}

// ProfileClaims returns the claims that a user's profile may have (section 5.1). The values of
// the others come from the user's record.
func ProfileClaims() []string {
	var out []string
	for _, c := range table {
		if c.value == nil || c.name == "preferred_username" {
			out = append(out, c.name)
		}
	}
	return out
}

// ScopeOf returns the scope that requests a claim; "" for claims that are not about the user.
func ScopeOf(claim string) string {
	for _, c := range table {
		if c.name == claim {
			return c.scope
		}
	}
	return ""
}

// value returns the value of a claim; nil: none.
func value(name string, a *storage.Account) any {
	for _, c := range table {
		if c.name != name {
			continue
		}
		if c.value != nil {
			return c.value(a)
		}
		return a.User.Profile[name]
	}
	return nil
}
