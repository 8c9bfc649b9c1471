package stytch

import (
	"encoding/json"
	"slices"
	"strings"

	"sallyport/mfa/backend"
	"sallyport/mfa/passcode"
	"sallyport/mfa/recovery"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// attributesBody is the device of a session; "" where unknown.
type attributesBody struct {
	IP        string `json:"ip_address"`
	UserAgent string `json:"user_agent"`
}

// factorBody is a proof in a session, with one of the members at its end.
type factorBody struct {
	Type      string          `json:"type"`
	Delivery  string          `json:"delivery_method"`
	LastAt    moment          `json:"last_authenticated_at"`
	CreatedAt moment          `json:"created_at"`
	UpdatedAt moment          `json:"updated_at"`
	App       *appFactor      `json:"authenticator_app_factor,omitempty"`
	Recovery  *recoveryFactor `json:"recovery_code_factor,omitempty"`
	Phone     *phoneFactor    `json:"phone_number_factor,omitempty"`
	Email     *emailFactor    `json:"email_factor,omitempty"`
}

type appFactor struct {
	ID string `json:"totp_id"`
}

type recoveryFactor struct {
	ID string `json:"totp_recovery_code_id"`
}

type phoneFactor struct {
	ID     string `json:"phone_id"`
	Number string `json:"phone_number"`
}

type emailFactor struct {
	ID    string `json:"email_id"`
	Email string `json:"email_address"`
}

// sessionBody is a session.
type sessionBody struct {
	ID         string                     `json:"session_id"`
	UserID     string                     `json:"user_id"`
	StartedAt  moment                     `json:"started_at"`
	AccessedAt moment                     `json:"last_accessed_at"`
	ExpiresAt  moment                     `json:"expires_at"`
	Attributes attributesBody             `json:"attributes"`
	Factors    []factorBody               `json:"authentication_factors"`
	Claims     map[string]json.RawMessage `json:"custom_claims"`
	Roles      []string                   `json:"roles"`
}

// session returns a session as the dialect shows it.
func (s *Surface) session(x storage.Session, a storage.Account) sessionBody {
	return sessionBody{ID: wireid.Stytch(wireid.StytchSession, s.environment, x.ID), UserID: wireid.Stytch(wireid.StytchUser, s.environment, x.UserID),
		StartedAt: moment(x.CreatedAt), AccessedAt: moment(x.LastSeenAt), ExpiresAt: moment(x.ExpiresAt),
		Attributes: attributesBody{x.Address, x.UserAgent}, Factors: s.factors(x, a), Claims: ownClaims(backend.ClaimsOf(x)), Roles: []string{role}}
}

func (s *Surface) factors(x storage.Session, a storage.Account) []factorBody {
	out := []factorBody{}
	for _, f := range s.backend.FactorsOf(x, a) {
		b := factorBody{LastAt: moment(f.At), CreatedAt: moment(f.At), UpdatedAt: moment(f.At)}
		switch f.Method {
		case totp.Name:
			b.Type, b.Delivery, b.App = "totp", "authenticator_app", &appFactor{wireid.Stytch(wireid.StytchTOTP, s.environment, f.Authenticator)}
		case recovery.Name:
			b.Type, b.Delivery, b.Recovery = "recovery_codes", "recovery_code", &recoveryFactor{wireid.Stytch(wireid.StytchRecoveryCode, s.environment, f.Authenticator)}
		case passcode.SMS:
			b.Type, b.Delivery, b.Phone = "otp", "sms", &phoneFactor{s.identifier(f.Identifier), f.Identifier.Text()}
		case passcode.Email:
			b.Type, b.Delivery, b.Email = "email_otp", "email", &emailFactor{s.identifier(f.Identifier), f.Identifier.Text()}
		default: // proven on another surface
			b.Type, b.Delivery = f.Method, "knowledge"
		}
		out = append(out, b)
	}
	return out
}

// reserved are the claims of a JWT that custom claims do not replace.
var reserved = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

const vendorClaims = "https://stytch.com/"

// ownClaims returns custom claims without those that belong to the server. Sessions of other
// surfaces may have them.
func ownClaims(in map[string]json.RawMessage) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, value := range in {
		if !isReserved(name) {
			out[name] = value
		}
	}
	return out
}

func isReserved(name string) bool {
	return strings.HasPrefix(name, vendorClaims) || slices.Contains(reserved, name)
}
