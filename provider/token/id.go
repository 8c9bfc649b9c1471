package token

import (
	"encoding/json"
	"fmt"
	"time"

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
	Expires  int64             `json:"exp"`
	ACR      string            `json:"acr"`
	AMR      []string          `json:"amr"`
	AuthTime int64             `json:"auth_time"`
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

// logoutLife is how long a logout token may be accepted; section 4 recommends two minutes at most.
const logoutLife = 2 * time.Minute

// logoutEvent says that a JWT is a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken is OpenID Connect Back-Channel Logout 1.0 section 2.4.
type logoutToken struct {
	Issuer   string              `json:"iss"`
	Subject  storage.UserID      `json:"sub"`
	Audience storage.ClientID    `json:"aud"`
	IssuedAt int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	EventAt  int64               `json:"toe"` // RFC 8417 section 2.2
	Events   map[string]struct{} `json:"events"`
	Session  storage.SessionID   `json:"sid,omitempty"`
}

// WriteLogout writes a logout token: it tells a client that a session of a user has ended, or, if
// session is "", that all have. id is the same whenever the client is told again, and so is the time of the end: a token that
// arrives late must not end sessions that began since.
func (c *Codec) WriteLogout(client *clients.Client, id string, user storage.UserID, session storage.SessionID, ended time.Time) (string, error) {
	now := c.now()
	payload, err := json.Marshal(logoutToken{Issuer: c.issuer, Subject: user, Audience: client.ID, IssuedAt: now.Unix(), Expires: now.Add(logoutLife).Unix(),
		ID: id, EventAt: ended.Unix(), Events: map[string]struct{}{logoutEvent: {}}, Session: session})
	if err != nil {
		return "", fmt.Errorf("write logout token: %w", err)
	}
	return c.keys.Sign(client.SigningAlg(c.alg), signing.TypeLogoutToken, payload, now)
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
