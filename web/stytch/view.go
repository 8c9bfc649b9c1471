package stytch

import (
	"encoding/json"

	"sallyport/mfa/backend"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// role is the role that every user has.
const role = "stytch_user"

type nameBody struct {
	First  string `json:"first_name"`
	Middle string `json:"middle_name"`
	Last   string `json:"last_name"`
}

type emailBody struct {
	ID       string `json:"email_id"`
	Email    string `json:"email"`
	Verified bool   `json:"verified"`
}

type phoneBody struct {
	ID       string `json:"phone_id"`
	Number   string `json:"phone_number"`
	Verified bool   `json:"verified"`
}

type totpBody struct {
	ID       string `json:"totp_id"`
	Verified bool   `json:"verified"`
}

// none is a list of what this server does not have.
type none [0]struct{}

// userBody is a user. It always has every member.
type userBody struct {
	ID            string                     `json:"user_id"`
	Name          nameBody                   `json:"name"`
	Emails        []emailBody                `json:"emails"`
	Phones        []phoneBody                `json:"phone_numbers"`
	Status        storage.UserStatus         `json:"status"`
	WebAuthn      none                       `json:"webauthn_registrations"`
	Providers     none                       `json:"providers"`
	TOTPs         []totpBody                 `json:"totps"`
	Wallets       none                       `json:"crypto_wallets"`
	Biometric     none                       `json:"biometric_registrations"`
	Password      *struct{}                  `json:"password"`
	Locked        bool                       `json:"is_locked"`
	LockCreatedAt moment                     `json:"lock_created_at"`
	LockExpiresAt moment                     `json:"lock_expires_at"`
	Roles         []string                   `json:"roles"`
	CreatedAt     moment                     `json:"created_at"`
	Trusted       map[string]json.RawMessage `json:"trusted_metadata"`
	Untrusted     map[string]json.RawMessage `json:"untrusted_metadata"`
	ExternalID    *string                    `json:"external_id"`
}

// view returns a user as the dialect shows it. A disabled user is a locked one.
func (s *Surface) view(k *call, a storage.Account) (userBody, error) {
	lock, waits, err := s.backend.LockOf(k, a)
	if err != nil {
		return userBody{}, err
	}
	b := userBody{ID: wireid.Stytch(wireid.StytchUser, s.environment, a.User.ID), Emails: []emailBody{}, Phones: []phoneBody{}, TOTPs: []totpBody{},
		Status: storage.UserActive, Locked: waits || a.User.Status == storage.UserDisabled,
		LockCreatedAt: moment(lock.Since), LockExpiresAt: moment(lock.Until), Roles: []string{role}, CreatedAt: moment(a.User.CreatedAt)}
	if a.User.Status == storage.UserPending {
		b.Status = storage.UserPending
	}
	b.Name.First, b.Name.Middle, b.Name.Last = backend.NameOf(a.User)
	for _, i := range a.Identifiers {
		switch verified := !i.VerifiedAt.IsZero(); i.Kind {
		case storage.Email:
			b.Emails = append(b.Emails, emailBody{s.identifier(i), i.Text(), verified})
		case storage.Phone:
			b.Phones = append(b.Phones, phoneBody{s.identifier(i), i.Text(), verified})
		}
	}
	for _, x := range a.Authenticators {
		if x.Method == totp.Name {
			b.TOTPs = append(b.TOTPs, totpBody{wireid.Stytch(wireid.StytchTOTP, s.environment, x.ID), x.State != storage.AuthenticatorPending})
		}
	}
	m := backend.MetadataOf(a.User)
	b.Trusted, b.Untrusted = filled(m.Trusted), filled(m.Untrusted)
	if m.ExternalID != "" {
		b.ExternalID = &m.ExternalID
	}
	return b, nil
}

// identifier returns the ID of an e-mail address or phone number.
func (s *Surface) identifier(i storage.Identifier) string {
	if i.Kind == storage.Phone {
		return wireid.Stytch(wireid.StytchPhone, s.environment, i.ID)
	}
	return wireid.Stytch(wireid.StytchEmail, s.environment, i.ID)
}

// filled returns an empty object for none.
func filled(m map[string]json.RawMessage) map[string]json.RawMessage {
	if m == nil {
		return map[string]json.RawMessage{}
	}
	return m
}
