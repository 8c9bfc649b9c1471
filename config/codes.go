package config

import (
	"slices"
	"strconv"

	"sallyport/config/strict"
)

// Sends reports whether messages of a kind ("mail", "sms") are sent.
func (c Config) Sends(kind string) bool {
	return c.OutboxFile != "" || kind == "mail" && c.Mail.Host != "" || c.Hook.URL != "" && slices.Contains(c.Hook.Kinds, kind)
}

func (c Config) checkCodes(r *strict.Reader) {
	for i, country := range c.SMS.Countries {
		path := "sms.countries[" + strconv.Itoa(i) + "]"
		switch {
		case country == "*" && c.Environment == "live":
			r.Fault(path, "must be a country: every country is for environment: test")
		case country != "*" && !isCountry(country):
			r.Fault(path, "must be two capital letters (ISO 3166-1 alpha-2), such as DE")
		}
	}
	list := func(path string, values, of []string) {
		for i, v := range values {
			r.OneOf(path+"["+strconv.Itoa(i)+"]", v, of)
		}
	}
	list("code_factors", c.CodeFactors, []string{"email", "sms"})
	list("profile_editable", c.ProfileEditable, profileClaims())
	list("fingerprints.codes", c.Fingerprints.Codes, []string{"ip", "user_agent"})
	list("fingerprints.sessions", c.Fingerprints.Sessions, []string{"ip", "user_agent"})
}

// profileClaims returns the claims that users can be allowed to edit.
func profileClaims() []string {
	return []string{"name", "given_name", "family_name", "nickname", "locale", "zoneinfo"}
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}
