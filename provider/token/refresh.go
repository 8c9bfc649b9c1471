package token

import (
	"errors"
	"math"
	"strings"

	"sallyport/storage"
)

// refreshPrefix marks refresh tokens, for secret scanners and for IsRefresh.
const refreshPrefix = "sp_rt_"

// IsRefresh reports whether a token claims to be a refresh token.
func IsRefresh(token string) bool { return strings.HasPrefix(token, refreshPrefix) }

// WriteRefresh derives the refresh token of a generation of a grant. Refresh tokens are not
// stored, and two concurrent refreshes return the same successor.
func (c *Codec) WriteRefresh(grant storage.GrantID, generation int64) (string, error) {
	id, ok := storage.Bytes(grant)
	if !ok || generation < 0 || generation > math.MaxUint32 {
		return "", errors.New("token: a grant without refresh tokens")
	}
	return refreshPrefix + c.keyring.Token("token", id, uint32(generation)), nil
}

// ReadRefresh returns grant and generation of a refresh token that this server issued.
func (c *Codec) ReadRefresh(token string) (storage.GrantID, int64, bool) {
	sealed, ok := strings.CutPrefix(token, refreshPrefix)
	if !ok || len(sealed) != 64 {
		return "", 0, false
	}
	id, generation, ok := c.keyring.OpenToken("token", sealed)
	return storage.FromBytes[storage.GrantID](id), int64(generation), ok
}
