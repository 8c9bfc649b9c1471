package streambird

import (
	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// userBody is a user. All members are always present.
type userBody struct {
	ID        string      `json:"user_id"`
	First     string      `json:"first_name"`
	Middle    string      `json:"middle_name"`
	Last      string      `json:"last_name"`
	Status    string      `json:"status"`
	Active    bool        `json:"active"`
	UpdatedAt int64       `json:"updated_at"`
	CreatedAt int64       `json:"created_at"`
	Emails    []emailBody `json:"emails"`
	Phones    []phoneBody `json:"phone_numbers"`
	TOTPs     []totpBody  `json:"totps"`
	Wallets   []struct{}  `json:"wallets"`
	Providers []struct{}  `json:"idp_providers"`
	Webauthn  []struct{}  `json:"webauthn_credentials"`
}

type emailBody struct {
	ID        string `json:"id"`
	Verified  bool   `json:"verified"`
	Email     string `json:"email"`
	UpdatedAt int64  `json:"updated_at"`
	CreatedAt int64  `json:"created_at"`
}

type phoneBody struct {
	ID        string `json:"id"`
	Verified  bool   `json:"verified"`
	Phone     string `json:"phone_number"`
	UpdatedAt int64  `json:"updated_at"`
	CreatedAt int64  `json:"created_at"`
}

type totpBody struct {
	ID        string `json:"id"`
	User      string `json:"user_id"`
	Verified  bool   `json:"verified"`
	UpdatedAt int64  `json:"updated_at"`
	CreatedAt int64  `json:"created_at"`
}

func (s *Surface) userBody(a storage.Account) userBody {
	first, middle, last := backend.NameOf(a.User)
	b := userBody{ID: userID(a.User), First: first, Middle: middle, Last: last, Status: string(a.User.Status),
		Active: a.User.Status == storage.UserActive, UpdatedAt: a.User.UpdatedAt.Unix(), CreatedAt: a.User.CreatedAt.Unix(),
		Emails: emailBodies(a.Identifiers), Phones: phoneBodies(a.Identifiers),
		TOTPs: []totpBody{}, Wallets: []struct{}{}, Providers: []struct{}{}, Webauthn: []struct{}{}}
	for _, x := range s.totpsOf(a) {
		b.TOTPs = append(b.TOTPs, totpBody{totpID(x), b.ID, verified(x), x.UpdatedAt.Unix(), x.CreatedAt.Unix()})
	}
	return b
}

func emailBodies(of []storage.Identifier) []emailBody {
	out := []emailBody{}
	for _, i := range of {
		if i.Kind == storage.Email {
			out = append(out, emailBody{identifierID(i), !i.VerifiedAt.IsZero(), i.Text(), i.UpdatedAt.Unix(), i.CreatedAt.Unix()})
		}
	}
	return out
}

func phoneBodies(of []storage.Identifier) []phoneBody {
	out := []phoneBody{}
	for _, i := range of {
		if i.Kind == storage.Phone {
			out = append(out, phoneBody{identifierID(i), !i.VerifiedAt.IsZero(), i.Text(), i.UpdatedAt.Unix(), i.CreatedAt.Unix()})
		}
	}
	return out
}

// totpsOf returns the TOTP authenticators of a user: first the verified ones of every surface,
// then pending ones that a backend can still verify.
func (s *Surface) totpsOf(a storage.Account) []storage.Authenticator {
	var out []storage.Authenticator
	for _, done := range []bool{true, false} {
		for _, x := range a.Authenticators {
			lives := done || x.Origin == mfa.OriginBackend && s.now().Before(x.ExpiresAt)
			if x.Method == totp.Name && verified(x) == done && lives {
				out = append(out, x)
			}
		}
	}
	return out
}

func verified(x storage.Authenticator) bool { return x.State != storage.AuthenticatorPending }

func userID(u storage.User) string {
	return wireid.Streambird(wireid.StreambirdUser, u.ID, u.CreatedAt)
}

func totpID(x storage.Authenticator) string {
	return wireid.Streambird(wireid.StreambirdTOTP, x.ID, x.CreatedAt)
}

func sessionID(x storage.Session) string {
	return wireid.Streambird(wireid.StreambirdSession, x.ID, x.CreatedAt)
}

// identifierID returns the ID of an e-mail address or phone number.
func identifierID(i storage.Identifier) string {
	prefix := wireid.StreambirdEmail
	if i.Kind == storage.Phone {
		prefix = wireid.StreambirdPhone
	}
	return wireid.Streambird(prefix, i.ID, i.CreatedAt)
}
