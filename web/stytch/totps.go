package stytch

import (
	"encoding/base64"

	"sallyport/mfa/backend"
	"sallyport/mfa/recovery"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// recoveryCodes and recoveryGroups are the number of recovery codes and their form.
const recoveryCodes = 10

var recoveryGroups = []int{4, 4, 4}

func (s *Surface) createTOTP(k *call) (any, error) {
	text := k.in.Text("user_id")
	ttl, ttlErr := k.in.minutes("expiration_minutes", 5, 1440, 1440, invalidExpiration)
	if err := k.in.fault(); err != nil {
		return nil, err
	}
	user, err := s.userID(text)
	if err != nil {
		return nil, err
	}
	if ttlErr != nil {
		return nil, ttlErr
	}
	t, err := s.backend.CreateTOTP(k, k.caller, backend.NewTOTP{User: user, TTL: ttl, Codes: recoveryCodes, Groups: recoveryGroups})
	if err != nil {
		return nil, err
	}
	shown, err := s.view(k, t.Account)
	if err != nil {
		return nil, err
	}
	return struct {
		envelope
		TOTPID        string   `json:"totp_id"`
		Secret        string   `json:"secret"`
		QRCode        string   `json:"qr_code"`
		RecoveryCodes []string `json:"recovery_codes"`
		UserID        string   `json:"user_id"`
		User          userBody `json:"user"`
	}{s.answered(), wireid.Stytch(wireid.StytchTOTP, s.environment, t.Authenticator), t.Handout.Secret,
		"data:image/png;base64," + base64.StdEncoding.EncodeToString(t.Handout.QR), t.RecoveryCodes, shown.ID, shown}, nil
}

// totpProvenBody is the response to a TOTP or recovery code.
type totpProvenBody struct {
	TOTPID string `json:"totp_id"`
	provenBody
}

func (s *Surface) authenticateTOTP(k *call) (any, error) {
	code := k.in.Text("totp_code")
	p, err := s.proof(k, func() error {
		if !digits(code, 6) && !digits(code, 8) { // 8: enrolled elsewhere
			return &fault{invalidTOTPCode, nil}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.Code = code
	proven, err := s.backend.ProveTOTP(k, k.caller, p)
	if err != nil {
		return nil, err
	}
	return s.totpProven(k, proven, proven.Authenticator)
}

func (s *Surface) recover(k *call) (any, error) {
	code := k.in.Text("recovery_code")
	p, err := s.proof(k, func() error {
		if _, ok := recovery.Canonical(code); !ok {
			return &fault{invalidRecoveryCode, nil}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.Code = code
	proven, err := s.backend.ProveRecovery(k, k.caller, p)
	if err != nil {
		return nil, err
	}
	return s.totpProven(k, proven, totpOf(proven.Account))
}

func (s *Surface) totpProven(k *call, p backend.Proven, id storage.AuthenticatorID) (any, error) {
	b, err := s.proven(k, p)
	if err != nil {
		return nil, err
	}
	return totpProvenBody{wireid.Stytch(wireid.StytchTOTP, s.environment, id), b}, nil
}

func (s *Surface) recoveryCodes(k *call) (any, error) {
	text := k.in.Text("user_id")
	if err := k.in.fault(); err != nil {
		return nil, err
	}
	user, err := s.userID(text)
	if err != nil {
		return nil, err
	}
	list, err := s.backend.RecoveryCodes(k, user)
	if err != nil {
		return nil, err
	}
	type entry struct {
		totpBody
		RecoveryCodes []string `json:"recovery_codes"`
	}
	b := struct {
		envelope
		UserID string  `json:"user_id"`
		TOTPs  []entry `json:"totps"`
	}{s.answered(), wireid.Stytch(wireid.StytchUser, s.environment, user), []entry{}}
	for _, t := range list {
		codes := t.RecoveryCodes
		if codes == nil {
			codes = []string{}
		}
		b.TOTPs = append(b.TOTPs, entry{totpBody{wireid.Stytch(wireid.StytchTOTP, s.environment, t.Authenticator), t.Verified}, codes})
	}
	return b, nil
}
