package token

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sallyport/provider/clients"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// responseLife is how long a signed authorization response may be accepted; JARM section 2.1
// recommends ten minutes at most. The code in it lives for a minute; the rest is for clocks that differ.
const responseLife = 5 * time.Minute

// WriteResponse writes an authorization response as a JWT for a client (JWT Secured Authorization
// Response Mode for OAuth 2.0, section 2.1), signed, and then encrypted if the client wants that (section
// 2.2). It has no subject, so it is no ID token.
func (c *Codec) WriteResponse(ctx context.Context, client *clients.Client, parameters [][2]string) (string, error) {
	now := c.now()
	content := map[string]any{}
	for _, p := range parameters {
		content[p[0]] = p[1]
	}
	content["iss"], content["aud"], content["exp"] = c.issuer, client.ID, now.Add(responseLife).Unix()
	payload, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("write authorization response: %w", err)
	}
	return c.sign(ctx, client, client.AuthorizationSigningAlg(c.alg), signing.TypeResponse, payload, client.AuthorizationEncryption())
}

// introspected is a response of introspection as a JWT (RFC 9701 section 5). exp and sub are inside
// alone, so that it is no access token and no ID token.
type introspected struct {
	Issuer   string           `json:"iss"`
	Audience storage.ClientID `json:"aud"`
	IssuedAt int64            `json:"iat"`
	Response any              `json:"token_introspection"`
}

// WriteIntrospection writes a response of introspection as a JWT for the caller.
func (c *Codec) WriteIntrospection(caller *clients.Client, response any) (string, error) {
	now := c.now()
	payload, err := json.Marshal(introspected{Issuer: c.issuer, Audience: caller.ID, IssuedAt: now.Unix(), Response: response})
	if err != nil {
		return "", fmt.Errorf("write introspection response: %w", err)
	}
	return c.keys.Sign(caller.IntrospectionSigningAlg(c.alg), signing.TypeIntrospection, payload, now)
}
