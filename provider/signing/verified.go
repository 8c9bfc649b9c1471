package signing

import (
	"crypto/sha256"
	"sync"
)

// verifiedMost bounds a generation of verifiedTokens. A token takes about 1 KiB.
const verifiedMost = 4096

// verifiedTokens caches the tokens whose signature was verified, by their hash, in two
// generations. Entries never become outdated: expiry, grant and session are checked at
// every call. The cache belongs to one set of keys, so it goes when a key is removed.
//
// Verifying an ES256 signature costs more than the rest of an introspection, and resource
// servers introspect the same token again and again.
type verifiedTokens struct {
	mu       sync.Mutex
	new, old map[[sha256.Size]byte]verifiedToken
}

type verifiedToken struct {
	payload []byte // read-only
	typ     string
}

func (v *verifiedTokens) get(token string) (verifiedToken, bool) {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	if t, ok := v.new[sum]; ok {
		return t, true
	}
	t, ok := v.old[sum]
	if ok {
		v.keep(sum, t) // used again: move it to the new generation
	}
	return t, ok
}

func (v *verifiedTokens) put(token string, t verifiedToken) {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(sum, t)
}

func (v *verifiedTokens) keep(sum [sha256.Size]byte, t verifiedToken) {
	if v.new == nil || len(v.new) >= verifiedMost {
		v.old, v.new = v.new, make(map[[sha256.Size]byte]verifiedToken)
	}
	v.new[sum] = t
}
