package dev

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
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

// seed applies the built-in state and, if there is one, the state in a file.
func seed(ctx context.Context, srv *server.Server, built desired.State, file string) error {
	if err := built.Validate(); err != nil {
		return fmt.Errorf("built-in state: %w", err)
	}
	if _, err := applySeeds(ctx, srv, built); err != nil {
		return fmt.Errorf("apply built-in state: %w", err)
	}
	if file == "" {
		return nil
	}
	own, err := srv.LoadPlan(ctx, file, desired.Options{})
	if err != nil {
		return err
	}
	if err := srv.Records().CarryOut(ctx, mfa.Caller{Actor: users.ActorAdmin, UserAgent: "sallyport dev"}, own); err != nil {
		return fmt.Errorf("apply %s: %w", file, err)
	}
	return nil
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
