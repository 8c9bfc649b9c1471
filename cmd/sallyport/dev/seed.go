package dev

import (
	"strings"

	"sallyport/provider/desired"
)

// seeds is the state every dev server has: two people and one client of each kind
// the provider knows.
func seeds(at place, s secrets) desired.State {
	demo := at.demo()
	login := []string{"authorization_code", "refresh_token"}
	scopes := []string{"openid", "profile", "email", "phone", "address", "offline_access"}
	return desired.State{
		// Those of the demo page are web applications that stand on a loopback address.
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

// profile has a value for every standard claim (OpenID Connect Core section 5.1).
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
