package streambird

import (
	"strings"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web/problem"
	"sallyport/web/wireid"
)

// unsent replaces NotConfigured, which means here that the server has no sender for the kind
// of address.
func unsent(kind storage.IdentifierKind, err error) error {
	if mfa.CodeOf(err) == mfa.NotConfigured {
		return invalid(problem.SwitchedOff(kind))
	}
	return err
}

func (s *Surface) sendSMS(k call) (any, error)       { return s.send(k, storage.Phone, false) }
func (s *Surface) createBySMS(k call) (any, error)   { return s.send(k, storage.Phone, true) }
func (s *Surface) sendEmail(k call) (any, error)     { return s.send(k, storage.Email, false) }
func (s *Surface) createByEmail(k call) (any, error) { return s.send(k, storage.Email, true) }

// send sends a code to an address; with create, an unknown address becomes a new user.
func (s *Surface) send(k call, kind storage.IdentifierKind, create bool) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	member := "email"
	if kind == storage.Phone {
		member = "phone_number"
	}
	n := backend.Send{Kind: kind, Address: in.Required(member), TTL: in.minutes("expires_in", 1, 10, 1), Create: create, Fingerprint: in.fingerprint()}
	if create {
		n.Pending = in.Flag("requires_verification")
	}
	if err := in.fault(); err != nil {
		return nil, err
	}
	sent, err := s.backend.Send(k.Request.Context(), k.Caller, n)
	if err != nil {
		return nil, unsent(kind, err)
	}
	out := map[string]any{member + "_id": identifierID(sent.Identifier), "user_id": userID(sent.Account.User)}
	if create {
		out["user_created"], out["status"] = sent.Created, sent.Account.User.Status
	} else {
		out["user_active"] = sent.Account.User.Status == storage.UserActive
	}
	return out, nil
}

// verifyOTP checks a code that was sent.
func (s *Surface) verifyOTP(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	method, code := in.Required("method_id"), in.Required("otp")
	kind, prefix := storage.Email, wireid.StreambirdEmail
	switch before, _, _ := strings.Cut(method, "_"); wireid.Prefix(before) {
	case wireid.StreambirdEmail:
	case wireid.StreambirdPhone:
		kind, prefix = storage.Phone, wireid.StreambirdPhone
	default:
		in.Fault("method_id", "must be an email_id or a phone_number_id")
	}
	p := backend.Proof{Code: code, Fingerprint: in.fingerprint()}
	p.Identifier, _ = wireid.FromStreambird[storage.IdentifierID](prefix, method)
	if p.Session, err = s.named(k, in); err != nil {
		return nil, err
	}
	x, err := s.backend.ProveOTP(k.Request.Context(), k.Caller, p)
	if mfa.CodeOf(err) == mfa.IdentifierNotFound {
		err = &backend.AddressError{Kind: kind, Err: err}
	}
	if err != nil {
		return nil, unsent(kind, err)
	}
	out := struct {
		Method string `json:"method_id"`
		Type   string `json:"method_type"`
		User   string `json:"user_id"`
		*sessionPart
	}{Method: identifierID(x.Identifier), Type: methodType(x.Identifier.Kind), User: userID(x.Account.User)}
	out.sessionPart, err = s.sessionPart(k, x)
	return out, err
}

// methodType returns Streambird's name of a kind of address.
func methodType(kind storage.IdentifierKind) string {
	if kind == storage.Phone {
		return "phone_number"
	}
	return "email"
}
