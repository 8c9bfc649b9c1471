package server

import (
	"slices"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/passcode"
	"sallyport/mfa/phone"
	"sallyport/storage"
)

// codeMethods returns the methods that send codes, as far as the server can send messages.
func (s *Server) codeMethods(p Options) []mfa.Method {
	c := p.Config
	of := func(name string) passcode.Options {
		return passcode.Options{Product: c.Product, NoFactor: !slices.Contains(c.CodeFactors, name)}
	}
	var out []mfa.Method
	if c.Sends("mail") {
		out = append(out, passcode.NewEmail(s.Keyring, p.Random, of(passcode.Email)))
	}
	if sendsSMS(c) {
		o := of(passcode.SMS)
		o.Toll = tollOf(c.SMS)
		out = append(out, passcode.NewSMS(s.Keyring, p.Random, o))
	}
	return out
}

// sendsSMS reports whether text messages with codes are sent to any country.
func sendsSMS(c config.Config) bool { return c.Sends("sms") && len(c.SMS.Countries) > 0 }

// resetToll returns what limits text messages for forgotten passwords; nil: none are sent.
func resetToll(c config.Config) func(string) (storage.Toll, bool) {
	if !sendsSMS(c) || !c.SMS.PasswordReset {
		return nil
	}
	return tollOf(c.SMS)
}

func tollOf(c config.SMS) func(string) (storage.Toll, bool) {
	return func(number string) (storage.Toll, bool) { return toll(c, phone.Country(number)) }
}

// toll returns the limit of text messages to a country, and false if none are sent there. Numbers
// of no country, such as those of satellite networks, cost most and get none.
func toll(c config.SMS, country string) (storage.Toll, bool) {
	listed := slices.Contains(c.Countries, country) || slices.Contains(c.Countries, "*")
	return storage.Toll{Country: country, Max: c.Daily, Free: c.Free, Ratio: c.Ratio}, country != "" && listed
}
