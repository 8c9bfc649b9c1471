package seal

import (
	"errors"
	"fmt"
	"time"

	"sallyport/storage"
)

const (
	// margin is how long a key is kept beyond everything that was made with it.
	margin = 24 * time.Hour
	// published is how long a signing key is in the key set before it signs, so that
	// nobody who keeps a copy of the set meets a signature it can not check.
	published = 24 * time.Hour
	// shared is the same for keys that only our own servers use: all of them have
	// read the row long before it is over.
	shared = time.Minute
	// Settle is the least time between storing a key and using it: every server reads
	// new keys once a second.
	Settle = 5 * time.Second
)

// life is how long something made with a key of this use may live; own says that
// the key then goes by itself. The others stay until Release, because what hangs on
// them ends only when it is written anew: sealed columns, recovery codes, passwords.
func life(use string) (longest time.Duration, own bool) {
	switch use {
	case "oidc":
		return time.Hour, true // the longest access and ID token
	case "dialect", "session":
		return 24 * time.Hour, true // the longest session
	case "token":
		return 90 * 24 * time.Hour, true // the longest row of refresh tokens
	case "subject":
		return 365 * 24 * time.Hour, true // device cookies
	case "data":
		return time.Hour, false // opaque access tokens, besides the columns
	case "hash":
		return 24 * time.Hour, false // counters of unknown names, forms of a session, besides recovery codes
	}
	return 0, false
}

// Lead is how long before its first use a key is stored, with hurry at least.
func Lead(use string, hurry bool) time.Duration {
	switch {
	case hurry:
		return Settle
	case signing(use):
		return published
	}
	return shared
}

// Rotation is a change of keys that takes effect at a moment.
type Rotation struct {
	Add, Change []storage.Key
	ActiveAt    time.Time // of the new key
}

// ErrPending says that the next key is there already and waits for its time.
var ErrPending = errors.New("the next key waits for its time already")

// Rotate makes the next key of a use and algorithm, which is used from now+lead on
// and replaces the others then. One that waits already is brought forward, if lead
// is shorter, and is ErrPending otherwise.
func (k *Keyring) Rotate(rows []storage.Key, use, alg string, now time.Time, lead time.Duration) (Rotation, error) {
	now = now.UTC().Truncate(time.Microsecond)
	for _, row := range rows {
		if Same(row, use, alg) && Outdated(row) && living(row, now) && (row.RetiredAt.IsZero() || row.RetiredAt.After(now)) && lead > Settle {
			lead = max(lead, published)
		}
	}
	r := Rotation{ActiveAt: now.Add(lead)}
	next := -1
	for i, row := range rows {
		if Same(row, use, alg) && row.ActiveAt.After(now) && row.RetiredAt.IsZero() && living(row, now) {
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
		return r, fmt.Errorf("%w: %s, used from %s on", ErrPending, rows[next].ID, rows[next].ActiveAt.Format(time.RFC3339))
	}
	for i, row := range rows {
		if i != next && Same(row, use, alg) && living(row, now) && (row.RetiredAt.IsZero() || row.RetiredAt.After(r.ActiveAt)) {
			r.Change = append(r.Change, retired(row, r.ActiveAt))
		}
	}
	return r, nil
}

// Outdated reports whether a key was made by a version before there was XAES-256-GCM. Its
// successor is announced a day ahead, because servers of that version do not open what it
// will seal: they have until then to be replaced.
func Outdated(row storage.Key) bool { return row.Use == "data" && row.Alg != extended }

// retired is a row that gives way at a moment.
func retired(row storage.Key, at time.Time) storage.Key {
	row.RetiredAt, row.ExpiresAt = at, time.Time{}
	if longest, own := life(row.Use); own {
		row.ExpiresAt = at.Add(longest + margin)
	}
	return row
}

// Withdraw ends a key at once, and with it everything made with it. A new key takes
// its place where no other one is in use. Keys that stored secrets hang on are not
// withdrawn: that would lose the secrets and take nothing from a thief.
func (k *Keyring) Withdraw(rows []storage.Key, id storage.KeyID, now time.Time) (Rotation, error) {
	now = now.UTC().Truncate(time.Microsecond)
	row, err := find(rows, id, now)
	if err != nil {
		return Rotation{}, err
	}
	if _, own := life(row.Use); !own {
		return Rotation{}, fmt.Errorf("stored secrets hang on a key of use %q: rotate it, write them anew (reseal --data) and then retire it", row.Use)
	}
	gone := row
	gone.ExpiresAt = now
	if gone.RetiredAt.IsZero() || gone.RetiredAt.After(now) {
		gone.RetiredAt = now
	}
	r := Rotation{Change: []storage.Key{gone}, ActiveAt: now}
	var active, next *storage.Key
	for i, other := range rows {
		if other.ID == id || !Same(other, row.Use, row.Alg) || !living(other, now) {
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
		// What was withdrawn was to follow it.
		stays := *active
		stays.RetiredAt, stays.ExpiresAt = time.Time{}, time.Time{}
		r.Change = append(r.Change, stays)
	}
	return r, nil
}

// Release lets a key go that has given way and that nothing stored hangs on any
// more, which the caller has made sure of. What lives by itself gets its time.
func (k *Keyring) Release(rows []storage.Key, id storage.KeyID, now time.Time) (storage.Key, error) {
	now = now.UTC().Truncate(time.Microsecond)
	row, err := find(rows, id, now)
	if err != nil {
		return row, err
	}
	switch longest, _ := life(row.Use); {
	case row.RetiredAt.IsZero() || row.RetiredAt.After(now):
		return row, errors.New("it is still in use: rotate first")
	case !row.ExpiresAt.IsZero():
		return row, fmt.Errorf("it goes by itself at %s", row.ExpiresAt.Format(time.RFC3339))
	default:
		row.ExpiresAt = now.Add(longest + margin)
		return row, nil
	}
}

func find(rows []storage.Key, id storage.KeyID, now time.Time) (storage.Key, error) {
	for _, row := range rows {
		if row.ID == id && living(row, now) {
			return row, nil
		}
	}
	return storage.Key{}, fmt.Errorf("there is no living key %q", id)
}

// Same says whether one key takes the place of another. Of a use that does not sign
// there is one key, whatever algorithm its time gave it.
func Same(row storage.Key, use, alg string) bool {
	return row.Use == use && (row.Alg == alg || !signing(use))
}

func living(row storage.Key, now time.Time) bool {
	return row.ExpiresAt.IsZero() || now.Before(row.ExpiresAt)
}

// Ages reports whether keys of a use give way to the next one by age alone, without being
// told: those whose successor costs nobody anything. "subject" is none of them, because
// what unknown names are shown is made with it; nor are "hash" and "pepper", which counters
// of failures and passwords hang on.
func Ages(use string) bool {
	switch use {
	case "oidc", "dialect", "session", "token", "data":
		return true
	}
	return false
}

// Published reports whether keys of a use are seen outside, in the key set.
func Published(use string) bool { return signing(use) }

// Uses names every use of a key.
func Uses() []string { return append(symmetric(), "oidc", "dialect") }

// Rows returns the keys that are loaded, without what is in them, in no order.
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
