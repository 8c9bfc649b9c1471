package claims

import (
	"encoding/json"
	"slices"
	"time"

	"sallyport/provider/clients"
	"sallyport/storage"
)

// UserInfo returns the claims for the userinfo endpoint (section 5.3.2), without sub: those of the granted
// scopes, and those requested by name in the claims parameter.
func UserInfo(parameter json.RawMessage, a *storage.Account, scopes, registered []string) map[string]any {
	claims := map[string]any{}
	setScopes(claims, scopes, a)
	if requested, err := Parse(string(parameter)); err == nil {
		for name := range requested.UserInfo {
			if allowed(name, scopes, registered) {
				set(claims, name, value(name, a))
			}
		}
	}
	return claims
}

// setScopes sets the claims of scopes.
func setScopes(claims map[string]any, scopes []string, a *storage.Account) {
	for _, c := range table {
		if slices.Contains(scopes, c.scope) {
			set(claims, c.name, value(c.name, a))
		}
	}
}

// set omits claims without a value (section 5.3.2: no nulls, no empty strings).
func set(claims map[string]any, name string, value any) {
	if value == nil || value == "" {
		return
	}
	claims[name] = value
}

// IDToken returns the claims of an ID token, without sub, sid and hashes. It has the claims that were
// requested by name; those of a scope are returned by userinfo (section 5.4), and are here for
// clients that want them.
func IDToken(issuer string, c *clients.Client, a storage.Authorization, user *storage.Account, scopes []string, now, end time.Time) map[string]any {
	claims := map[string]any{}
	if c.IDTokenClaims == "scopes" {
		setScopes(claims, scopes, user)
	}
	if requested, err := Parse(string(a.Claims)); err == nil {
		for name := range requested.IDToken {
			if allowed(name, scopes, c.Scopes) {
				set(claims, name, value(name, user))
			}
		}
	}
	claims["iss"], claims["aud"], claims["azp"] = issuer, c.ID, c.ID
	claims["iat"], claims["exp"] = now.Unix(), end.Unix()
	if !a.AuthTime.IsZero() {
		claims["auth_time"] = a.AuthTime.Unix()
	}
	set(claims, "nonce", a.Nonce)
	set(claims, "acr", a.ACR)
	if len(a.AMR) > 0 {
		claims["amr"] = a.AMR
	}
	return claims
}

// Roles returns the current roles for an access token (RFC 9068 section 2.2.3.1): an empty
// list if the user has none, nil if the token must not contain them. Everybody who holds a
// token can read it, so third-party clients need the scope, to which the user consents
// (RFC 9068 section 6).
func Roles(c *clients.Client, a *storage.Account, scopes []string) []string {
	if a == nil || a.User.ID == "" || c.Consent != "skip" && !slices.Contains(scopes, rolesScope) {
		return nil
	}
	return append([]string{}, a.User.Roles...)
}

// allowed reports whether a claim that was requested by name may be returned: its scope was
// granted, or is registered for the client. The user consented to both.
func allowed(name string, granted, registered []string) bool {
	scope := ScopeOf(name)
	return scope != "" && (slices.Contains(granted, scope) || slices.Contains(registered, scope))
}
