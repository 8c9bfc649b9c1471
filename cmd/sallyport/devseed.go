package main

import (
	"encoding/base32"
	"encoding/base64"
	"io"
	"strconv"
	"strings"

	"sallyport/provider/desired"
)

// seeds is the state every dev server has: two people and one client of each kind
// the provider knows.
func seeds(at place, s devSecrets) desired.State {
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

// dice makes secrets of the kinds dev needs.
type dice struct{ random io.Reader }

func (d dice) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(d.random, b); err != nil {
		panic("no randomness: " + err.Error()) // as crypto/rand does; there is no going on
	}
	return b
}

func (d dice) base32(n int) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(d.bytes(n))
}

func (d dice) base64(n int) string { return base64.RawURLEncoding.EncodeToString(d.bytes(n)) }

// phrase is a password one can type: three words of 128 and two digits, about 27
// bits, which is plenty for a server on loopback that counts failures.
func (d dice) phrase() string {
	b := d.bytes(4)
	list := strings.Fields(words)
	parts := []string{list[b[0]&127], list[b[1]&127], list[b[2]&127], strconv.Itoa(10 + int(b[3])%90)}
	return strings.Join(parts, "-")
}

// words has 128 of them: short, of different sound, and easy to spell.
const words = `
acorn amber anchor apple april aspen autumn badge bamboo basil beacon birch blanket bottle breeze bridge
bronze bucket button cabin candle canoe canyon carpet castle cedar cellar cherry cinder clover cobalt copper
coral cotton cradle crane cricket crystal daisy dapple desert dolphin dragon drizzle ember falcon feather fennel
ferry fiddle flint forest fossil garden garnet ginger glacier goblet granite guitar hamlet harbor harvest hazel
heron hickory honey indigo island ivory jacket jasmine juniper kettle kitten ladder lagoon lantern lemon lilac
linen lobster magnet maple marble meadow melon mirror mitten monsoon nectar nutmeg olive orbit orchard otter
oyster paddle panda paper pebble pepper pigeon pillow planet plum pocket poplar prairie pumpkin quartz rabbit
raven ribbon river rocket saddle saffron salmon sandal silver spruce summer thunder timber tulip velvet walnut
`
