package streambird

import (
	"context"
	"encoding/base64"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/storage"
)

// createTOTP creates an authenticator, which must be verified once within its time.
func (s *Surface) createTOTP(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	n := backend.NewTOTP{User: userOf(in.Required("user_id")), TTL: in.minutes("expires_in", 5, 1440, 1440), Codes: 16, Groups: []int{5, 5}, Issuer: k.Key.App}
	if err := in.fault(); err != nil {
		return nil, err
	}
	t, err := s.backend.CreateTOTP(k.Request.Context(), k.Caller, n)
	if err != nil {
		return nil, err
	}
	return struct {
		User   string   `json:"user_id"`
		TOTP   string   `json:"totp_id"`
		Secret string   `json:"secret"`
		Codes  []string `json:"recovery_codes"`
		QR     string   `json:"qr_base64"` // a PNG without data: prefix
	}{userID(t.Account.User), authenticatorID(t.Account, t.Authenticator), t.Handout.Secret, t.RecoveryCodes,
		base64.StdEncoding.EncodeToString(t.Handout.QR)}, nil
}

// recoveryCodes shows the unused recovery codes.
func (s *Surface) recoveryCodes(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	user := userOf(in.Required("user_id"))
	if err := in.fault(); err != nil {
		return nil, err
	}
	list, err := s.backend.RecoveryCodes(k.Request.Context(), user)
	if err != nil {
		return nil, err
	}
	type one struct {
		ID       string   `json:"id"`
		Verified bool     `json:"verified"`
		Codes    []string `json:"recovery_codes"`
	}
	out := struct {
		User  string `json:"user_id"`
		TOTPs []one  `json:"totps"`
	}{TOTPs: []one{}}
	for _, t := range list {
		out.User = userID(t.Account.User)
		out.TOTPs = append(out.TOTPs, one{authenticatorID(t.Account, t.Authenticator), t.Verified, append([]string{}, t.RecoveryCodes...)})
	}
	return out, nil
}

// verifyTOTP checks a TOTP code.
func (s *Surface) verifyTOTP(k call) (any, error) {
	return s.proveTOTP(k, func(in body) string { return in.Required("totp") }, s.backend.ProveTOTP)
}

// recover checks a recovery code. The Node library sends it as totp.
func (s *Surface) recover(k call) (any, error) {
	return s.proveTOTP(k, func(in body) string {
		code, other := in.Text("recovery_code"), in.Text("totp")
		if code == "" {
			code = other
		}
		if code == "" {
			in.Fault("recovery_code", "is required")
		}
		return code
	}, s.backend.ProveRecovery)
}

func (s *Surface) proveTOTP(k call, code func(body) string, prove func(context.Context, mfa.Caller, backend.Proof) (backend.Proven, error)) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	p := backend.Proof{User: userOf(in.Required("user_id")), Code: code(in), Fingerprint: in.fingerprint()}
	if p.Session, err = s.named(k, in); err != nil {
		return nil, err
	}
	x, err := prove(k.Request.Context(), k.Caller, p)
	if err != nil {
		return nil, err
	}
	out := struct {
		TOTP string `json:"totp_id"`
		User string `json:"user_id"`
		*sessionPart
	}{TOTP: s.totpOf(x.Account, x.Authenticator), User: userID(x.Account.User)}
	out.sessionPart, err = s.sessionPart(k, x)
	return out, err
}

// authenticatorID returns the ID of one of a user's authenticators.
func authenticatorID(a storage.Account, id storage.AuthenticatorID) string {
	if x := a.Authenticator(id); x != nil {
		return totpID(*x)
	}
	return ""
}

// totpOf returns the ID of the TOTP that a proof belongs to: a recovery code belongs to the
// user's first one. It is never empty, though the authenticator may have been removed since.
func (s *Surface) totpOf(a storage.Account, id storage.AuthenticatorID) string {
	list := s.totpsOf(a)
	for _, x := range list {
		if x.ID == id {
			return totpID(x)
		}
	}
	if len(list) > 0 {
		return totpID(list[0])
	}
	return totpID(storage.Authenticator{ID: id, CreatedAt: a.User.CreatedAt})
}
