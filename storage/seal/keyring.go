package seal

import (
	"cmp"
	"crypto"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"sallyport/storage"
)

// Keyring holds the opened keys of the server. Reads take no lock; Load replaces all keys
// atomically.
type Keyring struct {
	keks   atomic.Pointer[[]KEK]
	random io.Reader
	state  atomic.Pointer[state]
	loads  atomic.Uint64 // how often state was replaced
}

// state is an immutable snapshot of the keys.
type state struct {
	byID  map[[16]byte]*opened
	byUse map[string][]*opened // the active one first, then newest first
	next  time.Time
}

// opened is a key ready for use. Its use determines which fields are set.
type opened struct {
	row      storage.Key
	raw      [16]byte
	active   bool        // may sign or seal now
	box      cipher.AEAD // data: AES-256-GCM, and
	extended *xaes       // XAES-256-GCM
	mac      *macKey     // hash, subject, session, token
	mask     *macKey     // the same: hides id and generation inside a token
	pepper   []byte
	signer   crypto.Signer
}

// New returns a keyring that is empty until Load.
func New(keks []KEK, random io.Reader) *Keyring {
	k := &Keyring{random: random}
	keks = slices.Clone(keks)
	k.keks.Store(&keks)
	k.state.Store(&state{})
	return k
}

// Format hides the keys from every verb of package fmt.
func (k *Keyring) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// String hides the keys.
func (k *Keyring) String() string { return "Keyring(" + hidden + ")" }

// LogValue hides the keys.
func (k *Keyring) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Load opens the rows and replaces the keys. If a row does not open, the keyring does not
// change.
func (k *Keyring) Load(rows []storage.Key, now time.Time) error {
	keks := *k.keks.Load()
	s := &state{byID: map[[16]byte]*opened{}, byUse: map[string][]*opened{}}
	for _, row := range rows {
		if !row.ExpiresAt.IsZero() && !now.Before(row.ExpiresAt) {
			continue
		}
		key, err := open(keks, row)
		if err != nil {
			return fmt.Errorf("key %q: %w", row.ID, err)
		}
		key.active = !now.Before(row.ActiveAt) && (row.RetiredAt.IsZero() || now.Before(row.RetiredAt))
		s.byID[key.raw] = key
		s.byUse[row.Use] = append(s.byUse[row.Use], key)
		for _, t := range []time.Time{row.ActiveAt, row.RetiredAt, row.ExpiresAt} {
			if t.After(now) && (s.next.IsZero() || t.Before(s.next)) {
				s.next = t
			}
		}
	}
	for _, keys := range s.byUse {
		order(keys)
	}
	k.state.Store(s)
	k.loads.Add(1)
	return nil
}

// ReplaceKEKs replaces the keys of the key file. If the new ones do not open every row, those
// before them stay.
func (k *Keyring) ReplaceKEKs(keks []KEK, rows []storage.Key, now time.Time) error {
	keks = slices.Clone(keks)
	for _, row := range rows {
		if !row.ExpiresAt.IsZero() && !now.Before(row.ExpiresAt) {
			continue
		}
		if _, err := open(keks, row); err != nil {
			return fmt.Errorf("key %q: %w", row.ID, err)
		}
	}
	k.keks.Store(&keks)
	return nil
}

// Version changes with every Load. Who reads it before the keys can tell later whether there
// are others.
func (k *Keyring) Version() uint64 { return k.loads.Load() }

// NextChange returns when a key next becomes active, retires or expires, and Load of the
// same rows is needed. Zero: never.
func (k *Keyring) NextChange() time.Time { return k.state.Load().next }

func open(keks []KEK, row storage.Key) (*opened, error) {
	raw, ok := storage.Bytes(row.ID)
	if !ok {
		return nil, errors.New("malformed id")
	}
	kek, ok := kekOf(keks, row.KEK)
	if !ok {
		return nil, fmt.Errorf("sealed under key-encryption key %q, which is not in the key file", row.KEK)
	}
	material, err := unwrap(kek, row)
	if err != nil {
		return nil, err
	}
	key := &opened{row: row, raw: raw}
	if err := key.prepare(material); err != nil {
		return nil, err
	}
	return key, nil
}

func kekOf(keks []KEK, id string) (KEK, bool) {
	for _, kek := range keks {
		if kek.ID == id {
			return kek, true
		}
	}
	return KEK{}, false
}

// order sorts the active key first, then newest first.
func order(keys []*opened) {
	slices.SortStableFunc(keys, func(a, b *opened) int {
		return cmp.Or(b.row.ActiveAt.Compare(a.row.ActiveAt), cmp.Compare(b.row.ID, a.row.ID))
	})
	i := slices.IndexFunc(keys, func(k *opened) bool { return k.active })
	if i > 0 {
		current := keys[i]
		copy(keys[1:i+1], keys[:i])
		keys[0] = current
	}
}

// current returns the newest active key of a use, or nil.
func (s *state) current(use string) *opened {
	if keys := s.byUse[use]; len(keys) > 0 && keys[0].active {
		return keys[0]
	}
	return nil
}
