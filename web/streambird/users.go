package streambird

import (
	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// messageBody is the response to a deletion.
type messageBody struct {
	User    string `json:"user_id"`
	Message string `json:"message"`
}

func deleted(a storage.Account, what string) messageBody {
	return messageBody{userID(a.User), what + " deleted."}
}

// createUser creates a user.
func (s *Surface) createUser(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	d := backend.Draft{Email: in.Text("email"), Phone: in.Text("phone_number"), Name: in.name(), Pending: in.Flag("requires_verification")}
	if d.Email == "" && d.Phone == "" {
		in.Fault("email or phone_number", "is required")
	}
	if err := in.fault(); err != nil {
		return nil, err
	}
	a, err := s.backend.CreateUser(k.Request.Context(), k.Caller, d)
	if err != nil {
		return nil, err
	}
	out := struct {
		userBody
		Email *string `json:"email_id"`
		Phone *string `json:"phone_number_id"`
	}{userBody: s.userBody(a)}
	if len(out.Emails) > 0 {
		out.Email = &out.Emails[0].ID
	}
	if len(out.Phones) > 0 {
		out.Phone = &out.Phones[0].ID
	}
	return out, nil
}

// user returns a user.
func (s *Surface) user(k call) (any, error) {
	a, err := s.backend.User(k.Request.Context(), pathID[storage.UserID](k, wireid.StreambirdUser))
	if err != nil {
		return nil, err
	}
	return s.userBody(a), nil
}

// updateUser changes names and adds addresses. The response has the addresses that the call
// names beside the whole user.
func (s *Surface) updateUser(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	change := backend.Change{Name: in.name(), Emails: in.addresses("emails", "email"), Phones: in.addresses("phone_numbers", "phone_number")}
	if err := in.fault(); err != nil {
		return nil, err
	}
	a, named, err := s.backend.ChangeUser(k.Request.Context(), k.Caller, pathID[storage.UserID](k, wireid.StreambirdUser), change)
	if err != nil {
		return nil, err
	}
	return struct {
		ID     string      `json:"user_id"`
		Emails []emailBody `json:"emails"`
		Phones []phoneBody `json:"phone_numbers"`
		User   userBody    `json:"user"`
	}{userID(a.User), emailBodies(named), phoneBodies(named), s.userBody(a)}, nil
}

// deleteUser deletes a user with everything that belongs to it.
func (s *Surface) deleteUser(k call) (any, error) {
	id := pathID[storage.UserID](k, wireid.StreambirdUser)
	a, err := s.backend.User(k.Request.Context(), id)
	if err != nil {
		return nil, err
	}
	if err := s.backend.DeleteUser(k.Request.Context(), k.Caller, id); err != nil {
		return nil, err
	}
	return deleted(a, "User"), nil
}

func (s *Surface) deleteEmail(k call) (any, error) {
	return s.deleteAddress(k, storage.Email, wireid.StreambirdEmail, "Email")
}

func (s *Surface) deletePhone(k call) (any, error) {
	return s.deleteAddress(k, storage.Phone, wireid.StreambirdPhone, "Phone number")
}

func (s *Surface) deleteAddress(k call, kind storage.IdentifierKind, prefix wireid.Prefix, what string) (any, error) {
	a, err := s.backend.DeleteIdentifier(k.Request.Context(), k.Caller, kind, pathID[storage.IdentifierID](k, prefix))
	if err != nil {
		return nil, err
	}
	return deleted(a, what), nil
}

// deleteTOTP removes an authenticator. With the last one the recovery codes go too.
func (s *Surface) deleteTOTP(k call) (any, error) {
	a, err := s.backend.DeleteTOTP(k.Request.Context(), k.Caller, pathID[storage.AuthenticatorID](k, wireid.StreambirdTOTP))
	if err != nil {
		return nil, err
	}
	return deleted(a, "TOTP"), nil
}

// pathID returns the identifier in the address of a call; "", which names nothing, if it does
// not have this prefix.
func pathID[T ~string](k call, prefix wireid.Prefix) T {
	id, _ := wireid.FromStreambird[T](prefix, k.Param("id"))
	return id
}

// userOf returns the user that a member of a body names; "" names no user.
func userOf(text string) storage.UserID {
	id, _ := wireid.FromStreambird[storage.UserID](wireid.StreambirdUser, text)
	return id
}
