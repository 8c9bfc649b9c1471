package token

import (
	"errors"
	"strings"

	"sallyport/storage"
)

// codePrefix marks authorization codes, for secret scanners.
const codePrefix = "sp_ac_"

// WriteCode derives the authorization code of a grant. Codes are not stored.
func (c *Codec) WriteCode(grant storage.GrantID) (string, error) {
	id, ok := storage.Bytes(grant)
	if !ok {
		return "", errors.New("token: a code without a grant")
	}
	return codePrefix + c.keyring.Token("code", id, 0), nil
}

// ReadCode returns the grant of a code that this server issued. It does not know whether the
// grant has a code.
func (c *Codec) ReadCode(code string) (storage.GrantID, bool) {
	sealed, ok := strings.CutPrefix(code, codePrefix)
	if !ok {
		return "", false
	}
	id, _, ok := c.keyring.OpenToken("code", sealed)
	return storage.FromBytes[storage.GrantID](id), ok
}
