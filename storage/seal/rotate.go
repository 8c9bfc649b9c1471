package seal

import (
	"errors"
	"fmt"
	"time"

	"sallyport/storage"
)

const (
	// margin is how long a key is kept after everything made with it has expired.
	margin = 24 * time.Hour
	// published is how long a signing key is in the key set before it signs, so that
	// clients that cache the set can verify every signature.
	published = 24 * time.Hour
	// shared is the same for internal keys: all servers have read the row long before it
	// is over.
	shared = time.Minute
	// Settle is the minimum time between storing a key and using it: servers read new
	// keys once a second.
	Settle = 5 * time.Second
)

// life returns the maximum lifetime of what is made with a key of this use; own reports
// whether the key then expires without Release. Others stay until Release, because what depends
// on them must be rewritten first: sealed columns, recovery codes, passwords.
func life(use string) (longest time.Duration, own bool) {
	switch use {
	case "oidc":
		return time.Hour, true // the longest access and ID token
	case "dialect":
		return 30 * 24 * time.Hour, true // how long Stytch lists retired keys; the JWTs live a day at most
	case "session":
		return 24 * time.Hour, true // the longest session
	case "token":
		return 90 * 24 * time.Hour, true // the longest refresh token
	case "subject":
		return 365 * 24 * time.Hour, true // device cookies, remembered devices
	case "data":
		return time.Hour, false // opaque access tokens, besides the columns
	case "hash":
		return 24 * time.Hour, false // counters of unknown names, forms of a session, besides recovery codes
	}
	return 0, false
}

// Lead returns how long before its first use a key is stored; with hurry, the minimum.
func Lead(use string, hurry bool) time.Duration {
	switch {
	case hurry:
		return Settle
	case signing(use):
		return published
	}
	return shared
}

// Rotation is a change of keys.
type Rotation struct {
	Add, Change []storage.Key
	ActiveAt    time.Time // of the new key
}

// ErrPending means that the next key exists and is not active yet.
var ErrPending = errors.New("the next key is already waiting")

// Rotate creates the next key of a use and algorithm, which replaces the others at
// now+lead. If a next key exists already, a shorter lead brings it forward; otherwise Rotate
// returns ErrPending.
func (k *Keyring) Rotate(rows []storage.Key, use, alg string, now time.Time, lead time.Duration) (Rotation, error) {
	if use == pairwise {
		return Rotation{}, errPairwise
	}
	now = now.UTC().Truncate(time.Microsecond)
	for _, row := range rows {
		if Same(row, use, alg) && Outdated(row) && valid(row, now) && (row.RetiredAt.IsZero() || row.RetiredAt.After(now)) && lead > Settle {
			lead = max(lead, published)
		}
	}
	r := Rotation{ActiveAt: now.Add(lead)}
	next := -1
	for i, row := range rows {
		if Same(row, use, alg) && row.ActiveAt.After(now) && row.RetiredAt.IsZero() && valid(row, now) {
			next = i
		}
	}
	switch {
	case next < 0:
		row, err := k.NewKey(use, alg, now)
		if err != nil {
			return r, err
		}
		row.ActiveAt = r.ActiveAt
		r.Add = append(r.Add, row)
	case rows[next].ActiveAt.After(r.ActiveAt):
		row := rows[next]
		row.ActiveAt = r.ActiveAt
		r.Change = append(r.Change, row)
	default:
		return r, fmt.Errorf("%w: %s, active from %s", ErrPending, rows[next].ID, rows[next].ActiveAt.Format(time.RFC3339))
	}
	for i, row := range rows {
		if i != next && Same(row, use, alg) && valid(row, now) && (row.RetiredAt.IsZero() || row.RetiredAt.After(r.ActiveAt)) {
			r.Change = append(r.Change, retired(row, r.ActiveAt))
		}
	}
	return r, nil
}

// Outdated reports whether a data key is from before XAES-256-GCM. Its successor is stored a
// day ahead, the time to replace servers of that version, which cannot open what it seals.
func Outdated(row storage.Key) bool { return row.Use == "data" && row.Alg != extended }

// retired returns a row retired at a time.
func retired(row storage.Key, at time.Time) storage.Key {
	row.RetiredAt, row.ExpiresAt = at, time.Time{}
	if longest, own := life(row.Use); own {
		row.ExpiresAt = at.Add(longest + margin)
	}
	return row
}

// Withdraw removes a key immediately, and with it everything made with it. A new key
// replaces it if no other one is active. Keys that stored secrets depend on cannot be
// withdrawn: that would lose the secrets and take nothing from a thief.
func (k *Keyring) Withdraw(rows []storage.Key, id storage.KeyID, now time.Time) (Rotation, error) {
	now = now.UTC().Truncate(time.Microsecond)
	row, err := find(rows, id, now)
	if err != nil {
		return Rotation{}, err
	}
	if row.Use == pairwise {
		return Rotation{}, errPairwise
	}
	if _, own := life(row.Use); !own {
		return Rotation{}, fmt.Errorf("stored secrets depend on keys of use %q: rotate, reseal (reseal --data), then retire it", row.Use)
	}
	withdrawn := row
	withdrawn.ExpiresAt = now
	if withdrawn.RetiredAt.IsZero() || withdrawn.RetiredAt.After(now) {
		withdrawn.RetiredAt = now
	}
	r := Rotation{Change: []storage.Key{withdrawn}, ActiveAt: now}
	var active, next *storage.Key
	for i, other := range rows {
		if other.ID == id || !Same(other, row.Use, row.Alg) || !valid(other, now) {
			continue
		}
		switch {
		case other.ActiveAt.After(now):
			next = &rows[i]
		case (other.RetiredAt.IsZero() || other.RetiredAt.After(now)) && (active == nil || other.ActiveAt.After(active.ActiveAt)):
			active = &rows[i]
		}
	}
	switch {
	case active == nil:
		fresh, err := k.NewKey(row.Use, row.Alg, now)
		if err != nil {
			return Rotation{}, err
		}
		if next != nil {
			fresh = retired(fresh, next.ActiveAt)
		}
		r.Add = append(r.Add, fresh)
	case next == nil && !active.RetiredAt.IsZero():
		// The withdrawn key was its successor.
		kept := *active
		kept.RetiredAt, kept.ExpiresAt = time.Time{}, time.Time{}
		r.Change = append(r.Change, kept)
	}
	return r, nil
}

// Release lets a retired key expire once nothing stored depends on it, which the caller has
// checked. It stays valid until opaque tokens and counters under it have expired.
func (k *Keyring) Release(rows []storage.Key, id storage.KeyID, now time.Time) (storage.Key, error) {
	now = now.UTC().Truncate(time.Microsecond)
	row, err := find(rows, id, now)
	if err != nil {
		return row, err
	}
	switch longest, _ := life(row.Use); {
	case row.Use == pairwise:
		return row, errPairwise
	case row.RetiredAt.IsZero() || row.RetiredAt.After(now):
		return row, errors.New("it is still in use: rotate first")
	case !row.ExpiresAt.IsZero():
		return row, fmt.Errorf("it expires by itself at %s", row.ExpiresAt.Format(time.RFC3339))
	default:
		row.ExpiresAt = now.Add(longest + margin)
		return row, nil
	}
}

func find(rows []storage.Key, id storage.KeyID, now time.Time) (storage.Key, error) {
	for _, row := range rows {
		if row.ID == id && valid(row, now) {
			return row, nil
		}
	}
	return storage.Key{}, fmt.Errorf("there is no valid key %q", id)
}

// Same reports whether a key is replaced by one of this use and algorithm. A use that does
// not sign has one key, whatever its algorithm.
func Same(row storage.Key, use, alg string) bool {
	return row.Use == use && (row.Alg == alg || !signing(use))
}

func valid(row storage.Key, now time.Time) bool {
	return row.ExpiresAt.IsZero() || now.Before(row.ExpiresAt)
}

// RotatesByAge reports whether keys of a use rotate automatically: those whose rotation has
// no cost. Not "subject", from which the display of unknown names is derived, nor "hash" and
// "pepper", on which failure counters and passwords depend, nor "pairwise", which never changes.
func RotatesByAge(use string) bool {
	switch use {
	case "oidc", "dialect", "session", "token", "data":
		return true
	}
	return false
}

// Published reports whether keys of a use are in the key set.
func Published(use string) bool { return signing(use) }

// Uses returns every use of a key.
func Uses() []string { return append(symmetric(), "oidc", "dialect") }

// Rows returns the loaded keys without their material, in no order.
func (k *Keyring) Rows() []storage.Key {
	var out []storage.Key
	for _, key := range k.state.Load().byID {
		row := key.row
		row.Sealed = nil
		out = append(out, row)
	}
	return out
}

// Current returns the key that seals, hashes or derives now; "": none.
func (k *Keyring) Current(use string) storage.KeyID {
	if key := k.state.Load().current(use); key != nil {
		return key.row.ID
	}
	return ""
}
