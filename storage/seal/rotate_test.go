package seal

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"sallyport/storage"
)

// apply applies a change to rows, as a database would.
func apply(rows []storage.Key, r Rotation) []storage.Key {
	rows = append(slices.Clone(rows), r.Add...)
	for _, c := range r.Change {
		rows[slices.IndexFunc(rows, func(k storage.Key) bool { return k.ID == c.ID })] = c
	}
	return rows
}

func TestRotateOverlaps(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	const day = 24 * time.Hour
	for _, tc := range []struct {
		use, alg      string
		lead, expires time.Duration // of the old key, after its retirement; 0: only by Release
	}{
		{"oidc", "ES256", day, time.Hour + day},
		{"dialect", "RS256", day, 31 * day},
		{"session", "", time.Minute, 2 * day},
		{"token", "", time.Minute, 91 * day},
		{"subject", "", time.Minute, 366 * day},
		{"data", "", time.Minute, 0},
		{"hash", "", time.Minute, 0},
		{"pepper", "", time.Minute, 0},
	} {
		old, err := k.NewKey(tc.use, tc.alg, t0)
		if err != nil {
			t.Fatal(err)
		}
		other, err := k.NewKey("oidc", "EdDSA", t0)
		if err != nil {
			t.Fatal(err)
		}
		now := t0.Add(90 * day)
		r, err := k.Rotate([]storage.Key{other, old}, tc.use, tc.alg, now, Lead(tc.use, false))
		if err != nil || len(r.Add) != 1 || len(r.Change) != 1 || r.Change[0].ID != old.ID {
			t.Fatalf("%s: %+v, %v; want one new and one retired key", tc.use, r, err)
		}
		fresh, gone := r.Add[0], r.Change[0]
		if !fresh.ActiveAt.Equal(now.Add(tc.lead)) || !fresh.RetiredAt.IsZero() || !gone.RetiredAt.Equal(fresh.ActiveAt) {
			t.Errorf("%s: active %s, old retired %s, want both %s", tc.use, fresh.ActiveAt, gone.RetiredAt, now.Add(tc.lead))
		}
		want := time.Time{}
		if tc.expires > 0 {
			want = gone.RetiredAt.Add(tc.expires)
		}
		if !gone.ExpiresAt.Equal(want) {
			t.Errorf("%s: the old key expires %s, want %s", tc.use, gone.ExpiresAt, want)
		}
		if got := Lead(tc.use, true); got != Settle {
			t.Errorf("%s: lead with hurry %s, want %s", tc.use, got, Settle)
		}
	}
}

func TestRotateAgain(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	rows := first(t, k, t0, "ES256")
	lead := Lead("oidc", false)
	r, err := k.Rotate(rows, "oidc", "ES256", t0, lead)
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := r.Change[0].ID, r.Add[0].ID
	rows = apply(rows, r)
	if _, err := k.Rotate(rows, "oidc", "ES256", t0.Add(time.Hour), lead); !errors.Is(err, ErrPending) {
		t.Errorf("a second rotation = %v, want %v", err, ErrPending)
	}
	r, err = k.Rotate(rows, "oidc", "ES256", t0.Add(time.Hour), Settle)
	at := t0.Add(time.Hour + Settle)
	if err != nil || len(r.Add) != 0 || len(r.Change) != 2 {
		t.Fatalf("with hurry: %+v, %v; want the waiting key brought forward", r, err)
	}
	rows = apply(rows, r)
	for _, row := range rows {
		switch row.ID {
		case fresh:
			if !row.ActiveAt.Equal(at) {
				t.Errorf("the waiting key is active %s, want %s", row.ActiveAt, at)
			}
		case old:
			if !row.RetiredAt.Equal(at) || !row.ExpiresAt.Equal(at.Add(25*time.Hour)) {
				t.Errorf("the old key: retired %s, expires %s", row.RetiredAt, row.ExpiresAt)
			}
		}
	}
	// Exactly one key signs at any time.
	for _, now := range []time.Time{t0, at.Add(-1), at, at.Add(time.Hour), at.Add(100 * 24 * time.Hour)} {
		if err := k.Load(rows, now); err != nil {
			t.Fatal(err)
		}
		active := 0
		for _, s := range k.Signings("oidc") {
			if s.ActiveOn(now) {
				active++
			}
		}
		if active != 1 {
			t.Errorf("%d keys sign at %s, want 1", active, now)
		}
	}
}

func TestWithdraw(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	rows := first(t, k, t0, "ES256", "RS256")
	id := func(use, alg string) storage.KeyID {
		return rows[slices.IndexFunc(rows, func(k storage.Key) bool { return Same(k, use, alg) })].ID
	}
	now := t0.Add(time.Hour)
	signs := func(t *testing.T, rows []storage.Key, now time.Time) []storage.KeyID {
		t.Helper()
		if err := k.Load(rows, now); err != nil {
			t.Fatal(err)
		}
		var out []storage.KeyID
		for _, s := range k.Signings("oidc") {
			if s.Alg == "ES256" && s.ActiveOn(now) {
				out = append(out, s.ID)
			}
		}
		return out
	}
	t.Run("the only key: a new one signs immediately", func(t *testing.T) {
		r, err := k.Withdraw(rows, id("oidc", "ES256"), now)
		if err != nil || len(r.Add) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		after := apply(rows, r)
		if got := signs(t, after, now); !slices.Equal(got, []storage.KeyID{r.Add[0].ID}) {
			t.Errorf("signing keys %v, want %s", got, r.Add[0].ID)
		}
		for _, s := range k.Signings("oidc") {
			if s.ID == id("oidc", "ES256") {
				t.Error("the withdrawn key is still published")
			}
		}
	})
	rotation, err := k.Rotate(rows, "oidc", "ES256", now, Lead("oidc", false))
	if err != nil {
		t.Fatal(err)
	}
	waiting := rotation.Add[0]
	rotated := apply(rows, rotation)
	t.Run("the active key while the next one waits: a third one until then", func(t *testing.T) {
		r, err := k.Withdraw(rotated, id("oidc", "ES256"), now.Add(time.Hour))
		if err != nil || len(r.Add) != 1 || !r.Add[0].RetiredAt.Equal(waiting.ActiveAt) {
			t.Fatalf("%+v, %v", r, err)
		}
		if got := signs(t, apply(rotated, r), waiting.ActiveAt); !slices.Equal(got, []storage.KeyID{waiting.ID}) {
			t.Errorf("signing keys %v, want %s", got, waiting.ID)
		}
	})
	t.Run("the waiting key: the active one stays", func(t *testing.T) {
		r, err := k.Withdraw(rotated, waiting.ID, now.Add(time.Hour))
		if err != nil || len(r.Add) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if got := signs(t, apply(rotated, r), waiting.ActiveAt.Add(90*24*time.Hour)); !slices.Equal(got, []storage.KeyID{id("oidc", "ES256")}) {
			t.Errorf("signing keys %v, want the old one", got)
		}
	})
	t.Run("a retired key: no replacement", func(t *testing.T) {
		r, err := k.Withdraw(rotated, id("oidc", "ES256"), waiting.ActiveAt.Add(time.Hour))
		if err != nil || len(r.Add) != 0 || len(r.Change) != 1 || !r.Change[0].RetiredAt.Equal(waiting.ActiveAt) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
	for _, use := range []string{"data", "hash", "pepper"} {
		if _, err := k.Withdraw(rows, id(use, ""), now); err == nil {
			t.Errorf("a key of use %q was withdrawn with everything stored under it", use)
		}
	}
	if _, err := k.Withdraw(rows, storage.KeyID(storage.Random128(rand.Reader)), now); err == nil {
		t.Error("an unknown key was withdrawn")
	}
}

func TestRelease(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	old, err := k.NewKey("data", "", t0)
	if err != nil {
		t.Fatal(err)
	}
	rows := []storage.Key{old}
	if _, err := k.Release(rows, old.ID, t0); err == nil {
		t.Error("the active key was released")
	}
	r, err := k.Rotate(rows, "data", "", t0, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	rows = apply(rows, r)
	if _, err := k.Release(rows, old.ID, t0.Add(time.Second)); err == nil {
		t.Error("an active key was released")
	}
	gone, err := k.Release(rows, old.ID, t0.Add(time.Hour))
	if err != nil || !gone.ExpiresAt.Equal(t0.Add(26*time.Hour)) {
		t.Errorf("Release = %s, %v; want it to outlive every opaque token by a day", gone.ExpiresAt, err)
	}
	rows = apply(rows, Rotation{Change: []storage.Key{gone}})
	if _, err := k.Release(rows, old.ID, t0.Add(2*time.Hour)); err == nil {
		t.Error("released twice")
	}
}

func TestRowsAndCurrent(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 2)
	rows := k.Rows()
	if len(rows) != 14 {
		t.Errorf("%d rows, want 14", len(rows))
	}
	for _, row := range rows {
		if row.Sealed != nil {
			t.Error("a row has key material")
		}
	}
	if got, want := k.Current("hash"), k.state.Load().byUse["hash"][0].row.ID; got != want || k.Current("nonsense") != "" {
		t.Errorf("Current = %q, want %q", got, want)
	}
	if got := k.HashBy(k.Current("hash"), "p", "v"); string(got) != string(k.Hash("p", "v")) || k.HashBy(k.Current("data"), "p", "v") != nil {
		t.Error("HashBy of the current key is not Hash, or a data key hashes")
	}
	sealed, err := k.Seal("p", "r", []byte("x"))
	if err != nil || !k.SealedByCurrent(sealed) || k.SealedByCurrent(nil) {
		t.Errorf("SealedByCurrent does not know its own envelope: %v", err)
	}
}
