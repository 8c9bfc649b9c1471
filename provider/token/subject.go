package token

import (
	"sallyport/provider/clients"
	"sallyport/storage"
)

// Subject returns a user as a client sees it.
func (c *Codec) Subject(client *clients.Client, user storage.UserID) (string, error) {
	return client.Subject(c.keyring, user)
}

// SessionID returns a session as a client sees it.
func (c *Codec) SessionID(client *clients.Client, session storage.SessionID) (string, error) {
	return client.SessionID(c.keyring, session)
}

// UserOf returns the user of a subject that a client sees.
func (c *Codec) UserOf(client *clients.Client, subject string) storage.UserID {
	return client.UserOf(c.keyring, subject)
}

// SessionOf returns the session of a sid that a client sees.
func (c *Codec) SessionOf(client *clients.Client, sid string) storage.SessionID {
	return client.SessionOf(c.keyring, sid)
}
