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
	if c.Sends("sms") && len(c.SMS.Countries) > 0 {
		o := of(passcode.SMS)
		o.Toll = func(number string) (storage.Toll, bool) { return toll(c.SMS, phone.Country(number)) }
		out = append(out, passcode.NewSMS(s.Keyring, p.Random, o))
	}
	return out
}

// toll returns the limit of text messages to a country, and false if none are sent there. Numbers
// of no country, such as those of satellite networks, cost most and get none.
func toll(c config.SMS, country string) (storage.Toll, bool) {
	listed := slices.Contains(c.Countries, country) || slices.Contains(c.Countries, "*")
	return storage.Toll{Country: country, Max: c.Daily, Free: c.Free, Ratio: c.Ratio}, country != "" && listed
}
