package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/storage"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newKEKs(tb testing.TB, n int) []KEK {
	tb.Helper()
	var out []KEK
	for range n {
		keks, err := ParseKEKs(NewKeyFile(rand.Reader))
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, keks...)
	}
	return out
}

func first(tb testing.TB, k *Keyring, now time.Time, algs ...string) []storage.Key {
	tb.Helper()
	rows, err := k.First(now, algs...)
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// loaded returns a keyring with this many keys of each use, an hour apart.
func loaded(tb testing.TB, keks []KEK, keys int, algs ...string) *Keyring {
	tb.Helper()
	k := New(keks, rand.Reader)
	var rows []storage.Key
	for i := range keys {
		rows = append(rows, first(tb, k, t0.Add(time.Duration(i)*time.Hour), algs...)...)
	}
	if err := k.Load(rows, t0.Add(time.Duration(keys)*time.Hour)); err != nil {
		tb.Fatal(err)
	}
	return k
}

// asBefore returns a data key as created before XAES-256-GCM.
func asBefore(tb testing.TB, k *Keyring, row storage.Key) storage.Key {
	tb.Helper()
	material, err := unwrap((*k.keks.Load())[0], row)
	if err != nil {
		tb.Fatal(err)
	}
	row.Alg = ""
	if row.Sealed, err = wrap((*k.keks.Load())[0], row, material); err != nil {
		tb.Fatal(err)
	}
	return row
}

// loadedBefore returns a keyring with keys created before XAES-256-GCM.
func loadedBefore(tb testing.TB, keks []KEK) *Keyring {
	tb.Helper()
	k := New(keks, rand.Reader)
	rows := first(tb, k, t0)
	for i := range rows {
		if rows[i].Use == "data" {
			rows[i] = asBefore(tb, k, rows[i])
		}
	}
	if err := k.Load(rows, t0); err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestLoad(t *testing.T) {
	keks := newKEKs(t, 2)
	maker := New(keks[:1], rand.Reader)
	rows := first(t, maker, t0, "ES256")
	for _, c := range []struct {
		name  string
		keks  []KEK
		spoil func(k *storage.Key)
		ok    bool
	}{
		{"as it was made", keks, func(*storage.Key) {}, true},
		{"times may change", keks, func(k *storage.Key) { k.ActiveAt, k.RetiredAt = t0.Add(1), t0.Add(2) }, true},
		{"expired rows are left out", nil, func(k *storage.Key) { k.ExpiresAt = t0 }, false},
		{"the key-encryption key is not in the file", keks[1:], func(*storage.Key) {}, false},
		{"another key-encryption key is named", keks, func(k *storage.Key) { k.KEK = keks[1].ID }, false},
		{"a changed bit", keks, func(k *storage.Key) { k.Sealed[20] ^= 1 }, false},
		{"cut short", keks, func(k *storage.Key) { k.Sealed = k.Sealed[:10] }, false},
		{"empty", keks, func(k *storage.Key) { k.Sealed = nil }, false},
		{"an unknown version", keks, func(k *storage.Key) { k.Sealed[0] = 2 }, false},
		{"another use", keks, func(k *storage.Key) { k.Use = "session" }, false},
		{"another algorithm", keks, func(k *storage.Key) { k.Alg = "none" }, false},
		{"the algorithm of a version before", keks, func(k *storage.Key) { k.Alg = "" }, false},
		{"another row", keks, func(k *storage.Key) { k.ID = storage.KeyID(storage.Random128(rand.Reader)) }, false},
		{"a malformed ID", keks, func(k *storage.Key) { k.ID = "x" }, false},
	} {
		spoilt := slices.Clone(rows)
		spoilt[0].Sealed = bytes.Clone(rows[0].Sealed)
		c.spoil(&spoilt[0])
		err := New(c.keks, rand.Reader).Load(spoilt, t0)
		if (err == nil) != c.ok {
			t.Errorf("%s: Load = %v, want ok %v", c.name, err, c.ok)
		}
		if err != nil && c.keks != nil && !strings.Contains(err.Error(), string(spoilt[0].ID)) {
			t.Errorf("%s: %v does not name the key", c.name, err)
		}
	}
	k := New(keks, rand.Reader)
	for i := range rows {
		rows[i].ExpiresAt = t0
	}
	if err := k.Load(rows, t0); err != nil || len(k.Signings("oidc")) != 0 {
		t.Errorf("expired keys: %v and %d signing keys, want none", err, len(k.Signings("oidc")))
	}
}

func TestFailedLoadChangesNothing(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	rows := first(t, k, t0)
	if err := k.Load(rows, t0); err != nil {
		t.Fatal(err)
	}
	want := k.Hash("p", "v")
	bad := slices.Clone(rows)
	bad[len(bad)-1].KEK = "unknown"
	if err := k.Load(bad, t0); err == nil {
		t.Fatal("a row under an unknown key was loaded")
	}
	if got := k.Hash("p", "v"); !bytes.Equal(got, want) {
		t.Error("a failed Load changed the keyring")
	}
}

// TestEmptyKeyring: an empty keyring returns no hashes or tokens.
func TestEmptyKeyring(t *testing.T) {
	k := New(nil, rand.Reader)
	if h := k.Hash("p", "v"); h != nil {
		t.Errorf("Hash = %x, want nil", h)
	}
	if hs := k.Hashes("p", "v"); len(hs) != 0 {
		t.Errorf("Hashes = %x, want none", hs)
	}
	if tok := k.Token("session", [16]byte{}, 0); tok != "" {
		t.Errorf("Token = %q, want none", tok)
	}
	if m := k.Mask("r", "u"); m != "" {
		t.Errorf("Mask = %q, want none", m)
	}
	if _, _, ok := k.Pepper(""); ok {
		t.Error("an empty keyring has a pepper")
	}
	if _, err := k.Seal("p", "r", []byte("x")); !errors.Is(err, ErrNoKey) {
		t.Errorf("Seal = %v, want %v", err, ErrNoKey)
	}
	if _, err := k.NewKey("data", "", t0); err == nil {
		t.Error("NewKey succeeded without a key-encryption key")
	}
}

// TestRotation: the next key is published, then active; the old one opens until it expires.
func TestRotation(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	old, next := first(t, k, t0), first(t, k, t0)
	active, retired, gone := t0.Add(time.Hour), t0.Add(2*time.Hour), t0.Add(3*time.Hour)
	for i := range next {
		next[i].ActiveAt = active
		old[i].RetiredAt, old[i].ExpiresAt = retired, gone
	}
	load := func(now, change time.Time) {
		t.Helper()
		if err := k.Load(append(slices.Clone(old), next...), now); err != nil {
			t.Fatal(err)
		}
		if got := k.NextChange(); !got.Equal(change) {
			t.Errorf("at %v: NextChange = %v, want %v", now, got, change)
		}
	}
	load(t0, active)
	id := [16]byte{1, 2, 3}
	sealed, err := k.Seal("p", "r", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	hash, token, code := k.Hash("p", "v"), k.Token("session", id, 9), k.Token("code", id, 0)
	if n := len(k.Hashes("p", "v")); n != 2 {
		t.Errorf("%d hashes while the next key is published, want 2: another server may use it already", n)
	}
	checkOld := func(works bool) {
		t.Helper()
		if _, err := k.Open("p", "r", sealed); (err == nil) != works {
			t.Errorf("Open = %v, want works %v", err, works)
		}
		if found := slices.ContainsFunc(k.Hashes("p", "v"), func(h []byte) bool { return bytes.Equal(h, hash) }); found != works {
			t.Errorf("the old hash is found: %v, want %v", found, works)
		}
		if got, generation, ok := k.OpenToken("session", token); ok != works || ok && (got != id || generation != 9) {
			t.Errorf("OpenToken = %x %d %v, want works %v", got, generation, ok, works)
		}
		if got, _, ok := k.OpenToken("code", code); ok != works || ok && got != id {
			t.Errorf("OpenToken of a code = %x %v, want works %v", got, ok, works)
		}
	}
	for _, moment := range []struct {
		now, change time.Time
		old, fresh  bool // old keys work; new ones are used
	}{{t0, active, true, false}, {active, retired, true, true}, {retired, gone, true, true}, {gone, time.Time{}, false, true}} {
		load(moment.now, moment.change)
		checkOld(moment.old)
		if fresh := !bytes.Equal(k.Hash("p", "v"), hash); fresh != moment.fresh {
			t.Errorf("at %v a new hash key is used: %v, want %v", moment.now, fresh, moment.fresh)
		}
		if !bytes.Equal(k.Hashes("p", "v")[0], k.Hash("p", "v")) {
			t.Errorf("at %v Hashes does not begin with Hash", moment.now)
		}
	}
}

// TestRewrap: after rewrapping, the old KEK is not needed.
func TestRewrap(t *testing.T) {
	keks := newKEKs(t, 2)
	before := New(keks[:1], rand.Reader)
	rows := first(t, before, t0, "EdDSA")
	if err := before.Load(rows, t0); err != nil {
		t.Fatal(err)
	}
	sealed, err := before.Seal("p", "r", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	both := New([]KEK{keks[1], keks[0]}, rand.Reader)
	for i := range rows {
		if rows[i], err = both.Rewrap(rows[i]); err != nil {
			t.Fatal(err)
		}
		if rows[i].KEK != keks[1].ID {
			t.Errorf("KEK = %q, want %q", rows[i].KEK, keks[1].ID)
		}
	}
	after := New(keks[1:], rand.Reader)
	if err := after.Load(rows, t0); err != nil {
		t.Fatal(err)
	}
	if plain, err := after.Open("p", "r", sealed); err != nil || string(plain) != "x" {
		t.Errorf("Open = %q, %v, want x", plain, err)
	}
	if _, err := before.Rewrap(rows[0]); err == nil {
		t.Error("a row under an unknown key was wrapped")
	}
	rows[0].Sealed[10] ^= 1
	if _, err := after.Rewrap(rows[0]); !errors.Is(err, ErrTampered) {
		t.Errorf("Rewrap = %v, want %v", err, ErrTampered)
	}
}

// TestLoadWhileReading: readers see consistent snapshots.
func TestLoadWhileReading(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	rows := first(t, k, t0)
	if err := k.Load(rows, t0); err != nil {
		t.Fatal(err)
	}
	token := k.Token("session", [16]byte{5}, 1)
	sealed, err := k.Seal("p", "r", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if _, _, ok := k.OpenToken("session", token); !ok {
					t.Error("a token did not open")
				}
				if _, err := k.Open("p", "r", sealed); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		if err := k.Load(rows, t0); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
}
