package dpop

import (
	"crypto/hmac"
	"encoding/base64"
	"strconv"
	"time"
)

// nonceTurn is how long a nonce is handed out. It is valid for the turn after it as well, and for
// the one before, because clocks of servers differ.
const nonceTurn = 3 * time.Minute

const noncePurpose = "dpop nonce"

// nonce returns the nonce of the present turn. It is derived from a key of the server, so all
// servers have the same one and store none.
func (v *Verifier) nonce() string { return encodeNonce(v.keyring.Hash(noncePurpose, v.turn(0))) }

// knows reports whether a nonce is one of this server's that is valid.
func (v *Verifier) knows(nonce string) bool {
	found := false
	for n := range int64(3) {
		for _, sum := range v.keyring.Hashes(noncePurpose, v.turn(n-1)) {
			found = hmac.Equal([]byte(nonce), []byte(encodeNonce(sum))) || found
		}
	}
	return found
}

// turn returns the number of a turn, counted from the present one.
func (v *Verifier) turn(from int64) string {
	return strconv.FormatInt(v.now().Unix()/int64(nonceTurn/time.Second)+from, 10)
}

// encodeNonce returns a nonce of 128 bits; "" while the server has no key.
func encodeNonce(sum []byte) string {
	if len(sum) < 16 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
