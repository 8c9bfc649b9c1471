package streambird

import (
	"sallyport/mfa/backend"
	"sallyport/mfa/recovery"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// factorBody is a factor of a session.
type factorBody struct {
	Channel string     `json:"delivery_channel"`
	Type    string     `json:"type"`
	Method  methodBody `json:"method"`
}

type methodBody struct {
	ID             string `json:"method_id"`
	Type           string `json:"method_type"`
	LastVerifiedAt int64  `json:"last_verified_at"`
	PhoneID        string `json:"phone_number_id,omitempty"`
	Phone          string `json:"phone_number,omitempty"`
	EmailID        string `json:"email_id,omitempty"`
	Email          string `json:"email,omitempty"`
	TOTP           string `json:"totp_id,omitempty"`
}

// factors returns the factors of a session. One that Streambird has no name for, proven on
// another surface, appears under the name of its method.
func (s *Surface) factors(x storage.Session, a storage.Account) []factorBody {
	out := []factorBody{}
	for _, f := range s.backend.FactorsOf(x, a) {
		out = append(out, s.factor(f, a))
	}
	return out
}

func (s *Surface) factor(f backend.Factor, a storage.Account) factorBody {
	at := f.At.Unix()
	switch {
	case f.Method == totp.Name:
		id := s.totpOf(a, f.Authenticator)
		return factorBody{"totp_authenticator", "totp", methodBody{ID: s.firstID(a, id), Type: "totp", LastVerifiedAt: at, TOTP: id}}
	case f.Method == recovery.Name:
		id := s.totpOf(a, f.Authenticator)
		return factorBody{"totp_recovery_code", "totp", methodBody{ID: s.firstID(a, id), Type: "totp", LastVerifiedAt: at, TOTP: id}}
	case f.Identifier.Kind == storage.Phone:
		id := identifierID(f.Identifier)
		return factorBody{"sms", "otp", methodBody{ID: id, Type: "phone_number", LastVerifiedAt: at, PhoneID: id, Phone: f.Identifier.Text()}}
	case f.Identifier.Kind == storage.Email:
		id := identifierID(f.Identifier)
		return factorBody{"email", "otp", methodBody{ID: id, Type: "email", LastVerifiedAt: at, EmailID: id, Email: f.Identifier.Text()}}
	}
	return factorBody{f.Method, f.Method, methodBody{ID: s.firstID(a, userID(a.User)), Type: f.Method, LastVerifiedAt: at}}
}

// firstID returns the ID of a user's first e-mail address, else of the first phone number,
// else another.
func (s *Surface) firstID(a storage.Account, otherwise string) string {
	if emails := emailBodies(a.Identifiers); len(emails) > 0 {
		return emails[0].ID
	}
	if phones := phoneBodies(a.Identifiers); len(phones) > 0 {
		return phones[0].ID
	}
	return otherwise
}
