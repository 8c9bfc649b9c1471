package token

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sallyport/provider/clientkeys"
	"sallyport/provider/clients"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// ID is the content of an ID token that a client sent back as a hint.
type ID struct {
	Subject  string           `json:"sub"` // as the client sees it, see UserOf
	Session  string           `json:"sid"` // likewise, see SessionOf
	Issuer   string           `json:"iss"`
	Audience signing.Audience `json:"aud"`
	Expires  int64            `json:"exp"`
	ACR      string           `json:"acr"`
	AMR      []string         `json:"amr"`
	AuthTime int64            `json:"auth_time"`
	// JWTID begins with the grant of the access token that was issued with it; "": none, or that token
	// is bound. A dot follows, and what tells it from other ID tokens of the grant.
	JWTID string          `json:"jti"`
	Grant storage.GrantID `json:"-"`
}

// WriteID writes an ID token (OpenID Connect Core section 2) about a user in a session, with the hashes of
// the access token and the code that are issued with it; "" for none. It is encrypted if the client wants
// that; if its keys do not allow it, the error is one of package clientkeys.
func (c *Codec) WriteID(ctx context.Context, claims map[string]any, a storage.Authorization, client *clients.Client, access, code string) (string, error) {
	alg := client.SigningAlg(c.alg)
	sid, err := c.SessionID(client, a.SessionID)
	if err != nil {
		return "", err
	}
	if sid != "" {
		claims["sid"] = sid
	}
	if claims["sub"], err = c.Subject(client, a.UserID); err != nil {
		return "", err
	}
	if access != "" {
		claims["at_hash"] = signing.HalfHash(alg, access)
	}
	if code != "" {
		claims["c_hash"] = signing.HalfHash(alg, code)
	}
	payload, err := marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write ID token: %w", err)
	}
	return c.sign(ctx, client, alg, signing.TypeIDToken, payload, client.IDTokenEncryption())
}

// sign signs a payload and, if the client wants that, encrypts the JWT for it (RFC 7519 section 5.2:
// nested).
func (c *Codec) sign(ctx context.Context, client *clients.Client, alg, typ string, payload []byte, e clientkeys.Encryption) (string, error) {
	text, err := c.keys.Sign(alg, typ, payload, c.now())
	if err != nil || e.Alg == "" {
		return text, err
	}
	return c.clientKeys.Encrypt(ctx, &client.Client, e, []byte(text), true)
}

// WriteUserinfo writes a response of the userinfo endpoint about a user as the client wants it (OpenID
// Connect Core section 5.3.2): the claims as they are, if jwt is false, or a JWT, which is signed,
// encrypted or both.
func (c *Codec) WriteUserinfo(ctx context.Context, claims map[string]any, user storage.UserID, client *clients.Client) (text string, jwt bool, err error) {
	if claims["sub"], err = c.Subject(client, user); err != nil {
		return "", false, err
	}
	e := client.UserinfoEncryption()
	if jwt = client.UserinfoAlg != "" || e.Alg != ""; jwt {
		claims["iss"], claims["aud"] = c.issuer, client.ID
	}
	payload, err := json.Marshal(claims)
	switch {
	case err != nil:
		return "", jwt, fmt.Errorf("write userinfo: %w", err)
	case !jwt:
		return string(payload), false, nil
	case client.UserinfoAlg == "":
		text, err = c.clientKeys.Encrypt(ctx, &client.Client, e, payload, false)
		return text, true, err
	}
	text, err = c.sign(ctx, client, client.UserinfoAlg, signing.TypeUserinfo, payload, e)
	return text, true, err
}

// logoutLife is how long a logout token may be accepted; section 4 recommends two minutes at most.
const logoutLife = 2 * time.Minute

// logoutEvent says that a JWT is a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken is OpenID Connect Back-Channel Logout 1.0 section 2.4.
type logoutToken struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub"`
	Audience storage.ClientID    `json:"aud"`
	IssuedAt int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	EventAt  int64               `json:"toe"` // RFC 8417 section 2.2
	Events   map[string]struct{} `json:"events"`
	Session  string              `json:"sid,omitempty"`
}

// WriteLogout writes a logout token: it tells a client that a session of a user has ended, or, if
// session is "", that all have. id is the same whenever the client is told again, and so is the time of the end: a token that
// arrives late must not end sessions that began since. It is encrypted as the ID tokens of the client are
// (section 2.6: otherwise the client should refuse it).
func (c *Codec) WriteLogout(ctx context.Context, client *clients.Client, id string, user storage.UserID, session storage.SessionID, ended time.Time) (string, error) {
	now := c.now()
	sub, err := c.Subject(client, user)
	if err != nil {
		return "", err
	}
	sid, err := c.SessionID(client, session)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(logoutToken{Issuer: c.issuer, Subject: sub, Audience: client.ID, IssuedAt: now.Unix(), Expires: now.Add(logoutLife).Unix(),
		ID: id, EventAt: ended.Unix(), Events: map[string]struct{}{logoutEvent: {}}, Session: sid})
	if err != nil {
		return "", fmt.Errorf("write logout token: %w", err)
	}
	e := client.IDTokenEncryption()
	e.Issuer = c.issuer // section 2.4
	return c.sign(ctx, client, client.SigningAlg(c.alg), signing.TypeLogoutToken, payload, e)
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
	if err := json.Unmarshal(payload, &t); err != nil || t.Issuer != c.issuer || t.Subject == "" || len(t.Audience) == 0 || t.Expires == 0 {
		return ID{}, ErrInvalid // without exp it is a response of userinfo
	}
	grant, _, _ := strings.Cut(t.JWTID, ".")
	t.Grant = storage.GrantID(grant)
	return t, nil
}
