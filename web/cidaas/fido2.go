package cidaas

import (
	"encoding/json"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
)

// fido2Entity carries the options of navigator.credentials.create or get, as JSON (WebAuthn Level 3
// section 5.1), in the responses that begin with a passkey.
type fido2Entity struct {
	Type      string           `json:"type"`
	Request   storage.StatusID `json:"fidoRequestId"`
	Challenge json.RawMessage  `json:"server_challenge"`
}

// fido2Of returns the entity of an attempt or an enrolment; nil: it is not one with a passkey. The
// libraries send the ID back, which proves nothing: the challenge itself says what it is for.
func fido2Of(options json.RawMessage, id storage.StatusID) *fido2Entity {
	if len(options) == 0 {
		return nil
	}
	return &fido2Entity{"FIDO2", id, options}
}

// fido2Response returns what the passkey of a call answered; nil: nothing. Browsers and iOS send it
// in fido2_client_response, Android the text of it as attestation.
func fido2Response(in *input) mfa.Response {
	text := in.Text("attestation")
	if sent := in.Object.Object("fido2_client_response"); sent != nil && sent.Object("client_response") != nil {
		credential, err := json.Marshal(sent.Members["client_response"])
		if err != nil {
			return nil // it was read as JSON
		}
		return credential
	}
	if !json.Valid([]byte(text)) {
		return nil
	}
	return mfa.Response(text)
}

// identifies reports whether a choice finds its user without a name: a passkey does, as the first
// factor. A caller who names a user by a masked subject means that user.
func (s *Surface) identifies(c exchange.Choice, sub string) bool {
	info, _ := s.verifier.Info(c.Method)
	return info.Challenged && c.Usage == mfa.UsageFirst && sub == ""
}
