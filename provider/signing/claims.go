package signing

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

var (
	errCompact  = errors.New("signing: not a JWS in compact form")
	errAudience = errors.New("signing: aud is neither text nor a list of texts")
)

// Unverified returns the payload of a JWS in compact form (RFC 7515 section 7.1) without a look at its
// signature. It is for a token that was just signed here, and to find out whose keys have to verify one.
func Unverified(token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errCompact
	}
	return base64.RawURLEncoding.DecodeString(parts[1])
}

// Audience is the claim aud: a string or, for several values, a list (RFC 7519
// section 4.1.3).
type Audience []string

// MarshalJSON writes a single audience as a string, which simple clients expect.
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON reads both forms.
func (a *Audience) UnmarshalJSON(b []byte) error {
	var claim any
	if err := json.Unmarshal(b, &claim); err != nil {
		return err
	}
	list, ok := AudienceOf(claim)
	if !ok {
		return errAudience
	}
	*a = list
	return nil
}

// AudienceOf returns the audience in a claim aud, or false if it is neither text nor a list of texts. It
// is nil if there is none.
func AudienceOf(claim any) (Audience, bool) {
	switch v := claim.(type) {
	case nil:
		return nil, true
	case string:
		return Audience{v}, true
	case []any:
		out := make(Audience, len(v))
		for i, entry := range v {
			text, ok := entry.(string)
			if !ok {
				return nil, false
			}
			out[i] = text
		}
		return out, true
	}
	return nil, false
}
