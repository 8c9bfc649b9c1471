package signing

import (
	"crypto/sha256"
	"sync"
)

// verifiedMost bounds a generation of verifiedTokens. A token takes about 60 bytes.
const verifiedMost = 4096

// verifiedTokens caches the typ of the tokens whose signature was verified, by their hash, in two
// generations. Entries never become outdated: expiry, grant and session are checked at
// every call. The cache belongs to one set of keys, so it goes when a key is removed.
//
// Verifying an ES256 signature costs more than the rest of an introspection, and resource
// servers introspect the same token again and again.
type verifiedTokens struct {
	mu       sync.Mutex
	new, old map[[sha256.Size]byte]string
}

// get returns the payload and the typ of a token that was verified.
func (v *verifiedTokens) get(token string) (payload []byte, typ string, ok bool) {
	typ, ok = v.find(sha256.Sum256([]byte(token)))
	if !ok {
		return nil, "", false
	}
	payload, err := Unverified(token)
	return payload, typ, err == nil
}

func (v *verifiedTokens) find(sum [sha256.Size]byte) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if typ, ok := v.new[sum]; ok {
		return typ, true
	}
	typ, ok := v.old[sum]
	if ok {
		v.keep(sum, typ) // used again: move it to the new generation
	}
	return typ, ok
}

func (v *verifiedTokens) put(token, typ string) {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(sum, typ)
}

func (v *verifiedTokens) keep(sum [sha256.Size]byte, typ string) {
	if v.new == nil || len(v.new) >= verifiedMost {
		v.old, v.new = v.new, make(map[[sha256.Size]byte]string)
	}
	v.new[sum] = typ
}
