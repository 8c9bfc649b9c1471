package mfa

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sallyport/storage"
)

// stranger begins the identifier that stands for whoever enrolled an authenticator. No
// typed identifier is like it: text with a NUL never gets past the front door.
const stranger = "authenticator\x00"

// OwnerOf returns whose authenticator a choice is about, for callers that name nobody
// else: login pages send back only what a list gave them. An authenticator that is
// nobody's, or does not fit the method, belongs to a decoy, as those of a decoy's list
// do: the answer is an identifier that nobody has.
func (v *Verifier) OwnerOf(ctx context.Context, c Choice) (*storage.Account, string, error) {
	nobody := stranger + string(c.Authenticator)
	account, err := v.store.AccountByAuthenticator(ctx, c.Authenticator)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nobody, nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read account: %w", err)
	}
	if a := byID(&account, c.Authenticator); a == nil || a.Method != c.Method || !standing(*a) {
		return nil, nobody, nil
	}
	return &account, "", nil
}

// strangersAuthenticator is what OwnerOf made an identifier of.
func strangersAuthenticator(identifier string) (storage.AuthenticatorID, bool) {
	id, ok := strings.CutPrefix(identifier, stranger)
	return storage.AuthenticatorID(id), ok
}
