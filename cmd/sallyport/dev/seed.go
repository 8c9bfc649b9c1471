package dev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/provider/desired"
)

// seeds returns the built-in state: two users and one client of each kind.
func seeds(at place, s secrets) desired.State {
	demo := at.demo()
	login := []string{"authorization_code", "refresh_token"}
	scopes := []string{"openid", "profile", "email", "phone", "address", "offline_access"}
	return desired.State{
		// Those of the demo page are web applications on a loopback address.
		Clients: []desired.Client{
			{ID: "spa", Name: "Meridian Notes", Public: true, SilentLogin: true, MFA: "OFF", GrantTypes: login, Scopes: scopes, ClientURI: demo,
				RedirectURIs: []string{demo + "/callback"}, PostLogoutRedirectURIs: []string{demo + "/"}},
			{ID: "bank", Name: "Meridian Bank", Public: true, SilentLogin: true, MFA: "ALWAYS", GrantTypes: login, Scopes: scopes, ClientURI: demo,
				RedirectURIs: []string{demo + "/callback"}, PostLogoutRedirectURIs: []string{demo + "/"}},
			{ID: "web", Name: "Web application", Secret: s.Web, GrantTypes: login, Scopes: scopes, Consent: "ask",
				RedirectURIs:           []string{"http://localhost:3000/callback", "http://127.0.0.1:3000/callback"},
				PostLogoutRedirectURIs: []string{"http://localhost:3000/", "http://127.0.0.1:3000/"}},
			{ID: "native", Name: "Native application", Public: true, Native: true, GrantTypes: login, Scopes: scopes,
				RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback", "com.example.native:/callback"}},
			{ID: "front", Name: "Meridian Mail", Public: true, SilentLogin: true, HeadlessLogin: true, ManagesFactors: true, Passwordless: true, LoginURL: demo + "/own-login/",
				GrantTypes: login, Scopes: scopes, RedirectURIs: []string{demo + "/own-login/", demo + "/callback"}, AllowedOrigins: []string{demo}},
			{ID: "vault", Name: "Meridian Vault", Public: true, SilentLogin: true, HeadlessLogin: true, ManagesFactors: true, MFA: "ALWAYS", LoginURL: demo + "/own-login/",
				GrantTypes: login, Scopes: scopes, RedirectURIs: []string{demo + "/own-login/"}, AllowedOrigins: []string{demo}},
			{ID: "tv", Name: "Meridian TV", Public: true, MFA: "OFF", GrantTypes: []string{clients.DeviceCode, "refresh_token"}, Scopes: scopes, Consent: "ask",
				AllowedOrigins: []string{demo}},
			{ID: "till", Name: "Meridian Till", Secret: s.Web, MFA: "ALWAYS", GrantTypes: []string{clients.CIBA}, Scopes: scopes, Consent: "ask"},
			{ID: "m2m", Name: "Machine", Secret: s.M2M, GrantTypes: []string{"client_credentials"}, Scopes: []string{"orders:read", "orders:write"}},
		},
		Users: []desired.User{
			{Username: "alice", Email: "alice@example.com", EmailVerified: true, Phone: "+4915555000101", PhoneVerified: true,
				Password: s.Alice.Password, TOTPSecret: s.Alice.TOTPSecret, RecoveryCodes: s.Alice.RecoveryCodes,
				Profile: profile("Alice", "Marie", "Anders", "female", "1987-10-16", "Europe/Berlin", "de-DE",
					"Hafenstrasse 12", "20457", "Hamburg", "DE")},
			{Username: "bob", Email: "bob@example.com", EmailVerified: true, Phone: "+12025550123", PhoneVerified: true,
				Password: s.Bob.Password,
				Profile: profile("Bob", "Lee", "Brandt", "male", "1991-03-02", "America/New_York", "en-US",
					"48 Harbor Street", "02110", "Boston", "US")},
		},
	}
}

// profile returns a value for every standard claim (OpenID Connect Core section 5.1).
func profile(given, middle, family, gender, birthdate, zone, locale, street, postal, city, country string) map[string]any {
	name := strings.ToLower(given)
	return map[string]any{
		"name": given + " " + family, "given_name": given, "middle_name": middle, "family_name": family,
		"nickname": given, "preferred_username": name, "gender": gender, "birthdate": birthdate,
		"zoneinfo": zone, "locale": locale,
		"profile": "https://people.example.com/" + name, "picture": "https://people.example.com/" + name + ".jpg",
		"website": "https://" + name + ".example.com",
		"address": map[string]any{"formatted": street + "\n" + postal + " " + city + "\n" + country,
			"street_address": street, "locality": city, "postal_code": postal, "country": country},
	}
}

// ownState is what the user's own state file adds to the built-in state.
type ownState struct {
	builtIn  []string // clients
	given    bool     // there is a file
	added    []string // its clients and users
	replaced []string // its clients that are also built in, and users that exist already
}

// seed applies the built-in state and, if there is one, the state in a file.
func seed(ctx context.Context, srv *server.Server, built desired.State, file string) (ownState, error) {
	if err := built.Validate(); err != nil {
		return ownState{}, fmt.Errorf("built-in state: %w", err)
	}
	if _, err := applySeeds(ctx, srv, built); err != nil {
		return ownState{}, fmt.Errorf("apply built-in state: %w", err)
	}
	if file == "" {
		return compare(built, desired.State{}), nil
	}
	plan, err := srv.LoadPlan(ctx, file, desired.Options{})
	if err != nil {
		return ownState{}, err
	}
	if err := srv.Records().CarryOut(ctx, mfa.Caller{Actor: users.ActorAdmin, UserAgent: "sallyport dev"}, plan); err != nil {
		return ownState{}, fmt.Errorf("apply %s: %w", file, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return ownState{}, fmt.Errorf("read desired state: %w", err)
	}
	state, err := desired.Parse(file, text)
	own := compare(built, state)
	own.given = true
	return own, err
}

// compare returns what a state has besides the built-in one, and in place of it.
func compare(built, state desired.State) ownState {
	var own ownState
	for _, c := range built.Clients {
		own.builtIn = append(own.builtIn, c.ID)
	}
	for _, c := range state.Clients {
		if slices.Contains(own.builtIn, c.ID) {
			own.replaced = append(own.replaced, c.ID)
			continue
		}
		own.added = append(own.added, c.ID)
	}
	for _, u := range state.Users {
		name := "user " + cli.Printable(cmp.Or(u.Username, u.Email, u.Phone))
		if i := slices.IndexFunc(built.Users, func(b desired.User) bool { return sameUser(b, u) }); i >= 0 {
			own.replaced = append(own.replaced, name+" (password kept)")
			continue
		}
		own.added = append(own.added, name)
	}
	return own
}

// sameUser reports whether u names the user b, as applying does.
func sameUser(b, u desired.User) bool {
	return strings.EqualFold(b.Username, u.Username) || strings.EqualFold(b.Email, u.Email) || b.Phone == u.Phone
}

// applySeeds applies the built-in state and prints nothing.
func applySeeds(ctx context.Context, srv *server.Server, s desired.State) (desired.Plan, error) {
	var faults []error
	p, err := srv.Records().PlanState(ctx, s, desired.Options{By: apikeys.Operator()}, func(path, text string) { faults = append(faults, fmt.Errorf("%s: %s", path, text)) })
	if err = errors.Join(append(faults, err)...); err != nil {
		return p, err
	}
	return p, srv.Records().CarryOut(ctx, mfa.Caller{Actor: users.ActorAdmin, UserAgent: "sallyport dev"}, p)
}
