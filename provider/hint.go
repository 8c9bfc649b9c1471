package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"sallyport/provider/oauth"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// hint is what an ID token handed back to us says.
type hint struct {
	Subject  storage.UserID    `json:"sub"`
	Session  storage.SessionID `json:"sid"`
	Issuer   string            `json:"iss"`
	Audience audience          `json:"aud"`
}

var errHint = errors.New("provider: not an ID token of ours")

// readHint reads an id_token_hint. It may have expired, and it may be signed by any key
// we still publish: OpenID Connect Core section 3.1.2.1, RP-Initiated Logout section 2.
func (p *Provider) readHint(token string) (hint, error) {
	if len(token) > maxHint {
		return hint{}, errHint
	}
	payload, typ, err := p.keys.Verify(token)
	if err != nil || typ != signing.TypeIDToken { // an access token never passes as an ID token
		return hint{}, errHint
	}
	var h hint
	if err := json.Unmarshal(payload, &h); err != nil {
		return hint{}, errHint
	}
	if h.Issuer != p.options.Issuer || h.Subject == "" || len(h.Audience) == 0 {
		return hint{}, errHint
	}
	return h, nil
}

// checkHint lets only the subject of the hint sign in. A request read again from
// storage carries that subject instead of the token.
func (p *Provider) checkHint(_ context.Context, r *request, values url.Values) *oauth.Error {
	subject := storage.UserID(values.Get(hintSubject))
	if token := values.Get("id_token_hint"); token != "" {
		h, err := p.readHint(token)
		if err != nil || !slices.Contains(h.Audience, string(r.client.ID)) {
			return oauth.NewError("invalid_request", "id_token_hint is not an ID token we gave to this client")
		}
		subject = h.Subject
	}
	if subject == "" {
		return nil
	}
	if r.hint != "" && r.hint != subject {
		return oauth.NewError("login_required", "the request names two different subjects")
	}
	r.hint = subject
	r.params.Set(hintSubject, string(subject))
	return nil
}

// audience is aud: a string where there is one, a list where there are more (RFC 7519
// section 4.1.3).
type audience []string

// MarshalJSON writes a single audience as a string, which simple clients expect.
func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON reads both forms.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*a = many
	return nil
}
