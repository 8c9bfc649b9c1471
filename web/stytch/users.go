package stytch

import (
	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// changedBody is the response to a change of a user.
type changedBody struct {
	envelope
	UserID string   `json:"user_id"`
	User   userBody `json:"user"`
}

func (s *Surface) changed(k *call, a storage.Account) (any, error) {
	user, err := s.view(k, a)
	if err != nil {
		return nil, err
	}
	return changedBody{s.answered(), user.ID, user}, nil
}

// name reads the parts of a name.
func (in input) name() backend.Name {
	n := in.part("name")
	return backend.Name{First: n.maybe("first_name"), Middle: n.maybe("middle_name"), Last: n.maybe("last_name")}
}

func (s *Surface) createUser(k *call) (any, error) {
	d := backend.Draft{Email: k.in.Text("email"), Phone: k.in.Text("phone_number"), Name: k.in.name(), Pending: k.in.Flag("create_user_as_pending"),
		Metadata: backend.Metadata{Trusted: k.in.claims("trusted_metadata"), Untrusted: k.in.claims("untrusted_metadata"), ExternalID: k.in.Text("external_id")}}
	if err := k.in.fault(); err != nil {
		return nil, err
	}
	if d.Email == "" && d.Phone == "" {
		return nil, &fault{invalidCreateUser, nil}
	}
	a, err := s.backend.CreateUser(k, k.caller, d)
	if err != nil {
		return nil, err
	}
	user, err := s.view(k, a)
	if err != nil {
		return nil, err
	}
	b := struct {
		envelope
		UserID  string             `json:"user_id"`
		EmailID string             `json:"email_id"`
		PhoneID string             `json:"phone_id"`
		Status  storage.UserStatus `json:"status"`
		User    userBody           `json:"user"`
	}{envelope: s.answered(), UserID: user.ID, Status: user.Status, User: user}
	for _, e := range user.Emails {
		b.EmailID = e.ID
	}
	for _, p := range user.Phones {
		b.PhoneID = p.ID
	}
	return b, nil
}

func (s *Surface) user(k *call) (any, error) {
	id, err := s.userID(k.c.Param("user_id"))
	if err != nil {
		return nil, err
	}
	a, err := s.backend.User(k, id)
	if err != nil {
		return nil, err
	}
	user, err := s.view(k, a)
	if err != nil {
		return nil, err
	}
	return struct {
		envelope
		userBody
	}{s.answered(), user}, nil
}

func (s *Surface) updateUser(k *call) (any, error) {
	id, err := s.userID(k.c.Param("user_id"))
	if err != nil {
		return nil, err
	}
	change := backend.Change{Name: k.in.name(), Trusted: k.in.claims("trusted_metadata"), Untrusted: k.in.claims("untrusted_metadata"),
		ExternalID: k.in.maybe("external_id")}
	if err := k.in.fault(); err != nil {
		return nil, err
	}
	a, _, err := s.backend.ChangeUser(k, k.caller, id, change)
	if err != nil {
		return nil, err
	}
	user, err := s.view(k, a)
	if err != nil {
		return nil, err
	}
	return struct {
		changedBody
		Emails  []emailBody `json:"emails"`
		Phones  []phoneBody `json:"phone_numbers"`
		Wallets none        `json:"crypto_wallets"`
	}{changedBody: changedBody{s.answered(), user.ID, user}, Emails: user.Emails, Phones: user.Phones}, nil
}

func (s *Surface) deleteUser(k *call) (any, error) {
	id, err := s.userID(k.c.Param("user_id"))
	if err != nil {
		return nil, err
	}
	if err := s.backend.DeleteUser(k, k.caller, id); err != nil {
		return nil, err
	}
	return struct {
		envelope
		UserID string `json:"user_id"`
	}{s.answered(), wireid.Stytch(wireid.StytchUser, s.environment, id)}, nil
}

func (s *Surface) deleteEmail(k *call) (any, error) {
	return s.deleteIdentifier(k, storage.Email, wireid.StytchEmail, k.c.Param("email_id"))
}

func (s *Surface) deletePhone(k *call) (any, error) {
	return s.deleteIdentifier(k, storage.Phone, wireid.StytchPhone, k.c.Param("phone_id"))
}

func (s *Surface) deleteIdentifier(k *call, kind storage.IdentifierKind, as wireid.Kind, text string) (any, error) {
	id, err := idOf[storage.IdentifierID](s, as, text, invalidMethodID)
	if err != nil {
		return nil, err
	}
	a, err := s.backend.DeleteIdentifier(k, k.caller, kind, id)
	if err != nil {
		return nil, err
	}
	return s.changed(k, a)
}

func (s *Surface) deleteTOTP(k *call) (any, error) {
	id, err := idOf[storage.AuthenticatorID](s, wireid.StytchTOTP, k.c.Param("totp_id"), invalidTOTPID)
	if err != nil {
		return nil, err
	}
	a, err := s.backend.DeleteTOTP(k, k.caller, id)
	if err != nil {
		return nil, err
	}
	return s.changed(k, a)
}
