package registration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/provider/clientkeys"
	"sallyport/provider/oauth"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// leeway is how far the clocks of an issuer of software statements and of the server may differ.
const leeway = time.Minute

// verifyStatement returns the claims of a software statement of a trusted issuer (RFC 7591 section 2.3).
// Its iss only selects the keys; that they verify it proves the rest.
func (s *Service) verifyStatement(ctx context.Context, v mfa.Caller, text string) (map[string]any, *oauth.Error) {
	claims, err := payload(text)
	if err != nil {
		return nil, badStatement("is not a signed JWT with one JSON object")
	}
	trusted := slices.IndexFunc(s.options.Statements, func(i Issuer) bool { return i.Name == claims["iss"] })
	if trusted < 0 {
		return nil, oauth.NewError("unapproved_software_statement", "no issuer of the software statement is trusted here").About("software_statement")
	}
	keys := s.options.Statements[trusted]
	_, err = s.options.Keys.Verify(ctx, &storage.Client{JWKS: keys.JWKS, JWKSURI: keys.JWKSURI}, text, clientkeys.Algorithms(), s.mayFetch(v))
	if e := limited(err); e != nil {
		return nil, e
	}
	if errors.Is(err, clientkeys.ErrUnavailable) {
		return nil, oauth.Unavailable(err)
	}
	if err != nil {
		return nil, badStatement("is signed by no key of its issuer, or with another algorithm")
	}
	// No type is registered for software statements. One that says that it is something else, such as an
	// access token of the same issuer, is none (RFC 8725 section 3.11).
	if typ := typeOf(text); typ != "" && !strings.EqualFold(typ, "JWT") {
		return nil, badStatement("has the type of another kind of token")
	}
	now := s.now()
	if exp, ok := moment(claims["exp"]); !ok || !exp.IsZero() && !exp.After(now.Add(-leeway)) {
		return nil, badStatement("has expired")
	}
	if nbf, ok := moment(claims["nbf"]); !ok || nbf.After(now.Add(leeway)) {
		return nil, badStatement("is not valid yet")
	}
	if !forUs(claims["aud"], s.options.Issuer) {
		return nil, badStatement("is for another server")
	}
	return claims, nil
}

func badStatement(text string) *oauth.Error {
	return oauth.NewError("invalid_software_statement", "the software statement "+text).About("software_statement")
}

// payload returns the claims of a JWT without verifying it.
func payload(text string) (map[string]any, error) {
	raw, err := signing.Unverified(text)
	if err != nil {
		return nil, err
	}
	return input.Object(raw)
}

// typeOf returns the typ of a JWT in compact form; "": it has none.
func typeOf(text string) string {
	head, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return ""
	}
	var header struct {
		Type string `json:"typ"`
	}
	_ = json.Unmarshal(raw, &header) // the signature was verified with it
	return header.Type
}

// moment returns a NumericDate (RFC 7519 section 2); zero: there is none.
func moment(value any) (time.Time, bool) {
	if value == nil {
		return time.Time{}, true
	}
	number, _ := value.(json.Number)
	seconds, err := number.Float64()
	return time.Unix(int64(seconds), 0), err == nil && seconds > 0 && seconds < 1<<40
}

// forUs reports whether an audience, if there is one, has the server.
func forUs(aud any, issuer string) bool {
	list, ok := signing.AudienceOf(aud)
	return ok && (list == nil || slices.Contains(list, issuer))
}
