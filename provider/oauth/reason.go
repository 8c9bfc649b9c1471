package oauth

import (
	"context"
	"errors"

	"sallyport/mfa"
	"sallyport/storage"
)

// Reasons of refusals in the log and the audit trail, where one code of OAuth has several.
// docs/errors.md lists them. No response tells them apart.
const (
	UnknownClient        = "unknown_client"
	DisabledClient       = "disabled_client"
	WrongSecret          = "wrong_secret"
	WrongMethod          = "wrong_method" // not the client's token_endpoint_auth_method
	NoClient             = "no_client"    // the request names none
	NoDocument           = "no_document"  // at its client_id is no document that can be used
	MalformedCredentials = "malformed_credentials"
	UnsupportedMethod    = "unsupported_method" // another client_assertion_type
	InvalidAssertion     = "invalid_assertion"  // malformed, expired, for another server, or of another key
	UsedAssertion        = "used_assertion"
	UnavailableKeys      = "unavailable_keys"  // the jwks_uri of the client does not respond
	NoEncryptionKey      = "no_encryption_key" // the client has none for what is encrypted for it

	UnknownCode   = "unknown_code"
	ExpiredCode   = "expired_code"
	UsedCode      = "used_code"
	WrongVerifier = "wrong_verifier"
	WrongRedirect = "wrong_redirect_uri"
	OtherClient   = "other_client"         // the code or token is another client's
	SignedOut     = "signed_out"           // the session of the code has ended
	DisabledUser  = mfa.ReasonDisabledUser // or one who was deleted
	UnknownToken  = "unknown_token"
	ExpiredToken  = "expired_token"
	RevokedToken  = "revoked_token" // or its session or user has ended
	UsedToken     = "used_token"    // a refresh token was used again
	OtherAudience = "other_audience"
	NoToken       = "no_token"

	NoProof      = "no_proof"      // the client or the token requires a DPoP proof
	InvalidProof = "invalid_proof" // malformed, expired, or for another request
	UsedProof    = "used_proof"
	WrongNonce   = "wrong_nonce" // none, or it is over
	WrongKey     = "wrong_key"   // the code or token is bound to another key

	NoCertificate      = "no_certificate"      // the client or the token requires one
	InvalidCertificate = "invalid_certificate" // expired, not valid yet, weak, or of another authority
	WrongCertificate   = "wrong_certificate"   // of another client, or not the one that the token is bound to
)

// Reasons returns all of these.
func Reasons() []string {
	return []string{UnknownClient, DisabledClient, WrongSecret, WrongMethod, NoClient, NoDocument, MalformedCredentials, UnsupportedMethod,
		InvalidAssertion, UsedAssertion, UnavailableKeys, NoEncryptionKey,
		UnknownCode, ExpiredCode, UsedCode, WrongVerifier, WrongRedirect, OtherClient, SignedOut, DisabledUser,
		UnknownToken, ExpiredToken, RevokedToken, UsedToken, OtherAudience, NoToken,
		NoProof, InvalidProof, UsedProof, WrongNonce, WrongKey, NoCertificate, InvalidCertificate, WrongCertificate}
}

// Because returns the error with a reason for the log.
func (e *Error) Because(reason string) *Error {
	e.Reason = reason
	return e
}

// About returns the error with the parameter that is wrong, for the log.
func (e *Error) About(parameter string) *Error {
	e.Parameter = parameter
	return e
}

// Refused logs the error, which answers a request with these parameters.
func (e *Error) Refused(ctx context.Context, client storage.ClientID, value func(parameter string) string) {
	r := mfa.Refusal{Reason: e.Reason, Event: e.Event, Client: e.Client, Parameter: e.Parameter, Value: e.Value,
		Err: e.Cause, Operator: e.Status >= 500}
	if r.Reason == "" {
		r.Reason = e.Code
	}
	if r.Client == "" {
		r.Client = client
	}
	if r.Parameter == "" {
		r.Parameter = parameterOf(e.Code)
	}
	if r.Value == "" && r.Parameter != "" {
		r.Value = value(r.Parameter)
	}
	if r.Err == nil && e.Description != "" {
		r.Err = errors.New(e.Description)
	}
	mfa.Refused(ctx, r)
}

// parameterOf returns the parameter that an error is about if nothing else is known.
func parameterOf(code string) string {
	switch code {
	case "invalid_scope":
		return "scope"
	case "invalid_target":
		return "resource"
	case "unsupported_response_type":
		return "response_type"
	case "unsupported_grant_type":
		return "grant_type"
	case "invalid_token":
		return "access_token"
	case "unmet_authentication_requirements":
		return "acr_values"
	case "login_required", "interaction_required", "consent_required":
		return "prompt"
	}
	return ""
}
