package provider

import (
	"crypto/sha256"
	"sync"
)

// checkedMost bounds the signatures remembered: twice so many, about 1 KiB each.
const checkedMost = 4096

// checkedTokens remembers tokens whose signature was checked, by their hash. A signature
// does not change its mind, so nothing here can grow stale: expiry, grant and session
// are asked at every call. The set belongs to one set of keys and goes with it, so
// that a key taken away takes the memory of its signatures along.
//
// Checking an ES256 signature costs more than everything else in an introspection,
// and resource servers ask about the same token again and again.
type checkedTokens struct {
	mu       sync.Mutex
	new, old map[[sha256.Size]byte]checkedToken
}

type checkedToken struct {
	payload []byte // not to be changed
	typ     string
}

func (v *checkedTokens) get(token string) (checkedToken, bool) {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	if t, ok := v.new[sum]; ok {
		return t, true
	}
	t, ok := v.old[sum]
	if ok {
		v.keep(sum, t) // asked again: it moves on to the next generation
	}
	return t, ok
}

func (v *checkedTokens) put(token string, t checkedToken) {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(sum, t)
}

func (v *checkedTokens) keep(sum [sha256.Size]byte, t checkedToken) {
	if v.new == nil || len(v.new) >= checkedMost {
		v.old, v.new = v.new, make(map[[sha256.Size]byte]checkedToken)
	}
	v.new[sum] = t
}
