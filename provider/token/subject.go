package token

import (
	"fmt"

	"sallyport/provider/clients"
	"sallyport/storage"
)

// Purposes of pairwise identifiers. Sessions have them too: with one sid, clients of two sectors could
// tell that their users are one.
const (
	ofUser    = "subject"
	ofSession = "session"
)

// Subject returns a user as a client sees it: the subject identifier of OpenID Connect Core section 8.
func (c *Codec) Subject(client *clients.Client, user storage.UserID) (string, error) {
	return seen(c, client, ofUser, user)
}

// SessionID returns a session as a client sees it, the sid of its tokens.
func (c *Codec) SessionID(client *clients.Client, session storage.SessionID) (string, error) {
	return seen(c, client, ofSession, session)
}

// UserOf returns the user of a subject that a client sees. What is no subject is a user that does not exist.
func (c *Codec) UserOf(client *clients.Client, subject string) storage.UserID {
	return behind[storage.UserID](c, client, ofUser, subject)
}

// SessionOf returns the session of a sid that a client sees.
func (c *Codec) SessionOf(client *clients.Client, sid string) storage.SessionID {
	return behind[storage.SessionID](c, client, ofSession, sid)
}

// seen returns an identifier as a client sees it; "" stays "".
func seen[T ~string](c *Codec, client *clients.Client, purpose string, id T) (string, error) {
	if client.SubjectType != clients.Pairwise || id == "" {
		return string(id), nil
	}
	raw, ok := storage.Bytes(id)
	if ok = ok && client.Sector != ""; ok {
		raw, ok = c.keyring.Pairwise(purpose, client.Sector, raw)
	}
	if !ok {
		return "", fmt.Errorf("token: no pairwise %s", purpose)
	}
	return storage.FromBytes[string](raw), nil
}

func behind[T ~string](c *Codec, client *clients.Client, purpose, value string) T {
	if client.SubjectType != clients.Pairwise || value == "" {
		return T(value)
	}
	raw, ok := storage.Bytes(value)
	if ok = ok && client.Sector != ""; ok {
		raw, ok = c.keyring.FromPairwise(purpose, client.Sector, raw)
	}
	if !ok {
		return "-" // no ID has this form
	}
	return storage.FromBytes[T](raw)
}
