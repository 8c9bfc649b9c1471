package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sallyport/provider/clients"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// accessPrefix marks opaque access tokens.
const accessPrefix = "sp_at_"

// Access is the content of an access token, whether opaque or a JWT (RFC 9068 section 2.2).
type Access struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"` // as the client sees the user; the client if there is none
	Audience signing.Audience `json:"aud"`
	Client   storage.ClientID `json:"client_id"`
	Expires  int64            `json:"exp"`
	Issued   int64            `json:"iat"`
	ID       string           `json:"jti"`
	Scope    string           `json:"scope,omitempty"`
	Scopes   []string         `json:"scopes,omitempty"` // the same as a list, for libraries of cidaas
	Grant    storage.GrantID  `json:"grant_id,omitempty"`
	Session  string           `json:"sid,omitempty"` // as the client sees it
	ACR      string           `json:"acr,omitempty"`
	AMR      []string         `json:"amr,omitempty"`
	AuthTime int64            `json:"auth_time,omitempty"`
	Roles    []string         `json:"roles,omitzero"` // of a user; an empty list says: none
	// Confirmation is the key or certificate that the token is bound to; nil: whoever has the token
	// may use it.
	Confirmation *Confirmation `json:"cnf,omitempty"`
	// Details are the authorization details (RFC 9396 section 9.1).
	Details json.RawMessage `json:"authorization_details,omitempty"`
	// Actor is who acts for the subject, MayAct who alone may (RFC 8693 sections 4.1 and 4.4).
	Actor  *Actor `json:"act,omitempty"`
	MayAct *Actor `json:"may_act,omitempty"`
	// SubjectGrant is what a token that was exchanged for another one ends with. It has no Grant: a
	// grant's own client may do more with its tokens than others that got one of them.
	SubjectGrant storage.GrantID `json:"subject_grant_id,omitempty"`
	// Sources are the tokens it was exchanged for, the first one first.
	Sources []Source `json:"exchanged_from,omitempty"`

	// User and UserSession are what WriteAccess writes Subject and Session from. ReadAccess leaves them
	// out: they are those of the grant.
	User        storage.UserID    `json:"-"`
	UserSession storage.SessionID `json:"-"`
}

// Actor is the claim act or may_act. Client is the client of an actor who is a user.
type Actor struct {
	Subject string           `json:"sub"`
	Client  storage.ClientID `json:"client_id,omitempty"`
	Actor   *Actor           `json:"act,omitempty"` // who acted before
}

// Source is a token that was exchanged. ID is set if it was exchanged for another one itself, because
// such tokens are revoked one by one.
type Source struct {
	Client storage.ClientID `json:"client_id"`
	ID     string           `json:"jti,omitempty"`
}

// Confirmation is the claim cnf (RFC 7800 section 3).
type Confirmation struct {
	JKT         string `json:"jkt,omitempty"`      // thumbprint of the key of DPoP proofs (RFC 9449 section 6)
	Certificate string `json:"x5t#S256,omitempty"` // thumbprint of the certificate in TLS (RFC 8705 section 3.1)
}

// BoundTo returns the confirmation for the thumbprints of a key and of a certificate; nil without
// either.
func BoundTo(jkt, certificate string) *Confirmation {
	if jkt == "" && certificate == "" {
		return nil
	}
	return &Confirmation{JKT: jkt, Certificate: certificate}
}

// Type returns the type of the token, as token_type names it (RFC 6749 section 7.1). One that is bound
// to a certificate alone is sent as a bearer token (RFC 8705 section 3).
func (t Access) Type() string {
	if t.Confirmation != nil && t.Confirmation.JKT != "" {
		return "DPoP"
	}
	return "Bearer"
}

// OnlyForClient reports whether the audience is the client or this server alone: no resource
// server received the token.
func (t Access) OnlyForClient() bool {
	return len(t.Audience) == 1 && t.ForClient()
}

// ForClient reports whether the audience includes the client or this server (RFC 9068
// section 4). A token for resource servers alone opens nothing here: each of them, and an
// attacker who stole it there, could use it in place of the client.
func (t Access) ForClient() bool {
	return slices.Contains(t.Audience, string(t.Client)) || slices.Contains(t.Audience, t.Issuer)
}

// WriteAccess writes an access token in the client's format.
func (c *Codec) WriteAccess(t Access, client *clients.Client) (string, error) {
	var err error
	if t.Subject, err = c.Subject(client, t.User); err != nil {
		return "", err
	}
	if t.Session, err = c.SessionID(client, t.UserSession); err != nil {
		return "", err
	}
	if t.Subject == "" {
		t.Subject = string(client.ID) // RFC 9068 section 2.2: without a resource owner, the client
	}
	payload, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("write access token: %w", err)
	}
	if client.AccessTokenFormat != "opaque" {
		return c.keys.Sign(client.SigningAlg(c.alg), signing.TypeAccessToken, payload, c.now())
	}
	sealed, err := c.keyring.Seal("access_token", c.sealContext(), payload)
	if err != nil {
		return "", fmt.Errorf("seal access token: %w", err)
	}
	return accessPrefix + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// sealContext binds opaque tokens to this server.
func (c *Codec) sealContext() string { return c.environment + " " + c.issuer }

// ReadAccess reads an access token that has not expired. The caller checks its grant.
func (c *Codec) ReadAccess(token string) (Access, error) {
	if token == "" || len(token) > maxLength {
		return Access{}, ErrInvalid
	}
	var payload []byte
	if sealed, ok := strings.CutPrefix(token, accessPrefix); ok {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
		if err != nil {
			return Access{}, ErrInvalid
		}
		if payload, err = c.keyring.Open("access_token", c.sealContext(), raw); err != nil {
			return Access{}, ErrInvalid
		}
	} else {
		verified, typ, err := c.keys.Verify(token)
		if err != nil || typ != signing.TypeAccessToken {
			return Access{}, ErrInvalid
		}
		payload = verified
	}
	var t Access
	if err := json.Unmarshal(payload, &t); err != nil || t.Issuer != c.issuer || c.now().Unix() >= t.Expires || t.ID == "" {
		return Access{}, ErrInvalid
	}
	return t, nil
}
