package claims

import (
	"maps"
	"slices"
	"testing"
	"time"

	"sallyport/storage"
)

// Each scope of the claim table opens its claims, and no others.
//
// Conformance (OpenID Connect): Core 5.1, 5.4: modules oidcc-scope-profile, oidcc-scope-email, oidcc-scope-address, oidcc-scope-phone, oidcc-scope-all: userinfo has the claims of each scope, of the right types
func TestEveryScopeReturnsItsClaims(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	a := storage.Account{User: storage.User{ID: "u1", Status: storage.UserActive, UpdatedAt: at, Roles: []string{"editor"}, Profile: map[string]any{}},
		Identifiers: []storage.Identifier{{Kind: storage.Email, Value: "ada@example.org", VerifiedAt: at}, {Kind: storage.Phone, Value: "+4912345"}, {Kind: storage.Username, Value: "ada"}}}
	for _, claim := range ProfileClaims() {
		a.User.Profile[claim] = "of " + claim
	}
	for _, scope := range Scopes() {
		var want []string
		for _, c := range table {
			if c.scope == scope {
				want = append(want, c.name)
			}
		}
		slices.Sort(want)
		granted := []string{"openid", scope}
		if got := slices.Sorted(maps.Keys(UserInfo(nil, &a, granted, granted))); !slices.Equal(got, want) {
			t.Errorf("%s opens %v, want %v", scope, got, want)
		}
	}
}
