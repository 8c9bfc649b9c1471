package token

import (
	"errors"

	"sallyport/provider/clientkeys"
	"sallyport/provider/oauth"
)

// ErrorOf returns the response to a client whose token could not be written: an error of its keys says
// so, and nothing was used up.
func ErrorOf(err error) *oauth.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, clientkeys.ErrUnavailable):
		e := oauth.Unavailable(err).Because(oauth.UnavailableKeys)
		e.Description = "the keys of the client can not be fetched"
		return e
	case errors.Is(err, clientkeys.ErrNoEncryptionKey), errors.Is(err, clientkeys.ErrNoKeys):
		return oauth.NewError("invalid_request", "the client has published no key for its encryption algorithm").Because(oauth.NoEncryptionKey).About("client_id")
	}
	return oauth.ErrorOf(err)
}
