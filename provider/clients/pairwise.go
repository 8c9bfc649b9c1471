package clients

import (
	"fmt"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Purposes of pairwise identifiers. Sessions have them too: with one sid, clients of two sectors could
// tell that their users are one.
const (
	ofUser    = "subject"
	ofSession = "session"
)

// Subject returns a user as the client sees it: the subject identifier of OpenID Connect Core section 8.
func (c *Client) Subject(k *seal.Keyring, user storage.UserID) (string, error) {
	return seen(c, k, ofUser, user)
}

// SessionID returns a session as the client sees it, the sid of its tokens.
func (c *Client) SessionID(k *seal.Keyring, session storage.SessionID) (string, error) {
	return seen(c, k, ofSession, session)
}

// UserOf returns the user of a subject that the client sees. What is no subject is a user that does not
// exist.
func (c *Client) UserOf(k *seal.Keyring, subject string) storage.UserID {
	return behind[storage.UserID](c, k, ofUser, subject)
}

// SessionOf returns the session of a sid that the client sees.
func (c *Client) SessionOf(k *seal.Keyring, sid string) storage.SessionID {
	return behind[storage.SessionID](c, k, ofSession, sid)
}

// seen returns an identifier as a client sees it; "" stays "".
func seen[T ~string](c *Client, k *seal.Keyring, purpose string, id T) (string, error) {
	if c.SubjectType != Pairwise || id == "" {
		return string(id), nil
	}
	raw, ok := storage.Bytes(id)
	if ok = ok && c.Sector != ""; ok {
		raw, ok = k.Pairwise(purpose, c.Sector, raw)
	}
	if !ok {
		return "", fmt.Errorf("no pairwise %s for client %q", purpose, c.ID)
	}
	return storage.FromBytes[string](raw), nil
}

func behind[T ~string](c *Client, k *seal.Keyring, purpose, value string) T {
	if c.SubjectType != Pairwise || value == "" {
		return T(value)
	}
	raw, ok := storage.Bytes(value)
	if ok = ok && c.Sector != ""; ok {
		raw, ok = k.FromPairwise(purpose, c.Sector, raw)
	}
	if !ok {
		return "-" // no ID has this form
	}
	return storage.FromBytes[T](raw)
}
