package provider

import (
	"slices"

	"sallyport/provider/clients"
	"sallyport/storage"
)

// claimTable is the one list of claims about a user: which scope stands for each, and
// where its value comes from (OpenID Connect Core sections 5.1 and 5.4).
var claimTable = [...]struct {
	name  string
	scope string
	value func(*storage.Account) any // nil: out of the profile under its own name
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

// rolesScope stands for a user's roles.
const rolesScope = "roles"

// Scopes returns the scopes that mean something here (OpenID Connect Core sections 5.4 and
// 11): every one has a text on the page that asks for consent. Clients may have others, which
// their resource servers understand.
func Scopes() []string {
	out := []string{"openid"}
	for _, c := range claimTable {
		if !slices.Contains(out, c.scope) {
			out = append(out, c.scope)
		}
	}
	return append(out, "offline_access")
}

// ProfileClaims returns the claims that a user's profile may hold (section 5.1). The values of
// the others come from the record itself.
func ProfileClaims() []string {
	var out []string
	for _, c := range claimTable {
		if c.value == nil || c.name == "preferred_username" {
			out = append(out, c.name)
		}
	}
	return out
}

func roles(a *storage.Account) any {
	if len(a.User.Roles) == 0 {
		return nil
	}
	return a.User.Roles
}

// accessRoles are the roles an access token tells its resource servers (RFC 9068
// section 2.2.3.1), as they are at this moment: a list without entries where the user
// has none, nil where they are not told. Whoever holds a token can read it, so others'
// applications need the scope, to which the user consents (RFC 9068 section 6).
func accessRoles(c *clients.Client, a *storage.Account, scopes []string) []string {
	if a.User.ID == "" || c.Consent != "skip" && !slices.Contains(scopes, rolesScope) {
		return nil
	}
	return append([]string{}, a.User.Roles...)
}

// scopeOf is the scope that stands for a claim; "" for claims that are not about the user.
func scopeOf(claim string) string {
	for _, c := range claimTable {
		if c.name == claim {
			return c.scope
		}
	}
	return ""
}

// userClaim is the value of one claim; nil: there is none.
func userClaim(name string, a *storage.Account) any {
	for _, c := range claimTable {
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

// allowedClaim reports whether a claim asked for by name may be told: its scope was
// granted, or the client is registered for it (and the user was asked, see consentScopes).
func allowedClaim(name string, granted, registered []string) bool {
	scope := scopeOf(name)
	return scope != "" && (slices.Contains(granted, scope) || slices.Contains(registered, scope))
}

// userinfoClaims are the claims of the userinfo endpoint (section 5.3.2): those of the
// granted scopes, and those asked for by name.
func userinfoClaims(g storage.Grant, a *storage.Account, scopes, registered []string) map[string]any {
	claims := map[string]any{}
	for _, c := range claimTable {
		if slices.Contains(scopes, c.scope) {
			set(claims, c.name, userClaim(c.name, a))
		}
	}
	if asked, err := parseClaims(string(g.Authorization.Claims)); err == nil {
		for name := range asked.UserInfo {
			if allowedClaim(name, scopes, registered) {
				set(claims, name, userClaim(name, a))
			}
		}
	}
	claims["sub"] = string(a.User.ID)
	return claims
}

// set leaves out what has no value (section 5.3.2: no nulls, no empty strings).
func set(claims map[string]any, name string, value any) {
	if value == nil || value == "" {
		return
	}
	claims[name] = value
}

// identifier is the user's main name of a kind: the first verified one, else the first.
func identifier(a *storage.Account, kind storage.IdentifierKind) *storage.Identifier {
	var first *storage.Identifier
	for i := range a.Identifiers {
		id := &a.Identifiers[i]
		if id.Kind != kind {
			continue
		}
		if !id.VerifiedAt.IsZero() {
			return id
		}
		if first == nil {
			first = id
		}
	}
	return first
}

func valueOf(a *storage.Account, kind storage.IdentifierKind) any {
	if id := identifier(a, kind); id != nil {
		return id.Value
	}
	return nil
}

// verified is told only where there is something to be verified.
func verified(a *storage.Account, kind storage.IdentifierKind) any {
	if id := identifier(a, kind); id != nil {
		return !id.VerifiedAt.IsZero()
	}
	return nil
}

func preferredUsername(a *storage.Account) any {
	if v, ok := a.User.Profile["preferred_username"]; ok {
		return v
	}
	return valueOf(a, storage.Username)
}

func updatedAt(a *storage.Account) any {
	if a.User.UpdatedAt.IsZero() {
		return nil
	}
	return a.User.UpdatedAt.Unix()
}
