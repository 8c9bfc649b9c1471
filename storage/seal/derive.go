package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"sallyport/storage"
)

// Hash returns the keyed hash under which a capability is stored. The purpose keeps one
// kind of value from passing as another. It is nil, which no engine stores, while the
// keyring has no such key.
func (k *Keyring) Hash(purpose, value string) []byte { return k.MAC("hash", purpose, value) }

// Hashes returns the hashes of a value under every valid key, that of Hash first: a lookup
// finds rows from before a rotation, and those of a server that switched keys earlier.
func (k *Keyring) Hashes(purpose, value string) [][]byte { return k.MACs("hash", purpose, value) }

// IsHash reports whether a stored hash is that of a value, under any valid key.
func (k *Keyring) IsHash(purpose, value string, stored []byte) bool {
	found := false
	for _, sum := range k.Hashes(purpose, value) {
		found = hmac.Equal(sum, stored) || found
	}
	return found && len(stored) > 0
}

// MAC is Hash for another use.
func (k *Keyring) MAC(use, purpose, value string) []byte {
	key := k.state.Load().current(use)
	if key == nil || key.mask == nil {
		return nil
	}
	return key.mac.sum(additional("mac", purpose, value))
}

// MACs returns the MAC under every valid key, the current one first.
func (k *Keyring) MACs(use, purpose, value string) [][]byte {
	keys := k.state.Load().byUse[use]
	out := make([][]byte, 0, len(keys))
	for _, key := range keys {
		if key.mask != nil {
			out = append(out, key.mac.sum(additional("mac", purpose, value)))
		}
	}
	return out
}

// Mask returns the masked subject of a user in an authorization request. It is stable in
// the request, different in every other, and looks like a random identifier. It is ""
// while the keyring has no such key.
func (k *Keyring) Mask(request storage.RequestID, user storage.UserID) string {
	sum := k.MAC("subject", string(request), string(user))
	if sum == nil {
		return ""
	}
	return storage.FromBytes[string]([16]byte(sum[:16]))
}

// Pepper returns the pepper with this key ID, or the newest for "".
func (k *Keyring) Pepper(id storage.KeyID) (key []byte, kid storage.KeyID, ok bool) {
	s := k.state.Load()
	found := s.current("pepper")
	if id != "" {
		raw, valid := storage.Bytes(id)
		if !valid {
			return nil, "", false
		}
		found = s.byID[raw]
	}
	if found == nil || found.row.Use != "pepper" {
		return nil, "", false
	}
	return found.pepper, found.row.ID, true
}

// macKey is a key of HMAC-SHA-256. What was prepared from it is used again, since that costs as
// much as the hash of a short text.
type macKey struct {
	key  []byte
	idle sync.Pool // of hash.Hash
}

func (m *macKey) sum(data []byte) []byte {
	h, ok := m.idle.Get().(hash.Hash)
	if !ok {
		h = hmac.New(sha256.New, m.key)
	}
	defer m.idle.Put(h)
	h.Reset()
	h.Write(data)
	return h.Sum(make([]byte, 0, sha256.Size))
}

// HashBy is Hash under one valid key; nil if there is no such key.
func (k *Keyring) HashBy(id storage.KeyID, purpose, value string) []byte {
	raw, _ := storage.Bytes(id)
	if key := k.state.Load().byID[raw]; key != nil && key.row.Use == "hash" {
		return key.mac.sum(additional("mac", purpose, value))
	}
	return nil
}
