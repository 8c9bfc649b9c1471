package token

import (
	"encoding/json"
	"fmt"

	"sallyport/provider/clients"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// ID is the content of an ID token that a client sent back as a hint.
type ID struct {
	Subject  storage.UserID    `json:"sub"`
	Session  storage.SessionID `json:"sid"`
	Issuer   string            `json:"iss"`
	Audience Audience          `json:"aud"`
}

// WriteID writes an ID token (OpenID Connect Core section 2) with the hashes of the access
// token and the code that are issued with it; "" for none.
func (c *Codec) WriteID(claims map[string]any, client *clients.Client, access, code string) (string, error) {
	alg := client.SigningAlg(c.alg)
	if access != "" {
		claims["at_hash"] = signing.HalfHash(alg, access)
	}
	if code != "" {
		claims["c_hash"] = signing.HalfHash(alg, code)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write ID token: %w", err)
	}
	return c.keys.Sign(alg, signing.TypeIDToken, payload, c.now())
}

// ReadID reads an ID token, which may have expired. Any published key may have signed it
// (OpenID Connect Core section 3.1.2.1, RP-Initiated Logout section 2).
func (c *Codec) ReadID(token string) (ID, error) {
	if len(token) > maxLength {
		return ID{}, ErrInvalid
	}
	payload, typ, err := c.keys.Verify(token)
	if err != nil || typ != signing.TypeIDToken {
		return ID{}, ErrInvalid
	}
	var t ID
	if err := json.Unmarshal(payload, &t); err != nil || t.Issuer != c.issuer || t.Subject == "" || len(t.Audience) == 0 {
		return ID{}, ErrInvalid
	}
	return t, nil
}
